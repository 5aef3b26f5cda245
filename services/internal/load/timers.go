package load

import (
	"container/heap"
	"time"
)

// timers holds everything that is to happen later, soonest first: one heap for
// the whole run instead of a sleeping goroutine each.
type timers []timer

type timer struct {
	at time.Time
	do func()
}

// add plans do for at.
func (t *timers) add(at time.Time, do func()) { heap.Push(t, timer{at, do}) }

// run does what is due. What that plans for now or earlier is done as well.
func (t *timers) run(now time.Time) {
	for len(*t) > 0 && !(*t)[0].at.After(now) {
		heap.Pop(t).(timer).do()
	}
}

// Len, Less, Swap, Push and Pop make timers a heap.Interface.
func (t timers) Len() int { return len(t) }

// Less orders by time.
func (t timers) Less(i, j int) bool { return t[i].at.Before(t[j].at) }

// Swap exchanges two timers.
func (t timers) Swap(i, j int) { t[i], t[j] = t[j], t[i] }

// Push appends a timer.
func (t *timers) Push(x any) { *t = append(*t, x.(timer)) }

// Pop removes the last timer.
func (t *timers) Pop() any {
	last := len(*t) - 1
	x := (*t)[last]
	(*t)[last] = timer{} // let go of the closure
	*t = (*t)[:last]
	return x
}
