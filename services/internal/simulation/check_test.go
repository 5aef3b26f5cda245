package simulation

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"github.com/parleyhq/parley/pkg/flow"
	"github.com/parleyhq/parley/pkg/store"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// history is what a run has left behind, sorted for the checkers.
type history struct {
	w      *world
	events []*parleyv1.Event // by shard, then offset
	// inputs are the InputReceived events by message, effects and buried how
	// often a message took effect or became a dead letter for good.
	inputs map[string]*parleyv1.Event
	dead   map[string][]deadLetter
	// heard are a person's events, lines those of them that are a session's.
	heard, lines map[store.SessionKey][]*parleyv1.Event
	// stored is the first position of each message in WA_IN.
	stored map[string]uint64
	raw    map[string]*parleyv1.Envelope
	// united are the contacts of linked people: of them mergedAreOne says what must
	// hold, the other checks are of one contact each, in one lane.
	united map[uuid.UUID]bool
}

func (w *world) check() {
	h := &history{
		w: w, inputs: map[string]*parleyv1.Event{}, dead: map[string][]deadLetter{}, heard: map[store.SessionKey][]*parleyv1.Event{}, lines: map[store.SessionKey][]*parleyv1.Event{},
		stored: map[string]uint64{}, raw: map[string]*parleyv1.Envelope{}, united: w.united(),
	}
	h.read()
	for _, check := range []func(){
		h.acknowledgedIsApplied, h.onlyAuthenticIsApplied, h.versionsAreGapless, h.orderIsTheStreams, h.orderIsThePeoples,
		h.effectsAreWhole, h.sendsAreSettled, h.sendsAreInOrder, h.receiptsAreMonotonic, h.funnelsAreTheFold,
		h.sessionsAreTheFold, h.decisionsRepeat, h.transcriptsAreTheModels, h.timersAreTheSessions, h.mergedAreOne,
	} {
		check()
	}
}

func (h *history) read() {
	for shard := range h.w.options.Shards {
		for _, m := range h.w.in.shards[shard] {
			e := envelopeOf(m.Data)
			if _, seen := h.stored[e.Id]; !seen {
				h.stored[e.Id], h.raw[e.Id] = m.Pos, e
			}
		}
		for i, e := range h.w.database.readEvents(shard, 0, len(h.w.database.events[shard])) {
			if e.Offset != uint64(i)+1 || int(e.Shard) != shard {
				h.w.violate("I4 order", "event %d of shard %d calls itself %d/%d", i+1, shard, e.Shard, e.Offset)
			}
			h.events = append(h.events, e)
			key := store.SessionKey{Channel: e.Channel, Contact: uuid.UUID(e.ContactId)}
			h.heard[key] = append(h.heard[key], e)
			if e.SessionId != 0 {
				h.lines[key] = append(h.lines[key], e)
			}
			if in := e.GetInputReceived().GetInput(); in != nil {
				if h.inputs[in.Id] != nil {
					h.w.violate("I3 once", "message %s has two InputReceived", in.Id)
				}
				h.inputs[in.Id] = e
			}
		}
	}
	for _, d := range h.w.database.dead {
		if d.service == store.ServiceSession && !d.redriven {
			id := envelopeOf(d.Data).Id
			h.dead[id] = append(h.dead[id], d)
		}
	}
}

func envelopeOf(data []byte) *parleyv1.Envelope {
	e := &parleyv1.Envelope{}
	if err := proto.Unmarshal(data, e); err != nil {
		panic(err)
	}
	return e
}

// acknowledgedIsApplied is I1 and I3: what was answered 200 has taken effect,
// and once.
func (h *history) acknowledgedIsApplied() {
	for _, id := range slices.Sorted(maps.Keys(h.w.meta.acked)) {
		if h.w.meta.acked[id] == 0 || isReceipt(id) || isOdd(id) {
			continue
		}
		applied, buried := h.inputs[id] != nil, len(h.dead[id])
		parked := buried > 0 && h.dead[id][0].Kind == store.DeadParked
		switch {
		case !applied && buried == 0:
			h.w.violate("I1 durable", "message %s was acknowledged and is nowhere", id)
		case applied && buried > 0, buried > 1 && !parked:
			h.w.violate("I3 once", "message %s took effect: %t, and is %d dead letters", id, applied, buried)
		}
	}
	h.oddIsKept()
	h.nobodyIsParked()
}

// nobodyIsParked: once the trouble was repaired, a redrive gave every parked
// update its effect.
func (h *history) nobodyIsParked() {
	for _, dl := range h.w.database.waiting() {
		h.w.violate("I1 durable", "the update at %d/%d waits for a redrive that there was", dl.Shard, dl.Position)
	}
	for _, c := range h.w.database.contacts {
		if c.Parked {
			h.w.violate("I1 durable", "a contact of shard %d is parked after its redrive", c.Shard)
		}
	}
}

func isReceipt(id string) bool { return len(id) > 9 && id[:9] == "wamid.out" }
func isOdd(id string) bool     { return len(id) > 4 && id[:4] == "odd " }

// oddIsKept: every acknowledged notice is a dead letter, with the bytes it came in.
func (h *history) oddIsKept() {
	kept := map[string]int{}
	for _, list := range h.dead {
		for _, d := range list {
			if e := envelopeOf(d.Data); e.Kind == parleyv1.Kind_KIND_ACCOUNT {
				kept["odd "+string(e.Raw)]++
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(h.w.meta.acked)) {
		if isOdd(id) && kept[id] != 1 {
			h.w.violate("I1 durable", "a notice is kept %d times", kept[id])
		}
	}
}

// onlyAuthenticIsApplied is I2.
func (h *history) onlyAuthenticIsApplied() {
	for _, id := range slices.Sorted(maps.Keys(h.inputs)) {
		fired := h.inputs[id].GetInputReceived().GetInput().GetTimerDue() != nil && h.stored[id] > 0
		if h.w.meta.forged[id] || h.w.meta.posted[id] == 0 && !fired {
			h.w.violate("I2 authentic", "message %s took effect and was never sent", id)
		}
	}
	for id := range h.dead {
		if h.w.meta.forged[id] {
			h.w.violate("I2 authentic", "message %s was kept and was never sent", id)
		}
	}
}

// versionsAreGapless is I4 for the versions of each session.
func (h *history) versionsAreGapless() {
	for _, key := range h.keys() {
		session, version := uint64(0), uint32(0)
		for _, e := range h.lines[key] {
			if e.GetSessionStarted() != nil {
				session, version = store.SessionID(int(e.Shard), e.Offset), 0
			}
			version++
			if e.SessionId != session || e.Version != version {
				h.w.violate("I4 order", "event %d/%d is %d of session %d, expected %d of %d",
					e.Shard, e.Offset, e.Version, e.SessionId, version, session)
			}
		}
	}
}

func (h *history) keys() []store.SessionKey {
	plain := maps.Clone(h.lines)
	maps.DeleteFunc(plain, func(k store.SessionKey, _ []*parleyv1.Event) bool { return h.united[k.Contact] })
	return slices.SortedFunc(maps.Keys(plain), func(a, b store.SessionKey) int {
		return cmp.Or(cmp.Compare(a.Channel, b.Channel), bytes.Compare(a.Contact[:], b.Contact[:]))
	})
}

// orderIsTheStreams is I4: a person's messages take effect in the order in
// which they were first stored.
func (h *history) orderIsTheStreams() {
	for _, key := range h.keys() {
		last := uint64(0)
		for _, e := range h.heard[key] {
			in := e.GetInputReceived().GetInput()
			if in == nil {
				continue
			}
			if h.stored[in.Id] < last {
				h.w.violate("I4 order", "message %s is at %d, and took effect behind %d", in.Id, h.stored[in.Id], last)
			}
			last = h.stored[in.Id]
		}
	}
}

// orderIsThePeoples is I4: a message that was acknowledged before another one
// was posted takes effect before it.
func (h *history) orderIsThePeoples() {
	for _, key := range h.keys() {
		var ids []string
		for _, e := range h.heard[key] {
			if in := e.GetInputReceived().GetInput(); in != nil {
				ids = append(ids, in.Id)
			}
		}
		for i, id := range ids {
			for _, later := range ids[i+1:] {
				if acked := h.w.meta.acked[later]; acked != 0 && acked < h.w.meta.posted[id] {
					h.w.violate("I4 order", "message %s took effect before %s, which was acknowledged before it was posted", id, later)
				}
			}
		}
	}
}

// effectsAreWhole is I6: what commits together is there together.
func (h *history) effectsAreWhole() {
	d := h.w.database
	expected := map[uuid.UUID]bool{}
	for _, id := range slices.Sorted(maps.Keys(h.inputs)) {
		e := h.inputs[id]
		expected[store.InboxID(e.Channel, id)] = true
	}
	for _, list := range h.dead {
		for _, dl := range list {
			if dl.Kind != store.DeadParked {
				e := envelopeOf(dl.Data)
				expected[store.InboxID(e.Channel, e.Id)] = true
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(h.raw)) {
		e := h.raw[id]
		// Orders, and timers that came too late, have no event.
		ours := e.Kind == parleyv1.Kind_KIND_OPERATOR || e.Kind == parleyv1.Kind_KIND_TIMER
		if key := store.InboxID(e.Channel, e.Id); ours && d.inbox[key] {
			expected[key] = true
		}
	}
	if !maps.Equal(expected, d.inbox) {
		h.w.violate("I6 atomic", "%d effects have %d inbox keys", len(expected), len(d.inbox))
	}
	for shard, l := range d.leases[store.ServiceSession] {
		if l.head != uint64(len(d.events[shard])) {
			h.w.violate("I6 atomic", "shard %d has %d events, its head is %d", shard, len(d.events[shard]), l.head)
		}
	}
	for _, key := range h.keys() {
		last := h.lines[key][len(h.lines[key])-1]
		if row := d.sessions[key]; row.ID != last.SessionId || row.State.Version != last.Version {
			h.w.violate("I6 atomic", "session %d stands at %d, its events at %d of %d", row.ID, row.State.Version, last.Version, last.SessionId)
		}
		if _, known := d.contacts[key.Contact]; !known {
			h.w.violate("I6 atomic", "session %d has no contact", last.SessionId)
		}
	}
	if plain := len(h.keys()); plain != h.plainRows() {
		h.w.violate("I6 atomic", "%d sessions have events, %d have rows", plain, h.plainRows())
	}
}

// sessionsAreTheFold is I8: the events of a session, folded, are its row.
func (h *history) sessionsAreTheFold() {
	for _, key := range h.keys() {
		state := flow.State{}
		for _, e := range h.lines[key] {
			state = flow.Evolve(state, e)
		}
		if row := h.w.database.sessions[key]; !reflect.DeepEqual(state, row.State) {
			h.w.violate("I8 replay", "session %d folds to %+v, its row is %+v", row.ID, state, row.State)
		}
	}
}

// routers say what begins, by the live version of the demo.
var routers = func() map[uint32]*flow.Router {
	list := map[uint32]*flow.Router{}
	for _, live := range []uint32{1, 2} {
		list[live] = flow.NewRouter("", flowName, flow.Release{Flow: publishedFlows[published{flowName, live}]},
			flow.Release{Flow: publishedFlows[published{"notes", 1}]})
	}
	return list
}()

// decisionsRepeat is I8: the recorded inputs, decided again with the recorded
// versions, give the recorded events byte for byte.
func (h *history) decisionsRepeat() {
	for _, key := range h.keys() {
		state, rest := flow.State{}, h.lines[key]
		for len(rest) > 0 {
			turn := turnOf(rest)
			rest = rest[len(turn):]
			var in *parleyv1.Input
			live := uint32(1)
			for _, e := range turn {
				if e.GetInputReceived() != nil {
					in = e.GetInputReceived().GetInput()
				}
				if e.GetSessionStarted() != nil && e.Flow == flowName {
					live = e.FlowVersion
				}
			}
			events, next := flow.Turn(routers[live], publishedFlows[published{state.Flow, state.FlowVersion}], state, in)
			state = next
			h.same(turn, events)
		}
	}
}

// turnOf is the first turn of a list of events: its input, and what follows up
// to the next one.
func turnOf(events []*parleyv1.Event) []*parleyv1.Event {
	inputs := 0
	for i, e := range events {
		opens := e.GetInputReceived() != nil
		// A new session opens before its input, unless a restart began it.
		first := e.GetSessionStarted() != nil && (i == 0 || events[i-1].GetSessionCancelled() == nil)
		if (opens || first) && inputs > 0 {
			return events[:i]
		}
		if opens {
			inputs++
		}
	}
	return events
}

func (h *history) same(stored, decided []*parleyv1.Event) {
	if len(stored) != len(decided) {
		h.w.violate("I8 replay", "a turn of %d events has %d when decided again", len(stored), len(decided))
		return
	}
	for i, e := range decided {
		s := stored[i]
		e.Shard, e.Offset, e.SessionId, e.Channel, e.ContactId = s.Shard, s.Offset, s.SessionId, s.Channel, s.ContactId
		if q := e.GetMessageQueued(); q != nil {
			q.Phone, q.Bsuid = s.GetMessageQueued().GetPhone(), s.GetMessageQueued().GetBsuid()
		}
		if !bytes.Equal(encoded(s), encoded(e)) {
			h.w.violate("I8 replay", "event %d/%d differs when decided again", s.Shard, s.Offset)
		}
	}
}

func encoded(e *parleyv1.Event) []byte {
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(e)
	if err != nil {
		panic(err)
	}
	return data
}

// transcriptsAreTheModels: what people were told is what the naive model says,
// to the person who wrote.
func (h *history) transcriptsAreTheModels() {
	for _, key := range h.keys() {
		d := &dialogue{}
		events := h.lines[key]
		for len(events) > 0 {
			turn := turnOf(events)
			events = events[len(turn):]
			said := ""
			var heard *parleyv1.Input
			for _, e := range turn {
				if e.GetInputReceived() != nil {
					heard = e.GetInputReceived().GetInput()
				}
				if q := e.GetMessageQueued(); q != nil {
					said += q.GetText().GetBody()
					h.addressee(key, e)
				}
			}
			h.inTime(d, heard)
			if want := d.hear(heard, turn[len(turn)-1].FlowVersion); said != want {
				h.w.violate("transcript", "to %q the answer at %d/%d was %q, expected %q",
					heard.GetMessage().GetText(), turn[0].Shard, turn[0].Offset, said, want)
			}
		}
	}
}

func (h *history) addressee(key store.SessionKey, e *parleyv1.Event) {
	id := h.w.database.contacts[key.Contact].Identity
	if q := e.GetMessageQueued(); q.Phone != id.GetPhone() || q.Bsuid != id.GetBsuid() {
		h.w.violate("transcript", "answer %s is for somebody else", fmt.Sprint(e.Shard, "/", e.Offset))
	}
}

// inTime: a timer takes effect for what it was set for, and not before, as far as
// the clocks agree.
func (h *history) inTime(d *dialogue, in *parleyv1.Input) {
	due := in.GetTimerDue()
	switch {
	case due == nil:
	case len(d.parts) == 0 || due.GetWakeAtMs() != d.wake:
		h.w.violate("timers", "%s took effect, a note of %d parts waits for %d", in.Id, len(d.parts), d.wake)
	case in.AtMs < d.wake-skewMost.Milliseconds():
		h.w.violate("timers", "%s took effect %d ms before its time", in.Id, d.wake-in.AtMs)
	}
}

// timersAreTheSessions: at the end nobody waits for a note to be weighed, and the
// timers are those that the sessions want.
func (h *history) timersAreTheSessions() {
	for _, key := range h.keys() {
		s := h.w.database.sessions[key]
		set, isSet := h.w.database.timers[key]
		switch at := s.State.WakeAt(); {
		case s.State.Progress.WakeAtMs != 0:
			h.w.violate("timers", "session %d waits for a note to be weighed", s.ID)
		case isSet != (at != 0), isSet && set.WakeAt.UnixMilli() != at:
			h.w.violate("timers", "session %d waits for %d, its timer is %v", s.ID, at, set)
		}
	}
}
