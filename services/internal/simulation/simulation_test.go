package simulation

import (
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var (
	seedFlag  = flag.Uint64("seed", 0, "run this one seed and print its whole trace")
	seedsFlag = flag.Int("seeds", 0, "run so many seeds, from 1, and print the progress")
)

// TestMain lets the collector run seldom: a run makes much that is soon gone.
func TestMain(m *testing.M) {
	flag.Parse()
	debug.SetGCPercent(400)
	os.Exit(m.Run())
}

// seedsUsual is how many seeds a plain go test runs.
const seedsUsual = 300

// report fails the test with all that is needed to run the seed again.
func (r result) report(t *testing.T) {
	t.Helper()
	if len(r.violations) == 0 {
		return
	}
	t.Errorf("%s\nviolated:\n  %s\nlast of the trace:\n  %s\nagain: go test ./services/internal/simulation -run Seed -seed=%d",
		r.options, strings.Join(r.violations, "\n  "), strings.Join(r.tail, "\n  "), r.options.Seed)
}

// each runs seeds 1 to n, several worlds at a time, and hands over the results
// one by one. It ends early when done says so.
func each(n int, b bug, done func(result) bool) {
	var next atomic.Uint64
	var mu sync.Mutex
	var group sync.WaitGroup
	stop := false
	for range min(runtime.GOMAXPROCS(0), 4) {
		group.Go(func() {
			for {
				seed := next.Add(1)
				mu.Lock()
				ended := stop
				mu.Unlock()
				if ended || seed > uint64(n) {
					return
				}
				r := simulate(newOptions(seed, b), nil)
				mu.Lock()
				stop = stop || done(r)
				mu.Unlock()
			}
		})
	}
	group.Wait()
}

// TestSeed runs the seed that -seed names, with its whole trace.
func TestSeed(t *testing.T) {
	seed := *seedFlag
	if seed == 0 {
		seed = 1
	}
	var out io.Writer = os.Stdout
	if *seedFlag == 0 {
		out = nil
	}
	r := simulate(newOptions(seed, none), out)
	r.report(t)
	t.Logf("%s\nvirtual time %s, trace hash %016x", r.options, r.took, r.hash)
}

// TestSeeds runs many seeds without a planted bug: no invariant may be violated,
// and everything that can happen must have happened.
func TestSeeds(t *testing.T) {
	if *seedFlag != 0 {
		return
	}
	n, counts, failures, ran, messages := seedsUsual, map[string]int{}, 0, 0, 0
	if *seedsFlag > 0 {
		n = *seedsFlag
	}
	began := time.Now()
	each(n, none, func(r result) bool {
		r.report(t)
		ran++
		messages += r.messages
		hashes[r.options.Seed] = r.hash
		if len(r.violations) > 0 {
			failures++
		}
		for name, times := range r.counts {
			counts[name] += times
		}
		if *seedsFlag > 0 && ran%500 == 0 {
			fmt.Printf("%d seeds, %d failed, %.0f seeds/s\n", ran, failures, float64(ran)/time.Since(began).Seconds())
		}
		return failures >= 3
	})
	if failures == 0 && n >= seedsUsual {
		everythingHappened(t, counts)
	}
	t.Logf("%d seeds, %d updates, %.0f seeds/s", ran, messages, float64(ran)/time.Since(began).Seconds())
}

// happenings are what a run of many seeds must have seen; else the world is
// tamer than it claims, and its silence proves nothing.
var happenings = []string{
	"kill", "terminate", "pause", "store outage", "stream outage", "store refused",
	"store fails before", "store answer lost", "store does it after the client gave up", "store slow",
	"crash before the statement", "crash after the statement",
	"publish fails", "publish partly", "publish answer lost", "publish slow",
	"relay lost", "relay twice", "relay gap", "redelivered", "redelivery dropped",
	"send refused", "send cut before the provider", "send accepted, then cut", "send accepted, then 500",
	"send accepted, garbage answered", "send 500 not accepted", "send 429", "send pair rate", "send 400", "send 503 with a code", "send slow",
	"send ambiguous", "send retry", "send retry number", "send retry pair", "send permanent",
	"receipt early", "receipt twice", "receipts lost", "receipt without callback", "receipt failed", "orphan receipt", "orphan adopted",
	"webhook answer lost", "webhook 503", "webhook repeated", "duplicate post", "duplicate dropped", "batched", "forged post",
	"two messages at once", "two posts at once",
	"take-over", "lease lost", "fenced commit", "batch in doubt", "interrupted send", "ambiguous send", "settled by receipt",
	"timer fired", "excused double send", "dead letter parked", "dead letter unhandled", "redrive in vain", "redriven", "contact merged",
}

func everythingHappened(t *testing.T, counts map[string]int) {
	t.Helper()
	for _, name := range happenings {
		if counts[name] == 0 {
			t.Errorf("never happened: %s", name)
		}
		t.Logf("%8d %s", counts[name], name)
	}
}

// hashes are the traces of TestSeeds, for TestSameSeedSameRun.
var hashes = map[uint64]uint64{}

// twice is how many seeds are run a second time.
const twice = 200

// TestSameSeedSameRun runs seeds again and compares the traces: only then is a
// seed worth keeping.
func TestSameSeedSameRun(t *testing.T) {
	if *seedFlag != 0 || *seedsFlag != 0 {
		return
	}
	if len(hashes) == 0 {
		each(twice, none, func(r result) bool { hashes[r.options.Seed] = r.hash; return false })
	}
	distinct := map[uint64]bool{}
	each(twice, none, func(r result) bool {
		if hashes[r.options.Seed] != r.hash {
			t.Errorf("seed %d: trace hash %016x, and %016x the second time", r.options.Seed, hashes[r.options.Seed], r.hash)
		}
		distinct[r.hash] = true
		return false
	})
	if len(distinct) != twice {
		t.Errorf("%d seeds have %d traces", twice, len(distinct))
	}
}

// plantedMost is how many seeds a planted bug may take to be found.
const plantedMost = 10_000

// TestPlantedBugs plants each bug and runs seeds until one finds it.
func TestPlantedBugs(t *testing.T) {
	if *seedFlag != 0 || *seedsFlag != 0 {
		return
	}
	table := []string{fmt.Sprintf("%-50s %-14s %s", "bug", "caught by", "seeds")}
	for _, b := range bugs {
		var caught result
		ran := 0
		each(plantedMost, b, func(r result) bool {
			ran++
			if len(r.violations) > 0 && (caught.options.Seed == 0 || r.options.Seed < caught.options.Seed) {
				caught = r
			}
			return len(r.violations) > 0
		})
		if caught.options.Seed == 0 {
			t.Errorf("planted bug not found in %d seeds: %s", plantedMost, b)
			continue
		}
		by, _, _ := strings.Cut(caught.violations[0], ":")
		table = append(table, fmt.Sprintf("%-50s %-14s %d", b, by, caught.options.Seed))
	}
	t.Log("\n" + strings.Join(table, "\n"))
}
