package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/parleyhq/parley/pkg/flow"
	"github.com/parleyhq/parley/pkg/flow/backtest"
	"github.com/parleyhq/parley/pkg/store"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// backtestCommand plays recorded conversations through another version.
type backtestCommand struct {
	File   string   `arg:"" help:"The flow file of the version to try."`
	Since  lookback `placeholder:"TIME" default:"30d" help:"How old a conversation may be, such as 12h or 90d."`
	Output string   `short:"o" enum:"table,json" default:"table" help:"How to print: ${enum}."`
}

// Help shows examples below the usage.
func (backtestCommand) Help() string {
	return `Reads the recorded conversations of the flow and plays what people said through the version in the file. Nothing is sent, nothing is
written. It shows both funnels side by side, where conversations part, and where people would now wait.

An answer is played to the question that it was given to. Nobody has answered a question that is new: people wait there. A text is no
change. A step that was renamed is the same one if the file says so: migrate: {old_name: new_name}.

The conversations come from the database of PARLEY_DATABASE_URL; without it, from the PostgreSQL of the parley up that runs in this
folder (or in PARLEY_DATA_DIR).

Examples:
  parley flow backtest booking.yaml
  parley flow backtest booking.yaml --since 7d
  parley flow backtest booking.yaml -o json | jq '.steps[] | select(.recorded != .replayed)'
  PARLEY_DATABASE_URL=postgres://parley@db/parley parley flow backtest booking.yaml

Exit codes: 0 all were played, whether they part or not, 1 the file has errors or the version cannot play some, 2 wrong usage.`
}

// lookback is a time that may be written in days.
type lookback time.Duration

// UnmarshalText reads 30d, or what Go reads.
func (s *lookback) UnmarshalText(text []byte) error {
	if days, isDays := strings.CutSuffix(string(text), "d"); isDays {
		if n, err := strconv.ParseUint(days, 10, 16); err == nil && n > 0 {
			*s = lookback(time.Duration(n) * 24 * time.Hour)
			return nil
		}
	}
	d, err := time.ParseDuration(string(text))
	if err != nil || d <= 0 {
		return fmt.Errorf("%q is no time back: write it as 12h or 30d", text)
	}
	*s = lookback(d)
	return nil
}

// String writes whole days as days.
func (s lookback) String() string {
	if days := time.Duration(s) / (24 * time.Hour); time.Duration(s) == days*24*time.Hour {
		return counted(int(days), "day")
	}
	return time.Duration(s).String()
}

// Run plays them.
func (c backtestCommand) Run(ctx context.Context, line *kong.Context) error {
	to := newOutput(line)
	s, err := readFlow(to, c.File)
	if err != nil {
		return err
	}
	url, err := recordedIn(to.stderr)
	if err != nil {
		return err
	}
	db, err := store.Open(ctx, url, 2, "parley-backtest")
	if err != nil {
		return err
	}
	defer db.Close()
	begin := time.Now()
	report, err := c.play(ctx, to, db, s.flow.WithVersion(1))
	if err != nil {
		return err
	}
	if c.Output == "json" {
		if err := to.json(report); err != nil {
			return err
		}
	} else {
		c.print(to, report, time.Since(begin))
	}
	if report.Failed > 0 {
		return fmt.Errorf("%s cannot be played by this version: see where they part", counted(report.Failed, "conversation"))
	}
	return nil
}

func (c backtestCommand) play(ctx context.Context, to output, db *store.Store, f *flow.Flow) (*backtest.Report, error) {
	report := backtest.New(f)
	heads, err := db.EventHeads(ctx)
	if err != nil {
		return nil, err
	}
	bar := newBar(to.stderr, heads)
	err = db.Conversations(ctx, f.Name(), time.Now().Add(-time.Duration(c.Since)), func(session uint64, events []*parleyv1.Event) error {
		report.Add(session, events)
		bar.show(session, report.Conversations)
		return ctx.Err()
	})
	bar.clear()
	report.Finish()
	return report, err
}

// bar shows how far it is, to a person at a terminal.
type bar struct {
	w       io.Writer // nil if nobody looks
	heads   []uint64
	started time.Time
	shown   time.Time
	// shard is the one that is being read, from its offset first on.
	shard int
	first uint64
}

// barEvery is how often it is drawn, barWidth how wide it is.
const (
	barEvery = 100 * time.Millisecond
	barWidth = 30
)

func newBar(w io.Writer, heads []uint64) *bar {
	b := &bar{heads: heads, started: time.Now(), shown: time.Now(), shard: -1}
	if isTerminal(w) {
		b.w = w
	}
	return b
}

// share is the part that is done when a session has been played: sessions come by
// shard, and there from the first that is young enough to the head.
func (b *bar) share(session uint64) float64 {
	shard, offset := store.SessionPlace(session)
	if shard != b.shard {
		b.shard, b.first = shard, offset
	}
	if shard >= len(b.heads) || b.heads[shard] <= b.first {
		return 0
	}
	inShard := float64(offset-b.first) / float64(b.heads[shard]-b.first)
	return (float64(shard) + min(inShard, 1)) / float64(len(b.heads))
}

func (b *bar) show(session uint64, played int) {
	share := b.share(session)
	if b.w == nil || time.Since(b.shown) < barEvery {
		return
	}
	b.shown = time.Now()
	done := int(share * barWidth)
	fmt.Fprintf(b.w, "\r\x1b[K%s%s %3.0f %%  %s  %.0f/s", strings.Repeat("█", done), strings.Repeat("░", barWidth-done), 100*share,
		counted(played, "conversation"), float64(played)/time.Since(b.started).Seconds())
}

func (b *bar) clear() {
	if b.w != nil {
		fmt.Fprint(b.w, "\r\x1b[K")
	}
}
