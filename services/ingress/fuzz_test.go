package ingress

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/parleyhq/parley/pkg/whatsapp/meta"
	"github.com/parleyhq/parley/pkg/whatsapp/meta/fake"
)

// FuzzReceive: an authentic body is always stored, whole and on legal subjects;
// one that is not authentic never is.
func FuzzReceive(f *testing.F) {
	f.Add([]byte("{}"), "")
	f.Add(message("wamid.1"), "sha256=00")
	f.Add(fake.Payload(waba, channel, fake.Receipt(ada, "wamid.o", "read", at, "p1.3.4"), fake.Raw("x", 1)), "")
	f.Add([]byte(`{"object":"whatsapp_business_account","entry":[{"id":"\u0000","changes":[{"field":"`+"\xff"+`","value":null}]}]}`), "x")
	f.Fuzz(func(t *testing.T, body []byte, header string) {
		kept := &shelf{}
		h := newHandler(kept, kept, io.Discard)
		r := request(body)
		r.Header["X-Hub-Signature-256"] = []string{header}
		if w := do(h, r); w.Code != http.StatusUnauthorized || kept.count() != 0 {
			if header != fake.Sign(secret, body) {
				t.Fatalf("forged body answered %d, stored %d", w.Code, kept.count())
			}
			kept.messages = nil
		}
		if w := do(h, request(body)); w.Code != http.StatusOK {
			t.Fatalf("authentic body answered %d", w.Code)
		}
		if want := len(meta.Split(body, at)); kept.count() != want {
			t.Fatalf("stored %d updates of %d", kept.count(), want)
		}
		for _, m := range kept.messages {
			if e := decode(t, m.Data); !legalSubject(m.Subject) || e.Id == "" || e.LaneKey == "" || len(e.Raw) == 0 && len(body) > 0 {
				t.Fatalf("subject %q, envelope %v", m.Subject, e)
			}
		}
	})
}

// legalSubject reports whether a subject has five plain tokens.
func legalSubject(subject string) bool {
	tokens := strings.Split(subject, ".")
	for _, token := range tokens {
		if token == "" || strings.ContainsAny(token, "*> \t\r\n") {
			return false
		}
	}
	return len(tokens) == 5
}
