package store

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

var logStart = time.Date(2026, 11, 28, 8, 0, 0, 0, time.UTC)

// line is a message of a shard.
func line(lease Lease, offset uint64, direction string, after time.Duration) Message {
	return Message{
		Shard: lease.Shard, Offset: offset, At: logStart.Add(after), Direction: direction, Channel: "c", Contact: ContactID("portfolio", "ann"),
		SessionID: 7, Flow: "lead", Kind: "text", Body: fmt.Sprint("body ", offset), Content: json.RawMessage(`{"type": "text"}`),
	}
}

func addMessages(t *testing.T, s *Store, f Fence, messages ...Message) []int {
	t.Helper()
	held, err := s.AddMessages(t.Context(), []Fence{f}, messages)
	if err != nil {
		t.Fatal(err)
	}
	return held
}

func messagesOf(t *testing.T, s *Store, q MessageQuery) []Message {
	t.Helper()
	if q.To.IsZero() {
		q.From, q.To = logStart.Add(-time.Hour), logStart.Add(time.Hour)
	}
	if q.Limit == 0 {
		q.Limit = 100
	}
	list, err := s.Messages(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func bodies(list []Message) string {
	var all []string
	for _, m := range list {
		all = append(all, m.Body)
	}
	return strings.Join(all, ", ")
}

// Each message is written once, by who holds the shard.
func TestAddMessages(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	leases := take(t, s, ServiceMessages, 2)
	f := Fence{Shard: leases[0].Shard, Epoch: leases[0].Epoch, From: 0, To: 2, At: logStart}
	if held := addMessages(t, s, f, line(leases[0], 1, DirectionIn, 0), line(leases[0], 2, DirectionOut, time.Second)); len(held) != 1 {
		t.Fatalf("held %v", held)
	}
	if held := addMessages(t, s, f, line(leases[0], 1, DirectionIn, 0)); len(held) != 0 {
		t.Errorf("written twice: %v", held)
	}
	stale := Fence{Shard: leases[1].Shard, Epoch: leases[1].Epoch - 1, From: 0, To: 1, At: logStart}
	if held := addMessages(t, s, stale, line(leases[1], 1, DirectionIn, 0)); len(held) != 0 {
		t.Errorf("a stale owner wrote: %v", held)
	}
	if got := bodies(messagesOf(t, s, MessageQuery{})); got != "body 1, body 2" {
		t.Errorf("the log holds %s", got)
	}
}

// Messages are found by who, where and when, page by page; what became of one of
// ours is looked up.
func TestMessages(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	session := take(t, s, ServiceSession, 1)[0]
	appendTurns(t, s, turnOf(session, "ann"))
	contact := value[uuid.UUID](t, s, `SELECT id FROM contacts`)
	exec(t, s, `UPDATE contacts SET phone = '15550001'`)
	exec(t, s, `INSERT INTO deliveries (shard, "offset", channel, contact_id, session_id, content, state, wamid, receipt, queued_at)
		VALUES (0, 2, 'c', $1, 7, '', 'accepted', 'wamid.2', 'read', now()), (0, 4, 'c', $1, 7, '', 'failed', NULL, '', now())`, contact)
	lease := take(t, s, ServiceMessages, 1)[0]
	var all []Message
	for n := range uint64(5) {
		m := line(lease, n+1, []string{DirectionIn, DirectionOut}[n%2], time.Duration(n)*time.Second)
		if m.Contact = contact; n == 4 {
			m.Contact, m.Channel, m.Direction = ContactID("portfolio", "bob"), "other", DirectionOut
			m.Content = json.RawMessage(`{"message": {}, "status": "read"}`) // of the past
		}
		all = append(all, m)
	}
	addMessages(t, s, Fence{Shard: lease.Shard, Epoch: lease.Epoch, To: 5, At: logStart}, all...)
	if lease.Shard != 0 {
		t.Fatalf("shard %d", lease.Shard)
	}
	for want, q := range map[string]MessageQuery{
		"body 1, body 2, body 3, body 4, body 5": {},
		"body 5":                                 {Channel: "other"},
		"body 1, body 2, body 3, body 4":         {Contact: "15550001"},
		"body 2, body 3":                         {From: logStart.Add(time.Second), To: logStart.Add(3 * time.Second)},
		"body 1, body 2":                         {Limit: 2},
		"body 3, body 4":                         {Limit: 2, After: &all[1]},
		"":                                       {Contact: "nobody"},
	} {
		if got := bodies(messagesOf(t, s, q)); got != want {
			t.Errorf("%+v: %s, want %s", q, got, want)
		}
	}
	if got := bodies(messagesOf(t, s, MessageQuery{Contact: contact.String()})); got != "body 1, body 2, body 3, body 4" {
		t.Errorf("by id: %s", got)
	}
	list := messagesOf(t, s, MessageQuery{})
	var status []string
	for _, m := range list {
		status = append(status, m.ProviderID+"/"+m.Status+"/"+m.Phone)
	}
	if want := []string{"//15550001", "wamid.2/read/15550001", "//15550001", "/failed/15550001", "/read/"}; !slices.Equal(status, want) {
		t.Errorf("%q, want %q", status, want)
	}
}

// The update that brought a file is found by the id of its message, if that is the file's.
func TestFileMessage(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	lease := take(t, s, ServiceMessages, 1)[0]
	var all []Message
	for i, content := range []string{`{"media": {"id": "F0"}}`, `{"message": {"media": {"id": "F1"}}}`, `{"media": {"id": "other"}}`, `{}`} {
		m := line(lease, uint64(i+1), DirectionIn, time.Second)
		m.ProviderID, m.Content, m.Raw = fmt.Sprint("F", i), json.RawMessage(content), fmt.Appendf(nil, `"raw %d"`, i)
		all = append(all, m)
	}
	addMessages(t, s, Fence{Shard: lease.Shard, Epoch: lease.Epoch, To: 4, At: logStart}, all...)
	for id, want := range map[string]string{"F0": `"raw 0"`, "F1": `"raw 1"`, "F2": "", "F3": "", "other": ""} {
		if raw, err := s.FileMessage(t.Context(), "c", id); err != nil || string(raw) != want {
			t.Errorf("%s: %s, %v, want %s", id, raw, err, want)
		}
	}
	if raw, err := s.FileMessage(t.Context(), "other", "F0"); err != nil || raw != nil {
		t.Errorf("on another channel: %s, %v", raw, err)
	}
}

// Months are made ahead and dropped as a whole when they are over; what an event of
// long ago left in the default partition goes with them.
func TestKeepMessages(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	lease := take(t, s, ServiceMessages, 1)[0]
	now := time.Now().UTC()
	month := time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC)
	old, recent := line(lease, 1, DirectionIn, 0), line(lease, 2, DirectionIn, 0)
	old.At, recent.At = now.AddDate(-2, 0, 0), now
	addMessages(t, s, Fence{Shard: lease.Shard, Epoch: lease.Epoch, To: 2, At: now}, old, recent)
	count := func() int { return value[int](t, s, `SELECT count(*) FROM messages`) }
	for _, c := range []struct {
		before        time.Time
		dropped, left int
	}{
		{time.Time{}, 0, 2},
		{now.AddDate(-1, 0, 0), 0, 1}, // of the default partition
		{month.AddDate(0, 1, 0).Add(-time.Second), 0, 1},
		{month.AddDate(0, 1, 0), 1, 0},
	} {
		dropped, err := s.KeepMessages(t.Context(), 3, c.before)
		if err != nil || dropped != c.dropped || count() != c.left {
			t.Errorf("before %v: %d dropped, %d left, %v; want %d, %d", c.before, dropped, count(), err, c.dropped, c.left)
		}
	}
	if _, err := s.KeepMessages(t.Context(), 3, time.Time{}); err != nil {
		t.Error(err)
	}
	if n := value[int](t, s, `SELECT count(*) FROM pg_inherits WHERE inhparent = 'messages'::regclass`); n != 5 {
		t.Errorf("%d partitions", n)
	}
}
