//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/parleyhq/parley/pkg/whatsapp/meta/fake"
)

// told is the next message to anybody, by number or user id.
func (g *graph) told(t *testing.T, begins string) {
	t.Helper()
	select {
	case s := <-g.sends:
		if !strings.HasPrefix(s.Text, begins) {
			t.Fatalf("sent %q, want %q", s.Text, begins)
		}
	case <-time.After(patience):
		t.Fatalf("nobody was sent %q", begins)
	}
}

// TestUpMerge: two people, each in a conversation by number and in another by user id, turn
// out to be one: one by a webhook that names both, the other because an operator says so.
// Everything is killed as soon as that is acknowledged, and once more after it.
func TestUpMerge(t *testing.T) {
	g, u := newGraph(t), newUp(t)
	dir := folder(t)
	write(t, dir, "lead.yaml", askFlow)
	u.start(t, environment(g.url, "PARLEY_FLOWS_DIR="+dir)...)
	people := map[string][2]fake.Person{
		"Ulm":  {{Phone: "15550100021", Name: "Cid"}, {BSUID: "US.21", Name: "Cid"}},
		"Bonn": {{Phone: "15550100022", Name: "Dot"}, {BSUID: "US.22", Name: "Dot"}},
	}
	for city, p := range people {
		for _, as := range p {
			says(t, u, as, "hi")
			g.told(t, "Which city?")
		}
		says(t, u, p[1], city)
		g.told(t, "When, for "+city+"?")
	}
	u.sent(t)
	says(t, u, fake.Person{Phone: people["Ulm"][0].Phone, BSUID: "US.21", Name: "Cid"}, "May")
	u.kill()
	u.start(t)
	g.told(t, "Ulm in May")
	u.tool(t, 0, "session", "merge", people["Bonn"][0].Phone, "US.22", "--by", "Bo", "--reason", "same voice", "--key", "k1")
	u.kill()
	u.start(t)
	saysAll(t, u.tool(t, 1, "session", "merge", people["Ulm"][0].Phone, "US.99", "--by", "Bo"), "no contact of the same business")
	u.merged(t, 2)
	says(t, u, people["Bonn"][0], "June") // by the number, which was in the other conversation
	g.told(t, "Bonn in June")
	says(t, u, people["Ulm"][0], "thanks")
	g.told(t, "Done.")
	db := open(t, u.database(t))
	if n := count(t.Context(), t, db, `SELECT count(*) FROM sessions`); n != 2 {
		t.Errorf("two people have %d conversations", n)
	}
	if n := count(t.Context(), t, db, `SELECT count(*) FROM dead_letters`); n != 0 {
		t.Errorf("%d dead letters", n)
	}
}

// merged waits until so many contacts were taken over by others.
func (u *up) merged(t *testing.T, want int) {
	t.Helper()
	db := open(t, u.database(t))
	await(t, patience, "contacts are merged", func() error {
		if n := count(t.Context(), t, db, `SELECT count(*) FROM contacts WHERE taken_over_at IS NOT NULL`); n != want {
			return fmt.Errorf("%d are", n)
		}
		return nil
	})
}
