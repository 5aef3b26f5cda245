package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/parleyhq/parley/services/internal/load"
)

// size is how big a load is.
type size struct {
	rate     float64
	duration time.Duration
}

// sized chooses CI's size or the full one.
func sized(ci, full size) size {
	if *long {
		return full
	}
	return ci
}

// turnsPerContact is how much each person says in a run, about: enough for a
// whole dialogue with detours.
const turnsPerContact = 8

// grace is how long an interrupted send waits for its receipt before it is sent again.
func grace() time.Duration {
	if *long {
		return 20 * time.Second // the default
	}
	return 5 * time.Second
}

// people are the contacts of a load against a webhook. All hostilities are on.
func people(webhook string, s size) load.Config {
	c := load.DefaultConfig()
	c.TargetURL, c.Secret = webhook, appSecret
	c.Rate, c.Duration = s.rate, s.duration
	c.Contacts = max(300, int(s.rate*s.duration.Seconds()/turnsPerContact))
	c.Connections = 128
	if !*long {
		c.DuplicateDelay = 4 * time.Second
	}
	return c
}

// newLoad makes the people, and the fake Graph API that hears the replies.
func newLoad(t *testing.T, c load.Config) *load.Generator {
	t.Helper()
	g, err := load.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = g.Close() })
	return g
}

// play lets the people talk, and fails the test if a promise was broken.
func play(t *testing.T, g *load.Generator) load.Report {
	t.Helper()
	report, err := g.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !report.Passed() {
		var table strings.Builder
		_ = report.WriteTable(&table)
		t.Errorf("the load failed:\n%s", table.String())
	}
	return report
}

// figures sums a report up in a line.
func figures(r load.Report) string {
	return fmt.Sprintf("%.0f/s for %.0f s: %d messages, %d duplicates, %d receipts, %d lost, %d doubled, %d excused, %d out of order, %d retries; "+
		"200 p50 %.1f p99 %.1f ms, reply p50 %.1f p99 %.1f ms",
		r.RateReached, r.LoadSeconds, r.Counts.Messages, r.Counts.Duplicates, r.Counts.Receipts,
		r.Found[load.Lost], r.Found[load.Doubled], r.Found[load.Excused], r.Found[load.OutOfOrder], total(r.Counts.Retries),
		r.Latency.AckFromSend.P50, r.Latency.AckFromSend.P99, r.Latency.Reply.P50, r.Latency.Reply.P99)
}

func total(counts map[string]int) int {
	sum := 0
	for _, n := range counts {
		sum += n
	}
	return sum
}

// namesNobody fails if a program wrote anything about a person into its log.
func namesNobody(t *testing.T, r load.Report, programs ...*process) {
	t.Helper()
	personal := []string{fmt.Sprintf("1555%05d", r.Run%100_000), fmt.Sprintf("US.%d", r.Run), "mail.example.com", "Zoë", "Иван"}
	for _, p := range programs {
		said := p.said()
		for _, text := range personal {
			if at := strings.Index(said, text); at >= 0 {
				t.Errorf("%s logs personal data: ...%s...", p.name, said[max(0, at-200):min(len(said), at+100)])
			}
		}
	}
}
