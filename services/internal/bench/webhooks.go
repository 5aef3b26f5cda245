package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/proto"

	"github.com/parleyhq/parley/pkg/bus"
	"github.com/parleyhq/parley/pkg/whatsapp/meta"
)

const (
	// callersMax is how many clients post at the same time: two full batches of the
	// publisher, so that one gathers while the other is written.
	callersMax = 512
	// rawBatch is as many messages as ingress commits together at most.
	rawBatch = 256
	// shards is the number of lanes of an installation, unless it says otherwise.
	shards = 16
)

// webhooks measures how many signed webhooks a second parley-ingress acknowledges,
// beside the atomic batches of the same messages that the same NATS stores.
func (b *bench) webhooks(ctx context.Context, s *stage) (section, error) {
	table := section{title: "webhooks"}
	_, url, err := s.nats(ctx)
	if err != nil {
		return table, err
	}
	_, addr, err := s.program(ctx, "parley-ingress", environment("PARLEY_NATS_URL="+url))
	if err != nil {
		return table, err
	}
	raw, err := s.newRaw(ctx, url)
	if err != nil {
		return table, err
	}
	var posted atomic.Uint64
	rounds, err := b.inTurns(ctx,
		func(ctx context.Context) (float64, error) { return postAll(ctx, addr, &posted, b.size.slice) },
		func(ctx context.Context) (float64, error) { return raw.publish(ctx, b.size.slice) })
	if err != nil {
		return table, err
	}
	table.compare("acknowledged webhooks", "raw atomic batches", rounds)
	table.note("%d clients, one message each webhook; raw: batches of %d of the same messages", callersMax, rawBatch)
	return table, nil
}

// postAll lets every client post webhook after webhook, and returns how many were
// answered 200 in a second.
func postAll(ctx context.Context, addr string, posted *atomic.Uint64, limit time.Duration) (float64, error) {
	callers := make([]*caller, callersMax)
	for i := range callers {
		var err error
		if callers[i], err = newCaller(ctx, addr); err != nil {
			return 0, err
		}
		defer callers[i].close()
	}
	group, ctx := errgroup.WithContext(ctx)
	var acked atomic.Int64
	started := time.Now()
	for _, c := range callers {
		group.Go(func() error {
			for ctx.Err() == nil && time.Since(started) < limit {
				if err := c.post(newWebhook(posted.Add(1))); err != nil {
					return err
				}
				acked.Add(1)
			}
			return nil
		})
	}
	err := group.Wait()
	return float64(acked.Load()) / time.Since(started).Seconds(), err
}

// raw is what NATS itself can do with the messages of ingress.
type raw struct {
	publisher *bus.Publisher
	batch     []bus.Message
}

func (s *stage) newRaw(ctx context.Context, url string) (*raw, error) {
	nc, err := s.connect(ctx, url)
	if err != nil {
		return nil, err
	}
	s.onClose(func() error { nc.Close(); return nil })
	r := &raw{publisher: bus.NewPublisher(nc, bus.StreamIn, bus.PublisherOptions{MaxBatch: rawBatch, Gather: -1})}
	s.onClose(func() error { r.publisher.Close(); return nil })
	for n := range uint64(rawBatch) {
		m, err := stored(newWebhook(n))
		if err != nil {
			return nil, err
		}
		r.batch = append(r.batch, m)
	}
	return r, nil
}

// stored is the message that ingress stores for a webhook.
func stored(body []byte) (bus.Message, error) {
	envelopes := meta.Split(body, time.Now())
	if len(envelopes) != 1 {
		return bus.Message{}, fmt.Errorf("a webhook has %d updates, want 1", len(envelopes))
	}
	e := envelopes[0]
	e.Portfolio = e.Channel
	data, err := proto.Marshal(e)
	shard := bus.ShardOf(e.Portfolio, e.LaneKey, shards)
	return bus.Message{Subject: bus.SubjectIn(shard, e.Channel, e.LaneKey), Data: data}, err
}

// publish stores batch after batch and returns the messages per second.
func (r *raw) publish(ctx context.Context, limit time.Duration) (float64, error) {
	count, started := 0, time.Now()
	for time.Since(started) < limit {
		if err := r.publisher.Publish(ctx, r.batch...); err != nil {
			return 0, err
		}
		count += len(r.batch)
	}
	return float64(count) / time.Since(started).Seconds(), nil
}
