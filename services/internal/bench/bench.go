package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/parleyhq/parley/services/internal/process"
)

// startMax bounds the start of one program.
const startMax = 30 * time.Second

// bench is one run.
type bench struct {
	size size
	say  func(format string, args ...any)
	base string // the folder that the user chose
	dir  string // in base: programs, data and outputs of this run
	// versions of what runs below Parley, by name, as the measurements learn them.
	versions map[string]string
	fsyncs   []time.Duration
	loadAvg  string
}

// prepare builds the programs, and looks at the machine before it is busy.
func (b *bench) prepare(ctx context.Context) (err error) {
	b.versions, b.loadAvg = map[string]string{}, loadAverage()
	if b.base, err = filepath.Abs(b.base); err != nil {
		return err
	}
	if err := mustReach(b.base); err != nil {
		return err
	}
	if b.dir, err = os.MkdirTemp(b.base, "parley-bench-"); err != nil {
		return err
	}
	// PostgreSQL, which runs as somebody else if this runs as root, must get in.
	if err := os.Chmod(b.dir, 0o755); err != nil {
		return err
	}
	b.say("building the programs")
	err = process.Build(ctx, b.bin(""), "parley", "ingress/cmd/parley-ingress", "session/cmd/parley-session",
		"dispatcher/cmd/parley-dispatcher", "projector/cmd/parley-projector")
	if err != nil {
		return err
	}
	b.say("timing the disk")
	b.fsyncs, err = timeFsyncs(b.dir)
	return err
}

// close removes what this run has written. Before there is a folder it does nothing.
func (b *bench) close() { _ = os.RemoveAll(b.dir) }

func (b *bench) bin(name string) string { return filepath.Join(b.dir, "bin", name) }

// measure runs the named measurements, each on a stage of its own.
func (b *bench) measure(ctx context.Context, names []string) ([]section, error) {
	var sections []section
	for _, m := range measurements {
		if !slices.Contains(names, m.name) {
			continue
		}
		b.say("%s", m.name)
		s := &stage{bench: b, dir: filepath.Join(b.dir, m.name)}
		before, _ := lookAround()
		table, err := m.run(b, ctx, s)
		if err = errors.Join(err, s.close()); err != nil {
			return sections, fmt.Errorf("%s: %w", m.name, err)
		}
		if after, err := lookAround(); err == nil {
			table.note("meanwhile %.2f cores were taken by others on this machine", after.strangers(before))
		}
		sections = append(sections, table)
	}
	return sections, nil
}

// inTurns measures both sides of every round, one after the other, and returns the
// two rates of each.
func (b *bench) inTurns(ctx context.Context, ours, raw func(context.Context) (float64, error)) ([]pair, error) {
	rounds := make([]pair, b.size.rounds)
	for i := range rounds {
		b.say("  round %d of %d", i+1, len(rounds))
		var errs [2]error
		rounds[i].ours, errs[0] = ours(ctx)
		if errs[0] == nil {
			rounds[i].raw, errs[1] = raw(ctx)
		}
		if err := errors.Join(append(errs[:], ctx.Err())...); err != nil {
			return nil, err
		}
	}
	return rounds, nil
}
