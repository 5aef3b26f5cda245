package load

import (
	"fmt"
	"time"
)

// Progress is where a run stands.
type Progress struct {
	Elapsed    time.Duration
	Late       int // messages that are due but that nobody was free to say
	Unacked    int // messages posted, not answered 200 yet
	Unanswered int // messages answered 200 that await their reply
	Messages   int // posted
	Posts      int // answered 200
	Replies    int // accepted by the fake Graph API
	Retries    int // of POSTs
}

// Progress may be called at any time, beside Run.
func (g *Generator) Progress() Progress {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.start.IsZero() {
		return Progress{}
	}
	now := time.Now()
	p := Progress{
		Elapsed:    now.Sub(g.start),
		Unacked:    g.counts.Messages - g.counts.Acked,
		Unanswered: max(0, g.counts.Acked-g.sends),
		Messages:   g.counts.Messages,
		Posts:      g.counts.Posts,
		Replies:    g.sends,
	}
	if now.After(g.end) {
		now = g.end
	}
	p.Late = g.late(now)
	for _, n := range g.counts.Retries {
		p.Retries += n
	}
	return p
}

// late counts the messages that were due by now and that nobody has said.
func (g *Generator) late(now time.Time) int {
	return max(0, int(now.Sub(g.start).Seconds()*g.config.Rate)-g.slot)
}

// Since describes what happened since an earlier look, in one line.
func (p Progress) Since(earlier Progress) string {
	seconds := (p.Elapsed - earlier.Elapsed).Seconds()
	rate := func(now, before int) float64 { return float64(now-before) / max(seconds, 0.001) }
	return fmt.Sprintf("%5.0fs  messages %6.1f/s  200s %6.1f/s  replies %6.1f/s  retries %5.1f/s  late %d  unacked %d  unanswered %d",
		p.Elapsed.Seconds(),
		rate(p.Messages, earlier.Messages),
		rate(p.Posts, earlier.Posts),
		rate(p.Replies, earlier.Replies),
		rate(p.Retries, earlier.Retries),
		p.Late, p.Unacked, p.Unanswered)
}
