//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/pkg/whatsapp/meta/fake"
)

var (
	bea = fake.Person{Phone: "15550100002", Name: "Bea"}
	cem = fake.Person{Phone: "15550100003", Name: "Cem"}
)

// sent waits until every message that was sent is known to be: after a kill, one
// that is not would be sent again.
func (u *up) sent(t *testing.T) {
	t.Helper()
	db := open(t, u.database(t))
	await(t, patience, "all sends are recorded", func() error {
		if n := count(t.Context(), t, db, `SELECT count(*) FROM deliveries WHERE state <> 'accepted'`); n > 0 {
			return fmt.Errorf("%d are not", n)
		}
		return nil
	})
}

// says posts what a person writes; the id is new.
func says(t *testing.T, u *up, p fake.Person, text string) {
	t.Helper()
	signed(t, u.webhook(), fake.Text(p, fmt.Sprintf("wamid.%s.%d", p.Name, time.Now().UnixNano()), time.Now(), text))
}

// next is the next message to a person, which must begin so.
func (g *graph) next(t *testing.T, to fake.Person, begins string) fake.Send {
	t.Helper()
	select {
	case s := <-g.sends:
		if strings.TrimPrefix(s.To, "+") != to.Phone || !strings.HasPrefix(s.Text, begins) {
			t.Fatalf("%s was sent %q, want %s to be sent %q", s.To, s.Text, to.Phone, begins)
		}
		return s
	case <-time.After(patience):
		t.Fatalf("%s was not sent %q", to.Phone, begins)
		return fake.Send{}
	}
}

// taps taps what a message offers under a title.
func taps(t *testing.T, u *up, p fake.Person, s fake.Send, title string) {
	t.Helper()
	type row struct{ ID, Title string }
	var body struct {
		Interactive struct {
			Action struct {
				Buttons  []struct{ Reply row }
				Sections []struct{ Rows []row }
			}
		}
	}
	if err := json.Unmarshal(s.Body, &body); err != nil {
		t.Fatal(err)
	}
	id := fmt.Sprintf("wamid.%s.%d", p.Name, time.Now().UnixNano())
	for _, b := range body.Interactive.Action.Buttons {
		if b.Reply.Title == title {
			signed(t, u.webhook(), fake.ButtonTap(p, id, time.Now(), b.Reply.ID, title))
			return
		}
	}
	for _, section := range body.Interactive.Action.Sections {
		for _, r := range section.Rows {
			if r.Title == title {
				signed(t, u.webhook(), fake.ListTap(p, id, time.Now(), r.ID, title, ""))
				return
			}
		}
	}
	t.Fatalf("nothing is called %q in %s", title, s.Body)
}

// TestUpBooking books with taps, a written date and a long list, across a kill of
// everything, and asks again in the other language.
func TestUpBooking(t *testing.T) {
	g, u := newGraph(t), newUp(t)
	u.start(t, environment(g.url)...)
	says(t, u, ann, "book")
	g.next(t, ann, "Hello Ann, welcome to Salon Ana!")
	taps(t, u, ann, g.next(t, ann, "Which service"), "Haircut")
	g.next(t, ann, "On which day?")
	u.sent(t)
	u.kill()
	u.start(t)
	day := time.Now().In(madrid(t)).AddDate(0, 0, 2)
	for day.Weekday() == time.Sunday || day.Weekday() == time.Monday {
		day = day.AddDate(0, 0, 1)
	}
	says(t, u, ann, day.Format("2 January 2006"))
	taps(t, u, ann, g.next(t, ann, day.Format("Monday, 2 January 2006")+". Is that right?"), "Yes")
	first := g.next(t, ann, "These times are free")
	taps(t, u, ann, first, "More")
	g.next(t, ann, "These times are free")
	taps(t, u, ann, first, "10:00 am") // of the page before
	g.next(t, ann, "For how many people?")
	says(t, u, ann, "español")
	g.next(t, ann, "¿Para cuántas personas?")
	says(t, u, ann, "2")
	taps(t, u, ann, g.next(t, ann, "Corte el"), "Sí")
	for _, want := range []string{"Reservado:", "Salón", "Ana Puig", "Precios"} {
		g.next(t, ann, want)
	}
	u.logged(t, ann, 9, "Corte el")
}

// logged waits until the message log holds so many messages of a person, and one of
// ours that begins so and was sent.
func (u *up) logged(t *testing.T, p fake.Person, heard int, begins string) {
	t.Helper()
	await(t, patience, "the log holds the conversation", func() error {
		page := get[struct{ Messages []store.Message }](t, u.api()+"/messages?contact="+p.Phone)
		in, found := 0, false
		for _, m := range page.Messages {
			if m.Direction == store.DirectionIn {
				in++
			}
			found = found || m.Direction == store.DirectionOut && strings.HasPrefix(m.Body, begins) && m.Status == "accepted" && m.ProviderID != ""
		}
		if in != heard || !found {
			return fmt.Errorf("%d of %d messages are from the person, ours found: %t", in, len(page.Messages), found)
		}
		return nil
	})
}

func madrid(t *testing.T) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Madrid")
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

const notesFlow = `name: notes
language: en
entry: [{keyword: [NOTE]}]
steps:
  - {name: note, say: What happened?, expect: {type: text, save: note, quiet: 3s, wait: 20s}}
completed: {say: "Noted: {note}", again: Done.}
`

// TestUpQuiet kills everything while the parts of an answer are gathered: they
// are answered once, after the quiet.
func TestUpQuiet(t *testing.T) {
	g, u := newGraph(t), newUp(t)
	dir := folder(t)
	write(t, dir, "lead.yaml", strings.ReplaceAll(notesFlow, "name: notes", "name: lead"))
	u.start(t, environment(g.url, "PARLEY_FLOWS_DIR="+dir)...)
	says(t, u, ann, "note")
	g.next(t, ann, "What happened?")
	u.sent(t)
	says(t, u, ann, "the lamp")
	u.kill()
	u.start(t)
	says(t, u, ann, "is broken")
	began := time.Now()
	g.next(t, ann, "Noted: the lamp\nis broken")
	if quiet := time.Since(began); quiet < 2500*time.Millisecond {
		t.Errorf("answered after %v of quiet", quiet)
	}
	says(t, u, ann, "thanks")
	g.next(t, ann, "Done.")
}

const (
	trip1 = `name: trip
language: en
entry: [{keyword: [TRIP]}]
steps:
  - {name: city, say: "Which city?", expect: {type: text, save: city}}
  - {name: when, say: "When, for {city}?", expect: {type: text, save: month}}
completed: {say: "{city} in {month}", again: Done.}
`
	trip2 = `name: trip
language: en
entry: [{keyword: [TRIP]}]
steps:
  - {name: city, say: "Which city, please?", expect: {type: text, save: city}}
  - name: month
    say: "Which month?"
    expect: {type: text, save: month, pattern: "^[A-Z][a-z]+$", invalid: "Its name, please, such as May."}
completed: {say: "{city}, {month}!", again: Done.}
`
)

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// tool runs a command of parley against the one that is up, and returns what it
// wrote.
func (u *up) tool(t *testing.T, wantCode int, args ...string) string {
	t.Helper()
	output := filepath.Join(folder(t), fmt.Sprintf("tool%d.log", time.Now().UnixNano()))
	p := start(t, output, []string{"PARLEY_URL=" + u.url(), "PARLEY_DATABASE_URL=" + u.database(t)}, "parley", args...)
	if code := p.wait(patience); code != wantCode {
		t.Fatalf("parley %s ended with %d, want %d:\n%s", strings.Join(args, " "), code, wantCode, p.said())
	}
	return p.said()
}

func saysAll(t *testing.T, said string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(said, part) {
			t.Errorf("it does not say %q:\n%s", part, said)
		}
	}
}

// TestUpPublish publishes, is refused, looks, moves people, tries the recorded
// conversations on a change, and goes back, with the tools and people of a business.
func TestUpPublish(t *testing.T) {
	g, u := newGraph(t), newUp(t)
	u.start(t, environment(g.url)...)
	dir := folder(t)
	one, two := write(t, dir, "trip1.yaml", trip1), write(t, dir, "trip2.yaml", trip2)
	saysAll(t, u.tool(t, 0, "flow", "publish", one, "--note", "the first"), "version 1 of trip")
	time.Sleep(liveWithin)
	says(t, u, ann, "trip")
	g.next(t, ann, "Which city?")
	says(t, u, ann, "Ulm")
	g.next(t, ann, "When, for Ulm?")
	says(t, u, bea, "trip")
	g.next(t, bea, "Which city?")

	saysAll(t, u.tool(t, 1, "flow", "publish", two, "--migrate"), "when", "--map")
	saysAll(t, u.tool(t, 0, "flow", "publish", two, "--migrate", "--map", "when=month", "--dry-run"), "2 people would be moved", "Nothing was published")
	saysAll(t, u.tool(t, 0, "flow", "backtest", two), "2 conversations")
	saysAll(t, u.tool(t, 0, "flow", "publish", two, "--migrate", "--map", "when=month"), "version 2 of trip", "2 people were told to move")
	g.next(t, ann, "Which month?")
	says(t, u, ann, "5")
	g.next(t, ann, "Its name, please")
	says(t, u, ann, "May")
	g.next(t, ann, "Ulm, May!")
	says(t, u, bea, "Bonn")
	g.next(t, bea, "Which month?")

	versions := u.tool(t, 0, "flow", "versions", "trip")
	saysAll(t, versions, "the first", "live", "month")
	var list struct {
		Versions []struct {
			Version int
			Digest  string
		}
	}
	if err := json.Unmarshal([]byte(u.tool(t, 0, "flow", "versions", "trip", "-o", "json")), &list); err != nil {
		t.Fatal(err)
	}
	for _, v := range list.Versions {
		if v.Version == 1 {
			saysAll(t, u.tool(t, 0, "flow", "publish", "--flow", "trip", "--digest", v.Digest[:12], "--note", "back"), "version 1 of trip")
		}
	}
	time.Sleep(liveWithin)
	says(t, u, cem, "trip")
	g.next(t, cem, "Which city?")
	says(t, u, bea, "June")
	g.next(t, bea, "Bonn, June!")
}

// liveWithin is after how long every session service knows what is live: it asks
// every two seconds.
const liveWithin = 2500 * time.Millisecond
