package dispatcher

import (
	"context"
	"time"

	"github.com/parleyhq/parley/pkg/store"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// factChannel is which channel a displayed number is; that is its value. Notices name
// numbers by what people see (WIRE.md 1.9), and receipts have both.
const factChannel = "channel"

// numbers learns the channels of displayed numbers. The zero numbers keeps nothing.
type numbers struct {
	store noticeStore
	known map[string]string // channels that are kept, by their number
	news  []store.AccountFact
}

// FollowNumbers lets the lane keep which channel a displayed number is. It is called
// before the lane runs.
func (r *Receipts) FollowNumbers(db noticeStore) {
	r.numbers = numbers{store: db, known: map[string]string{}}
}

func (n *numbers) hear(e *parleyv1.Envelope) {
	if n.store == nil || e.GetNumber() == "" || n.known[e.GetNumber()] == e.GetChannel() {
		return
	}
	n.known[e.GetNumber()] = e.GetChannel()
	n.news = append(n.news, store.AccountFact{
		Number: e.GetNumber(), Kind: factChannel, Value: e.GetChannel(), At: time.UnixMilli(e.GetReceivedAtMs()),
	})
}

// keep writes down what is new. What could not be is kept with the next batch.
func (n *numbers) keep(ctx context.Context) error {
	if len(n.news) == 0 {
		return nil
	}
	err := n.store.PutAccountFacts(ctx, n.news)
	if err == nil {
		n.news = nil
	}
	return err
}
