package session

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/pkg/whatsapp/meta/fake"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
	"github.com/parleyhq/parley/services/internal/patience"
)

// month lets some people take their time before a real database: what is judged is what
// is stored.
type month struct {
	*desk
	judge  *patience.Judge
	people map[uuid.UUID]*client
	timers *Timers
	seen   map[int]uint64 // the last event of each shard
	said   int
	over   bool // nobody writes any more
}

// client is a person, and when they write next; zero is never.
type client struct {
	*patience.Person
	next  time.Time
	known bool
}

func newMonth(t *testing.T, people int, span time.Duration) *month {
	m := &month{desk: newDesk(t), judge: patience.NewJudge(), people: map[uuid.UUID]*client{}, seen: map[int]uint64{}}
	m.publish(patience.Source)
	m.anew()
	for n := range people {
		one := patience.Meet(3, n, start, span)
		m.people[store.ContactID(channel, one.Phone)] = &client{Person: one, next: one.Begins}
	}
	return m
}

// anew is a new process: it knows nothing but what the database holds.
func (m *month) anew() {
	m.serve("visit")
	m.timers = m.clockwork(nil)
}

// next is when the next thing happens, and who writes then; nobody if it is a timer.
func (m *month) next() (at time.Time, who *client) {
	var wake *time.Time
	if err := m.conn.QueryRow(m.t.Context(), `SELECT min(wake_at) FROM timers`).Scan(&wake); err != nil {
		m.t.Fatal(err)
	}
	if wake != nil {
		at = *wake
	}
	for _, c := range m.people {
		if !m.over && !c.next.IsZero() && (at.IsZero() || c.next.Before(at)) {
			at, who = c.next, c
		}
	}
	return at, who
}

// goOn goes on to a time, moment by moment; now and then another process does.
func (m *month) goOn(until time.Time) {
	for n := 1; ; n++ {
		at, who := m.next()
		if at.IsZero() || at.After(until) {
			break
		}
		if at.After(m.time) {
			m.time = at
		}
		if n%60 == 0 {
			m.anew()
		}
		if who != nil {
			m.write(who)
		} else if err := m.timers.Fire(m.t.Context()); err != nil {
			m.t.Fatal(err)
		}
		m.run(100)
		m.listen()
	}
	m.time = until
}

func (m *month) write(who *client) {
	m.said++
	who.next = time.Time{}
	text := "hi"
	if who.known {
		text = who.Says(m.judge.Waiting(who.Person))
	}
	who.known = true
	m.post(fake.Text(fake.Person{Phone: who.Phone, Name: "P"}, "wamid."+uuid.NewSHA1(uuid.Nil, []byte{byte(m.said), byte(m.said >> 8)}).String(), m.time, text))
}

// listen gives the judge what was stored since, turn by turn, and lets people react.
func (m *month) listen() {
	for shard := range shards {
		events, err := m.store.ReadEvents(m.t.Context(), shard, m.seen[shard], 10_000)
		if err != nil {
			m.t.Fatal(err)
		}
		for len(events) > 0 {
			n := 1
			for n < len(events) && sameTurn(events[0], events[n]) {
				n++
			}
			m.turn(events[:n])
			m.seen[shard] = events[n-1].GetOffset()
			events = events[n:]
		}
	}
}

func sameTurn(a, b *parleyv1.Event) bool {
	return string(a.GetContactId()) == string(b.GetContactId()) && a.GetAtMs() == b.GetAtMs()
}

func (m *month) turn(events []*parleyv1.Event) {
	who := m.people[uuid.UUID(events[0].GetContactId())]
	m.judge.Turn(who.Person, events)
	spoken, reminded := false, false
	for _, e := range events {
		spoken, reminded = spoken || e.GetMessageQueued() != nil, reminded || e.GetReminderQueued() != nil
	}
	if !spoken || m.judge.Waiting(who.Person) == "" && !who.Stays() {
		return
	}
	if silence, comes := who.Silence(reminded); comes {
		who.next = m.time.Add(silence)
	}
}

// look judges every row and timer of the database.
func (m *month) look() {
	m.t.Helper()
	const rows = `SELECT s.hot, t.wake_at FROM (
		SELECT contact_id, true AS hot, version, session_id FROM sessions UNION ALL SELECT contact_id, false, version, session_id FROM session_archive) s
		LEFT JOIN timers t ON t.contact_id = s.contact_id WHERE s.contact_id = $1 ORDER BY s.hot DESC, s.session_id DESC LIMIT 1`
	for id, who := range m.people {
		if who.Begins.After(m.time) {
			continue
		}
		var row patience.Row
		var wake *time.Time
		if err := m.conn.QueryRow(m.t.Context(), rows, id).Scan(&row.Hot, &wake); err != nil {
			m.t.Fatal(err)
		}
		if wake != nil {
			row.WakeAt = *wake
		}
		m.judge.Look(who.Person, m.time, row, time.Minute)
	}
}

// A month of people who take their time, on a real database: every session that waits has
// its timer there, nobody is reminded wrongly, and who is silent lies in the archive.
func TestMonthOfPatience(t *testing.T) {
	const people, days = 40, 14
	m := newMonth(t, people, days*24*time.Hour)
	for day := 2; day <= days; day += 2 {
		m.goOn(start.AddDate(0, 0, day))
		m.look()
	}
	m.over = true
	m.goOn(start.AddDate(0, 0, days+8))
	m.look()
	for _, fault := range m.judge.Faults {
		t.Error(fault)
	}
	t.Logf("%d messages, %v", m.said, m.judge.Counts)
	if m.judge.Counts["reminded"] < people/2 || m.judge.Counts["archived"] < people/2 || m.judge.Counts["expired"] == 0 {
		t.Errorf("too little happened: %v", m.judge.Counts)
	}
	if n := m.count(`SELECT count(*) FROM sessions WHERE status <> 'human'`); n != 0 {
		t.Errorf("%d sessions run after a week of silence", n)
	}
	m.consistent(t)
}
