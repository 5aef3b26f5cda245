//go:build e2e

package e2e

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// TestUpInput: a system of the business answers in a person's place. A request that is
// repeated, also after everything was killed, has no second effect.
func TestUpInput(t *testing.T) {
	g, u, dir := newGraph(t), newUp(t), folder(t)
	write(t, dir, "lead.yaml", `name: lead
language: en
steps:
  - {name: mail, say: "Your mail?", expect: {type: email, save: mail, invalid: "That is no mail."}}
  - {name: city, say: "Which city?", expect: {type: text, save: city}}
completed: {say: "{mail}, {city}.", again: Done.}
`)
	u.start(t, environment(g.url, "PARLEY_FLOWS_DIR="+dir)...)
	answers := func(key, text string) (id string) {
		t.Helper()
		body, err := json.Marshal(map[string]string{"text": text})
		if err != nil {
			t.Fatal(err)
		}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, u.api()+"/sessions/"+ann.Phone+"/input", strings.NewReader(string(body)))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Idempotency-Key", key)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var got map[string]string
		if err := json.NewDecoder(resp.Body).Decode(&got); err != nil || resp.StatusCode != http.StatusAccepted {
			t.Fatalf("%d %v, %v", resp.StatusCode, got, err)
		}
		return got["id"]
	}
	says(t, u, ann, "hi")
	g.next(t, ann, "Your mail?")
	answers("k1", "no mail") // it is judged like what the person writes
	g.next(t, ann, "That is no mail.")
	first := answers("k2", "ann@example.org")
	g.next(t, ann, "Which city?")
	u.sent(t)
	u.kill()
	u.start(t)
	if again := answers("k2", "ann@example.org"); again != first {
		t.Errorf("the same request is %s, and before it was %s", again, first)
	}
	answers("k3", "Rome")
	g.next(t, ann, "ann@example.org, Rome.") // and not "ann@example.org, ann@example.org."
}
