package sandbox

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// feedSize is how many events can be resumed from.
const feedSize = 2048

// nowhere is the place of a reader that has read nothing of this process.
const nowhere = math.MaxUint64

// everybody is the phone of an event that all pages are told.
const everybody = ""

// feedEvent is a change that the pages are told of.
type feedEvent struct {
	id    uint64 // 1, 2, 3 ... in this process
	phone string
	kind  string // "bubble", "exchange" ...
	data  []byte // JSON, one line
}

// feed keeps the last events for any number of readers. Readers keep their own
// place, so that a slow one costs nobody anything.
type feed struct {
	process string // makes event ids of another process recognisable

	mu      sync.Mutex
	ring    [feedSize]feedEvent // the event with id i stands at i % feedSize
	last    uint64
	changed chan struct{} // closed, and replaced, when an event is added
}

func newFeed() *feed {
	return &feed{process: rand.Text(), changed: make(chan struct{})}
}

// publish adds an event.
func (f *feed) publish(kind, phone string, value any) {
	data, err := json.Marshal(value)
	if err != nil {
		panic(fmt.Sprintf("sandbox: event %s: %v", kind, err)) // our own types: always JSON
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.last++
	f.ring[f.last%feedSize] = feedEvent{id: f.last, phone: phone, kind: kind, data: data}
	close(f.changed)
	f.changed = make(chan struct{})
}

// since returns the events after id that are about one of the phones or all, and where
// the reader stands then. changed is closed when there is more. ok is false if
// some events after id are gone, or id is nowhere.
func (f *feed) since(id uint64, phones []string) (events []feedEvent, now uint64, changed <-chan struct{}, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	ok = id <= f.last && f.last-id <= feedSize
	if ok {
		for i := id + 1; i <= f.last; i++ {
			if e := f.ring[i%feedSize]; e.phone == everybody || slices.Contains(phones, e.phone) {
				events = append(events, e)
			}
		}
	}
	return events, f.last, f.changed, ok
}

// format writes an event id as it stands in Last-Event-ID.
func (f *feed) format(id uint64) string {
	return f.process + "-" + strconv.FormatUint(id, 10)
}

// parse reads a Last-Event-ID. One that this process did not give out becomes
// nowhere, after which nothing is known.
func (f *feed) parse(s string) uint64 {
	digits, ok := strings.CutPrefix(s, f.process+"-")
	id, err := strconv.ParseUint(digits, 10, 64)
	if !ok || err != nil {
		return nowhere
	}
	return id
}
