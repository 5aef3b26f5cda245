package sandbox

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

// A text goes out as a webhook, its reply comes in through the Graph API, and the
// reply's receipts follow in order, with the sender's own id.
func TestConversation(t *testing.T) {
	for _, kind := range []string{"phone", "bsuid"} {
		t.Run(kind, func(t *testing.T) {
			p := newParley(t)
			s, server := start(t, p.server.URL)
			p.graph = server.URL + "/sandbox/graph"
			person := newPhone(t, server, kind)
			say(t, server, person.ID, "<img src=x onerror=alert(1)> ¿qué?")
			until(t, s, "the last receipt", func() bool {
				all := p.accepted()
				return len(all) == 4 && view(t, server, person.ID).Exchanges[4].Status == 200
			})

			got := p.accepted()
			if got[0].from != person.ID || got[0].text != "<img src=x onerror=alert(1)> ¿qué?" {
				t.Errorf("message %+v", got[0])
			}
			for i, status := range []string{"sent", "delivered", "read"} {
				fields := strings.SplitN(got[i+1].receipt, " ", 3)
				if fields[1] != status || fields[2] != callback("You said: "+got[0].text) || fields[0] != strings.Fields(got[1].receipt)[0] {
					t.Errorf("receipt %d: %q", i, got[i+1].receipt)
				}
			}
			after := view(t, server, person.ID)
			if n := len(after.Bubbles); n != 2 {
				t.Fatalf("%d bubbles", n)
			}
			out, in := after.Bubbles[0], after.Bubbles[1]
			if out.Direction != "out" || out.State != StateAccepted || in.Direction != "in" || in.Text != "You said: "+out.Text || in.State != "" {
				t.Errorf("bubbles %+v %+v", out, in)
			}
			if after.History != "new" || after.Name != person.Name || after.Business != "15550001111" {
				t.Errorf("phone %+v", after)
			}
			var titles []string
			for _, x := range after.Exchanges {
				titles = append(titles, x.Kind+" "+x.Title)
			}
			want := []string{"webhook message text", "call send text", "webhook receipt sent", "webhook receipt delivered", "webhook receipt read"}
			if !slices.Equal(titles, want) {
				t.Errorf("exchanges %q", titles)
			}
		})
	}
}

func TestPhotoIsAnImageUpdate(t *testing.T) {
	p := newParley(t)
	s, server := start(t, p.server.URL)
	person := newPhone(t, server, "bsuid")
	if status, answer := postJSON(t, server, "/sandbox/api/phones/"+person.ID+"/messages", map[string]string{"type": "image", "text": "my car"}); status != http.StatusAccepted {
		t.Fatalf("%d %s", status, answer)
	}
	until(t, s, "the webhook", func() bool { return len(p.accepted()) == 1 })
	if got := p.accepted()[0]; got.text != "my car" || got.from != person.ID || !strings.Contains(got.body, `"type":"image"`) || strings.Contains(got.body, `"from":`) {
		t.Errorf("webhook %s", got.body)
	}
}

// Whatever is not a 200 is posted again, byte for byte, and the next message of
// the phone waits for it; other phones do not.
func TestRetriesUntilAccepted(t *testing.T) {
	p := newParley(t)
	s, server := start(t, p.server.URL)
	person, other := newPhone(t, server, "phone"), newPhone(t, server, "phone")
	p.fail(500, 201, 302, 0)
	say(t, server, person.ID, "one")
	until(t, s, "the first attempt", func() bool { return view(t, server, person.ID).Bubbles[0].State == StateRetrying })
	say(t, server, person.ID, "two")
	until(t, s, "both accepted", func() bool {
		return len(p.accepted()) == 2 && view(t, server, person.ID).Bubbles[1].State == StateAccepted
	})

	p.mu.Lock()
	attempts := slices.Clone(p.attempts)
	p.mu.Unlock()
	for i, a := range attempts {
		want := attempts[0].body
		if i == 5 {
			want = attempts[5].body
		}
		if a.body != want {
			t.Errorf("attempt %d posted %s", i, a.body)
		}
	}
	if len(attempts) != 6 || attempts[0].text != "one" || attempts[5].text != "two" {
		t.Errorf("%d attempts, first %q, last %q", len(attempts), attempts[0].text, attempts[5].text)
	}
	x := view(t, server, person.ID).Exchanges[0]
	if x.Attempts != 5 || x.Status != 200 || x.Problem != "" {
		t.Errorf("exchange %+v", x)
	}

	p.refuse(person.ID)
	say(t, server, person.ID, "stuck")
	until(t, s, "a refusal", func() bool { return view(t, server, person.ID).Bubbles[2].State == StateRetrying })
	say(t, server, other.ID, "free")
	until(t, s, "the other phone", func() bool { return view(t, server, other.ID).Bubbles[0].State == StateAccepted })
	if b := view(t, server, person.ID).Bubbles[2]; b.State != StateRetrying {
		t.Errorf("the refused message: %+v", b)
	}
}

// With a target that is down, the bubble and the exchange tell.
func TestUnreachableTarget(t *testing.T) {
	p := newParley(t)
	url := p.server.URL
	p.server.Close()
	s, server := start(t, url)
	person := newPhone(t, server, "phone")
	say(t, server, person.ID, "anybody there?")
	until(t, s, "a failed attempt", func() bool { return view(t, server, person.ID).Bubbles[0].State == StateRetrying })
	if x := view(t, server, person.ID).Exchanges[0]; x.Status != 0 || !strings.HasPrefix(x.Problem, "no answer: ") {
		t.Errorf("exchange %+v", x)
	}
}

// Each phone's messages arrive in the order in which they were typed, however
// many fail on the way.
func TestOrderPerPhone(t *testing.T) {
	const phones, messages = 4, 25
	p := newParley(t)
	s, server := start(t, p.server.URL)
	p.fail(200, 200, 500, 200, 503, 200, 200, 0, 200, 200, 200, 500)
	var ids []string
	for range phones {
		ids = append(ids, newPhone(t, server, "phone").ID)
	}
	for m := range messages {
		for _, id := range ids {
			say(t, server, id, fmt.Sprint(m))
		}
	}
	until(t, s, "all messages", func() bool { return len(p.accepted()) == phones*messages })
	next := map[string]int{}
	for _, a := range p.accepted() {
		if a.text != fmt.Sprint(next[a.from]) {
			t.Fatalf("phone %s: %s came when %d was due", a.from, a.text, next[a.from])
		}
		next[a.from]++
	}
}

// A page that outlives the sandbox goes on with the same person.
func TestRestartKeepsThePerson(t *testing.T) {
	p := newParley(t)
	_, first := start(t, p.server.URL)
	before := newPhone(t, first, "bsuid")
	s, second := start(t, p.server.URL)
	if v := view(t, second, before.ID); v.Name != before.Name || v.Kind != "bsuid" || v.History != "unknown" || len(v.Bubbles) != 0 {
		t.Errorf("after the restart: %+v", v)
	}
	if n := len(s.book.phones); n != 0 {
		t.Errorf("reading a phone remembered %d", n)
	}
	say(t, second, before.ID, "still me")
	until(t, s, "the webhook", func() bool { return len(p.accepted()) == 1 })
	if got := p.accepted()[0].from; got != before.ID {
		t.Errorf("from %q", got)
	}
}

// Somebody who never used the page can be written to, and "+" is no part of a number.
func TestReplyToAnybody(t *testing.T) {
	p := newParley(t)
	s, server := start(t, p.server.URL)
	if status, answer := send(t, server.URL+"/sandbox/graph", "+15551234567", "hi"); status != http.StatusOK || !strings.Contains(answer, `"wamid.`) {
		t.Fatalf("%d %s", status, answer)
	}
	until(t, s, "the receipts", func() bool { return len(p.accepted()) == 3 })
	if v := view(t, server, "15551234567"); len(v.Bubbles) != 1 || v.Bubbles[0].Text != "hi" {
		t.Errorf("phone %+v", v)
	}
	if status, answer := send(t, server.URL+"/sandbox/graph", "12", "hi"); status != http.StatusBadRequest || !strings.Contains(answer, "131026") {
		t.Errorf("impossible recipient: %d %s", status, answer)
	}
}

// Run and the event streams end with the context, even while a target is down.
func TestRunEndsWithItsContext(t *testing.T) {
	s := New(Config{WebhookURL: "http://127.0.0.1:1/", Secret: testSecret, Channel: testChannel, Log: zerolog.Nop()})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- s.Run(ctx) }()
	server := newServer(t, s)
	person := newPhone(t, server, "phone")
	stream := listen(t, server, "", person.ID)
	say(t, server, person.ID, "hello?")
	until(t, s, "a failed attempt", func() bool { return view(t, server, person.ID).Bubbles[0].State == StateRetrying })
	stop()
	if err := <-ended; err != nil {
		t.Errorf("Run: %v", err)
	}
	deadline := time.After(patience)
	for open := true; open; {
		select {
		case _, open = <-stream:
		case <-deadline:
			t.Fatal("the event stream is still open")
		}
	}
}
