package dispatcher

import (
	"container/heap"
	"time"

	"github.com/google/uuid"

	"github.com/parleyhq/parley/pkg/store"
)

// lineKey names a contact's line: messages to one person on one number.
type lineKey struct {
	channel string
	contact uuid.UUID
}

// line is what waits for one contact. The head is the only one that may be on
// its way: the next is not sent before the head is settled.
type line struct {
	key     lineKey
	jobs    []Job
	readyAt time.Time
	// pairFull is when the pair limit's bucket is full again.
	pairFull time.Time
	// file is a file that was accepted, and fileUntil until when what follows it waits for
	// its receipt; zero if nothing waits.
	file      store.DeliveryKey
	fileUntil time.Time
	// deadline is when an ambiguous head may be sent again.
	deadline time.Time
	// in is where the line waits to be sent to, nil if it does not; index its place there.
	in    *lineHeap
	index int
}

// before reports whether a line has been ready for longer than another.
func (l *line) before(other *line) bool {
	if !l.readyAt.Equal(other.readyAt) {
		return l.readyAt.Before(other.readyAt)
	}
	return l.jobs[0].Key.Compare(other.jobs[0].Key) < 0
}

func (l *line) unqueue() {
	if l.in != nil {
		heap.Remove(l.in, l.index)
	}
}
