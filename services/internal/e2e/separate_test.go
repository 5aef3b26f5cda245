//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/parleyhq/parley/pkg/store"
)

// leaseTime is how long a crashed replica keeps its shards in these tests.
func leaseTime() time.Duration {
	if *long {
		return 5 * time.Second // the default
	}
	return 2 * time.Second
}

// takeOverMax is a lease time and two heartbeats, which come five to a lease: the
// dead one's last, and the one with which the other sees it.
func takeOverMax() time.Duration { return leaseTime()*7/5 + 500*time.Millisecond }

// handOverMax is how long it may take until others own what a process gave back.
func handOverMax() time.Duration { return min(2*time.Second, leaseTime()/2) }

// TestSeparate runs two of each service side by side, kills one of each in the
// middle of the load, and stops one session process as Kubernetes would.
func TestSeparate(t *testing.T) {
	run := separate{cluster: newCluster(t, leaseTime(), map[string]int{"ingress": 2, "session": 2, "dispatcher": 2, "projector": 2, "console": 1})}
	ingress, answered := balance(t, run.replicas["ingress"])
	c := people(ingress+"/webhooks/meta", sized(size{80, 40 * time.Second}, size{200, 90 * time.Second}))
	c.TolerateInFlightDoubles = true
	c.Settle, c.QuietTimeout = grace()+3*time.Second, 2*time.Minute
	c.Nemesis = func(ctx context.Context, mark func(string)) { run.disturb(ctx, t, mark) }
	g := newLoad(t, c)
	run.start(t, g.GraphURL())
	run.db = open(t, run.database.server.DSN())
	run.shareEvenly(t, "session", "dispatcher", "projector")

	report := play(t, g)
	if run.faults != 5 {
		t.Errorf("only %d of 5 faults fell into the load", run.faults)
	}
	h := checkAll(t, run.db, run.funnel(t), report.Counts.Messages)
	for i, n := range answered {
		if n.Load() < int64(report.Counts.Posts/4) {
			t.Errorf("ingress %d answered %d of %d webhooks", i, n.Load(), report.Counts.Posts)
		}
	}
	namesNobody(t, report, run.processes()...)
	t.Logf("SUMMARY separate: 2 of each, shards 8/8; %s; %s; %v", strings.Join(run.tookOver, ", "), figures(report), h)
}

// separate is the state of that test.
type separate struct {
	*cluster
	db       *store.Store
	faults   int
	tookOver []string // a phrase for each fault
}

// disturb kills one of each in turn, and then stops a session process in order.
func (s *separate) disturb(ctx context.Context, t *testing.T, mark func(string)) {
	for _, service := range []string{"ingress", "session", "dispatcher", "projector"} {
		if !pause(ctx, time.Second) {
			return
		}
		s.kill(t, service, mark)
		s.faults++
	}
	if pause(ctx, time.Second) {
		s.stop(t, mark)
		s.faults++
	}
}

// kill ends the first replica of a service without a word, waits until the second
// has its shards, and starts it again. Only a kill of what sends excuses doubles.
func (s *separate) kill(t *testing.T, service string, mark func(string)) {
	victim, other := s.replicas[service][0], s.replicas[service][1]
	kind := service + " killed"
	if service == "dispatcher" {
		kind = "kill dispatcher"
	}
	mark(kind)
	victim.kill()
	if leases[service] != nil {
		took := s.awaitShares(t, s.db, takeOverMax(), map[*replica]int{other: s.shards})
		s.tookOver = append(s.tookOver, fmt.Sprintf("%s killed: taken over after %v", service, took.Round(time.Millisecond)))
	}
	victim.start(t)
	s.shareEvenly(t, service)
}

// stop ends a session process with SIGTERM.
func (s *separate) stop(t *testing.T, mark func(string)) {
	victim, other := s.replicas["session"][1], s.replicas["session"][0]
	mark("session terminated")
	victim.signal(syscall.SIGTERM)
	took := s.awaitShares(t, s.db, handOverMax(), map[*replica]int{other: s.shards})
	s.tookOver = append(s.tookOver, fmt.Sprintf("session terminated: taken over after %v", took.Round(time.Millisecond)))
	if code := victim.wait(stopMax); code != 0 {
		t.Errorf("SIGTERM ended the session process with exit code %d", code)
	}
	victim.start(t)
	s.shareEvenly(t, "session")
}

// shareEvenly waits until both replicas hold half of the shards.
func (s *separate) shareEvenly(t *testing.T, services ...string) {
	t.Helper()
	for _, service := range services {
		if leases[service] != nil {
			pair := s.replicas[service]
			s.awaitShares(t, s.db, patience, map[*replica]int{pair[0]: s.shards / 2, pair[1]: s.shards / 2})
		}
	}
}
