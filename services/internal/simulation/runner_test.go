package simulation

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/parleyhq/parley/pkg/lane"
	"github.com/parleyhq/parley/pkg/store"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// runner owns shards for one service of one process, by the rules of
// pkg/lane/runner.go: a lease with an epoch, reading from the checkpoint on,
// and after whatever is not known to be good the shard is dropped and taken
// again. The batches themselves go through lane.Process.
type runner struct {
	p       *process
	service string
	owner   string
	handler lane.Handler
	// read is a shard's source; it runs as a task of its own.
	read     func(r *runner, own *ownership)
	onBatch  func()
	task     *task
	owned    map[int]*ownership
	messages []delivered
	failed   []*ownership
	share    int
	backoff  time.Duration
	retryAt  time.Time // zero if no retry is due
}

type ownership struct {
	lease  store.Lease
	reader *task
}

// delivered is a message and the ownership under which it was read.
type delivered struct {
	lane.Message
	epoch int64
}

func (p *process) lane(service string, handler lane.Handler, read func(*runner, *ownership)) *runner {
	r := &runner{p: p, service: service, owner: p.name, handler: handler, read: read, owned: map[int]*ownership{}}
	if p.w.rng.IntN(3) == 0 {
		r.owner = p.role // a process that keeps its name over restarts
	}
	if p.index > 0 {
		r.owner += "+"
	}
	r.task = p.w.spawn(p, service, r.run)
	return r
}

func (r *runner) run() {
	w := r.p.w
	r.heartbeat()
	beat := w.now.Add(leaseTime / 5)
	for !r.p.stopping {
		switch {
		case !w.now.Before(beat):
			beat = w.now.Add(leaseTime / 5)
			r.heartbeat()
		case !r.retryAt.IsZero() && !w.now.Before(r.retryAt):
			r.retryAt = time.Time{}
			r.acquire()
		case len(r.failed) > 0:
			own := r.failed[0]
			r.failed = r.failed[1:]
			if r.owned[own.lease.Shard] == own {
				r.drop(own.lease.Shard)
				r.later()
			}
		case len(r.messages) > 0 && r.backoff == 0:
			w.sleep(w.between(0, lane.DefaultGather))
			r.process()
		default:
			until := beat
			if !r.retryAt.IsZero() && r.retryAt.Before(until) {
				until = r.retryAt
			}
			w.wait(until.Sub(w.now))
		}
	}
	r.leave()
}

func (r *runner) heartbeat() {
	live, held, err := client{p: r.p}.Heartbeat(context.Background(), r.service, r.owner, leaseTime)
	if err != nil {
		return
	}
	for _, shard := range slices.Sorted(maps.Keys(r.owned)) {
		if held[shard] != r.owned[shard].lease.Epoch {
			r.p.w.counts["lease lost"]++
			r.drop(shard)
		}
	}
	r.share = (r.p.w.options.Shards + live - 1) / max(live, 1)
	for _, shard := range slices.Sorted(maps.Keys(r.owned)) {
		if len(r.owned) <= r.share {
			break
		}
		r.release(shard, held[shard])
	}
	if r.backoff > 0 {
		return
	}
	r.acquire()
	for _, shard := range slices.Sorted(maps.Keys(held)) {
		if r.owned[shard] == nil {
			r.release(shard, held[shard])
		}
	}
}

func (r *runner) acquire() {
	most := r.share - len(r.owned)
	if most <= 0 {
		r.backoff = 0
		return
	}
	except := slices.Sorted(maps.Keys(r.owned))
	leases, err := client{p: r.p}.Acquire(context.Background(), r.service, r.owner, leaseTime, most, except)
	if err != nil {
		r.later()
		return
	}
	r.backoff = 0
	for _, l := range leases {
		if err := r.take(l); err != nil {
			r.later()
			r.handler.Drop(l.Shard)
			continue
		}
		own := &ownership{lease: l}
		r.owned[l.Shard] = own
		own.reader = r.p.w.spawn(r.p, "reader", func() { r.read(r, own) })
	}
}

func (r *runner) take(l store.Lease) error { return r.handler.Take(context.Background(), l) }

func (r *runner) later() {
	r.backoff = min(max(2*r.backoff, 100*time.Millisecond), 2*time.Second)
	r.retryAt = r.p.w.now.Add(r.p.w.between(r.backoff/2, r.backoff))
}

func (r *runner) deliver(own *ownership, m lane.Message) {
	r.messages = append(r.messages, delivered{m, own.lease.Epoch})
	r.p.w.notify(r.task)
}

func (r *runner) fail(own *ownership) {
	r.failed = append(r.failed, own)
	r.p.w.notify(r.task)
}

// parts sorts messages into their shards, and leaves out those of a former
// ownership and those already applied.
func (r *runner) parts(messages []delivered) []lane.Part {
	var parts []lane.Part
	for _, m := range messages {
		own := r.owned[m.Shard]
		if own == nil || own.lease.Epoch != m.epoch || m.Pos <= own.lease.Checkpoint {
			r.p.w.counts["redelivery dropped"]++
			continue
		}
		i := slices.IndexFunc(parts, func(p lane.Part) bool { return p.Fence.Shard == m.Shard })
		if i < 0 {
			i = len(parts)
			parts = append(parts, lane.Part{Fence: store.Fence{Shard: m.Shard, Epoch: own.lease.Epoch, From: own.lease.Checkpoint}})
		}
		parts[i].Messages = append(parts[i].Messages, m.Message)
		parts[i].Fence.To = m.Pos
	}
	return parts
}

func (r *runner) process() {
	n := min(len(r.messages), batchMax)
	parts := r.parts(r.messages[:n])
	r.messages = r.messages[n:]
	if len(parts) == 0 {
		return
	}
	held, err := lane.Process(context.Background(), r.handler, parts)
	if err != nil && r.p.w.options.Bug == blindRetry {
		held, err = lane.Process(context.Background(), r.handler, parts)
	}
	if err != nil {
		r.inDoubt(parts)
		return
	}
	r.backoff = 0
	for _, part := range parts {
		if !slices.Contains(held, part.Fence.Shard) {
			r.drop(part.Fence.Shard)
			continue
		}
		r.owned[part.Fence.Shard].lease.Checkpoint = part.Fence.To
	}
	if r.onBatch != nil {
		r.onBatch()
	}
}

func (r *runner) inDoubt(parts []lane.Part) {
	r.p.w.counts["batch in doubt"]++
	if r.p.w.options.Bug == errorSkipped {
		return
	}
	for _, part := range parts {
		r.drop(part.Fence.Shard)
	}
	r.later()
}

func (r *runner) drop(shard int) {
	own := r.owned[shard]
	if own == nil {
		return
	}
	r.p.w.endTask(own.reader)
	delete(r.owned, shard)
	r.handler.Drop(shard)
}

func (r *runner) release(shard int, epoch int64) {
	r.drop(shard)
	_ = client{p: r.p}.Release(context.Background(), r.service, shard, epoch)
}

func (r *runner) leave() {
	for _, shard := range slices.Sorted(maps.Keys(r.owned)) {
		r.release(shard, r.owned[shard].lease.Epoch)
	}
	_ = client{p: r.p}.Leave(context.Background(), r.service, r.owner)
}

// readStream reads a shard of a stream from the checkpoint on. Now and then it
// begins earlier: a consumer that was made anew delivers again.
func readStream(s *stream) func(*runner, *ownership) {
	return func(r *runner, own *ownership) {
		w := s.w
		s.subscribe(own.lease.Shard)
		pos := own.lease.Checkpoint
		if pos > 0 && w.fault("redelivered", w.options.Rates.Redelivered) {
			pos = w.rng.Uint64N(pos)
		}
		for {
			m, ok := s.next(own.lease.Shard, pos)
			if !ok {
				w.wait(2 * time.Second)
				continue
			}
			w.sleep(w.between(0, 2*time.Millisecond))
			pos = m.Pos
			r.deliver(own, m)
		}
	}
}

// follower reads a shard's events, by the rules of lane.EventSource: the
// database first, and again whenever the topic leaves a gap or is silent.
type follower struct {
	r    *runner
	own  *ownership
	task *task
	pos  uint64
	tail [][]*parleyv1.Event
}

func followEvents(r *runner, own *ownership) {
	w := r.p.w
	f := &follower{r: r, own: own, task: w.current, pos: own.lease.Checkpoint}
	shard := own.lease.Shard
	w.relayed.readers[shard] = append(w.relayed.readers[shard], f)
	if err := f.catchUp(); err != nil {
		r.fail(own)
		return
	}
	for {
		idle := w.now.Add(eventsIdle)
		for len(f.tail) == 0 && w.now.Before(idle) {
			w.wait(idle.Sub(w.now))
		}
		if err := f.follow(); err != nil {
			r.fail(own)
			return
		}
	}
}

func (f *follower) follow() error {
	if len(f.tail) == 0 {
		return f.catchUp()
	}
	batch := f.tail[0]
	f.tail = f.tail[1:]
	for _, e := range batch {
		if e.Offset > f.pos+1 && f.r.p.w.options.Bug != relayOnly {
			f.r.p.w.counts["relay gap"]++
			return f.catchUp()
		}
		f.next(e)
	}
	return nil
}

func (f *follower) catchUp() error {
	if f.r.p.w.options.Bug == relayOnly {
		return nil
	}
	events, err := client{p: f.r.p}.ReadEvents(context.Background(), f.own.lease.Shard, f.pos, 1000)
	for _, e := range events {
		f.next(e)
	}
	return err
}

func (f *follower) next(e *parleyv1.Event) {
	if e.Offset > f.pos {
		f.pos = e.Offset
		f.r.deliver(f.own, lane.Message{Shard: int(e.Shard), Pos: e.Offset, Event: e, At: time.UnixMilli(e.AtMs)})
	}
}
