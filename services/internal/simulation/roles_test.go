package simulation

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/rs/zerolog"
	"google.golang.org/protobuf/proto"

	"github.com/parleyhq/parley/pkg/bus"
	"github.com/parleyhq/parley/pkg/lane"
	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/pkg/whatsapp/meta"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
	"github.com/parleyhq/parley/services/dispatcher"
	"github.com/parleyhq/parley/services/ingress"
	"github.com/parleyhq/parley/services/internal/platform"
	"github.com/parleyhq/parley/services/projector"
	"github.com/parleyhq/parley/services/session"
)

const (
	appSecret = "the app's secret"
	portfolio = "p"
	flowName  = "lead"
)

// receiver is what an ingress process answers webhooks with.
type receiver struct{ mux *http.ServeMux }

func bootIngress(p *process) {
	p.ingress = &receiver{mux: http.NewServeMux()}
	ingress.New(ingress.Options{
		Secrets: []string{"an older secret", appSecret}, VerifyToken: "token", Shards: p.w.options.Shards,
		Portfolio: func(string) string { return portfolio },
		In:        publisher{p, p.w.in}, Status: publisher{p, p.w.status}, Now: p.now, Log: zerolog.Nop(),
	}).Routes(p.ingress.mux)
}

func bootSession(p *process) {
	service := session.New(client{p: p}, relay{p.w}, platform.OneFlow(flowName), session.Lanes{In: publisher{p, p.w.in}, Shards: p.w.options.Shards}, p.now, zerolog.Nop())
	p.lane(store.ServiceSession, keepMemory(p, service), readStream(p.w.in))
	timers := session.NewTimers(client{p: p}, service.Owned, firing{publisher{p, p.w.in}}, p.w.options.Shards, p.now, zerolog.Nop())
	p.w.spawn(p, "timers", func() {
		for !p.stopping {
			p.w.wait(timersEvery)
			_ = timers.Fire(context.Background())
		}
	})
}

// firing is a publisher of timers, which it counts.
type firing struct{ publisher }

func (f firing) Publish(ctx context.Context, messages ...bus.Message) error {
	f.p.w.counts["timer fired"] += len(messages)
	if f.p.w.options.Bug == timersAlike {
		messages = alike(messages)
	}
	return f.publisher.Publish(ctx, messages...)
}

func bootProjector(p *process) {
	p.lane(store.ServiceProjector, keepMemory(p, projector.New(client{p: p}, zerolog.Nop())), followEvents)
}

// sends is what a dispatcher process has on its way to the provider.
type sends struct {
	p       *process
	service *dispatcher.Service
	client  *meta.Client
	cycle   *task
	flying  int
}

func bootDispatcher(p *process) {
	s := &sends{p: p, client: meta.NewClient("http://graph.test/v25.0", "token", &http.Client{Transport: p.w.provider})}
	limits := dispatcher.Limits{
		ChannelRate: sendRate, PairEvery: 6 * time.Second, PairBurst: 45, Grace: grace, InFlight: 512, InFlightPerChannel: 512,
		Shared: true, Jitter: p.w.rng.Float64,
	}
	if p.w.options.Bug == noGrace {
		limits.Grace = 0
	}
	s.service = dispatcher.New(client{p: p}, limits, s.launch, p.now, zerolog.Nop())
	events := p.lane(store.ServiceDispatcher, keepMemory(p, apart(p, s.service)), followEvents)
	events.onBatch = func() { p.w.notify(s.cycle) }
	p.lane(store.ServiceReceipts, keepMemory(p, dispatcher.NewReceipts(client{p: p}, zerolog.Nop())), readStream(p.w.status))
	s.cycle = p.w.spawn(p, "cycle", s.run)
	p.w.spawn(p, "shares", func() {
		for !p.stopping {
			_ = s.service.Exchange(context.Background(), client{p: p}, events.owner)
			p.w.notify(s.cycle)
			p.w.wait(500 * time.Millisecond)
		}
	})
	p.w.spawn(p, "orphans", func() {
		for !p.stopping {
			p.w.wait(5 * time.Second)
			_ = client{p: p}.adoptOrphans()
		}
	})
}

// run cycles as dispatcher.Service.Run does; at the end it records what is on
// its way.
func (s *sends) run() {
	w := s.p.w
	for last := 0; last < 3; {
		pause := 10 * time.Millisecond
		if err := s.service.Cycle(context.Background()); err != nil {
			pause = 500 * time.Millisecond
		} else if s.p.stopping && s.flying == 0 {
			last++
		}
		w.wait(250 * time.Millisecond)
		w.sleep(pause)
	}
}

// launch is called while the service is locked, so the send is a task.
func (s *sends) launch(job dispatcher.Job) {
	s.flying++
	t := s.p.w.spawn(s.p, "send", func() { s.send(job) })
	t.attempt = job.Attempts + 1
}

// send makes one attempt, as dispatcher's sender does.
func (s *sends) send(job dispatcher.Job) {
	queued := &parleyv1.MessageQueued{}
	if err := proto.Unmarshal(job.Content, queued); err != nil {
		panic(err)
	}
	wamid, err := s.client.Send(context.Background(), meta.Outgoing{
		Channel: job.Channel, Message: queued, DeliveryID: store.DeliveryID(job.Key.Shard, job.Key.Offset),
	})
	var refused *meta.SendError
	if errors.As(err, &refused) {
		s.p.w.note("send %d/%d: %s", job.Key.Shard, job.Key.Offset, refused.Class)
		s.p.w.counts["send "+refused.Class.String()]++
	}
	s.flying--
	s.service.Finish(job, wamid, err)
	s.p.w.notify(s.cycle)
}

var _ lane.Handler = (*session.Service)(nil)
