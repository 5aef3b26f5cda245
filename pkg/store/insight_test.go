package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/parleyhq/parley/pkg/flow"
	"github.com/parleyhq/parley/pkg/insight"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

const leadFlow = `name: lead
language: en
keywords: {restart: [RESTART]}
steps:
  - name: name
    say: Your name?
    expect: {type: text, save: name}
  - name: email
    say: Your email?
    expect: {type: email, save: email, invalid: No email.}
completed: {say: Thanks, again: Bye}
`

func parseFlow(t testing.TB, source string) *flow.Flow {
	t.Helper()
	f, err := flow.Parse([]byte(source))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// talk returns the events of one person's whole conversation with the flow, on a day.
func talk(f *flow.Flow, channel string, day time.Time, texts ...string) []*parleyv1.Event {
	var state flow.State
	var events []*parleyv1.Event
	for i, text := range texts {
		var turn []*parleyv1.Event
		turn, state = flow.Turn(f, f, state, &parleyv1.Input{
			Id: fmt.Sprint(i), AtMs: day.UnixMilli() + int64(i),
			Body: &parleyv1.Input_Message{Message: &parleyv1.IncomingMessage{Type: "text", Text: text}},
		})
		events = append(events, turn...)
	}
	for _, e := range events {
		e.Channel = channel
	}
	return events
}

func fold(events ...*parleyv1.Event) *insight.Counts {
	counts := insight.NewCounts()
	for _, e := range events {
		counts.Add(e)
	}
	return counts
}

// readModels are all counters of a shard, line by line.
func readModels(t testing.TB, s *Store, shard int) []string {
	t.Helper()
	found, err := s.pool.Query(t.Context(), `SELECT c::text FROM insight.funnel_step_counts c WHERE shard = $1
		UNION ALL SELECT c::text FROM insight.flow_total_counts c WHERE shard = $1
		UNION ALL SELECT c::text FROM insight.silence_counts c WHERE shard = $1 ORDER BY 1`, shard)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := pgx.CollectRows(found, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

func addCounts(t testing.TB, s *Store, lease Lease, events []*parleyv1.Event) Lease {
	t.Helper()
	to := lease.Checkpoint + uint64(len(events))
	held, err := s.AddCounts(t.Context(), []Fence{fence(lease, to)}, map[int]*insight.Counts{lease.Shard: fold(events...)})
	if err != nil || len(held) != 1 {
		t.Fatalf("add counts: held %v, %v", held, err)
	}
	lease.Checkpoint = to
	return lease
}

var (
	sunday  = time.Date(2026, 11, 22, 23, 59, 59, 0, time.UTC)
	version = uint32(3)
)

// conversations are of two days and channels, in every state that a person can be in.
func conversations(t testing.TB) []*parleyv1.Event {
	f := parseFlow(t, leadFlow).WithVersion(version)
	monday := sunday.Add(time.Minute)
	return slices.Concat(
		talk(f, "a", sunday, "hi", "Ann", "ann@example.org"),
		talk(f, "a", sunday, "hi", "Bob", "no email", "still none"),
		talk(f, "b", sunday, "hi"),
		talk(f, "a", monday, "hi", "Cem", "RESTART", "Cem", "cem@example.org"),
		talk(f, "b", monday, "hi", "Dan", "dan@example.org", "more", "RESTART"),
	)
}

// silencesToo are conversations, and silences in them.
func silencesToo(t testing.TB) []*parleyv1.Event {
	return slices.Concat(conversations(t), silent(sunday, "name", 1, 2, 3, 4, 5, 6), silent(sunday.Add(time.Minute), "email", 6, 5, 4, 3, 2, 1))
}

func TestAddCountsInBatches(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	leases := take(t, s, ServiceProjector, 2)
	events := silencesToo(t)
	addCounts(t, s, leases[0], events)
	lease := leases[1]
	for batch := range slices.Chunk(events, 3) {
		lease = addCounts(t, s, lease, batch)
	}
	whole := readModels(t, s, 0)
	if len(whole) < 8 {
		t.Fatalf("only %d lines: %v", len(whole), whole)
	}
	exec(t, s, `UPDATE insight.funnel_step_counts SET shard = 2 WHERE shard = 0`)
	exec(t, s, `UPDATE insight.flow_total_counts SET shard = 2 WHERE shard = 0`)
	exec(t, s, `UPDATE insight.silence_counts SET shard = 2 WHERE shard = 0`)
	exec(t, s, `UPDATE insight.funnel_step_counts SET shard = 0 WHERE shard = 1`)
	exec(t, s, `UPDATE insight.flow_total_counts SET shard = 0 WHERE shard = 1`)
	exec(t, s, `UPDATE insight.silence_counts SET shard = 0 WHERE shard = 1`)
	if batches := readModels(t, s, 0); !slices.Equal(batches, whole) {
		t.Errorf("in batches\n%v\nas a whole\n%v", batches, whole)
	}
}

func TestAddCountsFenced(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	lease := take(t, s, ServiceProjector, 1)[0]
	events := silencesToo(t)
	after := addCounts(t, s, lease, events)
	before := readModels(t, s, 0)
	stale := fence(after, 1000)
	stale.Epoch--
	for name, f := range map[string]Fence{"stale": stale, "repeated": fence(lease, after.Checkpoint)} {
		held, err := s.AddCounts(t.Context(), []Fence{f}, map[int]*insight.Counts{0: fold(events...)})
		if err != nil || len(held) != 0 {
			t.Errorf("%s: held %v, %v", name, held, err)
		}
	}
	if now := readModels(t, s, 0); !slices.Equal(now, before) {
		t.Errorf("counted again: %v, want %v", now, before)
	}
}

// foldsTo folds events, and fails unless they are wanted up to a checkpoint.
func foldsTo(t testing.TB, checkpoint uint64, events []*parleyv1.Event) func(uint64) (*insight.Counts, error) {
	return func(upTo uint64) (*insight.Counts, error) {
		if upTo != checkpoint {
			t.Errorf("asked for the counts up to %d, want %d", upTo, checkpoint)
		}
		return fold(events...), nil
	}
}

func TestReplaceCounts(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	leases := take(t, s, ServiceProjector, 2)
	events := silencesToo(t)
	lease := addCounts(t, s, leases[0], events)
	addCounts(t, s, leases[1], events)
	live := readModels(t, s, 0)
	other := readModels(t, s, 1)
	exec(t, s, `UPDATE insight.funnel_step_counts SET entered = entered + 7, step = step || '?' WHERE shard = 0`)

	broken := errors.New("no events")
	if err := s.ReplaceCounts(t.Context(), 0, func(uint64) (*insight.Counts, error) { return nil, broken }); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
	if after := readModels(t, s, 0); slices.Equal(after, live) || len(after) == 0 {
		t.Errorf("a fold that fails left %v", after)
	}
	if err := s.ReplaceCounts(t.Context(), 0, foldsTo(t, lease.Checkpoint, events)); err != nil {
		t.Fatal(err)
	}
	if rebuilt := readModels(t, s, 0); !slices.Equal(rebuilt, live) {
		t.Errorf("rebuilt\n%v\nlive\n%v", rebuilt, live)
	}
	if untouched := readModels(t, s, 1); !slices.Equal(untouched, other) {
		t.Errorf("the other shard became %v, want %v", untouched, other)
	}
	// The projector goes on where it was.
	addCounts(t, s, lease, events)
	if err := s.ReplaceCounts(t.Context(), 9, foldsTo(t, 0, nil)); err == nil {
		t.Error("a shard that is not there was replaced")
	}
}

// TestReplaceCountsWhileCounting adds a batch that waits for the lock of the exchange: nothing is lost, nothing counted twice.
func TestReplaceCountsWhileCounting(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	leases := take(t, s, ServiceProjector, 2)
	events := silencesToo(t)
	lease := addCounts(t, s, leases[0], events)
	twice := addCounts(t, s, leases[1], events)
	addCounts(t, s, twice, events)

	// The exchange stops in its middle, before it can write the totals.
	tx, err := s.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.Background()) }()
	if _, err := tx.Exec(t.Context(), `LOCK TABLE insight.flow_total_counts`); err != nil {
		t.Fatal(err)
	}
	var both errgroup.Group
	both.Go(func() error { return s.ReplaceCounts(t.Context(), 0, foldsTo(t, lease.Checkpoint, events)) })
	awaitBlocked(t, s, 1)
	both.Go(func() error {
		held, err := s.AddCounts(t.Context(), []Fence{fence(lease, lease.Checkpoint+1)}, map[int]*insight.Counts{0: fold(events...)})
		if len(held) != 1 && err == nil {
			return fmt.Errorf("the batch was fenced")
		}
		return err
	})
	awaitBlocked(t, s, 2)
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := both.Wait(); err != nil {
		t.Fatal(err)
	}
	want := readModels(t, s, 1)
	exec(t, s, `DELETE FROM insight.funnel_step_counts WHERE shard = 1`)
	exec(t, s, `DELETE FROM insight.flow_total_counts WHERE shard = 1`)
	exec(t, s, `DELETE FROM insight.silence_counts WHERE shard = 1`)
	exec(t, s, `UPDATE insight.funnel_step_counts SET shard = 1`)
	exec(t, s, `UPDATE insight.flow_total_counts SET shard = 1`)
	exec(t, s, `UPDATE insight.silence_counts SET shard = 1`)
	if got := readModels(t, s, 1); !slices.Equal(got, want) {
		t.Errorf("got\n%v\nwant\n%v", got, want)
	}
}

func TestFunnel(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	events := conversations(t)
	for _, lease := range take(t, s, ServiceProjector, 2) { // everybody twice, in two shards
		addCounts(t, s, lease, events)
	}
	type counts struct {
		totals      FunnelTotals
		name, email FunnelStep
	}
	for _, c := range []struct {
		name   string
		filter FunnelFilter
		want   counts
	}{
		{"all", FunnelFilter{}, counts{
			FunnelTotals{Started: 14, Completed: 6, Cancelled: 2},
			FunnelStep{Entered: 14, Answered: 10, Waiting: 4},
			FunnelStep{Entered: 10, Answered: 6, Failed: 2, Rejections: 4, Left: 2, Waiting: 2},
		}},
		{"sunday", FunnelFilter{To: "2026-11-22"}, counts{
			FunnelTotals{Started: 6, Completed: 2},
			FunnelStep{Entered: 6, Answered: 4, Waiting: 2},
			FunnelStep{Entered: 4, Answered: 2, Failed: 2, Rejections: 4, Waiting: 2},
		}},
		{"monday on b", FunnelFilter{From: "2026-11-23", To: "2026-11-23", Channel: "b"}, counts{
			FunnelTotals{Started: 4, Completed: 2},
			FunnelStep{Entered: 4, Answered: 2, Waiting: 2},
			FunnelStep{Entered: 2, Answered: 2},
		}},
		{"its version and language", FunnelFilter{Version: int(version), Language: "en", Channel: "b", From: "2026-11-22", To: "2026-11-22"}, counts{
			FunnelTotals{Started: 2}, FunnelStep{Entered: 2, Waiting: 2}, FunnelStep{},
		}},
	} {
		c.filter.Flow = "lead"
		funnel, err := s.Funnel(t.Context(), c.filter)
		if err != nil {
			t.Fatal(err)
		}
		got := counts{totals: funnel.Totals}
		for i, step := range funnel.Steps {
			if step.Position != i+1 {
				t.Errorf("%s: step %d is %+v", c.name, i+1, step)
			}
			step.Position = 0
			switch step.Step {
			case "name":
				got.name = step
				got.name.Step = ""
			case "email":
				got.email = step
				got.email.Step = ""
			default:
				t.Errorf("%s: unknown step %+v", c.name, step)
			}
		}
		if got != c.want {
			t.Errorf("%s:\n%+v, want\n%+v", c.name, got, c.want)
		}
	}
	for _, nobody := range []FunnelFilter{{Flow: "other"}, {Flow: "lead", Version: 4}, {Flow: "lead", Language: "de"}, {Flow: "lead", From: "2026-11-24"}} {
		funnel, err := s.Funnel(t.Context(), nobody)
		if err != nil || funnel.Totals != (FunnelTotals{}) || len(funnel.Steps) != 0 || funnel.Steps == nil {
			t.Errorf("%+v: %+v, %v", nobody, funnel, err)
		}
	}
	if _, err := s.Funnel(t.Context(), FunnelFilter{Flow: "lead", From: "2026-02-30"}); err == nil {
		t.Error("a day that is none was taken")
	}
}
