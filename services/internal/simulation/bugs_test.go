package simulation

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"github.com/parleyhq/parley/pkg/bus"
	"github.com/parleyhq/parley/pkg/lane"
	"github.com/parleyhq/parley/pkg/store"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// bug is a mistake that is planted to see whether the simulation finds it.
type bug string

// The planted bugs. Those that are not in this file are in the fakes.
const (
	none             bug = ""
	ackBeforePublish bug = "200 before the update is stored"
	partlyIsEnough   bug = "200 for a webhook stored in part"
	noInbox          bug = "inbox ignored"
	seenBeforeCommit bug = "message marked seen before its effect commits"
	noEpoch          bug = "no epoch in the fence"
	blindRetry       bug = "unknown commit repeated, checkpoint not compared"
	errorSkipped     bug = "unknown commit taken for failed, reading goes on"
	relayOnly        bug = "events followed by the relay alone"
	noGrace          bug = "ambiguous send repeated at once"
	claimAssumed     bug = "unknown claim taken for granted"
	linesIgnored     bug = "next message not held back for the one before"
	staleResults     bug = "result of an old attempt overrules the new one"
	rankLowered      bug = "late receipt lowers the rank"
	orphansDropped   bug = "receipt of an unknown message dropped"
	memoryKept       bug = "memory of a shard kept after a take-over"
	countsUnfenced   bug = "counts added without the checkpoint"
	timersApart      bug = "timer not committed with its turn"
	timersTaken      bug = "timer taken away when it is read"
	timersEarly      bug = "timer fires before its time"
	timersAlike      bug = "two timers of a session have the same id"
	leftBehind       bug = "conversation of a merged contact not taken over"
	mergedUnseen     bug = "identities moved, and the contact not marked as merged"
	formersIgnored   bug = "messages of a merged contact not waited for"
)

var bugs = []bug{
	ackBeforePublish, partlyIsEnough, noInbox, seenBeforeCommit, noEpoch, blindRetry, errorSkipped, relayOnly, noGrace,
	claimAssumed, linesIgnored, staleResults, rankLowered, orphansDropped, memoryKept, countsUnfenced,
	timersApart, timersTaken, timersEarly, timersAlike, leftBehind, mergedUnseen, formersIgnored,
}

// stubborn takes each shard once, and never drops it.
type stubborn struct {
	lane.Handler
	taken map[int]bool
}

func keepMemory(p *process, h lane.Handler) lane.Handler {
	if p.w.options.Bug != memoryKept {
		return h
	}
	return &stubborn{h, map[int]bool{}}
}

func (s *stubborn) Take(ctx context.Context, l store.Lease) error {
	if s.taken[l.Shard] {
		return nil
	}
	s.taken[l.Shard] = true
	return s.Handler.Take(ctx, l)
}

func (s *stubborn) Drop(int) {}

// strangers makes every message one to somebody else, so that none waits.
type strangers struct{ lane.Handler }

func apart(p *process, h lane.Handler) lane.Handler {
	if p.w.options.Bug != linesIgnored {
		return h
	}
	return strangers{h}
}

func (s strangers) Apply(ctx context.Context, parts []lane.Part) ([]int, error) {
	parts = slices.Clone(parts)
	for i := range parts {
		parts[i].Messages = slices.Clone(parts[i].Messages)
		for j, m := range parts[i].Messages {
			m.Event = proto.CloneOf(m.Event)
			m.Event.ContactId = strangerOf(m.Event)
			parts[i].Messages[j] = m
		}
	}
	return s.Handler.Apply(ctx, parts)
}

func strangerOf(e *parleyv1.Event) []byte {
	id := uuid.NewSHA1(uuid.Nil, fmt.Appendf(nil, "%d/%d", e.Shard, e.Offset))
	return id[:]
}

// alike gives the timers of a session one id, whatever their time.
func alike(messages []bus.Message) []bus.Message {
	messages = slices.Clone(messages)
	for i, m := range messages {
		e := envelopeOf(m.Data)
		e.Id = e.Id[:strings.LastIndex(e.Id, "/")]
		data, err := proto.Marshal(e)
		if err != nil {
			panic(err)
		}
		messages[i].Data = data
	}
	return messages
}
