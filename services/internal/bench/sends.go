package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
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

// pacedRate is the rate of a number that a replica is held to in the second part:
// its pace stays below that, so that no second has more.
const pacedRate = 2200

// sends measures how many messages a second parley-dispatcher sends that sessions
// have queued before it starts: from the first call of the Graph API to the last.
// First as fast as it can, then at a rate, which it must keep to in every second.
func (b *bench) sends(ctx context.Context, s *stage) (section, error) {
	table := section{title: "sends"}
	q, err := s.newQueue(ctx)
	if err != nil {
		return table, err
	}
	var free, paced, most, costs []float64
	for round := range b.size.rounds {
		b.say("  round %d of %d", round+1, b.size.rounds)
		fast, err := q.drain(ctx, b.size.queued)
		if err != nil {
			return table, err
		}
		held, err := q.drain(ctx, b.size.queued, fmt.Sprintf("PARLEY_SEND_RATE=%d", pacedRate))
		if err != nil {
			return table, err
		}
		free, paced = append(free, fast.perSecond), append(paced, held.perSecond)
		most, costs = append(most, float64(held.most)), append(costs, held.cpu.Seconds()*1e6)
	}
	table.rates("sends of a dispatcher replica", free)
	table.rates(fmt.Sprintf("the same, held to %d/s", pacedRate), paced)
	table.row("most in any second", fmt.Sprintf("%.0f", median(most)), each("%.0f", most))
	table.row("CPU of the dispatcher per send, us", fmt.Sprintf("%.0f", median(costs)), each("%.0f", costs))
	table.note("%d messages a round, queued before it starts; the Graph API answers at once; order per person checked", b.size.queued*batchSize)
	return table, nil
}

// queue is a database full of messages to send, and the Graph API that they go to.
type queue struct {
	stage    *stage
	db       *store.Store
	sessions *sessions
	graph    *graph
	env      []string
}

func (s *stage) newQueue(ctx context.Context) (*queue, error) {
	_, url, err := s.nats(ctx)
	if err != nil {
		return nil, err
	}
	dsn, err := s.postgres(ctx)
	if err != nil {
		return nil, err
	}
	q := &queue{stage: s}
	if q.db, err = s.open(ctx, dsn); err != nil {
		return nil, err
	}
	if q.sessions, err = newSessions(ctx, q.db, people); err != nil {
		return nil, err
	}
	if q.graph, err = s.serveGraph(); err != nil {
		return nil, err
	}
	q.env = environment("PARLEY_NATS_URL="+url, "PARLEY_DATABASE_URL="+dsn, "PARLEY_GRAPH_URL="+q.graph.url)
	return q, nil
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

// drained is what a dispatcher did with a queue.
type drained struct {
	perSecond float64
	// most is how many it sent in the fullest second.
	most int
	// cpu is what one send took of the dispatcher.
	cpu time.Duration
}

// drain queues batches, and runs a dispatcher until it has sent and recorded every
// message that was ever queued.
func (q *queue) drain(ctx context.Context, batches int, env ...string) (drained, error) {
	if err := q.sessions.fill(ctx, batches); err != nil {
		return drained{}, err
	}
	q.graph.reset()
	dispatcher, _, err := q.stage.program(ctx, "parley-dispatcher", append(slices.Clone(q.env), env...))
	if err != nil {
		return drained{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, drainMax)
	defer cancel()
	if err := awaitAccepted(ctx, q.db, q.sessions.messages); err != nil {
		return drained{}, err
	}
	all, err := readProcesses()
	if err != nil {
		return drained{}, err
	}
	cpu, err := all.own(dispatcher.PID())
	if err != nil {
		return drained{}, err
	}
	if err := dispatcher.Stop(); err != nil {
		return drained{}, err
	}
	d, total, err := q.graph.result()
	if err == nil && total != q.sessions.messages {
		err = fmt.Errorf("%d messages sent, %d queued", total, q.sessions.messages)
	}
	d.cpu = cpu / time.Duration(batches*batchSize)
	return d, err
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

// graph is a Graph API that accepts everything and remembers when, for whom and
// which it was.
type graph struct {
	url string

	mu    sync.Mutex
	total int         // since the start
	times []time.Time // since the reset
	last  map[string]uint64
	wrong int
}

func (s *stage) serveGraph() (*graph, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	g := &graph{url: "http://" + listener.Addr().String() + "/v25.0", last: map[string]uint64{}}
	server := &http.Server{Handler: &fake.Graph{OnSend: g.accept}, ReadHeaderTimeout: answerMax}
	go server.Serve(listener) //nolint:errcheck // ends with Close
	s.onClose(server.Close)
	return g, nil
}

func (g *graph) accept(_ context.Context, send fake.Send) fake.Answer {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.times = append(g.times, time.Now())
	g.total++
	sent, _, _ := store.ParseCallback(send.Callback)
	if sent.Offset <= g.last[send.To] { // a person's messages are in one shard
		g.wrong++
	}
	g.last[send.To] = sent.Offset
	return fake.Answer{}
}

func (g *graph) reset() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.times = nil
}

// result is what came since the reset, and the number of all sends.
func (g *graph) result() (d drained, total int, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.wrong > 0 {
		return d, g.total, fmt.Errorf("%d messages came out of order", g.wrong)
	}
	first := 0
	for i, at := range g.times {
		for at.Sub(g.times[first]) >= time.Second {
			first++
		}
		d.most = max(d.most, i-first+1)
	}
	d.perSecond = float64(len(g.times)) / g.times[len(g.times)-1].Sub(g.times[0]).Seconds()
	return d, g.total, nil
}
