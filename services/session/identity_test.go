package session

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/pkg/whatsapp/meta/fake"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

const (
	oldPhone, newPhone = "16505551234", "16505559999"
	oldID, newID       = "US.100", "US.200"
)

// seen is how one person shows: by the phone, by the user id, or by both.
func seen(phone, bsuid string) fake.Person { return fake.Person{Phone: phone, BSUID: bsuid} }

// started lists, in order of the stream, whose sessions began.
func (d *desk) started() (contacts []uuid.UUID) {
	d.t.Helper()
	for shard := range shards {
		events, err := d.store.ReadEvents(d.t.Context(), shard, 0, 100_000)
		if err != nil {
			d.t.Fatal(err)
		}
		for _, e := range events {
			if e.GetSessionStarted() != nil {
				contacts = append(contacts, uuid.UUID(e.ContactId))
			}
		}
	}
	return contacts
}

// one is the only session there is.
func (d *desk) one() (contact store.Contact, session store.Session) {
	d.t.Helper()
	started := d.started()
	if len(started) != 1 {
		d.t.Fatalf("%d sessions began; one person has one", len(started))
	}
	known, err := d.store.LoadKnown(d.t.Context(), started, nil)
	if err != nil {
		d.t.Fatal(err)
	}
	return known.Contacts[started[0]], known.Sessions[store.SessionKey{Channel: channel, Contact: started[0]}]
}

func changedNumber(from fake.Person, id string, at time.Time, now fake.Person) fake.Item {
	return fake.Message(from, id, at, "system", map[string]string{
		"type": "user_changed_number", "body": "changed", "wa_id": now.Phone, "user_id": now.BSUID,
	})
}

func (d *desk) changedUserID(was, now string) {
	body, err := json.Marshal(map[string]any{"object": "whatsapp_business_account", "entry": []any{map[string]any{
		"id": "1", "changes": []any{map[string]any{"field": "user_id_update", "value": map[string]any{
			"metadata":       map[string]any{"phone_number_id": channel},
			"user_id_update": []any{map[string]any{"user_id": map[string]string{"previous": was, "current": now}}},
		}}},
	}}})
	if err != nil {
		d.t.Fatal(err)
	}
	d.postBody(channel, body)
}

// TestOnePersonOneConversation shows people who are named in different ways: each goes
// on where they were, whatever lane the update came in by.
func TestOnePersonOneConversation(t *testing.T) {
	for name, tell := range map[string]func(d *desk){
		"phone, both, hidden phone": func(d *desk) {
			d.say(seen(oldPhone, ""), "1", "hi")
			d.say(seen(oldPhone, oldID), "2", "Ada")
			d.say(seen("", oldID), "3", "ada@example.org")
		},
		"hidden phone, both, phone": func(d *desk) {
			d.say(seen("", oldID), "1", "hi")
			d.say(seen(oldPhone, oldID), "2", "Ada")
			d.say(seen(oldPhone, ""), "3", "ada@example.org")
		},
		"all in one batch": func(d *desk) {
			d.post(fake.Text(seen(oldPhone, ""), "1", d.time, "hi"))
			d.run(100)
			d.post(fake.Text(seen(oldPhone, oldID), "2", d.time, "Ada"), fake.Text(seen("", oldID), "3", d.time, "ada@example.org"))
			d.run(100)
		},
		"a new number and user id": func(d *desk) {
			d.say(seen(oldPhone, oldID), "1", "hi")
			d.post(changedNumber(seen(oldPhone, ""), "s", d.time, seen(newPhone, newID)))
			d.run(100)
			d.say(seen(newPhone, ""), "2", "Ada")
			d.say(seen("", newID), "3", "ada@example.org")
		},
		"a new user id": func(d *desk) {
			d.say(seen("", oldID), "1", "hi")
			d.changedUserID(oldID, newID)
			d.run(100)
			d.say(seen("", newID), "2", "Ada")
			d.say(seen(newPhone, newID), "3", "ada@example.org")
		},
		"a notice that comes twice": func(d *desk) {
			d.say(seen(oldPhone, oldID), "1", "hi")
			d.changedUserID(oldID, newID)
			d.changedUserID(oldID, newID)
			d.run(100)
			d.say(seen("", newID), "2", "Ada")
			d.say(seen("", newID), "2", "Ada")
			d.say(seen("", newID), "3", "ada@example.org")
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			tell(d)
			_, session := d.one()
			if session.State.Answers["name"] != "Ada" || session.State.Answers["email"] != "ada@example.org" {
				t.Errorf("answers %v", session.State.Answers)
			}
		})
	}
}

// TestNewNumberIsSentTo makes sure that nothing goes to a number that was given up.
func TestNewNumberIsSentTo(t *testing.T) {
	d := newDesk(t)
	d.say(seen(oldPhone, oldID), "1", "hi")
	d.post(changedNumber(seen(oldPhone, ""), "s", d.time, seen(newPhone, newID)))
	d.run(100)
	d.say(seen("", newID), "2", "Ada")
	contact, _ := d.one()
	if contact.Identity.GetPhone() != newPhone || contact.Identity.GetBsuid() != newID {
		t.Errorf("the contact is %v", contact.Identity)
	}
	var last *parleyv1.MessageQueued
	for _, m := range d.relay.events {
		for _, e := range m {
			if e.GetMessageQueued() != nil && e.GetInputReceived() == nil {
				last = e.GetMessageQueued()
			}
		}
	}
	if last.GetPhone() != newPhone || last.GetBsuid() != newID {
		t.Errorf("the reply goes to %q, %q", last.GetPhone(), last.GetBsuid())
	}
}

// TestRecycledNumber gives a number to somebody else, who begins anew; the first person
// goes on by user id, and is not sent to by that number any more.
func TestRecycledNumber(t *testing.T) {
	d := newDesk(t)
	d.say(seen(oldPhone, ""), "1", "hi")
	d.say(seen(oldPhone, oldID), "2", "Ada")
	d.say(seen(oldPhone, newID), "3", "hi")
	d.say(seen(oldPhone, ""), "4", "Bob")
	d.say(seen("", oldID), "5", "ada@example.org")
	started := d.started()
	if len(started) != 2 || started[0] == started[1] {
		t.Fatalf("sessions of %v; two people have two", started)
	}
	known, err := d.store.LoadKnown(t.Context(), started, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range started {
		c, answers := known.Contacts[id], known.Sessions[store.SessionKey{Channel: channel, Contact: id}].State.Answers
		first := c.Identity.GetBsuid() == oldID
		if want := map[bool]string{true: "", false: oldPhone}[first]; c.Identity.GetPhone() != want {
			t.Errorf("%s has the phone %q; want %q", c.Identity.GetBsuid(), c.Identity.GetPhone(), want)
		}
		if want := map[bool]string{true: "Ada", false: "Bob"}[first]; answers["name"] != want {
			t.Errorf("%s answered %v; want the name %s", c.Identity.GetBsuid(), answers, want)
		}
	}
}

// TestGivenUpNumberBeginsAnew gives a number without any user id to somebody else after
// its owner said where they went.
func TestGivenUpNumberBeginsAnew(t *testing.T) {
	d := newDesk(t)
	d.say(seen(oldPhone, ""), "1", "hi")
	d.post(changedNumber(seen(oldPhone, ""), "s", d.time, seen(newPhone, "")))
	d.run(100)
	d.say(seen(oldPhone, ""), "2", "hi")
	d.say(seen(newPhone, ""), "3", "Ada")
	if started := d.started(); len(started) != 2 || started[0] == started[1] {
		t.Fatalf("sessions of %v; two people have two", started)
	}
	d.say(seen(oldPhone, ""), "4", "Bob")
	d.wantNoLetters()
}

func (d *desk) wantNoLetters() {
	d.t.Helper()
	for _, kind := range []string{store.DeadParked, store.DeadUnhandled, store.DeadUnreadable} {
		if letters := d.letters(kind); len(letters) != 0 {
			d.t.Errorf("%d %s letters: %s", len(letters), kind, letters[0].Reason)
		}
	}
}

// TestTwoContactsBecomeOne lets a contact whose conversation has ended be the same person
// as one in a conversation: that goes on, unless the person wants to hear nothing more.
func TestTwoContactsBecomeOne(t *testing.T) {
	for _, optedOut := range []bool{false, true} {
		t.Run(fmt.Sprintf("opted out %v", optedOut), func(t *testing.T) {
			d := newDesk(t)
			d.say(seen("", oldID), "1", "hi")
			d.say(seen("", oldID), "2", "Ada")
			d.say(seen("", oldID), "3", "ada@example.org")
			d.exec(`UPDATE contacts SET language = 'de', opted_out_at = CASE WHEN $1 THEN now() END,
				marketing_stopped_at = CASE WHEN $1 THEN now() END`, optedOut)
			d.say(seen(oldPhone, ""), "4", "hi")
			d.post(fake.Text(seen(oldPhone, oldID), "5", d.time, "Bea"), fake.Text(seen("", oldID), "6", d.time, "bea@example.org"))
			d.run(100)
			if started := d.started(); len(started) != 2 {
				t.Fatalf("%d sessions began; want the one that ended, and one more", len(started))
			}
			c, answers := d.owner(oldPhone, oldID)
			if c.OptedOut != optedOut || c.NoMarketing != optedOut || c.Language != "de" {
				t.Errorf("opted out: %v, language %q", c.OptedOut, c.Language)
			}
			if !optedOut && (answers["name"] != "Bea" || answers["email"] != "bea@example.org") {
				t.Errorf("answers %v", answers)
			}
		})
	}
}

// owner is the one contact that has both identities, and its answers.
func (d *desk) owner(phone, bsuid string) (c store.Contact, answers map[string]any) {
	d.t.Helper()
	keys := store.IdentityKeys(channel, &parleyv1.Identity{Phone: phone, Bsuid: bsuid})
	owners, err := d.store.Owners(d.t.Context(), keys, nil)
	if err != nil || owners[keys[0]].Contact != owners[keys[1]].Contact {
		d.t.Fatalf("owners %v: %v", owners, err)
	}
	id := owners[keys[0]].Contact
	known, err := d.store.LoadKnown(d.t.Context(), []uuid.UUID{id}, nil)
	if err != nil {
		d.t.Fatal(err)
	}
	return known.Contacts[id], known.Sessions[store.SessionKey{Channel: channel, Contact: id}].State.Answers
}

// TestForwardedUpdateComesAgain loses a commit after an update was passed on: it is
// passed on again, and takes effect once.
func TestForwardedUpdateComesAgain(t *testing.T) {
	d := newDesk(t)
	d.say(seen(oldPhone, ""), "1", "hi")
	d.say(seen(oldPhone, oldID), "2", "Ada")
	passed := d.passed
	d.post(fake.Text(seen("", oldID), "3", d.time, "ada@example.org"))
	d.store.before = func([]store.TurnPart) error { d.store.before = nil; return fmt.Errorf("cut") }
	if _, err := d.step(100); err == nil {
		t.Fatal("no error")
	}
	d.retake()
	d.run(100)
	if d.passed == passed {
		t.Error("not passed on")
	}
	if _, session := d.one(); session.State.Answers["email"] != "ada@example.org" {
		t.Errorf("answers %v", session.State.Answers)
	}
	d.wantNoLetters()
}

// TestIdentityHistories lets people show in random ways, change numbers and user ids, and
// take numbers that others gave up, with duplicates and lost commits. Whoever has begun has
// one session, with every text of theirs, once and in order.
func TestIdentityHistories(t *testing.T) {
	d := newDesk(t)
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		h := &history{desk: d, run: n, said: map[int][]string{}, where: map[string]int{}}
		h.people = []human{{phone: h.phone(), bsuid: h.bsuid()}, {phone: h.phone(), bsuid: h.bsuid()}}
		for range rapid.IntRange(3, 14).Draw(rt, "steps") {
			h.step(rt)
		}
		h.check(rt)
	})
}

type human struct{ phone, bsuid string }

// history is what happened to some people, and what they said.
type history struct {
	desk     *desk
	run, ids int
	people   []human
	said     map[int][]string
	where    map[string]int // who sent an update
	spare    []string       // numbers that were given up
}

func (h *history) phone() string { h.ids++; return fmt.Sprintf("1650%05d%03d", h.run, h.ids) }
func (h *history) bsuid() string { h.ids++; return fmt.Sprintf("US.%dx%d", h.run, h.ids) }

func (h *history) step(rt *rapid.T) {
	d := h.desk
	who := rapid.IntRange(0, len(h.people)-1).Draw(rt, "who")
	p := &h.people[who]
	switch rapid.SampledFrom([]string{"both", "both", "hidden", "phone", "number", "id", "cut", "again"}).Draw(rt, "what") {
	case "both":
		h.text(who, seen(p.phone, p.bsuid))
	case "hidden":
		h.text(who, seen("", p.bsuid))
	case "phone":
		if len(h.said[who]) > 0 { // met with both before: else nobody can know that the two are one
			h.text(who, seen(p.phone, ""))
		}
	case "number":
		if len(h.said[who]) > 0 {
			h.renumber(rt, p)
		}
	case "id":
		if now := h.bsuid(); len(h.said[who]) > 0 {
			d.changedUserID(p.bsuid, now)
			p.bsuid, p.phone = now, h.phone()
			d.run(100)
			h.text(who, seen(p.phone, p.bsuid))
		}
	case "cut":
		d.store.after = func([]store.TurnPart) error { d.store.after = nil; return fmt.Errorf("cut") }
		h.text(who, seen(p.phone, p.bsuid))
	case "again":
		if len(d.stream) > 0 {
			m := d.stream[len(d.stream)-1-rapid.IntRange(0, min(4, len(d.stream)-1)).Draw(rt, "back")]
			m.Pos = uint64(len(d.stream) + 1)
			d.stream = append(d.stream, m)
			d.run(100)
		}
	}
}

// renumber moves a person to a new number, or to one that another gave up.
func (h *history) renumber(rt *rapid.T, p *human) {
	now := human{phone: h.phone(), bsuid: h.bsuid()}
	if len(h.spare) > 0 && rapid.Bool().Draw(rt, "recycled") {
		now.phone, h.spare = h.spare[0], h.spare[1:]
	}
	h.ids++
	h.desk.post(changedNumber(seen(p.phone, p.bsuid), fmt.Sprintf("s%d.%d", h.run, h.ids), h.desk.time, seen(now.phone, now.bsuid)))
	h.spare = append(h.spare, p.phone)
	*p = now
	h.desk.run(100)
}

// text lets a person say something; the first time with both identities.
func (h *history) text(who int, as fake.Person) {
	d := h.desk
	if len(h.said[who]) == 0 {
		as = seen(h.people[who].phone, h.people[who].bsuid)
	}
	h.ids++
	id := fmt.Sprintf("m%d.%d", h.run, h.ids)
	h.said[who] = append(h.said[who], id)
	h.where[id] = who
	d.post(fake.Text(as, id, d.time, "a text"))
	for {
		more, err := d.step(100)
		if err != nil {
			d.retake()
		}
		if !more {
			return
		}
	}
}

// check compares what was said with what the sessions of one contact each heard.
func (h *history) check(rt *rapid.T) {
	heard, contacts := map[int][]string{}, map[int]map[string]bool{}
	for shard := range shards {
		events, err := h.desk.store.ReadEvents(h.desk.t.Context(), shard, 0, 1_000_000)
		if err != nil {
			rt.Fatal(err)
		}
		for _, e := range events {
			id := e.GetInputReceived().GetInput().GetId()
			who, mine := h.where[id]
			if !mine {
				continue
			}
			heard[who] = append(heard[who], id)
			if contacts[who] == nil {
				contacts[who] = map[string]bool{}
			}
			contacts[who][string(e.ContactId)] = true
		}
	}
	for who, said := range h.said {
		if !slices.Equal(heard[who], said) {
			rt.Errorf("person %d said %v; heard %v", who, said, heard[who])
		}
		if len(contacts[who]) != 1 {
			rt.Errorf("person %d is %d contacts", who, len(contacts[who]))
		}
	}
}
