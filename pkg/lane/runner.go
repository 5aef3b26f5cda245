package lane

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/rs/zerolog"

	"github.com/parleyhq/parley/pkg/bus"
	"github.com/parleyhq/parley/pkg/store"
)

// Leases is what a Runner needs of the store.
type Leases interface {
	EnsureLeases(ctx context.Context, service string, shards int) error
	Heartbeat(ctx context.Context, service, owner string, ttl time.Duration) (live int, held map[int]int64, err error)
	Acquire(ctx context.Context, service, owner string, ttl time.Duration, most int, except []int) ([]store.Lease, error)
	Release(ctx context.Context, service string, shard int, epoch int64) error
	Leave(ctx context.Context, service, owner string) error
	Rewind(ctx context.Context, service string, shard int, epoch int64) error
}

// Config says who a Runner is and how it works.
type Config struct {
	// Service is the name of the leases.
	Service string
	// Owner names this replica. A process that restarts under the same name
	// takes its own leases back at once; no two live processes may share it.
	Owner string
	// Shards is the installation's number of shards.
	Shards int
	// LeaseTime is how long a crashed replica keeps its shards.
	LeaseTime time.Duration
	// BatchMax and Gather bound a batch: as many messages, or as long a wait
	// for more after the first.
	BatchMax int
	Gather   time.Duration
	Log      zerolog.Logger
	// OnShare is told how many shards this replica owns, whenever it changes.
	OnShare func(owned int)
}

// Defaults of Config.
const (
	DefaultLeaseTime = 5 * time.Second
	DefaultBatchMax  = 500
	DefaultGather    = 5 * time.Millisecond
)

// Bounds of the wait after a failure.
const (
	backoffMin = 100 * time.Millisecond
	backoffMax = 2 * time.Second
	leaveTime  = 3 * time.Second
)

// Bounds of what the loop waits for: a database that was cut off without a word
// must not hold it for ever. They are longer than the database's own timeouts.
const (
	applyTimeout     = 30 * time.Second
	heartbeatTimeout = 5 * time.Second
)

// Runner owns a fair share of a service's shards and feeds its Handler.
type Runner struct {
	config  Config
	leases  Leases
	source  Source
	handler Handler
	meter   *meter

	messages chan Message
	failures chan failure
	retry    *time.Timer
	backoff  time.Duration
	owned    map[int]*ownership
	share    int
	alive    bool
}

// ownership is a shard that this replica holds, and the reader that feeds it.
type ownership struct {
	lease  store.Lease
	cancel context.CancelFunc
	done   chan struct{}
}

type failure struct {
	shard int
	epoch int64
	err   error
}

// New returns a Runner that does nothing until Run.
func New(config Config, leases Leases, source Source, handler Handler) *Runner {
	retry := time.NewTimer(0)
	return &Runner{
		config: config, leases: leases, source: source, handler: handler, meter: newMeter(config.Service),
		messages: make(chan Message, 2*config.BatchMax),
		failures: make(chan failure),
		retry:    retry,
		owned:    map[int]*ownership{},
	}
}

// Run takes shards and applies their messages until intake ends; then it
// finishes the batch in hand and releases its shards, so that others can take
// them without a wait. work bounds what still runs after intake has ended.
//
//	shard 00 ─┐            ┌──────┐
//	shard 01 ─┼─messages──▶│ loop │──▶ Handler.Apply ──▶ PostgreSQL
//	shard …  ─┘            └──────┘
//	                          └─ heartbeat, take, release
func (r *Runner) Run(intake, work context.Context) error {
	if err := r.ensure(intake); err != nil {
		return err
	}
	r.heartbeat(intake, work)
	r.loop(intake, work)
	r.leave(work)
	return nil
}

// ensure waits for the database: a service may start before it.
func (r *Runner) ensure(ctx context.Context) error {
	for wait := backoffMin; ; wait = min(2*wait, backoffMax) {
		err := r.leases.EnsureLeases(ctx, r.config.Service, r.config.Shards)
		if err == nil || ctx.Err() != nil {
			return ignoreEnd(ctx, err)
		}
		r.config.Log.Warn().Err(err).Msg("waiting for the database")
		select {
		case <-time.After(jitter(wait)):
		case <-ctx.Done():
			return nil
		}
	}
}

func (r *Runner) loop(intake, work context.Context) {
	ticker := time.NewTicker(r.config.LeaseTime / 5)
	defer ticker.Stop()
	for {
		messages := r.messages
		if r.backoff > 0 {
			messages = nil // what failed for one shard would fail for the others too
		}
		select {
		case <-intake.Done():
			return
		case <-ticker.C:
			r.heartbeat(intake, work)
		case <-r.retry.C:
			r.acquire(intake, work)
		case f := <-r.failures:
			r.sourceFailed(work, f)
		case m := <-messages:
			r.process(work, r.gather(intake, m))
		}
	}
}

// heartbeat renews the leases and follows what it learns: lost shards are
// dropped, surplus shards released, missing ones taken. It runs in the loop, so
// that its answer can never be older than what the loop did last.
func (r *Runner) heartbeat(intake, work context.Context) {
	ctx, cancel := context.WithTimeout(intake, heartbeatTimeout)
	defer cancel()
	live, held, err := r.leases.Heartbeat(ctx, r.config.Service, r.config.Owner, r.config.LeaseTime)
	if err != nil {
		if r.alive && intake.Err() == nil {
			r.config.Log.Warn().Err(err).Msg("cannot renew leases")
		}
		r.alive = false
		return
	}
	r.alive = true
	for shard, own := range r.owned {
		if held[shard] != own.lease.Epoch {
			r.config.Log.Warn().Int("shard", shard).Msg("lease lost")
			r.drop(shard)
		}
	}
	r.share = (r.config.Shards + live - 1) / max(live, 1)
	for _, shard := range slices.Sorted(maps.Keys(r.owned)) {
		if len(r.owned) <= r.share {
			break
		}
		r.release(work, shard, held[shard])
	}
	if r.backoff > 0 {
		return
	}
	r.acquire(intake, work)
	// What is still under this replica's name but not worked on is more than its share.
	for shard, epoch := range held {
		if r.owned[shard] == nil {
			r.release(work, shard, epoch)
		}
	}
}

// gather takes what is there: at most BatchMax messages, at most Gather long.
func (r *Runner) gather(ctx context.Context, first Message) []Message {
	list := append(make([]Message, 0, 64), first)
	timer := time.NewTimer(r.config.Gather)
	defer timer.Stop()
	for len(list) < r.config.BatchMax {
		select {
		case m := <-r.messages:
			list = append(list, m)
		case <-timer.C:
			return list
		case <-ctx.Done():
			return list
		}
	}
	return list
}

// parts sorts messages into their shards and leaves out those of a former
// ownership and those already applied.
func (r *Runner) parts(messages []Message) []Part {
	var parts []Part
	index := map[int]int{}
	for _, m := range messages {
		own := r.owned[m.Shard]
		if own == nil || own.lease.Epoch != m.epoch || m.Pos <= own.lease.Checkpoint {
			continue
		}
		i, ok := index[m.Shard]
		if !ok {
			i = len(parts)
			index[m.Shard] = i
			parts = append(parts, Part{Fence: store.Fence{Shard: m.Shard, Epoch: own.lease.Epoch, From: own.lease.Checkpoint}})
		}
		parts[i].Messages = append(parts[i].Messages, m)
		parts[i].Fence.To, parts[i].Fence.At = m.Pos, m.At
	}
	// Leases are locked in the order of the parts: everybody's is the same.
	slices.SortFunc(parts, func(a, b Part) int { return cmp.Compare(a.Fence.Shard, b.Fence.Shard) })
	return parts
}

func (r *Runner) process(ctx context.Context, messages []Message) {
	parts := r.parts(messages)
	if len(parts) == 0 {
		return
	}
	started := time.Now()
	ctx, cancel := context.WithTimeout(ctx, applyTimeout)
	defer cancel()
	held, err := Process(ctx, r.handler, parts)
	r.meter.batch(ctx, parts, started)
	if err != nil {
		r.inDoubt(parts, err)
		return
	}
	r.backoff = 0
	for _, part := range parts {
		if !slices.Contains(held, part.Fence.Shard) {
			r.config.Log.Warn().Int("shard", part.Fence.Shard).Msg("fenced: another replica owns the shard now")
			r.drop(part.Fence.Shard)
			continue
		}
		r.owned[part.Fence.Shard].lease.Checkpoint = part.Fence.To
	}
}

// inDoubt drops the shards of a batch whose outcome is unknown. They are taken
// again after a wait, from the checkpoint that the database holds then.
func (r *Runner) inDoubt(parts []Part, err error) {
	for _, part := range parts {
		r.drop(part.Fence.Shard)
	}
	wait := r.later()
	r.config.Log.Error().Err(err).Int("shards", len(parts)).Dur("retry_in", wait).Msg("batch not applied; its shards are taken again")
}

// later schedules the next attempt to take shards.
func (r *Runner) later() time.Duration {
	r.backoff = min(max(2*r.backoff, backoffMin), backoffMax)
	wait := jitter(r.backoff)
	r.retry.Reset(wait)
	return wait
}

// acquire takes shards until the fair share is reached. Readers live as long as
// intake, the shard's ownership at the most.
func (r *Runner) acquire(intake, work context.Context) {
	most := r.share - len(r.owned)
	if most <= 0 {
		r.backoff = 0
		return
	}
	leases, err := r.leases.Acquire(work, r.config.Service, r.config.Owner, r.config.LeaseTime, most, slices.Collect(maps.Keys(r.owned)))
	if err != nil {
		wait := r.later()
		r.config.Log.Error().Err(err).Dur("retry_in", wait).Msg("cannot take shards")
		return
	}
	r.backoff = 0
	for _, lease := range leases {
		if err := r.handler.Take(work, lease); err != nil {
			wait := r.later()
			r.handler.Drop(lease.Shard)
			r.config.Log.Error().Err(err).Int("shard", lease.Shard).Dur("retry_in", wait).Msg("cannot prepare shard")
			continue
		}
		r.open(intake, lease)
	}
	if len(leases) > 0 {
		r.shareChanged()
		r.config.Log.Info().Int("taken", len(leases)).Int("owned", len(r.owned)).Msg("shards taken")
	}
}

// open starts the reader of a shard.
func (r *Runner) open(ctx context.Context, lease store.Lease) {
	ctx, cancel := context.WithCancel(ctx)
	own := &ownership{lease: lease, cancel: cancel, done: make(chan struct{})}
	r.owned[lease.Shard] = own
	go func() {
		defer close(own.done)
		err := r.source.Read(ctx, lease, func(m Message) error {
			m.epoch = lease.Epoch
			select {
			case r.messages <- m:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		if err == nil || ctx.Err() != nil {
			return
		}
		select {
		case r.failures <- failure{shard: lease.Shard, epoch: lease.Epoch, err: err}:
		case <-ctx.Done():
		}
	}()
}

// sourceFailed handles a reader that gave up. If its stream was wiped or
// restored from an older copy, the shard is read from the start: the inbox
// absorbs what was applied before.
func (r *Runner) sourceFailed(ctx context.Context, f failure) {
	own := r.owned[f.shard]
	if own == nil || own.lease.Epoch != f.epoch {
		return
	}
	var regressed bus.ErrRegressed
	if errors.As(f.err, &regressed) {
		f.err = errors.Join(f.err, r.leases.Rewind(ctx, r.config.Service, f.shard, f.epoch))
	}
	r.drop(f.shard)
	wait := r.later()
	r.config.Log.Error().Err(f.err).Int("shard", f.shard).Dur("retry_in", wait).Msg("reading stopped; the shard is taken again")
}

// drop forgets a shard. It does not wait for the reader, which may just be
// delivering: what it still delivers carries an old epoch.
func (r *Runner) drop(shard int) {
	own := r.owned[shard]
	if own == nil {
		return
	}
	own.cancel()
	delete(r.owned, shard)
	r.handler.Drop(shard)
	r.shareChanged()
}

func (r *Runner) release(ctx context.Context, shard int, epoch int64) {
	r.drop(shard)
	if err := r.leases.Release(ctx, r.config.Service, shard, epoch); err != nil {
		r.config.Log.Warn().Err(err).Msg("shard not released; it is free when its lease runs out")
	}
}

// leave gives everything back, so that others take over without a wait.
func (r *Runner) leave(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveTime)
	defer cancel()
	for _, own := range r.owned {
		own.cancel()
		<-own.done
	}
	for _, shard := range slices.Sorted(maps.Keys(r.owned)) {
		r.release(ctx, shard, r.owned[shard].lease.Epoch)
	}
	if err := r.leases.Leave(ctx, r.config.Service, r.config.Owner); err != nil {
		r.config.Log.Warn().Err(err).Msg("could not sign off")
	}
}

func (r *Runner) shareChanged() {
	if r.config.OnShare != nil {
		r.config.OnShare(len(r.owned))
	}
}

// jitter spreads a wait over half to all of it, so that replicas that failed
// together do not come back together.
func jitter(d time.Duration) time.Duration { return d/2 + rand.N(d/2+1) }
