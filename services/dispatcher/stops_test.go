package dispatcher

import (
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/pkg/whatsapp/meta"
)

// exchange lets a replica tell and learn once.
func (o *office) exchange(owner string, told []store.SendStop) []store.SendStop {
	o.db.t.Helper()
	told, err := o.exchangeStops(o.db.t.Context(), o.db.Store, owner, told)
	if err != nil {
		o.db.t.Fatal(err)
	}
	return told
}

// refuseNext gives the next message of a desk an outcome.
func refuseNext(t *testing.T, d *Desk, now time.Time, err error) {
	t.Helper()
	jobs := d.Next(now)
	if len(jobs) != 1 {
		t.Fatalf("%d jobs go", len(jobs))
	}
	outcome{job: jobs[0], err: err, at: now}.apply(d, now)
}

// What one replica finds out, the other keeps to as well, without telling it as its
// own; afterwards each tries for itself.
func TestStopsAreShared(t *testing.T) {
	db := newDatabase(t)
	a, b := open(t, db), open(t, db)
	for _, o := range []*office{a, b} {
		o.pass(time.Since(start)) // the database's clock is the real one
	}
	now := a.clock()
	offer := message(t, job("x", 2, 1), template("offer"))
	a.desk.Add(now, offer)
	refuseNext(t, a.desk, now, refused(meta.ParkTemplate, 132015, 400))
	reply := job("x", 2, 2)
	reply.QueuedAt = now
	a.desk.Add(now, reply)
	refuseNext(t, a.desk, now, refused(meta.StopNumber, 131045, 500))
	told := a.exchange("a", nil)
	if len(told) != 2 || told[0].Subject != "template offer en" || told[1].Scope != scopeNumber || told[1].Code != 131045 {
		t.Fatalf("a tells %+v", told)
	}
	if own := b.exchange("b", nil); len(own) != 0 {
		t.Errorf("b tells %+v", own)
	}
	b.desk.Add(now, job("y", 1, 1))
	if jobs := b.desk.Next(now); len(jobs) != 0 || b.desk.refusal(now, on("n1", offer)) == nil {
		t.Errorf("b sends %v although a knows better", offsets(jobs))
	}
	later := now.Add(10 * minute)
	refuseNext(t, b.desk, later, nil)
	if own := b.desk.Stops(later); len(own) != 0 || b.desk.number("n1").row != 0 {
		t.Errorf("b does not believe its own eyes: %+v", own)
	}
	refuseNext(t, a.desk, later, nil)
	b.exchange("b", nil)
	if told = a.exchange("a", told); len(told) != 1 {
		t.Errorf("a tells %+v", told)
	}
	stops, err := db.SendStops(t.Context(), "")
	if err != nil || len(stops) != 1 || stops[0].Subject == "" {
		t.Errorf("stored are %+v, %v", stops, err)
	}
}

func (d *Desk) number(name string) *gate { return d.gate(scopeNumber, name) }

// A circuit is a replica's own: that one has no way to the provider says nothing
// about the others.
func TestCircuitIsNotShared(t *testing.T) {
	d := newDesk(roomy())
	d.Adopt(start, []store.SendStop{
		{Scope: scopeNumber, Name: "n1", Class: "ambiguous", Since: start, Until: after(minute)},
		{Scope: scopeNumber, Name: "n1", Class: "of a later version", Since: start, Until: after(minute)},
		{Scope: scopeNumber, Name: "n1", Class: "stop number", Since: start, Until: start},
	})
	if d.number("n1").row != 0 {
		t.Error("it is shut")
	}
}

// A change is told once, and so is its end.
func TestStopsAreTold(t *testing.T) {
	var log strings.Builder
	a := newAlarms(zerolog.New(&log))
	stop := []store.SendStop{{Scope: scopeNumber, Name: "n1", Class: "ambiguous", Until: start}}
	longer := []store.SendStop{{Scope: scopeNumber, Name: "n1", Class: "ambiguous", Until: after(minute)}}
	a.changed(nil, stop)
	a.changed(stop, longer)
	a.changed(longer, nil)
	a.changed(nil, nil)
	if strings.Count(log.String(), "\n") != 2 || !strings.Contains(log.String(), "sends wait") || !strings.Contains(log.String(), "sends go on") {
		t.Errorf("log: %s", log.String())
	}
}
