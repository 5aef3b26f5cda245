package ingress

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// Source: WIRE 1.1.
func TestVerify(t *testing.T) {
	for name, c := range map[string]struct {
		mode, token, challenge string
		want                   int
	}{
		"right":            {"subscribe", token, "1158201444", http.StatusOK},
		"empty challenge":  {"subscribe", token, "", http.StatusOK},
		"challenge is XSS": {"subscribe", token, `<script>alert(1)</script>`, http.StatusOK},
		"longest":          {"subscribe", token, strings.Repeat("7", challengeMax), http.StatusOK},
		"too long":         {"subscribe", token, strings.Repeat("7", challengeMax+1), http.StatusBadRequest},
		"wrong token":      {"subscribe", "verify-mE", "1", http.StatusForbidden},
		"longer token":     {"subscribe", token + "x", "1", http.StatusForbidden},
		"shorter token":    {"subscribe", token[1:], "1", http.StatusForbidden},
		"no token":         {"subscribe", "", "1", http.StatusForbidden},
		"wrong mode":       {"unsubscribe", token, "1", http.StatusForbidden},
		"no mode":          {"", token, "1", http.StatusForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			query := url.Values{"hub.mode": {c.mode}, "hub.verify_token": {c.token}, "hub.challenge": {c.challenge}}
			w := do(newHandler(&shelf{}, &shelf{}, io.Discard), httptest.NewRequest(http.MethodGet, "/webhooks/meta?"+query.Encode(), nil))
			if w.Code != c.want {
				t.Fatalf("answered %d, want %d", w.Code, c.want)
			}
			if w.Code == http.StatusOK && w.Body.String() != c.challenge {
				t.Errorf("echoed %q, want %q", w.Body, c.challenge)
			}
			if w.Code != http.StatusOK && c.challenge != "" && strings.Contains(w.Body.String(), c.challenge) {
				t.Errorf("a refusal echoes the challenge")
			}
			if got := w.Header().Get("Content-Type"); !strings.HasPrefix(got, "text/plain") {
				t.Errorf("content type %q: a browser would run a script in it", got)
			}
			if got := w.Header().Get("X-Content-Type-Options"); got != "nosniff" {
				t.Errorf("X-Content-Type-Options %q", got)
			}
		})
	}
}

// A handler without a verify token must not take an empty one for it.
func TestVerifyWithoutToken(t *testing.T) {
	mux := http.NewServeMux()
	New(Options{}).Routes(mux)
	w := do(mux, httptest.NewRequest(http.MethodGet, "/webhooks/meta?hub.mode=subscribe&hub.verify_token=&hub.challenge=1", nil))
	if w.Code != http.StatusForbidden {
		t.Errorf("answered %d, want 403", w.Code)
	}
}

func TestOtherMethods(t *testing.T) {
	h := newHandler(&shelf{}, &shelf{}, io.Discard)
	for _, method := range []string{http.MethodPut, http.MethodDelete, http.MethodPatch, http.MethodOptions} {
		if w := do(h, httptest.NewRequest(method, "/webhooks/meta", nil)); w.Code != http.StatusMethodNotAllowed {
			t.Errorf("%s answered %d, want 405", method, w.Code)
		}
	}
}
