package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

// measurements are in the order in which they run.
var measurements = []struct {
	name string
	run  func(*bench, context.Context, *stage) (section, error)
}{
	{"webhooks", (*bench).webhooks},
	{"turns", (*bench).turns},
	{"sends", (*bench).sends},
	{"services", (*bench).services},
	{"up", (*bench).up},
}

// size is how much is measured.
type size struct {
	// rounds is how often each side is measured.
	rounds int
	// slice is how long one side of one round takes.
	slice time.Duration
	// load is how long messages come at rate per second; the first warmUp of it is not counted.
	load, warmUp time.Duration
	rate         float64
	// queued is how many batches of messages wait to be sent.
	queued int
}

var (
	full  = size{rounds: 3, slice: 3 * time.Second, load: 20 * time.Second, warmUp: 3 * time.Second, rate: 500, queued: 20}
	short = size{rounds: 2, slice: time.Second, load: 5 * time.Second, warmUp: time.Second, rate: 500, queued: 6}
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	if len(os.Args) == 4 && os.Args[1] == natsCommand {
		err = serveNATS(ctx, os.Args[2], os.Args[3])
	} else {
		err = run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	}
	switch {
	case err == nil:
	case errors.Is(err, flag.ErrHelp):
		os.Exit(0)
	default:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run measures and prints the table, as far as it came if something fails.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	b, names, err := parseFlags(args, stderr)
	if err != nil {
		return err
	}
	defer b.close()
	if err := b.prepare(ctx); err != nil {
		return err
	}
	sections, err := b.measure(ctx, names)
	return errors.Join(err, write(stdout, append([]section{b.machine()}, sections...)))
}

func parseFlags(args []string, output io.Writer) (b *bench, names []string, err error) {
	b = &bench{size: full, say: newProgress(output)}
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(output)
	isShort := f.Bool("short", false, "measure for 40 seconds instead of 2 minutes")
	only := f.String("only", strings.Join(allNames(), ","), "what to measure, comma-separated")
	rate := f.Float64("rate", full.rate, "messages a second of the load on the services and on parley up")
	f.StringVar(&b.base, "dir", os.TempDir(), "folder on the disk to measure; all data in it is removed at the end")
	if err := f.Parse(args); err != nil {
		return nil, nil, err
	}
	if *isShort {
		b.size = short
	}
	b.size.rate = *rate
	names = strings.Split(*only, ",")
	for _, name := range names {
		if !slices.Contains(allNames(), name) {
			return nil, nil, fmt.Errorf("-only %q: choose from %s", name, strings.Join(allNames(), ", "))
		}
	}
	if f.NArg() > 0 {
		return nil, nil, fmt.Errorf("unexpected argument %q", f.Arg(0))
	}
	return b, names, nil
}

func allNames() []string {
	names := make([]string, len(measurements))
	for i, m := range measurements {
		names[i] = m.name
	}
	return names
}

// newProgress tells the person at the terminal what happens while they wait.
func newProgress(w io.Writer) func(format string, args ...any) {
	started := time.Now()
	return func(format string, args ...any) {
		fmt.Fprintf(w, "%6.1fs  %s\n", time.Since(started).Seconds(), fmt.Sprintf(format, args...))
	}
}
