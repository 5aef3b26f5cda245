package projector

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/rs/zerolog"

	"github.com/parleyhq/parley/pkg/flow"
	"github.com/parleyhq/parley/pkg/lane"
	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/pkg/store/pgtest"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
	"github.com/parleyhq/parley/services/internal/demoflows"
)

const shards = 3

var start = time.Date(2026, 11, 22, 23, 59, 0, 0, time.UTC)

// history is a real database, its writer of events and its projector.
type history struct {
	*store.Store
	t         *testing.T
	conn      *pgx.Conn
	flow      *flow.Flow
	service   *Service
	writers   map[int]store.Lease
	projector map[int]store.Lease
	people    int
}

func newHistory(t *testing.T) *history {
	t.Helper()
	dsn := pgtest.New(t, store.Migrate)
	s, err := store.Open(t.Context(), dsn, 4, "test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	source, err := demoflows.Files.ReadFile("lead.yaml")
	if err != nil {
		t.Fatal(err)
	}
	f, err := flow.Parse(source)
	if err != nil {
		t.Fatal(err)
	}
	h := &history{Store: s, t: t, conn: conn, flow: f.WithVersion(1), service: New(s, zerolog.Nop())}
	h.writers, h.projector = h.take(store.ServiceSession), h.take(store.ServiceProjector)
	return h
}

func (h *history) take(service string) map[int]store.Lease {
	h.t.Helper()
	err := h.EnsureLeases(h.t.Context(), service, shards)
	leases, err2 := h.Acquire(h.t.Context(), service, "me", time.Minute, shards, nil)
	if err := errors.Join(err, err2); err != nil {
		h.t.Fatal(err)
	}
	byShard := map[int]store.Lease{}
	for _, l := range leases {
		byShard[l.Shard] = l
	}
	return byShard
}

// converse appends the events of a new person who says these texts.
func (h *history) converse(shard int, channel string, at time.Time, texts ...string) {
	h.t.Helper()
	h.people++
	lease := h.writers[shard]
	contact := store.ContactID(channel, fmt.Sprint(h.people))
	turn := store.TurnPart{
		Fence: store.Fence{Shard: shard, Epoch: lease.Epoch, From: lease.Checkpoint, To: lease.Checkpoint + 1},
		Head:  lease.Head,
	}
	var state flow.State
	var session uint64
	for n, text := range texts {
		var events []*parleyv1.Event
		events, state = flow.Turn(h.flow, h.flow, state, &parleyv1.Input{
			Id: fmt.Sprint(h.people, ".", n), AtMs: at.Add(time.Duration(n) * time.Hour).UnixMilli(),
			Body: &parleyv1.Input_Message{Message: &parleyv1.IncomingMessage{Type: "text", Text: text}},
		})
		for _, e := range events {
			e.Shard, e.Offset = uint32(shard), turn.Head+uint64(len(turn.Events))+1
			if e.GetSessionStarted() != nil {
				session = store.SessionID(shard, e.Offset)
			}
			e.SessionId, e.Channel, e.ContactId = session, channel, contact[:]
			turn.Events = append(turn.Events, e)
		}
	}
	turn.Inbox = []uuid.UUID{store.InboxID(channel, fmt.Sprint(h.people))}
	held, err := h.AppendTurns(h.t.Context(), []store.TurnPart{turn})
	if err != nil || len(held) != 1 {
		h.t.Fatalf("append: held %v, %v", held, err)
	}
	lease.Checkpoint++
	lease.Head += uint64(len(turn.Events))
	h.writers[shard] = lease
}

// parts is the projector's next batch, of at most so many events a shard.
func (h *history) parts(most int) (parts []lane.Part) {
	h.t.Helper()
	for shard := range shards {
		lease := h.projector[shard]
		events, err := h.ReadEvents(context.Background(), shard, lease.Checkpoint, most)
		if err != nil {
			h.t.Fatal(err)
		}
		if len(events) == 0 {
			continue
		}
		part := lane.Part{Fence: store.Fence{Shard: shard, Epoch: lease.Epoch, From: lease.Checkpoint, To: events[len(events)-1].Offset}}
		for _, e := range events {
			part.Messages = append(part.Messages, lane.Message{Shard: shard, Pos: e.Offset, Event: e})
		}
		parts = append(parts, part)
	}
	return parts
}

// project applies what is there, and says whether there was anything.
func (h *history) project(most int) bool {
	h.t.Helper()
	parts := h.parts(most)
	if len(parts) == 0 {
		return false
	}
	held, err := h.service.Apply(context.Background(), parts)
	if err != nil || len(held) != len(parts) {
		h.t.Errorf("apply: held %v, %v", held, err)
		return false
	}
	for _, part := range parts {
		lease := h.projector[part.Fence.Shard]
		lease.Checkpoint = part.Fence.To
		h.projector[part.Fence.Shard] = lease
	}
	return true
}

// tables is all that the read models hold, row by row.
func (h *history) tables() string {
	h.t.Helper()
	var b strings.Builder
	for _, table := range []string{"funnel_step_counts", "flow_total_counts", "silence_counts"} {
		rows, err := h.conn.Query(context.Background(), `SELECT t::text FROM insight.`+table+` t ORDER BY 1`)
		if err != nil {
			h.t.Fatal(err)
		}
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			h.t.Fatal(err)
		}
		b.WriteString(table + "\n" + strings.Join(lines, "\n") + "\n")
	}
	return b.String()
}

func (h *history) rebuild() {
	h.t.Helper()
	if err := Rebuild(context.Background(), h.Store, shards, func(int, uint64) {}); err != nil {
		h.t.Error(err)
	}
}

func (h *history) funnel(filter store.FunnelFilter) store.Funnel {
	h.t.Helper()
	filter.Flow = "lead"
	f, err := h.Funnel(h.t.Context(), filter)
	if err != nil {
		h.t.Fatal(err)
	}
	return f
}

// seed is a little of everything, over two numbers, two days and all shards.
func (h *history) seed() {
	for n := range 6 {
		shard, channel := n%shards, fmt.Sprint("n", n%2)
		h.converse(shard, channel, start, "hi")
		h.converse(shard, channel, start, "hi", "Ada", "bad", "worse", "ada@example.org", "thanks")
		h.converse(shard, channel, start, "hi", "Ada", "RESTART")
		h.converse(shard, channel, start.Add(24*time.Hour), "hi", "Ada", "a@b.co", "RESTART", "Eve")
	}
}

func TestFunnel(t *testing.T) {
	h := newHistory(t)
	h.seed()
	for h.project(7) {
	}
	got := h.funnel(store.FunnelFilter{})
	// Of 4 conversations two begin a second time, one of them after its end.
	want := store.Funnel{
		Flow: "lead", Totals: store.FunnelTotals{Started: 36, Completed: 12, Cancelled: 6},
		Steps: []store.FunnelStep{
			{Step: "name", Position: 1, Entered: 36, Answered: 24, Waiting: 12},
			{Step: "email", Position: 2, Entered: 24, Answered: 12, Failed: 6, Rejections: 12, Left: 6, Waiting: 6},
		},
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("funnel\n%+v\nwant\n%+v", got, want)
	}
	// Beside those of the second day: who began again after midnight.
	if day := h.funnel(store.FunnelFilter{From: "2026-11-23", Channel: "n1"}); day.Totals.Started != 9 {
		t.Errorf("%d sessions began on n1 that day, want 9", day.Totals.Started)
	}
}

// RELIABILITY F3, I7: what a rebuild makes of the events is what was counted as
// they came, in whatever batches.
func TestRebuildIsLive(t *testing.T) {
	h := newHistory(t)
	h.rebuild() // of nothing
	h.seed()
	for h.project(5) {
	}
	live := h.tables()
	h.rebuild()
	if again := h.tables(); again != live {
		t.Errorf("rebuilt\n%s\nlive\n%s", again, live)
	}
	if _, err := h.conn.Exec(t.Context(), `UPDATE insight.funnel_step_counts SET entered = entered + 1000`); err != nil {
		t.Fatal(err)
	}
	if _, err := h.conn.Exec(t.Context(), `DELETE FROM insight.flow_total_counts WHERE shard = 1`); err != nil {
		t.Fatal(err)
	}
	if h.tables() == live {
		t.Fatal("nothing was spoiled")
	}
	h.rebuild()
	if again := h.tables(); again != live {
		t.Errorf("rebuilt from spoiled tables\n%s\nlive\n%s", again, live)
	}
}

// A rebuild may run while events are appended and counted.
func TestRebuildWhileCounting(t *testing.T) {
	h := newHistory(t)
	h.seed()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for h.project(2) {
		}
	}()
	for running := true; running; {
		h.rebuild()
		select {
		case <-done:
			running = false
		default:
		}
	}
	live := h.tables()
	h.rebuild()
	if again := h.tables(); again != live {
		t.Errorf("counted beside rebuilds\n%s\nrebuilt\n%s", live, again)
	}
	if got := h.funnel(store.FunnelFilter{}).Totals.Started; got != 36 {
		t.Errorf("%d sessions", got)
	}
}

// RELIABILITY F1, F2: a batch that comes again, or from who has lost the shard,
// counts nothing.
func TestCountsOnce(t *testing.T) {
	h := newHistory(t)
	h.seed()
	parts := h.parts(100)
	stale := slices.Clone(parts)
	for i := range stale {
		stale[i].Fence.Epoch--
	}
	if held, err := h.service.Apply(t.Context(), stale); err != nil || len(held) != 0 {
		t.Errorf("a stranger's: held %v, %v", held, err)
	}
	if held, err := h.service.Apply(t.Context(), parts); err != nil || len(held) != shards {
		t.Fatalf("held %v, %v", held, err)
	}
	live := h.tables()
	if held, err := h.service.Apply(t.Context(), parts); err != nil || len(held) != 0 || h.tables() != live {
		t.Errorf("the same again: held %v, %v", held, err)
	}
	h.rebuild()
	if h.tables() != live {
		t.Error("a rebuild counts otherwise")
	}
}

func TestPark(t *testing.T) {
	h := newHistory(t)
	h.converse(1, "n1", start, "hi")
	part := h.parts(1)[0]
	held, err := h.service.Park(t.Context(), part, errors.New("no good"))
	if err != nil || !held {
		t.Fatalf("park: %t, %v", held, err)
	}
	letters, err := h.DeadLetters(t.Context(), store.DeadParked, 10)
	if err != nil || len(letters) != 1 || letters[0].Service != store.ServiceProjector || letters[0].Bytes == 0 {
		t.Errorf("%+v, %v", letters, err)
	}
	if at, err := h.Checkpoint(t.Context(), store.ServiceProjector, 1); err != nil || at != 1 {
		t.Errorf("checkpoint %d, %v", at, err)
	}
}

// Events that were dropped with their month cannot be counted again: the read
// models stay as they are.
func TestRebuildWithoutEvents(t *testing.T) {
	h := newHistory(t)
	h.seed()
	for h.project(100) {
	}
	live := h.tables()
	if _, err := h.conn.Exec(t.Context(), `DELETE FROM events WHERE shard = 2`); err != nil {
		t.Fatal(err)
	}
	err := Rebuild(t.Context(), h.Store, shards, func(int, uint64) {})
	if err == nil || !strings.Contains(err.Error(), "events end at 0") || h.tables() != live {
		t.Errorf("%v", err)
	}
}
