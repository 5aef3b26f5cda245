package ingress

import (
	"slices"
	"sync"

	"github.com/nats-io/nats.go"

	"github.com/parleyhq/parley/pkg/bus"
)

// Answers hears what sessions tell open forms, and passes it to the request that
// waits for it. One subscription serves all requests: every replica hears every
// answer, and drops those that it does not wait for.
type Answers struct {
	subscription *nats.Subscription

	mu      sync.Mutex
	waiting map[string][]chan []byte // by subject
}

// NewAnswers begins to listen.
func NewAnswers(nc *nats.Conn) (*Answers, error) {
	a := &Answers{waiting: map[string][]chan []byte{}}
	subscription, err := nc.Subscribe(bus.FilterAnswers, func(m *nats.Msg) { a.hear(m.Subject, m.Data) })
	if err != nil {
		return nil, err
	}
	a.subscription = subscription
	return a, nil
}

// Close ends the listening. A nil Answers never began.
func (a *Answers) Close() {
	if a != nil {
		_ = a.subscription.Unsubscribe() // the connection is about to close
	}
}

// Expect waits for the answer to an exchange, from now on: it must be called before
// the exchange is published. done must be called.
func (a *Answers) Expect(exchange string) (answer <-chan []byte, done func()) {
	subject, ch := bus.SubjectAnswer(exchange), make(chan []byte, 1)
	a.mu.Lock()
	a.waiting[subject] = append(a.waiting[subject], ch)
	a.mu.Unlock()
	return ch, func() { a.forget(subject, ch) }
}

func (a *Answers) forget(subject string, ch chan []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	left := slices.DeleteFunc(a.waiting[subject], func(each chan []byte) bool { return each == ch })
	if a.waiting[subject] = left; len(left) == 0 {
		delete(a.waiting, subject)
	}
}

func (a *Answers) hear(subject string, data []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, ch := range a.waiting[subject] {
		select {
		case ch <- data:
		default: // it has its answer
		}
	}
}
