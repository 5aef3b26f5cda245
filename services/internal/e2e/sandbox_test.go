//go:build e2e

package e2e

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// messageLog is a page of the message log.
type messageLog struct {
	Messages []struct {
		Content struct{ Media struct{ ID string } }
	}
}

// sandboxPhone is a phone of the sandbox that writes to its session of WASenderApi.
type sandboxPhone struct {
	t    *testing.T
	base string
	id   string
}

// do asks the sandbox, and reads its answer.
func (p *sandboxPhone) do(method, path string, body, into any) {
	p.t.Helper()
	data, _ := json.Marshal(body)
	req, err := http.NewRequestWithContext(p.t.Context(), method, p.base+path, bytes.NewReader(data))
	if err != nil {
		p.t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode >= 300 {
		p.t.Fatalf("%s %s answered %d", method, path, answer.StatusCode)
	}
	if into == nil {
		return
	}
	if err := json.NewDecoder(answer.Body).Decode(into); err != nil {
		p.t.Fatal(err)
	}
}

func (p *sandboxPhone) says(text string) {
	p.t.Helper()
	p.do(http.MethodPost, "/phones/"+p.id+"/messages", map[string]string{"type": "text", "text": text, "provider": "wasender"}, nil)
}

// heard is all that the business said on the phone, in order.
func (p *sandboxPhone) heard() (texts []string) {
	p.t.Helper()
	var list struct {
		Bubbles []struct{ Text, Provider string }
	}
	p.do(http.MethodGet, "/phones/"+p.id+"/messages", nil, &list)
	for _, b := range list.Bubbles {
		if b.Provider != "wasender" {
			p.t.Errorf("%q came over %s", b.Text, b.Provider)
		}
		texts = append(texts, b.Text)
	}
	return texts
}

// hears waits until what was said, in order and once, begins and ends like this.
func (p *sandboxPhone) hears(want ...string) {
	p.t.Helper()
	await(p.t, patience, "the phone hears what it should", func() error {
		got := p.heard()
		if !slices.EqualFunc(got, want, strings.Contains) {
			return fmt.Errorf("%q, want %q", got, want)
		}
		return nil
	})
}

// TestUpSandboxSession is the sandbox's own session of WASenderApi in `parley up` as
// it is without any setting: it serves the same flows, drops by its switch in the
// middle of a conversation, is connected again by itself, and what waited on both
// sides is said once and in order. Its phone ends the link, and is linked anew by the
// console's order and a scan. With a real Graph API nothing of it is left.
func TestUpSandboxSession(t *testing.T) {
	u, g := newUp(t), newGraph(t)
	u.start(t, "PARLEY_LOG_LEVEL=info")
	p := &sandboxPhone{t: t, base: u.url() + "/sandbox/api"}
	is := func(state, alarm string) {
		t.Helper()
		u.gatewaySession(t, "sandbox", func(s gatewaySession) bool { return s.State == state && s.Alarm == alarm })
	}
	is("connected", "")
	var created struct{ ID string }
	p.do(http.MethodPost, "/phones", map[string]string{"kind": "phone"}, &created)
	p.id = created.ID
	p.says("book")
	p.hears("welcome to Salon Ana!", "Which service would you like?")

	p.do(http.MethodPost, "/faults", map[string]any{"kind": "drop", "next": 1}, nil)
	p.says("2")
	is("disconnected", "")
	p.says("tomorrow")
	is("connected", "")
	p.hears("welcome to Salon Ana!", "Which service would you like?", "On which day?", "Is that right?")
	u.sent(t)
	db := open(t, u.database(t))
	if odd := count(t.Context(), t, db, `SELECT count(*) FROM deliveries WHERE ambiguous_count > 0 OR channel <> 'sandbox'`); odd > 0 {
		t.Errorf("%d deliveries are not simply sent over the session", odd)
	}
	await(t, patience, "what was sent is read", func() error {
		if n := count(t.Context(), t, db, `SELECT count(*) FROM deliveries WHERE receipt = 'read'`); n != 4 {
			return fmt.Errorf("%d are", n)
		}
		return nil
	})

	p.do(http.MethodPost, "/session", map[string]string{"do": "log_out"}, nil)
	is("logged_out", "logged_out")
	if got := post(t, u.api()+"/wasender/sessions/sandbox/connect", nil); got != http.StatusOK {
		t.Fatalf("connect answered %d", got)
	}
	is("need_scan", "scan")
	p.do(http.MethodPost, "/session", map[string]string{"do": "scan"}, nil)
	is("connected", "")
	p.says("yes")
	p.hears("welcome to Salon Ana!", "Which service would you like?", "On which day?", "Is that right?", "Nothing is free", "On which day?")

	p.do(http.MethodPost, "/phones/"+p.id+"/messages", map[string]string{"type": "image", "provider": "wasender"}, nil)
	await(t, patience, "the photo is in the log, and can be looked at", func() error {
		var id string
		for _, m := range get[messageLog](t, u.api()+"/messages?channel=sandbox").Messages {
			id = cmp.Or(id, m.Content.Media.ID)
		}
		answer, err := client.Get(u.api() + "/media/sandbox/" + id)
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		if kind := answer.Header.Get("Content-Type"); kind != "image/jpeg" {
			return fmt.Errorf("%q is answered %s, %s", id, answer.Status, kind)
		}
		return nil
	})

	secret, err := os.ReadFile(filepath.Join(u.dir, "session-secret"))
	if err != nil || strings.Contains(u.said(), strings.TrimSpace(string(secret))) || strings.Contains(u.said(), p.id) {
		t.Errorf("the log holds the secret or the phone: %v", err)
	}
	u.terminate()
	u.start(t, environment(g.url)...)
	if list := get[[]gatewaySession](t, u.api()+"/wasender/sessions"); len(list) != 0 {
		t.Errorf("with a real Graph API there is still a session: %+v", list)
	}
}
