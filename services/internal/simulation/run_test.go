package simulation

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"github.com/parleyhq/parley/pkg/flow"
	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/services/internal/demoflows"
)

// published names a version of a flow.
type published struct {
	flow    string
	version uint32
}

// notesFlow takes an answer in several messages.
const notesFlow = `
name: notes
language: en
entry: [{keyword: [NOTE]}]
keywords: {restart: [RESTART]}
steps:
  - {name: note, say: Go on., expect: {type: text, save: note, quiet: 8s, wait: 40s}}
completed: {say: "Noted: {note}", again: Done.}
`

// publishedFlows are two versions of the demo's flow, the second of which goes live
// in the middle of a run, and one of the notes.
var publishedFlows = func() map[published]*flow.Flow {
	source, err := demoflows.Files.ReadFile("lead.yaml")
	if err != nil {
		panic(err)
	}
	flows := map[published]*flow.Flow{}
	for p, text := range map[published][]byte{
		{flowName, 1}: source, {flowName, 2}: bytes.ReplaceAll(source, []byte("Thank you!"), []byte("Thanks a lot!")),
		{"notes", 1}: []byte(notesFlow),
	} {
		f, err := flow.Parse(text)
		if err != nil {
			panic(err)
		}
		flows[p] = f.WithVersion(p.version)
	}
	return flows
}()

// result is what a run comes to.
type result struct {
	options    options
	hash       uint64
	violations []string
	tail       []string
	counts     map[string]int
	took       time.Duration // virtual
	messages   int
}

// simulate runs one seed from beginning to end. out gets the whole trace, if it
// is not nil.
func simulate(o options, out io.Writer) result {
	w := &world{
		options: o, rng: rand.New(rand.NewPCG(o.Seed, 0xda7a)), now: begin, end: begin.Add(o.Faults),
		tasks: map[*task]bool{}, trace: newTrace(out), counts: map[string]int{},
	}
	defer w.close()
	w.database = newDatabase(w)
	w.in, w.status = newStream(w, "WA_IN", o.Shards), newStream(w, "WA_STATUS", o.Shards)
	w.relayed, w.provider, w.meta = newTopic(w, o.Shards), &provider{w: w}, newWebhooks(w)
	for i := range o.Replicas {
		w.addProcess("ingress", i, bootIngress)
		w.addProcess("session", i, bootSession)
		w.addProcess("dispatcher", i, bootDispatcher)
		w.addProcess("projector", i, bootProjector)
	}
	w.people = o.People + o.Noters + o.Linked
	for n := range w.people {
		p := newPerson(w, n)
		w.spawn(nil, fmt.Sprintf("person%d", n), func() { p.write(w) })
	}
	w.after(w.between(0, o.Faults), func() { w.database.live = 2 })
	w.spawn(nil, "nemesis", w.nemesis)
	w.spawn(nil, "operator", w.operate)
	for !w.finished() {
		until := w.now.Add(500 * time.Millisecond)
		for len(w.events) > 0 && !w.events[0].at.After(until) && len(w.violations) == 0 {
			w.step()
		}
		w.now = until
		if len(w.violations) > 0 {
			break
		}
		if w.now.Sub(w.end) > quietMost {
			w.stuck()
			break
		}
	}
	if len(w.violations) == 0 {
		w.check()
	}
	return result{
		options: o, hash: w.trace.hash.Sum64(), violations: w.violations, tail: w.trace.tail(), counts: w.counts,
		took: w.now.Sub(begin), messages: len(w.meta.acked),
	}
}

// finished reports whether nothing is left to do. When nothing is for the first
// time, what made turns fail is repaired, and those who are parked are redriven.
func (w *world) finished() bool {
	if !w.calm || w.pending() != "" {
		return false
	}
	if !w.database.repaired {
		w.note("the poison is repaired")
		w.database.repaired = true
		return !w.redrive()
	}
	return true
}

// nemesis strikes until the faults end; then it heals what it did.
func (w *world) nemesis() {
	r := w.options.Rates
	for w.now.Before(w.end) {
		w.sleep(w.between(200*time.Millisecond, 4*time.Second))
		p := w.processes[w.rng.IntN(len(w.processes))]
		switch {
		case w.fault("kill", r.Kill*0.2):
			p.kill()
		case w.fault("terminate", r.Stop*0.2):
			p.terminate()
		case w.fault("pause", r.Pause*0.25):
			p.pause(w.between(500*time.Millisecond, []time.Duration{leaseTime, 3 * leaseTime, 2 * grace}[w.rng.IntN(3)]))
		case w.fault("store outage", r.StoreOutage*0.2):
			w.database.downUntil = w.now.Add(w.between(100*time.Millisecond, 6*time.Second))
		case w.fault("stream outage", r.StreamOutage*0.2):
			until := w.now.Add(w.between(100*time.Millisecond, 8*time.Second))
			w.in.downTil, w.status.downTil = until, until
		}
	}
	w.note("everything heals")
	w.calm = true
	w.database.downUntil, w.in.downTil, w.status.downTil = w.now, w.now, w.now
}

// pending names the first thing that is still to come.
func (w *world) pending() string {
	switch {
	case w.people > 0:
		return fmt.Sprintf("%d people are not done", w.people)
	case w.meta.planned > 0 || w.meta.open > 0:
		return fmt.Sprintf("%d updates are to be posted, %d posts have no 200", w.meta.planned, w.meta.open)
	}
	for shard := range w.options.Shards {
		at := func(service string) uint64 { return w.database.leases[service][shard].checkpoint }
		head := uint64(len(w.database.events[shard]))
		for service, end := range map[string]uint64{
			store.ServiceSession: w.in.end(shard), store.ServiceReceipts: w.status.end(shard),
			store.ServiceDispatcher: head, store.ServiceProjector: head,
		} {
			if at(service) < end {
				return fmt.Sprintf("%s shard %d stands at %d of %d", service, shard, at(service), end)
			}
		}
	}
	if n := w.database.timersSoon(); n > 0 {
		return fmt.Sprintf("%d timers are set", n)
	}
	for _, row := range w.database.sorted() {
		if !row.final() && !row.kept() {
			return fmt.Sprintf("delivery %d/%d is %s", row.Key.Shard, row.Key.Offset, row.State)
		}
		for key, o := range w.database.orphans {
			if key.wamid == row.wamid && o.rank > row.rank {
				return fmt.Sprintf("receipt of delivery %d/%d is an orphan", row.Key.Shard, row.Key.Offset)
			}
		}
	}
	return ""
}

func (w *world) stuck() {
	w.violate("liveness", "%s after the faults: %s", quietMost, w.pending())
}
