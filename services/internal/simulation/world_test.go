package simulation

import (
	"container/heap"
	"fmt"
	"hash"
	"hash/fnv"
	"io"
	"iter"
	"math/rand/v2"
	"time"
)

// world is virtual time, the heap of what is to happen, and the one source of
// chance. Nothing in it runs in parallel.
type world struct {
	linked  []person // people who are several contacts at first
	options options
	rng     *rand.Rand
	now     time.Time
	end     time.Time // of the faults
	calm    bool      // the faults are over
	events  eventHeap
	order   uint64
	current *task
	tasks   map[*task]bool
	trace   *trace
	// counts says how often each fault and each interesting thing happened.
	counts     map[string]int
	violations []string

	database  *database
	in        *stream
	status    *stream
	relayed   *topic
	provider  *provider
	meta      *webhooks
	processes []*process
	people    int // who are not yet done
	redrives  int
}

// begin is two minutes before midnight UTC, so that sessions cross a day.
var begin = time.Date(2026, time.January, 5, 23, 58, 0, 0, time.UTC)

type event struct {
	at    time.Time
	tie   uint32 // chance decides between events of one instant
	order uint64
	run   func()
}

type eventHeap []event

func (h eventHeap) Len() int { return len(h) }
func (h eventHeap) Less(i, j int) bool {
	if !h[i].at.Equal(h[j].at) {
		return h[i].at.Before(h[j].at)
	}
	if h[i].tie != h[j].tie {
		return h[i].tie < h[j].tie
	}
	return h[i].order < h[j].order
}
func (h eventHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *eventHeap) Push(x any)   { *h = append(*h, x.(event)) }
func (h *eventHeap) Pop() any {
	last := len(*h) - 1
	e := (*h)[last]
	(*h)[last] = event{}
	*h = (*h)[:last]
	return e
}

// after lets run happen once the time has passed.
func (w *world) after(d time.Duration, run func()) { w.at(w.now.Add(d), run) }

func (w *world) at(t time.Time, run func()) {
	w.order++
	heap.Push(&w.events, event{at: t, tie: w.rng.Uint32(), order: w.order, run: run})
}

// step lets the next thing happen.
func (w *world) step() {
	e := heap.Pop(&w.events).(event)
	w.now = e.at
	e.run()
}

// chance is true with a probability.
func (w *world) chance(p float64) bool { return p > 0 && w.rng.Float64() < p }

// fault is chance while the faults last; it counts what it does.
func (w *world) fault(name string, p float64) bool {
	if w.calm || !w.chance(p) {
		return false
	}
	w.counts[name]++
	w.note("fault: %s", name)
	return true
}

// between is a time from low to high.
func (w *world) between(low, high time.Duration) time.Duration {
	return low + time.Duration(w.rng.Int64N(int64(high-low)+1))
}

func (w *world) note(format string, args ...any) {
	who := "world"
	if w.current != nil {
		who = w.current.name
	}
	w.trace.line("%9.3f %-22s %s", w.now.Sub(begin).Seconds(), who, fmt.Sprintf(format, args...))
}

func (w *world) violate(invariant, format string, args ...any) {
	w.violations = append(w.violations, invariant+": "+fmt.Sprintf(format, args...))
	w.note("VIOLATION %s", w.violations[len(w.violations)-1])
}

// task is something that waits and goes on. It belongs to a process, with which
// it dies, or to the world.
type task struct {
	name    string
	process *process
	next    func() (struct{}, bool)
	stop    func()
	yield   func(struct{}) bool
	// turn makes wake-ups stale that were meant for an earlier wait.
	turn     uint64
	waiting  bool
	notified bool
	ended    bool
	// attempt is the send that the task makes, if it is one.
	attempt int
}

// killed ends a task whose process died.
type killed struct{}

// spawn starts a task now, after what is going on.
func (w *world) spawn(p *process, name string, run func()) *task {
	t := &task{name: name, process: p}
	if p != nil {
		t.name = p.name + "/" + name
		p.tasks = append(p.tasks, t)
	}
	w.tasks[t] = true
	t.next, t.stop = iter.Pull(func(yield func(struct{}) bool) {
		t.yield = yield
		defer func() {
			if r := recover(); r != nil && r != any(killed{}) {
				panic(r)
			}
		}()
		run()
	})
	w.wake(t, w.now)
	return t
}

// wake resumes a task at a time; a paused process wakes when it is resumed.
func (w *world) wake(t *task, at time.Time) {
	turn := t.turn
	var resume func()
	resume = func() {
		switch {
		case t.ended || t.turn != turn:
		case t.process != nil && t.process.pausedUntil.After(w.now):
			w.at(t.process.pausedUntil, resume)
		default:
			w.resume(t)
		}
	}
	w.at(at, resume)
}

func (w *world) resume(t *task) {
	t.turn++
	t.waiting = false
	w.current = t
	_, more := t.next()
	w.current = nil
	if !more {
		w.ended(t)
	}
}

func (w *world) ended(t *task) {
	t.ended = true
	delete(w.tasks, t)
	if t.process != nil {
		t.process.taskEnded(t)
	}
}

// endTask stops a task where it waits.
func (w *world) endTask(t *task) {
	if t == nil || t.ended || t == w.current {
		return
	}
	t.stop()
	w.ended(t)
}

// sleep suspends the current task.
func (w *world) sleep(d time.Duration) {
	w.wake(w.current, w.now.Add(d))
	w.suspend()
}

// wait suspends the current task until it is notified, or the time has passed.
func (w *world) wait(most time.Duration) {
	t := w.current
	if t.notified {
		t.notified = false
		most = 0
	}
	t.waiting = true
	w.wake(t, w.now.Add(max(most, 0)))
	w.suspend()
}

func (w *world) suspend() {
	if t := w.current; !t.yield(struct{}{}) {
		panic(killed{})
	}
}

// notify ends a task's wait, this one or the next.
func (w *world) notify(t *task) {
	switch {
	case t == nil || t.ended:
	case t.waiting:
		w.wake(t, w.now)
	default:
		t.notified = true
	}
}

// close ends every task, so that no coroutine is left behind.
func (w *world) close() {
	for t := range w.tasks {
		w.endTask(t)
	}
}

// trace is the run in words: its hash, its last lines, and all of them if
// somebody reads.
type trace struct {
	hash hash.Hash64
	out  io.Writer
	last []string
	at   int
}

const traceLast = 40

func newTrace(out io.Writer) *trace {
	return &trace{hash: fnv.New64a(), out: out, last: make([]string, traceLast)}
}

func (t *trace) line(format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	_, _ = io.WriteString(t.hash, line+"\n")
	t.last[t.at%traceLast] = line
	t.at++
	if t.out != nil {
		_, _ = fmt.Fprintln(t.out, line)
	}
}

func (t *trace) tail() []string {
	if t.at < traceLast {
		return t.last[:t.at]
	}
	return append(append([]string{}, t.last[t.at%traceLast:]...), t.last[:t.at%traceLast]...)
}
