package dispatcher

import (
	"container/heap"
	"time"
)

// Priorities of messages, as MessageQueued has them: the lower goes first.
const (
	priorities = 3
	// oldestEvery is how often a number sends what has waited longest, whatever its
	// priority: a tenth of its rate is nobody's to take away.
	oldestEvery = 10
)

// queue holds the lines of one number that wait to be sent to. Of those that are
// ready, replies go before reminders before bulk; campaigns of one priority take
// turns, each line by line in the order in which they became ready. A line that
// was sent to goes behind the others.
type queue struct {
	// later are the lines that wait for a time.
	later lineHeap
	ready [priorities]class
	// turn counts the messages that went.
	turn int
}

// class holds the ready lines of one priority. Next is the campaign whose turn it is.
type class struct {
	campaigns []*campaign
	next      int
}

// campaign holds the ready lines whose heads belong together.
type campaign struct {
	name  string
	lines lineHeap
}

// push puts a line where it waits. Its head says how.
func (q *queue) push(now time.Time, l *line) {
	if l.readyAt.After(now) {
		q.later.add(l)
		return
	}
	q.ready[l.jobs[0].Priority].of(l.jobs[0].Campaign).lines.add(l)
}

// promote makes those ready whose time has come.
func (q *queue) promote(now time.Time) {
	for len(q.later) > 0 && !q.later[0].readyAt.After(now) {
		l := q.later[0]
		l.unqueue()
		q.push(now, l)
	}
}

// next is the line whose turn it is; nil if none is ready.
func (q *queue) next(now time.Time) *line {
	q.promote(now)
	if q.turn%oldestEvery == oldestEvery-1 {
		return q.oldest()
	}
	for i := range q.ready {
		if l := q.ready[i].first(); l != nil {
			return l
		}
	}
	return nil
}

// oldest is the line that has been ready longest.
func (q *queue) oldest() *line {
	var oldest *line
	for i := range q.ready {
		for _, c := range q.ready[i].campaigns {
			if len(c.lines) > 0 && (oldest == nil || c.lines[0].before(oldest)) {
				oldest = c.lines[0]
			}
		}
	}
	return oldest
}

// waiting counts the lines that are ready.
func (q *queue) waiting() (n int) {
	for i := range q.ready {
		for _, c := range q.ready[i].campaigns {
			n += len(c.lines)
		}
	}
	return n
}

// take removes a line whose message goes, and passes the turn on.
func (q *queue) take(l *line) {
	q.turn++
	q.ready[l.jobs[0].Priority].passOn(l.jobs[0].Campaign)
	l.unqueue()
}

// passes reports whether a message that is not in the queue would go before all
// that are ready.
func (q *queue) passes(now time.Time, priority int) bool {
	q.promote(now)
	for i := range q.ready {
		if (i <= priority || q.turn%oldestEvery == oldestEvery-1) && q.ready[i].first() != nil {
			return false
		}
	}
	return true
}

// of finds or makes a campaign.
func (c *class) of(name string) *campaign {
	for _, known := range c.campaigns {
		if known.name == name {
			return known
		}
	}
	added := &campaign{name: name}
	c.campaigns = append(c.campaigns, added)
	return added
}

// first is the line whose turn it is. Campaigns that have none ready are forgotten.
func (c *class) first() *line {
	for len(c.campaigns) > 0 {
		c.next %= len(c.campaigns)
		if lines := c.campaigns[c.next].lines; len(lines) > 0 {
			return lines[0]
		}
		c.campaigns = append(c.campaigns[:c.next], c.campaigns[c.next+1:]...)
	}
	return nil
}

// passOn gives the turn to the campaign behind the one that is named.
func (c *class) passOn(name string) {
	for i, known := range c.campaigns {
		if known.name == name {
			c.next = i + 1
		}
	}
}

// lineHeap orders lines by the time at which they are ready.
type lineHeap []*line

func (h *lineHeap) add(l *line) {
	l.in = h
	heap.Push(h, l)
}

func (h lineHeap) Len() int           { return len(h) }
func (h lineHeap) Less(i, j int) bool { return h[i].before(h[j]) }

func (h lineHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push adds a line; use add.
func (h *lineHeap) Push(x any) {
	l := x.(*line)
	l.index = len(*h)
	*h = append(*h, l)
}

// Pop removes the last line; use unqueue.
func (h *lineHeap) Pop() any {
	last := len(*h) - 1
	l := (*h)[last]
	(*h)[last] = nil
	l.in = nil
	*h = (*h)[:last]
	return l
}
