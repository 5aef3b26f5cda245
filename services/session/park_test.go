package session

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/parleyhq/parley/pkg/bus"
	"github.com/parleyhq/parley/pkg/lane"
	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/pkg/whatsapp/meta/fake"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// strand puts a person's session on a step that its flow does not have: its
// next turn panics.
func (d *desk) strand(p fake.Person, step string) {
	d.t.Helper()
	contact, _ := d.known(p)
	d.exec(`UPDATE sessions SET current_state = $2 WHERE contact_id = $1`, contact.ID, step)
}

// order puts an operator's action into the person's lane.
func (d *desk) order(p fake.Person, id, action string) {
	d.put(&parleyv1.Envelope{
		Id: id, Kind: parleyv1.Kind_KIND_OPERATOR, Provider: "parley", Channel: channel, Portfolio: channel, LaneKey: laneKey(p), Field: action,
	})
}

// RELIABILITY C4, PEERS C7: a turn that panics parks its contact; all that the
// contact sends later waits behind it, in order, and everybody else goes on.
// Nothing is lost: a redrive gives all of it its effect.
func TestPanicParksOneContact(t *testing.T) {
	d := newDesk(t)
	d.say(ada, "wamid.1", "hi")
	d.say(bob, "wamid.2", "hi")
	d.strand(ada, "gone")
	d.post(fake.Text(bob, "wamid.3", start, "Bob"), fake.Text(ada, "wamid.4", start, "Ada"), fake.Text(ada, "wamid.5", start, "ada@example.org"),
		fake.Text(bob, "wamid.6", start, "bob@example.org"))
	d.run(100)
	d.say(ada, "wamid.7", "are you there?")
	d.wantReplies(bob, askName, askEmail("Bob"), thanks)
	d.wantReplies(ada, askName)
	d.wantParked(ada, "wamid.4", "wamid.5", "wamid.7")
	if strings.Contains(d.log.String(), ada.Phone) || strings.Contains(d.log.String(), "are you") || !strings.Contains(d.log.String(), "contact parked") {
		t.Errorf("log: %s", d.log.String())
	}

	// A redrive while the cause is still there changes nothing.
	d.order(ada, "order 1", store.OperatorRedrive)
	d.run(100)
	d.wantParked(ada, "wamid.4", "wamid.5", "wamid.7")

	d.strand(ada, "name")
	d.order(ada, "order 2", store.OperatorRedrive)
	d.order(ada, "order 2", store.OperatorRedrive)
	d.post(fake.Text(ada, "wamid.8", start, "RESTART"))
	d.run(100)
	d.wantParked(ada)
	d.wantReplies(ada, askName, askEmail("Ada"), thanks, again, askName)
	d.post(fake.Text(ada, "wamid.4", start, "Ada"))
	d.run(100)
	d.wantReplies(ada, askName, askEmail("Ada"), thanks, again, askName)
	d.consistent(t)
}

// What was delivered twice while its contact was parked is redriven once.
func TestRedriveDuplicates(t *testing.T) {
	d := newDesk(t)
	d.say(ada, "wamid.1", "hi")
	d.strand(ada, "gone")
	name := fake.Text(ada, "wamid.2", start, "Ada")
	d.post(name, name)
	d.run(1)
	d.post(name, fake.Text(ada, "wamid.3", start, "x"))
	d.run(100)
	d.strand(ada, "name")
	d.order(ada, "order", store.OperatorRedrive)
	d.run(100)
	d.wantReplies(ada, askName, askEmail("Ada"), badEmail)
	d.wantParked(ada)
	d.consistent(t)
}

// What no flow reacts to, and what cannot be read, is kept once, whole, with
// the reason, and stops nobody.
func TestDeadLetters(t *testing.T) {
	d := newDesk(t)
	unknown := fake.Raw("weather", map[string]any{"event": "RAIN"})
	notice := fake.Raw("account_update", map[string]any{"event": []int{7}})
	for range 2 { // the second time they were delivered before
		d.post(fake.Text(ada, "wamid.1", start, "hi"), unknown, notice, fake.Receipt(fake.Person{}, "wamid.o", "vanished", start, ""))
		d.postBody(channel, []byte("no webhook"))
		d.run(100)
	}
	d.order(ada, "order", "dance")
	d.stream = append(d.stream, lane.Message{Shard: 2, Pos: uint64(len(d.stream) + 1), Data: []byte("\xff\xffno envelope")})
	d.run(100)
	d.wantReplies(ada, askName)
	unhandled, unreadable := d.letters(store.DeadUnhandled), d.letters(store.DeadUnreadable)
	if len(unhandled) != 4 || len(unreadable) != 2 || len(d.letters("")) != 6 {
		t.Errorf("%d unhandled, %d unreadable:\n%+v", len(unhandled), len(unreadable), d.letters(""))
	}
	for _, l := range d.letters("") {
		if l.Bytes == 0 || l.Reason == "" {
			t.Errorf("%+v", l)
		}
	}
	var data []byte
	if err := d.conn.QueryRow(t.Context(), `SELECT data FROM dead_letters ORDER BY id DESC LIMIT 1`).Scan(&data); err != nil || !bytes.Contains(data, []byte("no envelope")) {
		t.Errorf("kept %q, %v", data, err)
	}
	d.consistent(t)
}

// RELIABILITY A6: bytes that PostgreSQL or protobuf refuse neither stop the
// lane nor park the person.
func TestOddText(t *testing.T) {
	d := newDesk(t)
	const frame = `{"object":"whatsapp_business_account","entry":[{"id":"1","changes":[{"field":"messages","value":{` +
		`"metadata":{"phone_number_id":"` + channel + `"},"contacts":[{"profile":{"name":"%s"},"wa_id":"%s"}],` +
		`"messages":[{"from":"%[2]s","id":"wamid.%[3]s.%d","timestamp":"1","type":"text","text":{"body":"%[1]s"}}]}}]}]}`
	for n, odd := range []string{`a\u0000b`, "a\xff\xfeb", `a\ud800b`, `a'; DROP TABLE sessions; --`, `{name}`, `a\u202eb`, `\\x00\\`} {
		p := fake.Person{Phone: fmt.Sprint(15550000000 + n), Name: odd}
		for turn := range 2 {
			d.postBody(channel, fmt.Appendf(nil, frame, odd, p.Phone, p.Phone, turn))
		}
		d.run(100)
		replies := d.replies(p)
		if contact, session := d.known(p); len(replies) != 2 || contact.Parked || session.State.Step != "email" || contact.Identity.Name == "" {
			t.Errorf("%q: told %q, parked %t, at %q, called %q", odd, replies, contact.Parked, session.State.Step, contact.Identity.Name)
		}
	}
	if letters := d.letters(""); len(letters) > 0 {
		t.Errorf("%+v", letters)
	}
	d.consistent(t)
}

// PEERS C27: what updates say about a person is added up; what one leaves out
// is not forgotten.
func TestIdentityGrows(t *testing.T) {
	d := newDesk(t)
	d.say(hid, "wamid.1", "hi")
	grown := hid
	grown.Phone, grown.Name = "16505550000", "New name"
	d.say(grown, "wamid.2", "Hid")
	d.post(fake.Message(fake.Person{BSUID: hid.BSUID}, "wamid.3", start, "text", map[string]any{"body": "hid@example.org"}))
	d.run(100)
	contact, _ := d.known(hid)
	if id := contact.Identity; id.Phone != grown.Phone || id.Bsuid != hid.BSUID || id.Name != "New name" {
		t.Errorf("%v", id)
	}
	d.wantReplies(hid, askName, askEmail("Hid"), thanks)
	queued := []string{}
	for _, e := range d.events(hid) {
		if q := e.GetMessageQueued(); q != nil {
			queued = append(queued, q.Phone)
		}
	}
	if fmt.Sprint(queued) != "[ 16505550000 16505550000]" {
		t.Errorf("messages went to %q", queued)
	}
}

// A version that is gone, or that this release no longer compiles, parks the
// people on it; their shard goes on.
func TestVersionThatCannotBeLoaded(t *testing.T) {
	for name, spoil := range map[string]string{
		"gone":          `UPDATE sessions SET flow_version = 99`,
		"not compiling": `UPDATE flow_versions SET definition = 'name: lead' WHERE version = 1`,
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			d.say(ada, "wamid.1", "hi")
			d.publish(strings.ReplaceAll(leadSource(t), "Welcome!", "Hello!"))
			d.exec(spoil)
			d.restart()
			d.post(fake.Text(ada, "wamid.2", start, "Ada"), fake.Text(neighbour(ada), "wamid.3", start, "hi"))
			d.run(100)
			d.wantReplies(neighbour(ada), "Hello! What is your name?")
			d.wantParked(ada, "wamid.2")
			d.exec(`UPDATE sessions SET flow_version = 2`)
			d.order(ada, "order", store.OperatorRedrive)
			d.run(100)
			d.wantReplies(ada, askName, askEmail("Ada"))
		})
	}
}

// neighbour is somebody in the same shard.
func neighbour(p fake.Person) fake.Person {
	for n := 0; ; n++ {
		phone := fmt.Sprint(15559990000 + n)
		if bus.ShardOf(channel, phone, shards) == bus.ShardOf(channel, laneKey(p), shards) {
			return fake.Person{Phone: phone, Name: "Neighbour"}
		}
	}
}
