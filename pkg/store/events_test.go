package store

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// TestEventsRoundTrip stores an event of every kind that the contract has, every field of it set.
func TestEventsRoundTrip(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	lease := take(t, s, ServiceSession, 2)[1]
	part := turnOf(lease, "ann")
	kinds := (&parleyv1.Event{}).ProtoReflect().Descriptor().Oneofs().ByName("body").Fields()
	part.Events = nil
	for i := range kinds.Len() {
		e := &parleyv1.Event{}
		fill(e.ProtoReflect().Mutable(kinds.Get(i)).Message())
		part.Events = append(part.Events, e)
	}
	stamp(lease, part.Events, part.Contacts[0].ID, time.UnixMilli(1_763_800_000_123))
	want := make([]*parleyv1.Event, len(part.Events))
	for i, e := range part.Events {
		want[i] = proto.CloneOf(e)
	}
	appendTurns(t, s, part)

	read, err := s.ReadEvents(t.Context(), 1, 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	session, err := s.SessionEvents(t.Context(), want[0].SessionId)
	if err != nil {
		t.Fatal(err)
	}
	if len(read) != len(want) || len(session) != len(want) || len(want) < 28 {
		t.Fatalf("read %d events, %d of the session, want %d", len(read), len(session), len(want))
	}
	for i, e := range want {
		name := string(kinds.Get(i).Message().Name())
		if !proto.Equal(part.Events[i], e) {
			t.Errorf("storing changed the caller's %s to %v", name, part.Events[i])
		}
		if !proto.Equal(read[i], e) || !proto.Equal(session[i], e) {
			t.Errorf("%s came back as\n%v\n%v\nwant\n%v", name, read[i], session[i], e)
		}
		if stored := value[string](t, s, `SELECT type FROM events WHERE shard = 1 AND "offset" = $1`, int64(e.Offset)); stored != name {
			t.Errorf("type %q, want %q", stored, name)
		}
	}
}

// fill sets every field of a message to something that is not its zero value; of alternatives the last.
func fill(m protoreflect.Message) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		switch {
		case f.IsMap():
			key := protoreflect.ValueOfString("a 'key'").MapKey()
			m.Mutable(f).Map().Set(key, filled(f.MapValue(), m.NewField(f).Map().NewValue))
		case f.IsList():
			list := m.Mutable(f).List()
			list.Append(filled(f, list.NewElement))
			list.Append(filled(f, list.NewElement))
		default:
			m.Set(f, filled(f, func() protoreflect.Value { return m.NewField(f) }))
		}
	}
}

// filled is a value of the field's kind; create makes an empty message.
func filled(f protoreflect.FieldDescriptor, create func() protoreflect.Value) protoreflect.Value {
	switch f.Kind() {
	case protoreflect.MessageKind:
		message := create()
		fill(message.Message())
		return message
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(fmt.Sprintf("%s 👩‍👧 \x00 'quoted' %s", f.Name(), strings.Repeat("long ", 2000)))
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes([]byte("{\"a\": \"\x00\xff\"}"))
	case protoreflect.Uint32Kind:
		return protoreflect.ValueOfUint32(1<<32 - 1)
	case protoreflect.Uint64Kind:
		return protoreflect.ValueOfUint64(1<<64 - 1)
	case protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64(-1 << 63)
	case protoreflect.Sint32Kind:
		return protoreflect.ValueOfInt32(-1 << 31)
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64(-1.0 / 3)
	case protoreflect.EnumKind:
		values := f.Enum().Values()
		return protoreflect.ValueOfEnum(values.Get(values.Len() - 1).Number())
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(true)
	}
	panic(fmt.Sprintf("no value for %s", f.FullName()))
}

func TestReadEventsPages(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	leases := take(t, s, ServiceSession, 2)
	part := turnOf(leases[0], "ann")
	for range 7 { // 10 in all
		part.Events = append(part.Events, proto.CloneOf(part.Events[1]))
	}
	stamp(leases[0], part.Events, part.Contacts[0].ID, time.UnixMilli(1_763_800_000_000))
	appendTurns(t, s, part, turnOf(leases[1], "bob"))
	for _, c := range []struct {
		after       uint64
		limit       int
		first, last uint64
	}{{0, 4, 1, 4}, {4, 4, 5, 8}, {8, 4, 9, 10}, {10, 4, 0, 0}, {9, 1000, 10, 10}} {
		events, err := s.ReadEvents(t.Context(), 0, c.after, c.limit)
		if err != nil {
			t.Fatal(err)
		}
		var first, last uint64
		if len(events) > 0 {
			first, last = events[0].Offset, events[len(events)-1].Offset
		}
		if first != c.first || last != c.last {
			t.Errorf("after %d, at most %d: %d to %d, want %d to %d", c.after, c.limit, first, last, c.first, c.last)
		}
	}
}

// TestSessionEventsOfInterleavedSessions reads one session among others of the shard.
func TestSessionEventsOfInterleavedSessions(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	lease := take(t, s, ServiceSession, 1)[0]
	part := turnOf(lease, "ann")
	part.Events = nil
	for i := range 12 {
		e := proto.CloneOf(turnOf(lease, "ann").Events[1])
		e.Offset, e.SessionId = uint64(i)+1, SessionID(0, uint64(i%3)+1)
		part.Events = append(part.Events, e)
	}
	appendTurns(t, s, part)
	for first := uint64(1); first <= 3; first++ {
		events, err := s.SessionEvents(t.Context(), SessionID(0, first))
		if err != nil {
			t.Fatal(err)
		}
		var offsets []uint64
		for _, e := range events {
			offsets = append(offsets, e.Offset)
		}
		if got, want := fmt.Sprint(offsets), fmt.Sprint([]uint64{first, first + 3, first + 6, first + 9}); got != want {
			t.Errorf("session of offset %d has events %s, want %s", first, got, want)
		}
	}
}

// TestEventPartitions creates partitions from a connection whose own time zone has summer time: months are those of UTC.
func TestEventPartitions(t *testing.T) {
	t.Parallel()
	for _, zone := range []string{"America/New_York", "Europe/Berlin"} {
		t.Run(zone, func(t *testing.T) {
			s := newStore(t)
			if err := s.EnsureEventPartitions(t.Context(), 3); err != nil {
				t.Fatal(err)
			}
			conn, err := s.pool.Acquire(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Release()
			before := partitions(t, conn.Conn())
			for range 2 {
				if _, err := conn.Exec(t.Context(), `SELECT set_config('timezone', $1, false)`, zone); err != nil {
					t.Fatal(err)
				}
				if _, err := conn.Exec(t.Context(), `SELECT ensure_event_partitions(12)`); err != nil {
					t.Fatal(err)
				}
				checkMonths(t, conn.Conn(), 13)
			}
			if len(before) != 4 {
				t.Errorf("%d partitions for this month and the next 3: %v", len(before), before)
			}
		})
	}
}

// partitions returns the bounds of the monthly partitions by name, in order.
func partitions(t *testing.T, conn *pgx.Conn) [][2]string {
	t.Helper()
	if _, err := conn.Exec(t.Context(), `SET timezone = 'UTC'`); err != nil {
		t.Fatal(err)
	}
	rows, err := conn.Query(t.Context(), `SELECT c.relname, pg_get_expr(c.relpartbound, c.oid)
		FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'events'::regclass AND c.relname <> 'events_default' ORDER BY 1`)
	if err != nil {
		t.Fatal(err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (p [2]string, err error) { return p, row.Scan(&p[0], &p[1]) })
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func checkMonths(t *testing.T, conn *pgx.Conn, want int) {
	t.Helper()
	list := partitions(t, conn)
	if len(list) != want {
		t.Errorf("%d partitions, want %d", len(list), want)
	}
	now := time.Now().UTC()
	for i, p := range list {
		month := time.Date(now.Year(), now.Month()+time.Month(i), 1, 0, 0, 0, 0, time.UTC)
		bounds := fmt.Sprintf("FOR VALUES FROM ('%s 00:00:00+00') TO ('%s 00:00:00+00')", month.Format(time.DateOnly), month.AddDate(0, 1, 0).Format(time.DateOnly))
		if p[0] != "events_"+month.Format("200601") || p[1] != bounds {
			t.Fatalf("partition %v, want events_%s %s", p, month.Format("200601"), bounds)
		}
	}
}

// TestEventsOutsidePartitions stores events of times that have no partition, and then asks for one.
func TestEventsOutsidePartitions(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	lease := take(t, s, ServiceSession, 1)[0]
	now := time.Now().UTC()
	for _, at := range []time.Time{now, now.AddDate(0, 6, 0), now.AddDate(-20, 0, 0), now.AddDate(50, 0, 0)} {
		part := turnOf(lease, "ann")
		part.Contacts, part.Sessions, part.Inbox = nil, nil, nil
		stamp(lease, part.Events, uuid.New(), at)
		appendTurns(t, s, part)
		lease = moved(lease, part)
	}
	if err := s.EnsureEventPartitions(t.Context(), 12); err != nil { // month 6 has rows in the default partition
		t.Fatal(err)
	}
	events, err := s.ReadEvents(t.Context(), 0, 0, 100)
	if err != nil || len(events) != 12 {
		t.Fatalf("read %d events, want 12: %v", len(events), err)
	}
	for i, e := range events {
		if e.Offset != uint64(i)+1 {
			t.Fatalf("event %d has offset %d", i, e.Offset)
		}
	}
	if n := value[int](t, s, `SELECT count(*) FROM events_default`); n != 9 {
		t.Errorf("%d events in the default partition, want 9", n)
	}
}

func TestForgetInbox(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	exec(t, s, `INSERT INTO inbox (id, at) SELECT gen_random_uuid(), now() - make_interval(days => n) FROM generate_series(0, 59) n`)
	for _, want := range []int64{10, 10, 10, 0} {
		n, err := s.ForgetInbox(t.Context(), 30*24*time.Hour-time.Minute, 10)
		if err != nil || n != want {
			t.Fatalf("forgot %d keys, want %d: %v", n, want, err)
		}
	}
	if n := value[int](t, s, `SELECT count(*) FROM inbox WHERE at > now() - interval '30 days'`); n != 30 {
		t.Errorf("%d keys are kept, want 30", n)
	}
}

func TestEventTypeOfNothing(t *testing.T) {
	t.Parallel()
	if name := EventType(&parleyv1.Event{}); name != "" {
		t.Errorf("an event without a body is of type %q", name)
	}
}

func TestDeliveryIDs(t *testing.T) {
	t.Parallel()
	for _, k := range []DeliveryKey{{0, 1}, {15, 1 << 40}, {32767, 1<<63 - 1}} {
		shard, offset, ok := ParseDeliveryID(DeliveryID(k.Shard, k.Offset))
		if !ok || shard != k.Shard || offset != k.Offset {
			t.Errorf("%v came back as %d/%d, %v", k, shard, offset, ok)
		}
		at := time.UnixMilli(1_795_860_000_123)
		if got, queuedAt, ok := ParseCallback(Callback(k, at)); !ok || got != k || !queuedAt.Equal(at) {
			t.Errorf("%v of %s came back as %v of %s, %v", k, at, got, queuedAt, ok)
		}
		if got, queuedAt, ok := ParseCallback(DeliveryID(k.Shard, k.Offset)); !ok || got != k || !queuedAt.IsZero() {
			t.Errorf("without a time %v came back as %v of %s, %v", k, got, queuedAt, ok)
		}
	}
	for _, id := range []string{"", "p1", "p1.1", "p1.1.0", "p1.01.1", "p1.1.01", "p1.1.+1", "p1.-1.1", "p2.1.1", "p1.1.1.1", "p1.32768.1", "p1.1.9223372036854775808", "p1. 1.1"} {
		if _, _, ok := ParseDeliveryID(id); ok {
			t.Errorf("%q is taken for one of ours", id)
		}
	}
	for _, text := range []string{"", "p1.1.1.", "p1.1.1.0", "p1.1.1.-5", "p1.1.1.0k", "p1.1.1.K", "p1.1.1.!", "p1.1.0.k", "p1.1.1.k.k", "x.p1.1.1"} {
		if _, _, ok := ParseCallback(text); ok {
			t.Errorf("%q is taken for a callback of ours", text)
		}
	}
}
