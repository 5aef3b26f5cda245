package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

const (
	// watchEvery is how often a campaign that is watched is asked for.
	watchEvery = 2 * time.Second
	// progressWidth is the width of the bar of a campaign's progress.
	progressWidth = 30
)

// campaignProgress is how far a campaign is.
type campaignProgress struct {
	Waiting     int            `json:"waiting"`
	Ordered     int            `json:"ordered"`
	Started     int            `json:"started"`
	Failed      int            `json:"failed"`
	Refused     map[string]int `json:"refused"`
	Sent        int            `json:"sent"`
	Delivered   int            `json:"delivered"`
	Read        int            `json:"read"`
	Undelivered int            `json:"undelivered"`
	Replied     int            `json:"replied"`
	OptedOut    int            `json:"opted_out"`
}

// text shows a campaign in a few lines.
func (r campaignRow) text(now time.Time) string {
	p := campaignProgress{}
	if r.Progress != nil {
		p = *r.Progress
	}
	refused := 0
	var reasons []string
	for _, reason := range slices.Sorted(maps.Keys(p.Refused)) {
		refused += p.Refused[reason]
		reasons = append(reasons, fmt.Sprintf("%s %d", reason, p.Refused[reason]))
	}
	decided := p.Started + p.Failed + refused
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s  flow %s, %s\n", r.Name, r.state(now), r.Flow, r.Rate)
	fmt.Fprintf(&b, "  %s %d of %d%s\n", progressBar(decided, r.Size), decided, r.Size, r.remaining(p.Waiting))
	fmt.Fprintf(&b, "  started %d: sent %d, delivered %d, read %d, undelivered %d; replied %d, of them opted out %d\n",
		p.Started, p.Sent, p.Delivered, p.Read, p.Undelivered, p.Replied, p.OptedOut)
	fmt.Fprintf(&b, "  refused %d", refused)
	if refused > 0 {
		fmt.Fprintf(&b, ": %s", strings.Join(reasons, ", "))
	}
	fmt.Fprintf(&b, "; parked %d; waiting %d, under way %d\n", p.Failed, p.Waiting, p.Ordered)
	return b.String()
}

func (r campaignRow) state(now time.Time) string {
	if r.State == "scheduled" && r.StartsAt != nil {
		return fmt.Sprintf("starts in %s", r.StartsAt.Sub(now).Round(time.Second))
	}
	return r.State
}

// remaining is how long the rest takes at the campaign's rate.
func (r campaignRow) remaining(waiting int) string {
	if r.State != "running" || waiting == 0 || r.PerSecond <= 0 {
		return ""
	}
	return fmt.Sprintf(", %s to go", time.Duration(float64(waiting)/r.PerSecond*float64(time.Second)).Round(time.Second))
}

func progressBar(done, of int) string {
	filled := progressWidth
	if of > 0 {
		filled = progressWidth * done / of
	}
	return strings.Repeat("█", filled) + strings.Repeat("░", progressWidth-filled)
}

// watch shows a campaign until it has ended: in place on a terminal, else whenever
// something has changed.
func (c campaignStatus) watch(ctx context.Context, to output) error {
	inPlace, shown := isTerminal(to.w), ""
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	for {
		row, err := c.get(ctx)
		if err != nil {
			return err
		}
		text := row.text(time.Now())
		switch {
		case c.Output == "json":
			err = to.json(row)
		case inPlace:
			to.printf("%s%s", erase(shown), text)
		case text != shown:
			to.printf("%s", text)
		}
		if shown = text; err != nil || row.State == "done" || row.State == "cancelled" {
			return err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// erase takes away the lines that were shown last (ECMA-48: cursor up, erase below).
func erase(shown string) string {
	if shown == "" {
		return ""
	}
	return fmt.Sprintf("\x1b[%dA\x1b[J", strings.Count(shown, "\n"))
}

// showRowProblems prints what is wrong with a file of contacts, each where it stands.
func showRowProblems(to output, path string, body []byte) {
	var refused struct {
		Problems []struct {
			Line    int    `json:"line"`
			Message string `json:"message"`
		} `json:"problems"`
	}
	if json.Unmarshal(body, &refused) != nil {
		return
	}
	for _, p := range refused.Problems {
		fmt.Fprintf(to.stderr, "%s:%d: %s\n", path, p.Line, p.Message)
	}
}
