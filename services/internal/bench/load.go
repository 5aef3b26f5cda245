package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/parleyhq/parley/services/internal/load"
	"github.com/parleyhq/parley/services/internal/process"
)

// lateMax is how late a duplicate may come: it bounds how long a load goes on after
// its last message.
const lateMax = 2 * time.Second

// part is a row of the CPU table.
type part struct {
	name string
	cpu  func(processes) (time.Duration, error)
}

// program is a part that is one process, without its children.
func program(name string, p *process.Process) part {
	return part{name, func(all processes) (time.Duration, error) { return all.own(p.PID()) }}
}

// postgresOf is the PostgreSQL that a process runs, with all its backends.
func postgresOf(parent int) part {
	return part{"postgres", func(all processes) (time.Duration, error) { return all.tree(all.child(parent, "postgres")) }}
}

// services measures what a message costs each service where all run alone.
func (b *bench) services(ctx context.Context, s *stage) (section, error) {
	nats, url, err := s.nats(ctx)
	if err != nil {
		return section{}, err
	}
	dsn, err := s.postgres(ctx)
	if err != nil {
		return section{}, err
	}
	env := environment("PARLEY_NATS_URL="+url, "PARLEY_DATABASE_URL="+dsn)
	ingress, addr, err := s.program(ctx, "parley-ingress", env)
	if err != nil {
		return section{}, err
	}
	g, err := s.newLoad(addr)
	if err != nil {
		return section{}, err
	}
	env = append(env, "PARLEY_GRAPH_URL="+g.GraphURL()+"/v25.0")
	parts := []part{program("parley-ingress", ingress)}
	for _, name := range []string{"parley-session", "parley-dispatcher", "parley-projector"} {
		p, _, err := s.program(ctx, name, env)
		if err != nil {
			return section{}, err
		}
		parts = append(parts, program(name, p))
	}
	parts = append(parts, program("nats-server", nats), postgresOf(os.Getpid()))
	return b.play(ctx, g, "services, each a process of its own", parts)
}

// up measures what a message costs where all run in one process.
func (b *bench) up(ctx context.Context, s *stage) (section, error) {
	addr, err := process.FreeAddr()
	if err != nil {
		return section{}, err
	}
	g, err := s.newLoad(addr)
	if err != nil {
		return section{}, err
	}
	dir, err := s.folder("data")
	if err != nil {
		return section{}, err
	}
	env := environment("PARLEY_GRAPH_URL="+g.GraphURL()+"/v25.0", "PARLEY_DATA_DIR="+dir)
	p, _, err := s.programAt(ctx, addr, "parley", env, "up")
	if err != nil {
		return section{}, err
	}
	parts := []part{program("parley (all services, NATS)", p), postgresOf(p.PID())}
	return b.play(ctx, g, "parley up, one process", parts)
}

// newLoad is a WhatsApp with all its hostilities that writes to what listens there.
func (s *stage) newLoad(addr string) (*load.Generator, error) {
	config := load.DefaultConfig()
	config.TargetURL, config.Secret = "http://"+addr+"/webhooks/meta", appSecret
	config.Rate, config.Duration = s.bench.size.rate, s.bench.size.load
	config.DuplicateDelay, config.Settle = lateMax, time.Second
	g, err := load.New(config)
	if err == nil {
		s.onClose(g.Close)
	}
	return g, err
}

// play runs the load and tells what the parts needed for it while it was steady.
func (b *bench) play(ctx context.Context, g *load.Generator, title string, parts []part) (section, error) {
	table := section{title: fmt.Sprintf("%s, at %.0f messages/s", title, b.size.rate)}
	_, err := readProcesses()
	hasProc := err == nil
	var used window
	var report load.Report
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) { report, err = g.Run(ctx); return err })
	if hasProc {
		group.Go(func() (err error) { used, err = b.watch(ctx, g); return err })
	}
	if err := group.Wait(); err != nil {
		return table, err
	}
	if hasProc {
		err = used.write(&table, parts)
	} else {
		err = nil
		table.note("CPU is measured where there is a /proc")
	}
	writeLatency(&table, report)
	return table, errors.Join(err, wrong(report))
}

// window is a steady stretch of the load.
type window struct {
	before, after processes
	messages      int
	took          time.Duration
}

// watch looks at all processes when the load has warmed up, and when it ends.
func (b *bench) watch(ctx context.Context, g *load.Generator) (w window, err error) {
	if err := wait(ctx, b.size.warmUp); err != nil {
		return w, err
	}
	started := g.Progress()
	if w.before, err = readProcesses(); err != nil {
		return w, err
	}
	if err := wait(ctx, b.size.load-b.size.warmUp); err != nil {
		return w, err
	}
	ended := g.Progress()
	w.messages, w.took = ended.Messages-started.Messages, ended.Elapsed-started.Elapsed
	w.after, err = readProcesses()
	if err == nil && w.messages == 0 {
		err = errors.New("no messages were sent")
	}
	return w, err
}

func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// write adds a row for each part, one for their sum, and one for this process.
func (w window) write(table *section, parts []part) error {
	table.columns = []string{"CPU a message", "cores"}
	var total time.Duration
	for _, p := range parts {
		used, err := w.used(p)
		if err != nil {
			return err
		}
		total += used
		w.row(table, p.name, used)
	}
	w.row(table, "total", total)
	self, err := w.used(part{cpu: func(all processes) (time.Duration, error) { return all.own(os.Getpid()) }})
	w.row(table, "(load generator)", self)
	return err
}

// used is the CPU time that a part needed in the window.
func (w window) used(p part) (time.Duration, error) {
	before, err := p.cpu(w.before)
	if err != nil {
		return 0, err
	}
	after, err := p.cpu(w.after)
	return after - before, err
}

func (w window) row(table *section, name string, used time.Duration) {
	perMessage := float64(used.Microseconds()) / float64(w.messages)
	table.row(name, fmt.Sprintf("%.0f µs", perMessage), fmt.Sprintf("%.2f", used.Seconds()/w.took.Seconds()))
}

func writeLatency(table *section, r load.Report) {
	table.row()
	table.row("latency", "p50", "p99")
	for _, l := range []struct {
		name string
		load.Latency
	}{{"webhook to its 200", r.Latency.AckFromSend}, {"message to its reply", r.Latency.Reply}} {
		table.row(l.name, fmt.Sprintf("%.1f ms", l.P50), fmt.Sprintf("%.1f ms", l.P99))
	}
	table.note("%d messages at %.0f/s, %d receipts, %d duplicates; %d replies, each the right one",
		r.Counts.Messages, r.RateReached, r.Counts.Receipts, r.Counts.Duplicates, r.Counts.Sends)
}

// wrong is an error if people heard something else than they should. A rate that was
// not reached is a figure, not a fault.
func wrong(r load.Report) error {
	if len(r.Found) == 0 {
		return nil
	}
	return fmt.Errorf("the load was answered wrongly: %s", strings.Join(r.Problems, "; "))
}
