package session

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/encoding/protojson"
	"pgregory.net/rapid"

	"github.com/parleyhq/parley/pkg/bus"
	"github.com/parleyhq/parley/pkg/flow"
	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/pkg/whatsapp/meta"
	"github.com/parleyhq/parley/pkg/whatsapp/meta/fake"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// survey asks so many questions: 60 are more than anybody answers here.
func survey(questions int) string {
	source := "name: lead\nlanguage: en\nkeywords: {restart: [RESTART]}\ncompleted: {say: Done., again: Done.}\nsteps:\n"
	for i := range questions {
		source += fmt.Sprintf("  - {name: q%d, say: Question %d?, expect: {type: text, save: a%d}}\n", i+1, i+1, i+1)
	}
	return source
}

func newSurvey(t *testing.T, questions int) *desk {
	d := newDesk(t)
	d.publish(survey(questions))
	d.time = d.time.Add(2 * liveFor)
	return d
}

// TestBusyContactsAreMerged shows two contacts in conversations to be one person: the one
// that was asked last goes on, with the answers of both, and the other is history.
func TestBusyContactsAreMerged(t *testing.T) {
	for _, phoneLast := range []bool{true, false} {
		t.Run(fmt.Sprintf("asked last by phone %v", phoneLast), func(t *testing.T) {
			d := newSurvey(t, 60)
			say := func(p fake.Person, id, text string) {
				d.time = d.time.Add(time.Second)
				d.say(p, id, text)
			}
			phone, id := seen(oldPhone, ""), seen("", oldID)
			say(phone, "p1", "hi")
			say(id, "b1", "hi")
			say(id, "b2", "from the id")
			say(id, "b3", "second from the id")
			if phoneLast {
				say(phone, "p2", "from the phone")
			}
			d.time = d.time.Add(time.Second)
			d.post(fake.Text(seen(oldPhone, oldID), "both", d.time, "of both"), fake.Text(id, "b4", d.time, "then"))
			d.run(100)
			say(phone, "p3", "last")
			c, answers := d.owner(oldPhone, oldID)
			want := map[string]any{"a1": "from the id", "a2": "second from the id", "a3": "of both", "a4": "then", "a5": "last"}
			if phoneLast {
				want = map[string]any{"a1": "from the phone", "a2": "of both", "a3": "then", "a4": "last"}
			}
			if !maps.Equal(answers, want) {
				t.Errorf("answers %v, want %v", answers, want)
			}
			if c.Identity.GetPhone() != oldPhone || c.Identity.GetBsuid() != oldID {
				t.Errorf("the contact is %v", c.Identity)
			}
			var ended int
			d.query(`SELECT count(*) FROM session_archive WHERE status = 'cancelled' AND contact_id = $1`, &ended, c.ID)
			if ended != 1 {
				t.Errorf("%d conversations in the archive", ended)
			}
			d.wantNoLetters()
			d.consistent(t)
		})
	}
}

func (d *desk) query(sql string, into any, args ...any) {
	d.t.Helper()
	if err := d.conn.QueryRow(d.t.Context(), sql, args...).Scan(into); err != nil {
		d.t.Fatal(err)
	}
}

// TestMergeKeepsWishes: whoever opted out, wants no marketing, or is blocked as one
// contact, is so as the other, whose conversation is over.
func TestMergeKeepsWishes(t *testing.T) {
	for _, column := range []string{"opted_out_at", "blocked_at", "marketing_stopped_at"} {
		t.Run(column, func(t *testing.T) {
			d := newSurvey(t, 60)
			d.say(seen(oldPhone, ""), "p1", "hi")
			d.say(seen("", oldID), "b1", "hi")
			d.exec(`UPDATE contacts SET `+column+` = now() WHERE phone = $1`, oldPhone)
			d.say(seen(oldPhone, oldID), "both", "answer")
			d.say(seen("", oldID), "b2", "another")
			c, answers := d.owner(oldPhone, oldID)
			wish := map[string]bool{"opted_out_at": c.OptedOut, "blocked_at": c.Blocked, "marketing_stopped_at": c.NoMarketing}
			if !wish[column] {
				t.Errorf("%+v", c)
			}
			if heard := len(answers) > 0; heard != (column == "marketing_stopped_at") {
				t.Errorf("answers %v", answers)
			}
			d.wantNoLetters()
			d.consistent(t)
		})
	}
}

// TestParkedContactIsMerged: what waits for a redrive is done first, in order, and then
// the contact is merged by the next update that shows it.
func TestParkedContactIsMerged(t *testing.T) {
	d := newSurvey(t, 60)
	d.say(seen(oldPhone, ""), "p1", "hi")
	d.say(seen("", oldID), "b1", "hi")
	d.exec(`UPDATE contacts SET parked_at = now() WHERE phone = $1`, oldPhone)
	d.say(seen(oldPhone, ""), "p2", "one")
	d.say(seen(oldPhone, oldID), "both", "two")
	d.say(seen("", oldID), "b2", "three")
	if letters := d.letters(store.DeadParked); len(letters) != 3 {
		t.Fatalf("%d letters", len(letters))
	}
	d.redriveParked()
	d.say(seen(oldPhone, oldID), "again", "four")
	d.wantNoLetters()
	_, answers := d.owner(oldPhone, oldID)
	if len(answers) < 3 {
		t.Errorf("answers %v", answers)
	}
	d.consistent(t)
}

func (d *desk) redriveParked() {
	d.t.Helper()
	var lane string
	d.query(`SELECT lane_key FROM contacts WHERE parked_at IS NOT NULL AND merged_into IS NULL`, &lane)
	d.put(&parleyv1.Envelope{
		Id: "redrive", Kind: parleyv1.Kind_KIND_OPERATOR, Field: store.OperatorRedrive, Provider: "parley",
		Channel: channel, Portfolio: channel, LaneKey: lane, Contact: &parleyv1.Identity{},
	})
	d.run(100)
}

// TestIdleContactJoinsParkedOne: somebody in no conversation turns out to be one who waits
// for a redrive. What they write from then on waits as well, and begins nothing.
func TestIdleContactJoinsParkedOne(t *testing.T) {
	d := newDesk(t)
	for i, text := range []string{"hi", "Ada", "ada@example.org"} {
		d.say(seen("", oldID), fmt.Sprint("b", i), text)
	}
	d.say(seen(oldPhone, ""), "p1", "hi")
	d.exec(`UPDATE contacts SET parked_at = now() WHERE phone = $1`, oldPhone)
	d.say(seen(oldPhone, oldID), "both", "Bea")
	d.say(seen("", oldID), "b4", "bea@example.org")
	if letters := d.letters(store.DeadParked); len(letters) != 2 {
		t.Fatalf("%d letters", len(letters))
	}
	d.redriveParked()
	_, answers := d.owner(oldPhone, oldID)
	if answers["name"] != "Bea" || answers["email"] != "bea@example.org" || len(d.started()) != 2 {
		t.Errorf("answers %v, %d conversations", answers, len(d.started()))
	}
	d.wantNoLetters()
}

// TestOperatorMerges: an operator knows that two people are one; a repeated order, and the
// opposite one at the same time, do nothing more.
func TestOperatorMerges(t *testing.T) {
	d := newSurvey(t, 60)
	d.say(seen("", oldID), "b1", "hi")
	d.time = d.time.Add(time.Second)
	d.say(seen(oldPhone, ""), "p1", "hi")
	d.say(seen(oldPhone, ""), "p2", "one")
	ids := d.started()
	merge := func(id string, from, into uuid.UUID) {
		known, err := d.store.LoadKnown(t.Context(), []uuid.UUID{from}, nil)
		if err != nil {
			t.Fatal(err)
		}
		in := flow.OperatorInput(id, 0, &parleyv1.OperatorAction{Verb: flow.ActMerge, By: "Ana", Reason: "same person", Into: into[:]})
		d.told(known.Contacts[from], id, in)
	}
	merge("m1", ids[0], ids[1])
	merge("m2", ids[1], ids[0])
	d.run(100)
	merge("m1", ids[0], ids[1])
	d.run(100)
	d.say(seen(oldPhone, ""), "p3", "two")
	_, answers := d.owner(oldPhone, oldID)
	if len(answers) != 2 {
		t.Errorf("answers %v", answers)
	}
	var merged, live int
	d.query(`SELECT count(*) FROM contacts WHERE merged_into IS NOT NULL AND taken_over_at IS NOT NULL`, &merged)
	d.query(`SELECT count(*) FROM sessions`, &live)
	if merged != 1 || live != 1 {
		t.Errorf("%d contacts merged, %d live conversations", merged, live)
	}
	d.wantNoLetters()
	d.consistent(t)
}

// TestThreeAreMerged lets a contact turn out to be another one that turns out to be a third
// before it has heard of the first: what the first had is the third's.
func TestThreeAreMerged(t *testing.T) {
	d := newSurvey(t, 60)
	people := []fake.Person{seen(oldPhone, ""), seen("", oldID), seen(newPhone, "")}
	for i, p := range people {
		d.say(p, fmt.Sprint("hi", i), "hi")
	}
	d.say(people[0], "one", "one")
	var contacts []store.Contact
	for _, p := range people {
		c, _ := d.known(p)
		contacts = append(contacts, c)
	}
	for i, c := range contacts[:2] {
		id := fmt.Sprint("merge", i)
		d.told(c, id, flow.OperatorInput(id, 0, &parleyv1.OperatorAction{Verb: flow.ActMerge, By: "Ana", Reason: "same person", Into: contacts[i+1].ID[:]}))
	}
	d.run(1)
	_, answers := d.owner(newPhone, oldID)
	var live, left int
	d.query(`SELECT count(*) FROM sessions`, &live)
	d.query(`SELECT count(*) FROM contacts WHERE merged_into IS NOT NULL AND taken_over_at IS NULL`, &left)
	if answers["a1"] != "one" || live != 1 || left != 0 {
		t.Errorf("answers %v, %d live conversations, %d contacts not taken over", answers, live, left)
	}
	d.wantNoLetters()
	d.consistent(t)
}

// told puts an input that Parley made into the lane of a contact.
func (d *desk) told(c store.Contact, id string, in *parleyv1.Input) {
	d.t.Helper()
	raw, err := protojson.Marshal(in)
	if err != nil {
		d.t.Fatal(err)
	}
	d.put(&parleyv1.Envelope{
		Id: id, Kind: parleyv1.Kind_KIND_OPERATOR, Provider: "parley", Field: store.OperatorInput, Raw: raw,
		Channel: channel, Portfolio: c.Portfolio, LaneKey: c.LaneKey, ContactId: c.ID[:],
	})
}

// TestMergeHistories lets people show by some of their identities at first, so that they
// are several contacts in conversations, and by others later, while commits are lost and
// another replica works in between. In the end each has one conversation, with all that
// they said, once, in the order of each lane, and all answers.
func TestMergeHistories(t *testing.T) { mergeHistories(t, 60) }

// TestMergeHistoriesWithEnds is the same with conversations that end, and begin anew, so
// that some are idle when they turn out to be others: nobody has two.
func TestMergeHistoriesWithEnds(t *testing.T) { mergeHistories(t, 2) }

func mergeHistories(t *testing.T, questions int) {
	d := newSurvey(t, questions)
	d.Service.now = func() time.Time { d.time = d.time.Add(time.Millisecond); return d.time } // no two batches at once
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		h := &merging{desk: d, run: n, said: map[string]line{}, ends: questions < 10}
		for i := range rapid.IntRange(1, 3).Draw(rt, "people") {
			h.people = append(h.people, &parleyv1.Identity{
				Phone: h.inLane(rt, "1650%05d%03d%03d"), Bsuid: h.inLane(rt, "US.%dx%dx%d"), ParentBsuid: fmt.Sprintf("US.ENT.%dx%d", n, i),
			})
		}
		for range rapid.IntRange(3, 16).Draw(rt, "steps") {
			h.step(rt)
		}
		for who := range h.people {
			h.text(who, 7)
			h.text(who, 7)
		}
		h.settle(rt)
		h.check(rt)
	})
}

// TestOrderBehindAThirdLane: somebody who moved to another number writes by it, so that it is
// passed on to the lane of the old one; is found to be another contact; and writes on, before
// the first has arrived. Both go the same way.
func TestOrderBehindAThirdLane(t *testing.T) {
	d := newSurvey(t, 60)
	first, moved, id := seen(keyInLane("1650555%04d", 0), ""), seen(keyInLane("1650666%04d", 1), ""), seen("", keyInLane("US.7%d", 2))
	d.say(first, "p0", "hi")
	d.post(changedNumber(first, "s", d.time, moved))
	d.run(100)
	d.say(id, "b0", "hi")
	ids := d.started()
	known, err := d.store.LoadKnown(t.Context(), ids[:1], nil)
	if err != nil {
		t.Fatal(err)
	}
	in := flow.OperatorInput("merge", 0, &parleyv1.OperatorAction{Verb: flow.ActMerge, By: "Ana", Reason: "same person", Into: ids[1][:]})
	d.post(fake.Text(moved, "p1", d.time, "one"))
	d.told(known.Contacts[ids[0]], "merge", in)
	d.post(fake.Text(moved, "p2", d.time, "two"))
	d.run(1)
	_, answers := d.owner(moved.Phone, id.BSUID)
	if want := map[string]any{"a1": "one", "a2": "two"}; !maps.Equal(answers, want) {
		t.Errorf("answers %v, want %v", answers, want)
	}
	d.wantNoLetters()
}

// keyInLane is a number or user id of a lane.
func keyInLane(format string, lane int) string {
	for i := 0; ; i++ {
		if key := fmt.Sprintf(format, i); bus.ShardOf(channel, key, shards) == lane {
			return key
		}
	}
}

// line is something that was said: by whom, and in which lane.
type line struct {
	who, number int
	lane        string
}

type merging struct {
	desk     *desk
	run, ids int
	people   []*parleyv1.Identity
	said     map[string]line
	ends     bool // conversations end: some texts begin another
}

// inLane is a new number or user id, of a lane that is drawn.
func (h *merging) inLane(rt *rapid.T, format string) string {
	drawn := rapid.IntRange(0, shards-1).Draw(rt, "lane")
	h.ids++
	for i := 0; ; i++ {
		if key := fmt.Sprintf(format, h.run, h.ids, i); bus.ShardOf(channel, key, shards) == drawn {
			return key
		}
	}
}

// text lets a person write as those of their identities that are in the mask.
func (h *merging) text(who, mask int) {
	d, p := h.desk, h.people[who]
	as := &parleyv1.Identity{}
	for bit, field := range []struct{ from, to *string }{{&p.Phone, &as.Phone}, {&p.Bsuid, &as.Bsuid}, {&p.ParentBsuid, &as.ParentBsuid}} {
		if mask&(1<<bit) != 0 {
			*field.to = *field.from
		}
	}
	h.ids++
	text := fmt.Sprintf("text %d", h.ids)
	if h.ends && h.ids%3 == 0 {
		text = "RESTART"
	}
	item := fake.Text(seen(as.Phone, as.Bsuid), fmt.Sprintf("m%d.%d", h.run, h.ids), d.time, text)
	body := fake.Payload("1", channel, item)
	for _, e := range meta.Split(body, d.time) {
		e.Portfolio = channel
		e.Contact.ParentBsuid = as.ParentBsuid
		h.said[e.Id] = line{who, h.ids, e.LaneKey}
		d.put(e)
	}
}

func (h *merging) step(rt *rapid.T) {
	d := h.desk
	d.time = d.time.Add(time.Second)
	switch rapid.SampledFrom([]string{"say", "say", "say", "say", "run", "lose", "doubt", "meet", "again", "move"}).Draw(rt, "what") {
	case "move":
		h.move(rt, rapid.IntRange(0, len(h.people)-1).Draw(rt, "who"))
	case "say": // a lane needs a phone or a user id
		h.text(rapid.IntRange(0, len(h.people)-1).Draw(rt, "who"), rapid.SampledFrom([]int{1, 2, 3, 5, 6, 7}).Draw(rt, "as"))
	case "run":
		h.apply(rapid.IntRange(1, 9).Draw(rt, "most"))
	case "lose":
		d.store.before = h.once(errors.New("cut"))
		h.apply(100)
	case "doubt":
		d.store.after = h.once(errors.New("cut"))
		h.apply(100)
	case "meet": // another replica works while this one commits
		mine := rapid.IntRange(1, 1<<shards-2).Draw(rt, "mine")
		all := maps.Clone(d.leases)
		d.store.before = func([]store.TurnPart) error {
			d.store.before = nil
			h.replica(all, ^mine)
			return nil
		}
		h.replica(all, mine)
		d.store.before = nil
		d.retake()
	case "again":
		if len(d.stream) > 0 {
			m := d.stream[len(d.stream)-1-rapid.IntRange(0, min(9, len(d.stream)-1)).Draw(rt, "back")]
			d.stream = append(d.stream, lateCopy(m, len(d.stream)+1))
		}
	}
}

// move gives a person another number, once all that was said by the old one is heard. Their
// contact has the lane of that as its home still: a third one.
func (h *merging) move(rt *rapid.T, who int) {
	h.settle(rt)
	h.ids++
	p, d := h.people[who], h.desk
	was := p.Phone
	p.Phone = h.inLane(rt, "1650%05d%03d%03d")
	d.post(changedNumber(seen(was, ""), fmt.Sprintf("s%d.%d", h.run, h.ids), d.time, seen(p.Phone, "")))
}

// once is a commit that goes wrong one time.
func (h *merging) once(err error) func([]store.TurnPart) error {
	return func([]store.TurnPart) error {
		h.desk.store.before, h.desk.store.after = nil, nil
		return err
	}
}

func (h *merging) apply(most int) (more bool) {
	h.desk.time = h.desk.time.Add(time.Second)
	more, err := h.desk.step(most)
	h.desk.store.before, h.desk.store.after = nil, nil
	if err != nil {
		h.desk.retake()
	}
	return more
}

// replica applies a batch of the shards in the mask, of all that there are.
func (h *merging) replica(all map[int]store.Lease, mask int) {
	d := h.desk
	others := d.leases
	d.leases = maps.Clone(all)
	maps.DeleteFunc(d.leases, func(shard int, _ store.Lease) bool { return mask&(1<<shard) == 0 })
	if _, err := d.step(100); err != nil {
		d.t.Log(err)
	}
	d.leases = others
}

// settle applies all that waits.
func (h *merging) settle(rt *rapid.T) {
	for range 1000 {
		if !h.apply(100) {
			return
		}
	}
	rt.Fatal("updates are passed on for ever")
}

// check compares what was said with what was heard, and looks what is left.
func (h *merging) check(rt *rapid.T) {
	heard := h.heard(rt)
	h.nothingIsSaidLater(rt, heard)
	contacts, answered := map[int]map[uuid.UUID]bool{}, map[int]map[string]bool{}
	last := map[string]int{}
	times := map[string]int{}
	for _, e := range heard {
		if in := e.GetInputReceived().GetInput(); in != nil {
			l, mine := h.said[in.GetId()]
			if !mine {
				continue
			}
			if times[in.GetId()]++; times[in.GetId()] > 1 {
				rt.Errorf("%s took effect twice", in.GetId())
			}
			if last[l.lane] > l.number {
				rt.Errorf("person %d, lane %s: %d was heard after %d", l.who, l.lane, l.number, last[l.lane])
			}
			last[l.lane] = l.number
			if contacts[l.who] == nil {
				contacts[l.who], answered[l.who] = map[uuid.UUID]bool{}, map[string]bool{}
			}
			contacts[l.who][uuid.UUID(e.ContactId)] = true
		}
	}
	if len(times) != len(h.said) {
		rt.Errorf("%d texts were said, %d heard", len(h.said), len(times))
	}
	for _, e := range heard {
		for who, ids := range contacts {
			if a := e.GetAnswerAccepted(); a != nil && ids[uuid.UUID(e.ContactId)] {
				answered[who][a.GetSlot()] = true
			}
		}
	}
	owner := map[uuid.UUID]int{}
	for who, p := range h.people {
		h.one(rt, who, p, answered[who])
		for id := range contacts[who] {
			if other, taken := owner[id]; taken {
				rt.Errorf("people %d and %d are one contact", other, who)
			}
			owner[id] = who
		}
	}
}

// nothingIsSaidLater makes sure that who turned out to be somebody else is told nothing
// behind the event up to which the dispatcher waits for what they were told.
func (h *merging) nothingIsSaidLater(rt *rapid.T, heard []*parleyv1.Event) {
	last := map[uuid.UUID]int64{}
	rows, err := h.desk.conn.Query(h.desk.t.Context(), `SELECT id, last_event FROM contacts WHERE merged_into IS NOT NULL`)
	if err != nil {
		rt.Fatal(err)
	}
	var id uuid.UUID
	var offset int64
	_, err = pgx.ForEachRow(rows, []any{&id, &offset}, func() error { last[id] = offset; return nil })
	if err != nil {
		rt.Fatal(err)
	}
	for _, e := range heard {
		if at, left := last[uuid.UUID(e.ContactId)]; left && e.GetMessageQueued() != nil && int64(e.Offset) > at {
			rt.Errorf("event %d/%d is a message to who has left at %d", e.Shard, e.Offset, at)
		}
	}
}

// heard are the events of this run's people, in the order of their commits.
func (h *merging) heard(rt *rapid.T) (all []*parleyv1.Event) {
	for shard := range shards {
		events, err := h.desk.store.ReadEvents(h.desk.t.Context(), shard, 0, 1_000_000)
		if err != nil {
			rt.Fatal(err)
		}
		all = append(all, events...)
	}
	slices.SortStableFunc(all, func(a, b *parleyv1.Event) int { return cmp.Compare(a.AtMs, b.AtMs) })
	return all
}

// one makes sure that a person is one contact with one conversation, which has an answer
// to everything that was answered.
func (h *merging) one(rt *rapid.T, who int, p *parleyv1.Identity, answered map[string]bool) {
	d := h.desk
	keys := store.IdentityKeys(channel, p)
	owners, err := d.store.Owners(d.t.Context(), keys, nil)
	if err != nil {
		rt.Fatal(err)
	}
	id := owners[keys[0]].Contact
	for _, key := range keys {
		if owners[key].Contact != id {
			rt.Errorf("person %d: %s is of %s, %s of %s", who, keys[0].Kind, id, key.Kind, owners[key].Contact)
		}
	}
	var live, former int
	var flowData []byte
	d.query(`SELECT count(*) FROM sessions WHERE status = 'active' AND contact_id IN (SELECT contacts_of($1))`, &live, id)
	d.query(`SELECT count(*) FROM sessions WHERE contact_id <> $1 AND contact_id IN (SELECT contacts_of($1))`, &former, id)
	if live > 1 || live == 0 && !h.ends || former > 0 {
		rt.Fatalf("person %d has %d live conversations, and %d as who they were before", who, live, former)
	}
	if h.ends {
		return
	}
	d.query(`SELECT flow_data FROM sessions WHERE contact_id = $1`, &flowData, id)
	var got map[string]any
	if err := json.Unmarshal(flowData, &got); err != nil {
		rt.Fatal(err)
	}
	for slot := range answered {
		if got[slot] == nil {
			rt.Errorf("person %d: the answer %s is lost: %v", who, slot, got)
		}
	}
}

// TestMergeTakesBookingsAndLeads: what was booked, and who cares for the person, is the
// contact's who goes on; of a slot or an agent had twice, one is free again.
func TestMergeTakesBookingsAndLeads(t *testing.T) {
	d := newSurvey(t, 60)
	d.say(seen(oldPhone, ""), "p1", "hi")
	d.say(seen("", oldID), "b1", "hi")
	ids := d.started()
	for _, slot := range []string{"twice", "once"} {
		d.exec(`INSERT INTO slots (id, service, calendar, starts_at, ends_at, day, "time", capacity, booked, origin)
			VALUES ($1, 'cut', '', now() + interval '1 day', now() + interval '25 hours', '2026-12-01', '10:00', 5, $2, 'import')`, slot, map[string]int{"twice": 3, "once": 1}[slot])
	}
	d.exec(`INSERT INTO pools (name) VALUES ('sales'), ('care')`)
	d.exec(`INSERT INTO agents (pool, id, is_on, open) VALUES ('sales', 'bo', true, 2), ('care', 'cy', true, 1)`)
	for i, id := range ids {
		d.exec(`INSERT INTO bookings (id, slot_id, contact_id, channel, places, state) VALUES (gen_random_uuid(), 'twice', $1, $2, $3, 'booked')`, id, channel, i+1)
		d.exec(`INSERT INTO leads (id, pool, contact_id, channel, state, agent, queued_at) VALUES (gen_random_uuid(), 'sales', $1, $2, 'assigned', 'bo', now())`, id, channel)
	}
	var from uuid.UUID
	d.query(`SELECT id FROM contacts WHERE bsuid = $1`, &from, oldID)
	d.exec(`INSERT INTO bookings (id, slot_id, contact_id, channel, places, state) VALUES (gen_random_uuid(), 'once', $1, $2, 1, 'booked')`, from, channel)
	d.exec(`INSERT INTO leads (id, pool, contact_id, channel, state, agent, queued_at) VALUES (gen_random_uuid(), 'care', $1, $2, 'taken', 'cy', now())`, from, channel)
	d.say(seen(oldPhone, oldID), "both", "one")
	c, _ := d.owner(oldPhone, oldID)
	var bookings, leads, off, open int
	d.query(`SELECT count(*) FROM bookings WHERE contact_id = $1 AND state = 'booked'`, &bookings, c.ID)
	d.query(`SELECT count(*) FROM leads WHERE contact_id = $1 AND state <> 'closed'`, &leads, c.ID)
	d.query(`SELECT count(*) FROM slots s WHERE booked <> (SELECT COALESCE(sum(places), 0) FROM bookings b WHERE b.slot_id = s.id AND b.state = 'booked')`, &off)
	d.query(`SELECT count(*) FROM agents a WHERE open <> (SELECT count(*) FROM leads l WHERE l.pool = a.pool AND l.agent = a.id AND l.state IN ('assigned', 'taken'))`, &open)
	if bookings != 2 || leads != 2 || off != 0 || open != 0 {
		t.Errorf("%d bookings, %d leads; counts are off at %d slots and %d agents", bookings, leads, off, open)
	}
	var told []string
	for _, events := range d.relay.events {
		for _, e := range events {
			if uuid.UUID(e.ContactId) == c.ID && (e.GetBookingCancelled() != nil || e.GetLeadClosed() != nil || e.GetContactMerged() != nil) {
				told = append(told, store.EventType(e)+" "+e.GetBookingCancelled().GetSlot().GetId()+e.GetLeadClosed().GetAgent())
			}
		}
	}
	if want := []string{"ContactMerged ", "BookingCancelled twice", "LeadClosed bo"}; !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
	d.consistent(t)
}
