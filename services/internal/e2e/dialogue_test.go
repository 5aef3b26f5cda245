//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/pkg/whatsapp/meta/fake"
)

// ann is the one person of the tests that need no crowd.
var ann = fake.Person{Phone: "15550100001", Name: "Ann"}

// graph is a fake Graph API that tells what it was asked to send.
type graph struct {
	url   string
	sends chan fake.Send
}

func newGraph(t *testing.T) *graph {
	t.Helper()
	g := &graph{sends: make(chan fake.Send, 100)}
	server := httptest.NewServer(&fake.Graph{OnSend: func(_ context.Context, s fake.Send) fake.Answer {
		g.sends <- s
		return fake.Answer{}
	}})
	t.Cleanup(server.Close)
	g.url = server.URL
	return g
}

// hears waits for the next reply.
func (g *graph) hears(t *testing.T, to, want string) {
	t.Helper()
	select {
	case s := <-g.sends:
		if got := strings.TrimPrefix(s.To, "+"); got != to || s.Text != want || s.Channel != channel {
			t.Errorf("channel %s sent %q to %s, want %q to %s", s.Channel, s.Text, got, want, to)
		}
	case <-time.After(patience):
		t.Fatalf("no reply %q", want)
	}
}

// post sends a webhook as curl would, and returns the status.
func post(t *testing.T, url string, body []byte, headers ...string) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Add(headers[i], headers[i+1])
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, response.Body)
	return response.StatusCode
}

// signed posts an authentic webhook with updates, which must be taken.
func signed(t *testing.T, url string, items ...fake.Item) {
	t.Helper()
	body := fake.Payload("200000000000001", channel, items...)
	if got := post(t, url, body, "X-Hub-Signature-256", fake.Sign(appSecret, body)); got != http.StatusOK {
		t.Fatalf("webhook answered %d", got)
	}
}

// TestUpDialogue is what a newcomer does in the first five minutes.
func TestUpDialogue(t *testing.T) {
	g, u := newGraph(t), newUp(t)
	u.start(t, environment(g.url)...)
	began := time.Now()
	signed(t, u.webhook(), fake.Text(ann, "wamid.1", time.Now(), "hi"))
	g.hears(t, ann.Phone, "Welcome! What is your name?")
	first := time.Since(began)
	signed(t, u.webhook(), fake.Text(ann, "wamid.2", time.Now(), "Ann"))
	g.hears(t, ann.Phone, "Hi Ann, what is your email?")

	want := store.FunnelStep{Step: "name", Position: 1, Entered: 1, Answered: 1, Messages: store.FunnelMessages{Sent: 1}}
	await(t, patience, "the funnel knows", func() error {
		funnel := get[store.Funnel](t, u.api()+"/funnels/lead")
		if funnel.Totals.Started != 1 || len(funnel.Steps) != 2 || funnel.Steps[0] != want || funnel.Steps[1].Waiting != 1 {
			return fmt.Errorf("it says %+v", funnel)
		}
		return nil
	})
	sessions := get[[]store.SessionView](t, u.api()+"/sessions/"+ann.Phone)
	if len(sessions) != 1 || sessions[0].CurrentState != "email" || string(sessions[0].FlowData) != `{"name":"Ann"}` {
		t.Errorf("sessions of the contact: %+v", sessions)
	}

	began = time.Now()
	u.interrupt()
	if code := u.wait(10 * time.Second); code != 0 {
		t.Errorf("Ctrl-C ended it with exit code %d", code)
	}
	stopped := time.Since(began)
	postgresGone(t, u)

	u.start(t)
	signed(t, u.webhook(), fake.Image(ann, "wamid.3", time.Now(), ""))
	g.hears(t, ann.Phone, "Hi Ann, what is your email?")
	signed(t, u.webhook(), fake.Text(ann, "wamid.2", time.Now(), "Ann")) // a repetition from before the restart
	signed(t, u.webhook(), fake.Text(ann, "wamid.4", time.Now(), "ann@example.com"))
	g.hears(t, ann.Phone, "Thank you! Your information is saved.")
	t.Logf("SUMMARY up_dialogue: first reply after %v, Ctrl-C took %v, resumed where she was", first.Round(time.Millisecond), stopped.Round(time.Millisecond))
}

// postgresGone fails if a process of up's PostgreSQL is alive: each holds a lock.
func postgresGone(t *testing.T, u *up) {
	t.Helper()
	lock, err := os.Open(filepath.Join(u.dir, "postgres", "alive.lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		t.Errorf("a PostgreSQL is left: %v", err)
	}
}
