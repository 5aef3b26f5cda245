package store

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"
	"pgregory.net/rapid"

	"github.com/parleyhq/parley/pkg/insight"
)

// counted is what the read model says, and what the deliveries say if they are counted
// one by one.
func counted(ctx context.Context, t testing.TB, s *Store) (model, truth []string) {
	t.Helper()
	for sql, lines := range map[string]*[]string{
		`SELECT c::text FROM insight.delivery_steps c WHERE sent <> 0 OR delivered <> 0 OR read <> 0 OR failed <> 0 ORDER BY 1`: &model,
		`SELECT c::text FROM (SELECT flow, flow_version, channel, language, day, step, count(*) FILTER (WHERE state = 'accepted') AS sent,
		        count(*) FILTER (WHERE receipt IN ('delivered', 'read')) AS delivered, count(*) FILTER (WHERE receipt = 'read') AS read,
		        count(*) FILTER (WHERE state = 'failed' OR receipt = 'failed') AS failed
		   FROM deliveries WHERE step <> '' GROUP BY 1, 2, 3, 4, 5, 6) c
		  WHERE sent <> 0 OR delivered <> 0 OR read <> 0 OR failed <> 0 ORDER BY 1`: &truth,
	} {
		rows, err := s.pool.Query(ctx, sql)
		if err != nil {
			t.Fatal(err)
		}
		if *lines, err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil {
			t.Fatal(err)
		}
	}
	return model, truth
}

// counting is a dispatcher's shard, its receipts, and what is asked of both at random.
type counting struct {
	*Store
	t        *testing.T
	lease    Lease
	receipts *receiptsLane
}

func newCounting(t *testing.T) *counting {
	s := newStore(t)
	return &counting{Store: s, t: t, lease: take(t, s, ServiceDispatcher, 1)[0], receipts: newReceiptsLane(t, s)}
}

func (c *counting) key(t *rapid.T) DeliveryKey {
	if c.lease.Checkpoint == 0 {
		t.Skip("none")
	}
	return DeliveryKey{0, rapid.Uint64Range(c.lease.Checkpoint-min(5, c.lease.Checkpoint-1), c.lease.Checkpoint).Draw(t, "delivery")}
}

// say queues a message of one of two steps, or of none.
func (c *counting) say(t *rapid.T) {
	step := insight.StepKey{Step: rapid.SampledFrom([]string{"name", "email", ""}).Draw(t, "step")}
	step.Cohort = insight.Cohort{Flow: "lead", Version: version, Channel: testChannel, Language: "en", Day: rapid.Int64Range(20_000, 20_001).Draw(t, "day")}
	c.queue(step)
}

func (c *counting) queue(step insight.StepKey) DeliveryKey {
	to := c.lease.Checkpoint + 1
	held, err := c.AddDeliveries(c.t.Context(), []Fence{fence(c.lease, to)}, []Delivery{{
		Key: DeliveryKey{0, to}, Channel: testChannel, Contact: people(1)[0], Content: []byte{1}, State: DeliverySending, QueuedAt: receiptsAt, Step: step,
	}})
	if err != nil || len(held) != 1 {
		c.t.Fatalf("held %v, %v", held, err)
	}
	c.lease.Checkpoint = to
	return DeliveryKey{0, to}
}

func wamidOf(key DeliveryKey) string { return fmt.Sprint("wamid.", key.Offset) }

// result is what became of a send; another one is claimed in the same statement.
func (c *counting) result(t *rapid.T) {
	key, again := c.key(t), c.key(t)
	r := SendResult{Key: key, State: rapid.SampledFrom([]string{DeliveryAccepted, DeliveryFailed, DeliveryAmbiguous, DeliveryQueued}).Draw(t, "state")}
	if r.State == DeliveryAccepted {
		r.WAMID = wamidOf(key)
	}
	var intents []Intent
	if again != key {
		intents = []Intent{{Key: again, Epoch: c.lease.Epoch, Attempts: rapid.IntRange(0, 1).Draw(t, "attempts")}}
	}
	advance(c.t, c.Store, []SendResult{r}, intents...)
}

// receive is a receipt of a message that is known, or will be.
func (c *counting) receive(t *rapid.T) {
	receipt := rapid.SampledFrom(allReceipts).Draw(t, "receipt")
	key := c.key(t)
	receipt.WAMID = wamidOf(key)
	if rapid.Bool().Draw(t, "known") {
		receipt.Key = key
	}
	c.receipts.apply(c.t, receipt)
}

// TestDeliveryCounts: after whatever changes deliveries, in whatever order, the read
// model says what they say, folded or not, and counted again or not.
func TestDeliveryCounts(t *testing.T) {
	t.Parallel()
	c := newCounting(t)
	rapid.Check(t, func(r *rapid.T) {
		r.Repeat(map[string]func(*rapid.T){
			"say": c.say, "say more": c.say, "result": c.result, "receipt": c.receive, "another": c.receive,
			"adopt": func(*rapid.T) {
				if _, _, err := c.AdoptOrphans(t.Context(), time.Hour, ""); err != nil {
					t.Fatal(err)
				}
			},
			"fold": func(*rapid.T) {
				if _, err := c.FoldDeliveryCounts(t.Context(), 3); err != nil {
					t.Fatal(err)
				}
			},
			"recount": func(*rapid.T) {
				if err := c.RecountDeliveries(t.Context()); err != nil {
					t.Fatal(err)
				}
			},
			"": func(r *rapid.T) {
				if model, truth := counted(t.Context(), t, c.Store); !slices.Equal(model, truth) {
					r.Fatalf("counted\n%v\nare\n%v", model, truth)
				}
			},
		})
	})
	if model, _ := counted(t.Context(), t, c.Store); len(model) < 4 {
		t.Errorf("only %v was counted", model)
	}
}

// TestRecountWhileMessagesGo: what is sent, received and folded during a recount is
// counted once.
func TestRecountWhileMessagesGo(t *testing.T) {
	t.Parallel()
	c := newCounting(t)
	const messages = 150
	keys := make([]DeliveryKey, messages)
	for i := range keys {
		keys[i] = c.queue(insight.StepKey{Cohort: insight.Cohort{Flow: "lead", Version: version, Channel: testChannel, Language: "en", Day: int64(i % 3)}, Step: "name"})
	}
	var group errgroup.Group
	done := make(chan struct{})
	for _, work := range []func() error{
		func() error { _, err := c.FoldDeliveryCounts(t.Context(), 7); return err },
		func() error { return c.RecountDeliveries(t.Context()) },
	} {
		group.Go(func() error {
			for {
				select {
				case <-done:
					return nil
				default:
				}
				if err := work(); err != nil {
					return err
				}
			}
		})
	}
	for i, key := range keys {
		advance(t, c.Store, []SendResult{{Key: key, State: DeliveryAccepted, WAMID: wamidOf(key)}})
		c.receipts.apply(t, Receipt{Key: key, WAMID: wamidOf(key), Name: allReceipts[i%4].Name, Rank: allReceipts[i%4].Rank})
	}
	close(done)
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	if model, truth := counted(t.Context(), t, c.Store); !slices.Equal(model, truth) || len(model) != 3 {
		t.Errorf("counted\n%v\nare\n%v", model, truth)
	}
}
