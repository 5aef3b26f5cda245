package load

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/parleyhq/parley/pkg/whatsapp/meta/fake"
)

// contactsMax is one more than the six digits of a phone number can tell apart.
const contactsMax = 1_000_000

// contact is a person, what they said and what they heard. A contact writes to
// one channel only.
type contact struct {
	index   int
	person  fake.Person
	channel int
	rng     *rand.Rand
	mind    dialogue // where the contact believes it stands; picks its next words
	planned int      // messages made up, said or not

	said  []*message // in the order in which they were posted
	acked int        // said[:acked] were answered 200
	heard []heard    // in the order in which the fake Graph API accepted them

	second *message // of a double that waits until the first is answered 200
	ready  bool     // listed as free to speak
}

// message is one thing that a contact said.
type message struct {
	contact   *contact
	id        string
	words     words
	scheduled time.Time
	sent      time.Time // when it was first posted
	acked     time.Time // when its POST was answered 200; zero until then
}

// heard is a send that the fake Graph API accepted for a contact.
type heard struct {
	at       time.Time
	text     string
	callback string
}

// newContact makes person number index of a run. What it says depends on the seed
// and the index alone; its phone and BSUID on the run too.
func newContact(c Config, index int) *contact {
	rng := rand.New(rand.NewPCG(c.Seed, uint64(index)))
	person := fake.Person{Name: fmt.Sprintf("Contact %d", index)}
	phone := fmt.Sprintf("1555%05d%06d", c.Run%100_000, index)
	bsuid := fmt.Sprintf("US.%d%06d", c.Run, index)
	switch kind := rng.Float64(); {
	case kind < c.BSUIDOnly:
		person.BSUID = bsuid
	case kind < c.BSUIDOnly+c.Both:
		person.Phone, person.BSUID = phone, bsuid
	default:
		person.Phone = phone
	}
	return &contact{index: index, person: person, channel: index % len(c.Channels), rng: rng}
}

// speak makes up the contact's next message.
func (c *contact) speak(run uint64, scheduled time.Time) *message {
	c.planned++
	w := next(c.rng, c.mind.step, c.planned)
	c.mind.reply(w)
	id := fmt.Sprintf("wamid.%d.%d.%d", run, c.index, c.planned)
	return &message{contact: c, id: id, words: w, scheduled: scheduled}
}

// item is the message as an update, always the same one.
func (m *message) item() fake.Item {
	if m.words.image {
		return fake.Image(m.contact.person, m.id, m.scheduled, m.words.text)
	}
	return fake.Text(m.contact.person, m.id, m.scheduled, m.words.text)
}

// free says whether the contact has nothing under way: everything it said was
// answered 200, and replied to unless it does not care for replies.
func (c *contact) free(waitForReply bool) bool {
	return c.acked == len(c.said) && c.second == nil && (!waitForReply || len(c.heard) >= len(c.said))
}
