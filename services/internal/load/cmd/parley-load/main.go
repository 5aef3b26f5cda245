// Command parley-load plays a WhatsApp with thousands of contacts against a
// running Parley, and checks every reply. It exits with 1 if Parley broke a promise.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/parleyhq/parley/services/internal/load"
)

// progressEvery is how often a line about the run is written.
const progressEvery = time.Second

var errFailed = errors.New("the run failed")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	switch {
	case err == nil:
	case errors.Is(err, flag.ErrHelp):
		os.Exit(0)
	default:
		fmt.Fprintln(os.Stderr, "parley-load:", err)
		os.Exit(1)
	}
}

// run plays one load. Progress goes to stderr, the report to stdout.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	config, jsonPath, err := parseFlags(args, stderr)
	if err != nil {
		return err
	}
	generator, err := load.New(config)
	if err != nil {
		return err
	}
	defer func() { _ = generator.Close() }() // what it measured is printed by then
	fmt.Fprintln(stderr, "fake Graph API on", generator.GraphURL())

	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go watch(ctx, generator, stderr)
	report, err := generator.Run(ctx)
	stop()
	if err != nil {
		return err
	}
	if err := errors.Join(report.WriteTable(stdout), writeJSON(jsonPath, report)); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	if !report.Passed() {
		return errFailed
	}
	return nil
}

// parseFlags reads the config. What the flags do not say is load.DefaultConfig.
func parseFlags(args []string, output io.Writer) (c load.Config, jsonPath string, err error) {
	c = load.DefaultConfig()
	f := flag.NewFlagSet("parley-load", flag.ContinueOnError)
	f.SetOutput(output)
	f.StringVar(&c.TargetURL, "target", "http://127.0.0.1:8080/webhooks/meta", "Parley's webhook")
	f.StringVar(&c.Secret, "secret", os.Getenv("PARLEY_META_APP_SECRET"), "app secret that signs the webhooks (default $PARLEY_META_APP_SECRET)")
	f.StringVar(&c.GraphListen, "graph", "127.0.0.1:8090", "address of the fake Graph API; Parley's PARLEY_GRAPH_URL must name it")
	f.Func("channels", "phone_number_ids, comma-separated", func(value string) error {
		c.Channels = strings.Split(value, ",")
		return nil
	})
	f.IntVar(&c.Contacts, "contacts", c.Contacts, "how many people write")
	f.Float64Var(&c.Rate, "rate", c.Rate, "new messages a second")
	f.DurationVar(&c.Duration, "duration", c.Duration, "how long")
	f.Uint64Var(&c.Seed, "seed", c.Seed, "seed of what the people say")
	f.Uint64Var(&c.Run, "run", 0, "number that tells runs against one Parley apart (default: the clock)")
	f.Float64Var(&c.BSUIDOnly, "bsuid-only", c.BSUIDOnly, "share of contacts known by BSUID alone")
	f.Float64Var(&c.Both, "both", c.Both, "share of contacts known by BSUID and phone")
	f.Float64Var(&c.Duplicates, "duplicates", c.Duplicates, "share of updates posted again")
	f.DurationVar(&c.DuplicateDelay, "duplicate-delay", c.DuplicateDelay, "how late a duplicate may come")
	f.Float64Var(&c.Batched, "batched", c.Batched, "share of POSTs with several updates")
	f.Float64Var(&c.DoubleMessages, "double-messages", c.DoubleMessages, "share of turns with two messages in a row")
	f.Float64Var(&c.EarlyReceipts, "early-receipts", c.EarlyReceipts, "share of sends with a receipt before the answer")
	f.Float64Var(&c.Impatient, "impatient", c.Impatient, "share of turns that wait at most -wait-cap for a reply")
	f.DurationVar(&c.WaitCap, "wait-cap", c.WaitCap, "how long the impatient wait")
	f.IntVar(&c.Connections, "connections", c.Connections, "POSTs under way at most")
	f.DurationVar(&c.PostTimeout, "post-timeout", c.PostTimeout, "how long to wait for an answer to a POST")
	f.DurationVar(&c.QuietTimeout, "quiet-timeout", c.QuietTimeout, "how long to wait for the last reply")
	f.DurationVar(&c.Settle, "settle", c.Settle, "how long to listen on for unexpected replies")
	f.StringVar(&jsonPath, "json", "", "file for the report as JSON")
	if err := f.Parse(args); err != nil {
		return c, "", err
	}
	if f.NArg() > 0 {
		return c, "", fmt.Errorf("unexpected argument %q", f.Arg(0))
	}
	return c, jsonPath, nil
}

// watch writes a line of progress each second until the run ends.
func watch(ctx context.Context, g *load.Generator, w io.Writer) {
	tick := time.NewTicker(progressEvery)
	defer tick.Stop()
	for earlier := g.Progress(); ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			now := g.Progress()
			fmt.Fprintln(w, now.Since(earlier))
			earlier = now
		}
	}
}

func writeJSON(path string, report load.Report) error {
	if path == "" {
		return nil
	}
	data, err := json.MarshalIndent(report, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(data, '\n'), 0o644)
}
