package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/pkg/whatsapp/meta/fake"
)

const (
	// drainMax bounds the wait until everything is sent and recorded.
	drainMax  = 90 * time.Second
	drainPoll = 50 * time.Millisecond
)

// sends measures how many messages a second parley-dispatcher sends that sessions
// have queued before it starts: from the first call of the Graph API to the last.
func (b *bench) sends(ctx context.Context, s *stage) (section, error) {
	table := section{title: "sends"}
	_, url, err := s.nats(ctx)
	if err != nil {
		return table, err
	}
	dsn, err := s.postgres(ctx)
	if err != nil {
		return table, err
	}
	db, err := s.open(ctx, dsn)
	if err != nil {
		return table, err
	}
	queue, err := newSessions(ctx, db, people)
	if err != nil {
		return table, err
	}
	graph, err := s.serveGraph()
	if err != nil {
		return table, err
	}
	env := environment("PARLEY_NATS_URL="+url, "PARLEY_DATABASE_URL="+dsn, "PARLEY_GRAPH_URL="+graph.url)
	var rates []float64
	for round := range b.size.rounds {
		b.say("  round %d of %d", round+1, b.size.rounds)
		if err := queue.fill(ctx, b.size.queued); err != nil {
			return table, err
		}
		rate, err := s.drain(ctx, env, graph, db, queue.messages)
		if err != nil {
			return table, err
		}
		rates = append(rates, rate)
	}
	table.rates("sends of a dispatcher replica", rates)
	table.note("%d messages a round, queued before it starts; the Graph API answers at once", b.size.queued*batchSize)
	return table, nil
}

// fill queues one reply to each message of so many batches.
func (s *sessions) fill(ctx context.Context, batches int) error {
	for range batches {
		parts, err := s.batch()
		if err != nil {
			return err
		}
		if err := s.apply(ctx, parts); err != nil {
			return err
		}
	}
	s.takeAppended()
	return nil
}

// drain runs a dispatcher until it has sent and recorded every message that was ever
// queued, and returns what it sent in a second.
func (s *stage) drain(ctx context.Context, env []string, graph *graph, db *store.Store, queued int) (float64, error) {
	graph.reset()
	dispatcher, _, err := s.program(ctx, "parley-dispatcher", env)
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, drainMax)
	defer cancel()
	if err := awaitAccepted(ctx, db, queued); err != nil {
		return 0, err
	}
	if err := dispatcher.Stop(); err != nil {
		return 0, err
	}
	rate, total := graph.rate()
	if total != queued {
		return 0, fmt.Errorf("%d messages sent, %d queued", total, queued)
	}
	return rate, nil
}

func awaitAccepted(ctx context.Context, db *store.Store, queued int) error {
	tick := time.NewTicker(drainPoll)
	defer tick.Stop()
	for {
		status, err := db.Status(ctx)
		if err != nil {
			return err
		}
		if status.Deliveries[store.DeliveryAccepted] >= queued {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("of %d messages, %v: %w", queued, status.Deliveries, ctx.Err())
		}
	}
}

// graph is a Graph API that accepts everything and counts.
type graph struct {
	url string

	mu          sync.Mutex
	total       int // since the start
	count       int // since the reset
	first, last time.Time
}

func (s *stage) serveGraph() (*graph, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	g := &graph{url: "http://" + listener.Addr().String() + "/v25.0"}
	server := &http.Server{Handler: &fake.Graph{OnSend: g.accept}, ReadHeaderTimeout: answerMax}
	go server.Serve(listener) //nolint:errcheck // ends with Close
	s.onClose(server.Close)
	return g, nil
}

func (g *graph) accept(context.Context, fake.Send) fake.Answer {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.last = time.Now()
	if g.count == 0 {
		g.first = g.last
	}
	g.count++
	g.total++
	return fake.Answer{}
}

func (g *graph) reset() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.count = 0
}

// rate returns the sends per second since the reset, and all sends.
func (g *graph) rate() (perSecond float64, total int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return float64(g.count) / g.last.Sub(g.first).Seconds(), g.total
}
