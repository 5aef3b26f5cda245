package dispatcher

import (
	"context"
	"strings"
	"time"

	"github.com/parleyhq/parley/pkg/store"
)

// ordersEvery is how often orders of operators are looked for: by index, those that
// wait only.
const ordersEvery = time.Second

// unknownMost is how many sends of one message may have an unknown outcome: each can be
// one more copy on the phone.
const unknownMost = 3

// kept reports whether a job whose outcome is unknown is not sent again by itself once
// the grace period is over. A template is: it costs money, and nobody waits for it; and
// so is what was sent again already, to no avail. It leaves its line, so that the person
// is answered, and waits in the store for its receipt, or for an operator.
func kept(job Job) bool {
	return job.Unknown >= unknownMost || strings.HasPrefix(subjectOf(job), "template ")
}

// sent remembers what was sent of a held job: it may have been its template.
func (d *Desk) sent(job Job) {
	if l := d.held[job.Key]; l != nil {
		l.jobs[0].Content = job.Content
	}
}

// Orders reads what operators want to be sent again.
type Orders func(ctx context.Context, shards []int) ([]store.Delivery, error)

// followOrders takes up what operators order until ctx ends.
func (s *Service) followOrders(ctx context.Context, read Orders) error {
	ticker := time.NewTicker(ordersEvery)
	defer ticker.Stop()
	failing, taken := false, map[store.DeliveryKey]int64{}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		err := s.takeOrders(ctx, read, taken)
		if err != nil && !failing && ctx.Err() == nil {
			s.log.Warn().Err(err).Msg("orders to send again wait") // once, however long
		}
		failing = err != nil
	}
}

// takeOrders puts what is ordered into its line, behind what waits there. taken holds
// what is in a line by an order, and under which ownership; a claim ends the order. What
// the desk still holds has its grace period before it.
func (s *Service) takeOrders(ctx context.Context, read Orders, taken map[store.DeliveryKey]int64) error {
	shards := s.Owned()
	if len(shards) == 0 {
		return nil
	}
	list, err := read(ctx, shards)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	waits := map[store.DeliveryKey]bool{}
	for _, d := range list {
		epoch, owned := s.epochs[d.Key.Shard]
		waits[d.Key] = true
		if !owned || taken[d.Key] == epoch || s.desk.held[d.Key] != nil {
			continue
		}
		taken[d.Key] = epoch
		d.State = store.DeliveryQueued
		s.desk.Add(s.now(), Job{Delivery: d, Epoch: epoch})
		s.signal()
	}
	for key := range taken {
		if !waits[key] {
			delete(taken, key)
		}
	}
	return nil
}
