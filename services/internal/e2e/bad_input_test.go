//go:build e2e

package e2e

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/pkg/whatsapp/meta/fake"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// bodyMax is the largest webhook that is taken.
const bodyMax = 4 << 20

// TestBadInput sends what nobody should send: what is not authentic leaves no
// trace, and what is authentic is kept whole, whatever it is.
func TestBadInput(t *testing.T) {
	g, u := newGraph(t), newUp(t)
	u.start(t, environment(g.url)...)
	db := open(t, u.database(t))
	t.Run("refused", func(t *testing.T) { refused(t, u) })
	t.Run("kept", func(t *testing.T) { kept(t, u, db) })
	t.Run("verification", func(t *testing.T) { verification(t, u) })
	// After all that, it still talks.
	signed(t, u.webhook(), fake.Text(ann, "wamid.1", time.Now(), "hi"))
	g.hears(t, ann.Phone, "Welcome! What is your name?")
	t.Log("SUMMARY bad_input: refused without a trace, kept whole, verified, and goes on")
}

// refused posts what must not be taken, and looks whether anything was stored.
func refused(t *testing.T, u *up) {
	before := get[status](t, u.api()+"/status")
	body := fake.Payload("200000000000001", channel, fake.Text(ann, "wamid.forged", time.Now(), "hi"))
	good := fake.Sign(appSecret, body)
	large := bytes.Repeat([]byte(" "), bodyMax+1)
	zipped := compress(t, body)
	const header = "X-Hub-Signature-256"
	for _, c := range []struct {
		name    string
		body    []byte
		headers []string
		want    int
	}{
		{"wrong signature", body, []string{header, fake.Sign("another secret", body)}, http.StatusUnauthorized},
		{"signature of another body", append(body[:len(body):len(body)], ' '), []string{header, good}, http.StatusUnauthorized},
		{"no signature", body, nil, http.StatusUnauthorized},
		{"two signatures", body, []string{header, good, header, good}, http.StatusUnauthorized},
		{"signature without its name", body, []string{header, strings.TrimPrefix(good, "sha256=")}, http.StatusUnauthorized},
		{"SHA-1 only", body, []string{"X-Hub-Signature", good}, http.StatusUnauthorized},
		{"too large", large, []string{header, fake.Sign(appSecret, large)}, http.StatusRequestEntityTooLarge},
		{"compressed", zipped, []string{header, fake.Sign(appSecret, zipped), "Content-Encoding", "gzip"}, http.StatusUnsupportedMediaType},
	} {
		if got := post(t, u.webhook(), c.body, c.headers...); got != c.want {
			t.Errorf("%s: answered %d, want %d", c.name, got, c.want)
		}
	}
	after := get[status](t, u.api()+"/status")
	if !maps.Equal(before.messages(), after.messages()) || len(after.DeadLetters) > 0 {
		t.Errorf("before %v, after %v", before, after)
	}
}

func compress(t *testing.T, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// kept posts authentic things that no flow can react to. Each is a dead letter that
// holds what was sent, byte for byte.
func kept(t *testing.T, u *up, db *store.Store) {
	change := `{"field":"weather_update","value":{"forecast":"rain \u0000 later","n":1e400}}`
	deep := strings.Repeat(`{"a":`, 100) + "1" + strings.Repeat("}", 100)
	full := []byte("not JSON" + strings.Repeat(".", bodyMax-8)) // the largest body there may be
	for _, c := range []struct{ name, body, kind, raw string }{
		{"not JSON", "this is not JSON \xff\x00", store.DeadUnreadable, ""},
		{"another object", `{"object":"page","entry":[]}`, store.DeadUnreadable, ""},
		{"too deep", deep, store.DeadUnreadable, ""},
		{"largest", string(full), store.DeadUnreadable, ""},
		{"unknown field", `{"object":"whatsapp_business_account","entry":[{"id":"1","changes":[` + change + `]}]}`, store.DeadUnhandled, change},
	} {
		body := []byte(c.body)
		if got := post(t, u.webhook(), body, "X-Hub-Signature-256", fake.Sign(appSecret, body)); got != http.StatusOK {
			t.Errorf("%s: answered %d", c.name, got)
			continue
		}
		want := []byte(c.raw)
		if c.raw == "" {
			want = body
		}
		await(t, patience, "dead letter of "+c.name, func() error { return isKept(t, db, c.kind, want) })
	}
	listed := get[[]store.DeadLetterView](t, u.api()+"/dead-letters?kind="+store.DeadUnreadable)
	if len(listed) != 4 || listed[0].Bytes < bodyMax {
		t.Errorf("the console lists %+v", listed)
	}
}

// isKept looks for a dead letter that holds these bytes.
func isKept(t *testing.T, db *store.Store, kind string, want []byte) error {
	t.Helper()
	letters := query[struct{ Data []byte }](t.Context(), t, db, `SELECT data FROM dead_letters WHERE kind = $1`, kind)
	for _, letter := range letters {
		e := &parleyv1.Envelope{}
		if err := proto.Unmarshal(letter.Data, e); err != nil {
			t.Fatal(err)
		}
		if bytes.Equal(e.Raw, want) {
			return nil
		}
	}
	return fmt.Errorf("not among %d dead letters", len(letters))
}

// verification is what Meta asks when the webhook's URL is entered.
func verification(t *testing.T, u *up) {
	for _, c := range []struct {
		mode, token, challenge string
		status                 int
	}{
		{"subscribe", verifyToken, "1158201444", http.StatusOK},
		{"subscribe", verifyToken + "x", "1158201444", http.StatusForbidden},
		{"subscribe", "", "1158201444", http.StatusForbidden},
		{"unsubscribe", verifyToken, "1158201444", http.StatusForbidden},
		{"subscribe", verifyToken, strings.Repeat("9", 2000), http.StatusBadRequest},
	} {
		q := url.Values{"hub.mode": {c.mode}, "hub.verify_token": {c.token}, "hub.challenge": {c.challenge}}
		response, err := client.Get(u.webhook() + "?" + q.Encode())
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || response.StatusCode != c.status || (string(body) == c.challenge) != (c.status == http.StatusOK) {
			t.Errorf("%+v: answered %d %q %v", c, response.StatusCode, body, err)
		}
	}
}

// TestMisconfigured gives each program several wrong values: it names them all at
// once, and exits with 2.
func TestMisconfigured(t *testing.T) {
	common := []string{"PARLEY_SHARDS=many", "PARLEY_LEASE_TIME=1h", "PARLEY_LOG_LEVEL=loud", "PARLEY_STREAM_REPLICAS=2", "PARLEY_NATS_URL=nowhere"}
	sends := []string{"PARLEY_GRAPH_URL=ftp://example.com", "PARLEY_SEND_RATE=-1", "PARLEY_SEND_GRACE=1ms"}
	signs := []string{"PARLEY_META_APP_SECRET=", "PARLEY_META_VERIFY_TOKEN="}
	keeps := []string{"PARLEY_DATABASE_URL=nowhere"}
	for _, c := range []struct {
		program string
		wrong   [][]string
	}{
		{"parley", [][]string{common, sends, keeps, {"PARLEY_ADDR=nowhere", "PARLEY_FLOWS_DIR=/does/not/exist"}}},
		{"parley-ingress", [][]string{common, signs}},
		{"parley-session", [][]string{common, keeps, {"PARLEY_FLOWS_DIR=/does/not/exist"}}},
		{"parley-dispatcher", [][]string{common, keeps, sends}},
		{"parley-projector", [][]string{common, {"PARLEY_DATABASE_URL="}}},
		{"parley-console", [][]string{common, {"PARLEY_DATABASE_URL="}}},
	} {
		t.Run(c.program, func(t *testing.T) {
			dir := folder(t)
			env := []string{"PARLEY_DATA_DIR=" + dir}
			for _, list := range c.wrong {
				env = append(env, list...)
			}
			p := start(t, dir+".log", env, c.program)
			if code := p.wait(patience); code != 2 {
				t.Errorf("exit code %d, want 2", code)
			}
			for _, pair := range env[1:] {
				if name, _, _ := strings.Cut(pair, "="); !strings.Contains(p.said(), name) {
					t.Errorf("%s is not named", name)
				}
			}
		})
	}
}
