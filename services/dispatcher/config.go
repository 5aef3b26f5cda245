package dispatcher

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"time"

	"github.com/parleyhq/parley/pkg/bus"
	"github.com/parleyhq/parley/pkg/lifecycle"
	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/pkg/whatsapp/wasender"
	"github.com/parleyhq/parley/pkg/whatsapp/wasender/health"
	"github.com/parleyhq/parley/services/internal/platform"
)

// Config is what the dispatcher reads from the environment.
type Config struct {
	platform.Common
	Forms   platform.FormSecrets
	Graph   platform.Graph
	Gateway platform.Gateway
	Outside Outside
	// AccountToken is the account's personal access token, for connect and restart.
	AccountToken string `env:"PARLEY_WASENDER_ACCOUNT_TOKEN"`
	// SessionRate is the messages per minute of each of its sessions.
	SessionRate float64 `env:"PARLEY_WASENDER_RATE" envDefault:"256"`
	// SendRate is the messages per second of each business number.
	SendRate float64 `env:"PARLEY_SEND_RATE" envDefault:"80"`
	// PairRate is the messages per minute to each contact, after a burst of 45.
	PairRate float64 `env:"PARLEY_PAIR_RATE" envDefault:"10"`
	// Grace is how long a send whose outcome is unknown waits for its receipt.
	Grace time.Duration `env:"PARLEY_SEND_GRACE" envDefault:"20s"`
}

// Limits that are not for the operator to choose.
const (
	pairBurst   = 45
	inFlightMax = 4096
	// inFlightPerChannel leaves room for others beside a number that answers slowly, and
	// is what 1,000/s need of a provider that takes two seconds.
	inFlightPerChannel = 2048
	sendTimeout        = 15 * time.Second
	// orphanAge is how long a receipt waits for its message to become known.
	orphanAge   = 7 * 24 * time.Hour
	orphanEvery = 5 * time.Second
)

// Problems reports what is wrong with the configuration.
func (c Config) Problems() error {
	errs := []error{c.Common.Problems(), c.Outside.Problems(), c.Forms.Problems(), c.Graph.Problems(), c.Gateway.Problems()}
	if c.Graph.URL == "" && c.Graph.Token == "" && len(c.Gateway.SessionKeys) == 0 {
		errs = append(errs, errors.New("PARLEY_META_ACCESS_TOKEN is not set: Meta refuses every message without it"))
	}
	if c.SendRate <= 0 || c.SendRate > 1e6 {
		errs = append(errs, fmt.Errorf("PARLEY_SEND_RATE is %g: use messages per second, for example 80", c.SendRate))
	}
	if c.SessionRate <= 0 || c.SessionRate > 1e6 {
		errs = append(errs, fmt.Errorf("PARLEY_WASENDER_RATE is %g: use messages per minute, 256 or 12 with Account Protection", c.SessionRate))
	}
	if c.PairRate <= 0 || c.PairRate > 1e6 {
		errs = append(errs, fmt.Errorf("PARLEY_PAIR_RATE is %g: use messages per minute to one contact, for example 10", c.PairRate))
	}
	if c.Grace < time.Second || c.Grace > time.Hour {
		errs = append(errs, fmt.Errorf("PARLEY_SEND_GRACE is %s: use 1s to 1h", c.Grace))
	}
	return errors.Join(errs...)
}

func (c Config) limits() Limits {
	return Limits{
		ChannelRate: c.SendRate,
		PairEvery:   time.Duration(float64(time.Minute) / c.PairRate), PairBurst: pairBurst,
		Grace: c.Grace, InFlight: inFlightMax, InFlightPerChannel: inFlightPerChannel, Shared: true, Jitter: rand.Float64,
	}
}

// facts are what the configuration says of the numbers: sessions of WASenderApi have
// nothing in common, neither with Meta's numbers nor with each other.
func (c Config) facts() map[string]Facts {
	facts := map[string]Facts{}
	for channel := range c.Gateway.Keys() {
		own := "wasender " + channel
		facts[channel] = Facts{Account: own, App: own, Rate: c.SessionRate / 60, OutOnly: true}
	}
	return facts
}

// Build makes both lanes and the sender ready to run.
func Build(ctx context.Context, c Config, d *platform.Deps) (platform.Service, error) {
	var service *Service
	sessions, clients := c.clients(d, func(channel string, r wasender.Rate) { service.Rest(channel, r.Wait(time.Now())) })
	tokens, err := c.Forms.Tokens()
	if err != nil {
		return platform.Service{}, err
	}
	sender := newSender(clients, d.Log)
	sender.tokens = tokens
	sender.uploads = newUploads(d.Store, func(channel string) uploader { return clients(channel) }, c.windowless())
	service = New(d.Store, c.limits(), sender.launch, time.Now, d.Log)
	sender.finish = service.Finish
	facts, numbers := c.facts(), map[string]string{}
	for _, channel := range d.Channels.All() {
		numbers[channel.Number] = channel.ID
		if _, session := facts[channel.ID]; !session {
			facts[channel.ID] = Facts{Account: channel.Account}
		}
	}
	service.SetFacts(facts)
	service.FollowNotices(d.Store, facts, numbers)
	service.SetStandings(d.Store.Standings, c.windowless())
	events := d.Lane(store.ServiceDispatcher, d.Events(store.ServiceDispatcher), service, platform.GatherReply, func(int) { service.AskNow() })
	told := NewReceipts(d.Store, d.Log)
	told.FollowNumbers(d.Store)
	receipts := d.Lane(store.ServiceReceipts, d.Stream(store.ServiceReceipts, bus.StreamStatus, bus.FilterStatus), told, platform.GatherReceipts, nil)
	in := bus.NewPublisher(d.NATS, bus.StreamIn, bus.PublisherOptions{})
	secrets, err := platform.Secrets(os.Environ())
	if err != nil {
		return platform.Service{}, err
	}
	client, err := c.Outside.client()
	if err != nil {
		return platform.Service{}, err
	}
	calls := NewCalls(d.Store, in, &caller{client: client, secrets: secrets}, d.Shards, time.Now, rand.Float64, d.Log)
	failures := NewFailures(d.Store, service.Owned, in, d.Shards, time.Now, d.Log)
	parts := []lifecycle.Part{
		{Name: "dispatcher", Run: events.Run},
		{Name: "sender", Run: service.Run},
		{Name: "shares", Run: func(intake, _ context.Context) error { return service.shareRates(intake, d.Store, d.Owner) }},
		{Name: "stops", Run: func(intake, _ context.Context) error { return service.shareStops(intake, d.Store, d.Owner) }},
		{Name: "receipts", Run: receipts.Run},
		d.Trimmer(store.ServiceReceipts, bus.StreamStatus, bus.FilterStatus),
		{Name: "orphan receipts", Run: func(intake, _ context.Context) error { return adoptOrphans(intake, d) }},
		{Name: "failures", Run: func(intake, _ context.Context) error { return failures.Run(intake) }},
		{Name: "calls", Run: func(intake, _ context.Context) error { return calls.Run(intake) }},
		{Name: "orders", Run: func(intake, _ context.Context) error { return service.followOrders(intake, d.Store.OrderedDeliveries) }},
		{Name: "late ids", Run: func(intake, _ context.Context) error { return joinLate(intake, d.Store, sessions, d.Log) }},
	}
	webhooks, err := c.Outside.webhooks(ctx, d)
	if err != nil {
		return platform.Service{}, err
	}
	status := bus.NewPublisher(d.NATS, bus.StreamStatus, bus.PublisherOptions{})
	parts = append(append(parts, webhooks...), c.watch(d, sessions, service, status)...)
	return platform.Service{Parts: parts, Close: func() { in.Close(); status.Close() }}, nil
}

// windowless says which channels take free text at any time: the sessions of WASenderApi.
func (c Config) windowless() func(channel string) bool {
	keys := c.Gateway.Keys()
	return func(channel string) bool { return keys[channel] != "" }
}

// watch is the parts that keep the sessions of WASenderApi alive, and hold back what
// is queued for one that is down; none without sessions.
func (c Config) watch(d *platform.Deps, client *wasender.Client, service *Service, status publisher) []lifecycle.Part {
	keys := c.Gateway.Keys()
	if len(keys) == 0 {
		return nil
	}
	policy := health.DefaultPolicy()
	policy.CanAct = c.AccountToken != ""
	if !policy.CanAct {
		d.Log.Warn().Msg("PARLEY_WASENDER_ACCOUNT_TOKEN is not set: a session that drops cannot be connected again from here")
	}
	w := &watcher{
		store: d.Store, client: client, nats: d.NATS, channels: slices.Sorted(maps.Keys(keys)), owner: d.Owner, lease: d.Common.LeaseTime,
		ids:    &sessionIDs{client: client, key: func(channel string) string { return keys[channel] }},
		status: status, portfolio: d.Channels.Portfolio, shards: d.Shards,
		policy: policy, tick: watchTick, now: time.Now, log: d.Log, meter: newSessionMeter(time.Now),
	}
	g := sessionGate{health: d.Store.SessionsHealth, set: service.SetClosed, now: time.Now, log: d.Log}
	parts := []lifecycle.Part{
		{Name: "session watcher", Run: w.Run},
		{Name: "session gate", Run: func(intake, _ context.Context) error { return g.run(intake) }},
	}
	if policy.CanAct { // the log is the account's
		sent := sentLog{store: d.Store, client: client, ids: w.ids, channels: w.channels, owned: service.Owned, log: d.Log}
		parts = append(parts, lifecycle.Part{Name: "sent log", Run: func(intake, _ context.Context) error { return sent.run(intake) }})
	}
	return parts
}

// clients says through whom a channel sends: a session of WASenderApi if it has a
// key, else Meta.
func (c Config) clients(d *platform.Deps, onRate func(channel string, r wasender.Rate)) (sessions *wasender.Client, of func(channel string) client) {
	if c.Graph.Token == "" {
		d.Log.Warn().Msg("PARLEY_META_ACCESS_TOKEN is not set: Meta itself would refuse every message")
	}
	cloud := c.Graph.Client()
	keys := c.Gateway.Keys()
	sessions = c.Gateway.Client(wasender.Options{AccountToken: c.AccountToken, OnRate: onRate})
	heard := heardClient{client: sessions, signal: d.SignalSession}
	return sessions, func(channel string) client {
		if keys[channel] != "" {
			return heard
		}
		return cloud
	}
}

func adoptOrphans(ctx context.Context, d *platform.Deps) error {
	ticker := time.NewTicker(orphanEvery)
	defer ticker.Stop()
	after := ""
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
		var err error
		if _, after, err = d.Store.AdoptOrphans(ctx, orphanAge, after); err != nil && ctx.Err() == nil {
			d.Log.Warn().Err(err).Msg("early receipts wait")
		}
	}
}
