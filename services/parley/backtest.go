package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"github.com/mattn/go-isatty"

	"github.com/parleyhq/parley/pkg/flow"
	"github.com/parleyhq/parley/pkg/flow/backtest"
	"github.com/parleyhq/parley/pkg/store"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// backtestCommand plays recorded conversations through another version.
type backtestCommand struct {
	File   string        `arg:"" help:"The version to try, as a YAML file." type:"existingfile"`
	Since  time.Duration `default:"720h" help:"How far back, such as 720h."`
	Output string        `short:"o" enum:"table,json" default:"table" help:"table or json."`
}

// Help is shown by --help.
func (backtestCommand) Help() string {
	return `Reads the conversations of the flow from the database of PARLEY_DATABASE_URL and
plays what people said through the version in the file. Nothing is sent and
nothing is written. Where the version asks something else than the one that
people answered, what comes after the first divergence is a guess.

  PARLEY_DATABASE_URL=postgres://… parley flow backtest booking.yaml --since 168h`
}

// Run plays them.
func (c backtestCommand) Run(ctx context.Context) error {
	source, err := os.ReadFile(c.File)
	if err != nil {
		return err
	}
	f, err := flow.Parse(source)
	if err != nil {
		return fmt.Errorf("%s:\n%w", c.File, err)
	}
	config, err := loadDatabase("parley flow backtest")
	if err != nil {
		return err
	}
	db, err := store.Open(ctx, config.DatabaseURL, 2, "parley-backtest")
	if err != nil {
		return err
	}
	defer db.Close()
	report, took, err := c.play(ctx, db, f.WithVersion(1))
	if err != nil {
		return err
	}
	if c.Output == "json" {
		return json.NewEncoder(os.Stdout).Encode(report)
	}
	printBacktest(os.Stdout, report, took)
	return nil
}

func (c backtestCommand) play(ctx context.Context, db *store.Store, f *flow.Flow) (*backtest.Report, time.Duration, error) {
	begin := time.Now()
	report := backtest.New(f)
	bar := isatty.IsTerminal(os.Stderr.Fd())
	shown := begin
	err := db.Conversations(ctx, f.Name(), begin.Add(-c.Since), func(session uint64, events []*parleyv1.Event) error {
		report.Add(f, session, events)
		if bar && time.Since(shown) > 100*time.Millisecond {
			shown = time.Now()
			fmt.Fprintf(os.Stderr, "\r%d conversations, %.0f/s ", report.Conversations, float64(report.Conversations)/time.Since(begin).Seconds())
		}
		return ctx.Err()
	})
	if bar {
		fmt.Fprint(os.Stderr, "\r\033[K")
	}
	report.Finish()
	return report, time.Since(begin), err
}

func printBacktest(out io.Writer, r *backtest.Report, took time.Duration) {
	if r.Conversations == 0 {
		fmt.Fprintf(out, "No conversation of flow %s is recorded in that time: use --since, or see parley flow versions %s.\n", r.Flow, r.Flow)
		return
	}
	fmt.Fprintf(out, "%d conversations of %s in %.1f s (%.0f/s): %d go the same way, %d another, %d fail.\n\n",
		r.Conversations, r.Flow, took.Seconds(), float64(r.Conversations)/took.Seconds(), r.Same, r.Changed, r.Failed)
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "STEP\tENTERED\t\tANSWERED\t\tREJECTED\t\tLEFT\t\t")
	for _, s := range r.Steps {
		if s.Recorded == (backtest.Counts{}) && s.Replayed == (backtest.Counts{}) {
			continue
		}
		fmt.Fprintf(w, "%s\t%d\t%+d\t%d\t%+d\t%d\t%+d\t%d\t%+d\t\n", s.Step,
			s.Replayed.Entered, s.Replayed.Entered-s.Recorded.Entered, s.Replayed.Answered, s.Replayed.Answered-s.Recorded.Answered,
			s.Replayed.Rejected, s.Replayed.Rejected-s.Recorded.Rejected, s.Replayed.Left, s.Replayed.Left-s.Recorded.Left)
	}
	fmt.Fprintf(w, "completed\t%d\t%+d\t\t\t\t\t\t\t\n", r.Replayed.Completed, r.Replayed.Completed-r.Recorded.Completed)
	fmt.Fprintf(w, "cancelled\t%d\t%+d\t\t\t\t\t\t\t\n", r.Replayed.Cancelled, r.Replayed.Cancelled-r.Recorded.Cancelled)
	fmt.Fprintf(w, "with a human\t%d\t%+d\t\t\t\t\t\t\t\n", r.Replayed.Human, r.Replayed.Human-r.Recorded.Human)
	fmt.Fprintf(w, "still there\t%d\t%+d\t\t\t\t\t\t\t\n", r.Replayed.Active, r.Replayed.Active-r.Recorded.Active)
	w.Flush()
	printParting(out, r)
}

// printParting says where and how conversations go another way.
func printParting(out io.Writer, r *backtest.Report) {
	for i, c := range r.Causes {
		if i == 0 {
			fmt.Fprintln(out, "\nWhere they part:")
		}
		if i == 10 {
			fmt.Fprintf(out, "  … and %d more ways (-o json has all)\n", len(r.Causes)-i)
			break
		}
		fmt.Fprintf(out, "  %6d  was: %s\n          now: %s\n", c.People, c.Was, c.Now)
	}
	for i, waiting := range r.Waiting {
		if i == 0 {
			fmt.Fprintln(out, "\nPeople whose conversation had ended and who would now still be asked:")
		}
		fmt.Fprintf(out, "  %6d  %s\n", waiting.People, waiting.Step)
	}
	if len(r.Divergences) > 0 {
		d := r.Divergences[0]
		fmt.Fprintf(out, "\nThe first: session %d, turn %d. -o json names up to %d.\n", d.Session, d.Turn, backtest.DivergencesMax)
	}
}
