package load

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/parleyhq/parley/pkg/whatsapp/meta/fake"
)

// quietPoll is how often a run looks whether everything was answered.
const quietPoll = 20 * time.Millisecond

// Generator is one run: the contacts, and the WhatsApp between them and Parley.
type Generator struct {
	config   Config
	client   *http.Client
	graph    *http.Server
	graphURL string
	jobs     chan *post
	wake     chan struct{} // has room for one: something may be due earlier than thought

	mu       sync.Mutex // guards everything below
	rng      *rand.Rand
	contacts []*contact
	byID     map[string]*contact // by phone and by BSUID
	idle     [][]*contact        // free to speak, by channel
	timers   timers
	out      []*post       // to be posted as soon as a worker is free
	riders   [][]fake.Item // updates that wait for the next POST, by channel

	start, end time.Time
	slot       int       // messages scheduled so far
	nextAt     time.Time // when the next message is due
	unfinished int       // POSTs that were not answered 200 yet
	sends      int       // accepted by the fake Graph API
	counts     Counts
	misled     []Finding // sends addressed wrongly
	marks      []Mark
	over       bool
}

// New makes the contacts and starts the fake Graph API. Call Close when done.
func New(config Config) (*Generator, error) {
	if config.Run == 0 {
		config.Run = uint64(time.Now().Unix())
	}
	if err := config.validate(); err != nil {
		return nil, fmt.Errorf("load config: %w", err)
	}
	g := &Generator{
		config: config,
		client: newClient(config),
		jobs:   make(chan *post),
		wake:   make(chan struct{}, 1),
		rng:    rand.New(rand.NewPCG(config.Seed, config.Run)),
		byID:   make(map[string]*contact, config.Contacts),
		idle:   make([][]*contact, len(config.Channels)),
		riders: make([][]fake.Item, len(config.Channels)),
		counts: Counts{Retries: map[string]int{}},
	}
	for i := range config.Contacts {
		g.meet(newContact(config, i))
	}
	if err := g.serveGraph(config.GraphListen); err != nil {
		return nil, err
	}
	return g, nil
}

// meet adds a contact who has never written.
func (g *Generator) meet(c *contact) {
	g.contacts = append(g.contacts, c)
	for _, id := range []string{c.person.Phone, c.person.BSUID} {
		if id != "" {
			g.byID[id] = c
		}
	}
	if c.person.Phone == "" {
		g.counts.BSUIDOnly++
	}
	g.release(c)
}

func (g *Generator) serveGraph(address string) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("listen for the Graph API: %w", err)
	}
	g.graphURL = "http://" + listener.Addr().String()
	g.graph = &http.Server{Handler: &fake.Graph{OnSend: g.accept}, ReadHeaderTimeout: 10 * time.Second}
	go g.graph.Serve(listener) //nolint:errcheck // ends with Close
	return nil
}

// GraphURL is where the fake Graph API listens: Parley's PARLEY_GRAPH_URL.
func (g *Generator) GraphURL() string { return g.graphURL }

// Close stops the fake Graph API.
func (g *Generator) Close() error {
	g.client.CloseIdleConnections()
	return g.graph.Close()
}

// Run plays the whole load, waits until Parley is quiet, and checks what was
// heard. It may be called once. The error is only about the run itself; what
// Parley did wrong stands in the report.
func (g *Generator) Run(ctx context.Context) (Report, error) {
	ctx, stop := context.WithCancel(ctx)
	var loops sync.WaitGroup
	g.begin(time.Now())
	for range g.config.Connections {
		loops.Go(func() { g.work(ctx) })
	}
	loops.Go(func() { g.pump(ctx) })

	g.disturb(ctx)
	err := errors.Join(g.wait(ctx, time.Until(g.end)), g.awaitQuiet(ctx), g.wait(ctx, g.config.Settle))
	stop()
	loops.Wait()
	if err != nil {
		return Report{}, fmt.Errorf("load interrupted: %w", ctx.Err())
	}
	return g.report(), nil
}

func (g *Generator) begin(now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.start, g.end = now, now.Add(g.config.Duration)
	g.advance(0)
}

// disturb lets the nemesis work until the load ends, and waits until it has healed.
func (g *Generator) disturb(ctx context.Context) {
	if g.config.Nemesis == nil {
		return
	}
	ctx, stop := context.WithDeadline(ctx, g.end)
	defer stop()
	g.config.Nemesis(ctx, g.mark)
}

// wait returns early, with an error, only if the context ends.
func (g *Generator) wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// awaitQuiet waits until every POST was answered and every reply came, at most
// QuietTimeout. That something is missing then is for the check to say.
func (g *Generator) awaitQuiet(ctx context.Context) error {
	tick := time.NewTicker(quietPoll)
	defer tick.Stop()
	for deadline := time.Now().Add(g.config.QuietTimeout); time.Now().Before(deadline) && !g.quiet(); {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
	return nil
}

func (g *Generator) quiet() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	late := g.nextAt.Before(g.end) && time.Now().Before(g.end.Add(rateGrace))
	if late || g.unfinished > 0 || len(g.timers) > 0 {
		return false
	}
	for _, c := range g.contacts {
		if !c.free(true) {
			return false
		}
	}
	return true
}
