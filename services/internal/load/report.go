package load

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

const (
	// examplesMax is how many findings of a kind a report shows.
	examplesMax = 10
	// rateShareMin is the share of the asked rate below which a run proves nothing.
	rateShareMin = 0.95
	// rateGrace is how long after the load a late message is still said, and an
	// acknowledgement still counts for the rate.
	rateGrace = time.Second
)

// Counts is what a run did.
type Counts struct {
	Messages       int            `json:"messages"` // new ones, posted
	Acked          int            `json:"acked"`    // of them, answered 200
	AckedInTime    int            `json:"acked_in_time"`
	Unsaid         int            `json:"unsaid"`  // due, but nobody was free to say them
	Posts          int            `json:"posts"`   // answered 200
	Updates        int            `json:"updates"` // in them
	Batches        int            `json:"batches"` // POSTs with several updates
	Duplicates     int            `json:"duplicates"`
	DoubleMessages int            `json:"double_messages"`
	Receipts       int            `json:"receipts"`
	EarlyReceipts  int            `json:"early_receipts"` // acknowledged before their send was answered
	BSUIDOnly      int            `json:"bsuid_only"`     // contacts
	Sends          int            `json:"sends"`          // accepted by the fake Graph API
	Retries        map[string]int `json:"retries"`        // of POSTs, by status, or "timeout", "refused", "cut"
}

// Report is the outcome of a run.
type Report struct {
	Run            uint64               `json:"run"`
	Seed           uint64               `json:"seed"`
	Started        time.Time            `json:"started"`
	LoadSeconds    float64              `json:"load_seconds"`
	Rate           float64              `json:"rate"`             // messages a second, asked for
	RateReached    float64              `json:"rate_reached"`     // acknowledged in time
	PostsPerSecond float64              `json:"posts_per_second"` // webhooks answered 200
	Counts         Counts               `json:"counts"`
	Latency        Latencies            `json:"latency"`
	InWindows      *Latencies           `json:"latency_in_nemesis_windows,omitempty"`
	Outside        *Latencies           `json:"latency_outside_nemesis_windows,omitempty"`
	Nemesis        []Mark               `json:"nemesis,omitempty"`
	Found          map[string]int       `json:"found"`    // by kind of Finding
	Examples       map[string][]Finding `json:"examples"` // the first of each kind
	// Problems says, a sentence each, why the run failed; empty if it passed.
	Problems []string `json:"problems"`
}

// Passed says whether Parley kept its promises and the run was worth something.
func (r Report) Passed() bool { return len(r.Problems) == 0 }

// report checks everything that was heard. What comes later is not heard any more.
func (g *Generator) report() Report {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.over = true
	k := checker{marks: g.marks, tolerate: g.config.TolerateInFlightDoubles, callbacks: map[string]owner{}, findings: g.misled}
	for _, c := range g.contacts {
		k.check(c)
	}
	seconds := g.config.Duration.Seconds()
	g.counts.Sends, g.counts.Unsaid = g.sends, g.late(g.end)
	r := Report{
		Run: g.config.Run, Seed: g.config.Seed, Started: g.start, LoadSeconds: seconds,
		Rate: g.config.Rate, RateReached: float64(g.counts.AckedInTime) / seconds,
		PostsPerSecond: float64(g.counts.Posts) / seconds,
		Counts:         g.counts, Nemesis: g.marks,
		Found: map[string]int{}, Examples: map[string][]Finding{},
		Latency: measure(g.contacts, k.replies, func(time.Time) bool { return true }),
	}
	if len(g.marks) > 0 {
		inside := func(at time.Time) bool { return inWindow(g.marks, g.config.NemesisWindow, at) }
		in, out := measure(g.contacts, k.replies, inside), measure(g.contacts, k.replies, func(at time.Time) bool { return !inside(at) })
		r.InWindows, r.Outside = &in, &out
	}
	r.add(k.findings)
	r.Problems = append(r.violations(), r.vacuities(g.config)...)
	return r
}

func (r *Report) add(findings []Finding) {
	for _, f := range findings {
		r.Found[f.Kind]++
		if len(r.Examples[f.Kind]) < examplesMax {
			r.Examples[f.Kind] = append(r.Examples[f.Kind], f)
		}
	}
}

// violations says which promises were broken.
func (r *Report) violations() []string {
	problems := []string{}
	for _, kind := range slices.Sorted(maps.Keys(r.Found)) {
		if kind != Excused {
			problems = append(problems, fmt.Sprintf("%d %s", r.Found[kind], kind))
		}
	}
	return problems
}

// vacuities says what the run did not see: what was not tried was not tested.
func (r *Report) vacuities(c Config) []string {
	var problems []string
	must := func(seen bool, what string) {
		if !seen {
			problems = append(problems, "the run proves nothing: "+what)
		}
	}
	must(r.Counts.Duplicates > 0, "no duplicates")
	must(r.Counts.EarlyReceipts > 0, "no early receipts")
	must(r.Counts.BSUIDOnly > 0, "no BSUID-only contact")
	must(r.Counts.DoubleMessages > 0, "no double messages")
	slow := fmt.Sprintf("%.1f of %.1f messages/s", r.RateReached, r.Rate)
	must(c.Nemesis != nil || r.RateReached >= rateShareMin*r.Rate, slow)
	must(c.Nemesis == nil || len(r.Nemesis) > 0, "the nemesis did nothing")
	return problems
}

// WriteTable writes the report for people.
func (r Report) WriteTable(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	n := r.Counts
	fmt.Fprintf(t, "run\t%d, seed %d, %.0f s from %s\n", r.Run, r.Seed, r.LoadSeconds, r.Started.UTC().Format(time.RFC3339))
	fmt.Fprintf(t, "rate\t%.1f of %.1f messages/s, %.1f webhooks/s\n", r.RateReached, r.Rate, r.PostsPerSecond)
	fmt.Fprintf(t, "messages\t%d, acknowledged %d, sends %d, unsaid %d\n", n.Messages, n.Acked, n.Sends, n.Unsaid)
	fmt.Fprintf(t, "webhooks\t%d with %d updates, %d batches\n", n.Posts, n.Updates, n.Batches)
	fmt.Fprintf(t, "hostilities\t%d duplicates, %d double messages, %d receipts (%d early), %d BSUID-only contacts\n",
		n.Duplicates, n.DoubleMessages, n.Receipts, n.EarlyReceipts, n.BSUIDOnly)
	fmt.Fprintf(t, "retries\t%s\n", byKind(n.Retries))
	fmt.Fprintf(t, "found\t%s\n", byKind(r.Found))
	fmt.Fprintf(t, "\nlatency, ms\tp50\tp90\tp99\tmax\tcount\n")
	r.Latency.write(t, "")
	if r.InWindows != nil {
		r.InWindows.write(t, ", in nemesis windows")
		r.Outside.write(t, ", outside")
	}
	fmt.Fprintln(t)
	for _, m := range r.Nemesis {
		fmt.Fprintf(t, "nemesis\t%s at %+.3f s\n", m.Kind, m.At.Sub(r.Started).Seconds())
	}
	for _, kind := range slices.Sorted(maps.Keys(r.Examples)) {
		for _, f := range r.Examples[kind] {
			fmt.Fprintf(t, "%s\tcontact %d, position %d: expected %q, got %q\n", kind, f.Contact, f.Position, f.Expected, f.Got)
		}
	}
	for _, problem := range r.Problems {
		fmt.Fprintf(t, "FAILED\t%s\n", problem)
	}
	if r.Passed() {
		fmt.Fprintln(t, "PASSED")
	}
	return t.Flush()
}

func (l Latencies) write(w io.Writer, where string) {
	rows := []struct {
		name string
		Latency
	}{{"200 from schedule", l.AckFromSchedule}, {"200 from send", l.AckFromSend}, {"reply from send", l.Reply}}
	for _, row := range rows {
		fmt.Fprintf(w, "%s%s\t%.1f\t%.1f\t%.1f\t%.1f\t%d\n", row.name, where, row.P50, row.P90, row.P99, row.Max, row.Count)
	}
}

// byKind writes counts in one line.
func byKind(counts map[string]int) string {
	if len(counts) == 0 {
		return "none"
	}
	parts := make([]string, 0, len(counts))
	for _, kind := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%d %s", counts[kind], kind))
	}
	return strings.Join(parts, ", ")
}
