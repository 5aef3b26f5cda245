package simulation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/parleyhq/parley/pkg/bus"
	"github.com/parleyhq/parley/pkg/lane"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// stream is WA_IN or WA_STATUS: append-only, one sequence over all shards.
type stream struct {
	w      *world
	name   string
	last   uint64
	shards [][]lane.Message
	// readers are woken by what is appended to their shard.
	readers [][]*task
	downTil time.Time
}

func newStream(w *world, name string, shards int) *stream {
	return &stream{w: w, name: name, shards: make([][]lane.Message, shards), readers: make([][]*task, shards)}
}

func (s *stream) append(m bus.Message) {
	var shard int
	if _, err := fmt.Sscanf(strings.Split(m.Subject, ".")[2], "%d", &shard); err != nil {
		panic(err)
	}
	s.last++
	s.shards[shard] = append(s.shards[shard], lane.Message{Shard: shard, Pos: s.last, Data: m.Data, At: s.w.now})
	s.w.note("%s %d/%d stored", s.name, shard, s.last)
	for _, t := range s.readers[shard] {
		s.w.notify(t)
	}
}

// next is the first message of a shard behind a position.
func (s *stream) next(shard int, after uint64) (lane.Message, bool) {
	list := s.shards[shard]
	i, found := slices.BinarySearchFunc(list, after, func(m lane.Message, pos uint64) int {
		switch {
		case m.Pos < pos:
			return -1
		case m.Pos > pos:
			return 1
		}
		return 0
	})
	if found {
		i++
	}
	if i >= len(list) || s.down() {
		return lane.Message{}, false
	}
	return list[i], true
}

func (s *stream) end(shard int) uint64 {
	if n := len(s.shards[shard]); n > 0 {
		return s.shards[shard][n-1].Pos
	}
	return 0
}

func (s *stream) down() bool { return s.downTil.After(s.w.now) }

// subscribe makes the current task one that is woken by the shard's messages.
func (s *stream) subscribe(shard int) {
	s.readers[shard] = slices.DeleteFunc(s.readers[shard], func(t *task) bool { return t.ended })
	s.readers[shard] = append(s.readers[shard], s.w.current)
}

// publisher is one process's way to a stream.
type publisher struct {
	p      *process
	stream *stream
}

var errPublish = errors.New("publish: no acknowledgement in time")

// Publish stores messages in order. It can fail before, in the middle, and
// after: then everything is stored and nobody knows.
func (p publisher) Publish(_ context.Context, messages ...bus.Message) error {
	w, r := p.p.w, p.p.w.options.Rates
	w.sleep(w.between(time.Millisecond, 6*time.Millisecond))
	if w.options.Bug == ackBeforePublish {
		w.after(w.between(0, time.Second), func() { _ = p.store(messages) })
		return nil
	}
	if w.fault("publish slow", r.PublishSlow) {
		w.sleep(w.between(100*time.Millisecond, 3*time.Second))
	}
	err := p.store(messages)
	w.sleep(w.between(0, 2*time.Millisecond))
	return err
}

func (p publisher) store(messages []bus.Message) error {
	w, r := p.p.w, p.p.w.options.Rates
	switch {
	case p.stream.down():
		return bus.ErrOverloaded
	case w.fault("publish fails", r.PublishFails):
		return errPublish
	case len(messages) > 1 && w.fault("publish partly", r.PublishPartly):
		for _, m := range messages[:1+w.rng.IntN(len(messages)-1)] {
			p.stream.append(m)
		}
		if w.options.Bug == partlyIsEnough {
			return nil
		}
		return errPublish
	}
	for _, m := range messages {
		p.stream.append(m)
	}
	if w.fault("publish answer lost", r.PublishLost) {
		return errPublish
	}
	return nil
}

// topic is WA_EVENTS: it loses, doubles and reorders batches.
type topic struct {
	w       *world
	readers [][]*follower
}

func newTopic(w *world, shards int) *topic {
	return &topic{w: w, readers: make([][]*follower, shards)}
}

// relay is one session process's way to the topic.
type relay struct{ w *world }

func (relay) Take(int) {}
func (relay) Drop(int) {}

// Add relays committed events in one or two batches.
func (r relay) Add(events []*parleyv1.Event) {
	cut := r.w.rng.IntN(len(events) + 1)
	for _, batch := range [][]*parleyv1.Event{events[:cut], events[cut:]} {
		if len(batch) == 0 || r.w.fault("relay lost", r.w.options.Rates.RelayLost) {
			continue
		}
		data, err := proto.Marshal(&parleyv1.EventBatch{Events: batch})
		if err != nil {
			panic(err)
		}
		r.w.relayed.carry(int(batch[0].Shard), data)
		if r.w.fault("relay twice", r.w.options.Rates.RelayTwice) {
			r.w.relayed.carry(int(batch[0].Shard), data)
		}
	}
}

func (t *topic) carry(shard int, data []byte) {
	t.w.after(t.w.between(time.Millisecond, 20*time.Millisecond), func() {
		batch := &parleyv1.EventBatch{}
		if err := proto.Unmarshal(data, batch); err != nil {
			panic(err)
		}
		t.readers[shard] = slices.DeleteFunc(t.readers[shard], func(f *follower) bool { return f.task.ended })
		for _, f := range t.readers[shard] {
			f.tail = append(f.tail, batch.Events)
			t.w.notify(f.task)
		}
	})
}
