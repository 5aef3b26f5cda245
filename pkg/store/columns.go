package store

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// The hot statements take their rows as one array per column: one SQL text for
// every batch size, no limit on the number of parameters. The order of args
// follows the order of the statement's parameters.

// turnColumns are the columns of all that a batch of turns writes.
type turnColumns struct {
	fences        []Fence
	heads, counts []int64
	contacts      contactColumns
	inbox         inboxColumns
	events        eventColumns
	sessions      sessionColumns
	dead          deadLetterColumns
	redriven      idColumns
	timers        timerColumns
	timersOff     keyColumns
	archive       sessionColumns
	away          keyColumns // sessions that leave those that run for the archive
	back          idColumns  // sessions that leave the archive
}

func (c *turnColumns) add(part TurnPart) error {
	shard := part.Fence.Shard
	c.fences = append(c.fences, part.Fence)
	c.heads = append(c.heads, int64(part.Head))
	c.counts = append(c.counts, int64(len(part.Events)))
	for _, contact := range part.Contacts {
		c.contacts.add(contact)
	}
	for _, id := range part.Inbox {
		c.inbox.add(shard, id)
	}
	for i, e := range part.Events {
		if err := c.events.add(shard, part.Head+uint64(i)+1, e); err != nil {
			return err
		}
	}
	for _, session := range part.Sessions {
		if err := c.addSession(shard, session); err != nil {
			return err
		}
	}
	for _, session := range part.Replaced {
		if err := c.archive.add(session); err != nil {
			return err
		}
	}
	for _, session := range part.Adopted {
		if session.FromArchive {
			c.back.add(shard, int64(session.ID))
		} else {
			c.away.add(shard, session.Key)
		}
		c.timersOff.add(shard, session.Key)
	}
	for _, d := range part.DeadLetters {
		c.dead.add(d)
	}
	for _, id := range part.Redriven {
		c.redriven.add(shard, id)
	}
	for _, timer := range part.Timers {
		c.timers.add(shard, timer)
	}
	for _, key := range part.TimersOff {
		c.timersOff.add(shard, key)
	}
	return nil
}

// addSession writes a session where it belongs, and takes it away from where it was.
func (c *turnColumns) addSession(shard int, s Session) error {
	if s.State.Archived() {
		c.away.add(shard, s.Key)
		return c.archive.add(s)
	}
	if s.FromArchive {
		c.back.add(shard, int64(s.ID))
	}
	return c.sessions.add(s)
}

func (c *turnColumns) args() []any {
	return slices.Concat(fenceArgs(ServiceSession, c.fences), []any{c.heads, c.counts}, c.contacts.args(), c.inbox.args(), c.events.args(),
		c.sessions.args(), c.dead.args(), c.redriven.args(), c.timers.args(), c.timersOff.args(),
		c.archive.args(), c.away.args(), c.back.args(), []any{nonNil(c.contacts.noMarketing), nonNil(c.contacts.blocked)})
}

type contactColumns struct {
	id                                                uuid.UUIDs
	portfolio, laneKey                                []string
	shard                                             []int
	phone, bsuid, parentBSUID, username, personalName []string
	language                                          []string
	optedOut, parked, noMarketing, blocked            []bool
	createdAt                                         []time.Time
}

func (c *contactColumns) add(contact Contact) {
	c.id = append(c.id, contact.ID)
	c.portfolio = append(c.portfolio, contact.Portfolio)
	c.laneKey = append(c.laneKey, contact.LaneKey)
	c.shard = append(c.shard, contact.Shard)
	c.phone = append(c.phone, contact.Identity.GetPhone())
	c.bsuid = append(c.bsuid, contact.Identity.GetBsuid())
	c.parentBSUID = append(c.parentBSUID, contact.Identity.GetParentBsuid())
	c.username = append(c.username, contact.Identity.GetUsername())
	c.personalName = append(c.personalName, contact.Identity.GetName())
	c.language = append(c.language, contact.Language)
	c.optedOut = append(c.optedOut, contact.OptedOut)
	c.parked = append(c.parked, contact.Parked)
	c.noMarketing = append(c.noMarketing, contact.NoMarketing)
	c.blocked = append(c.blocked, contact.Blocked)
	c.createdAt = append(c.createdAt, contact.CreatedAt)
}

func (c *contactColumns) args() []any {
	return []any{
		nonNil([]uuid.UUID(c.id)), nonNil(c.portfolio), nonNil(c.laneKey), nonNil(c.shard), nonNil(c.phone), nonNil(c.bsuid),
		nonNil(c.parentBSUID), nonNil(c.username), nonNil(c.personalName), nonNil(c.language),
		nonNil(c.optedOut), nonNil(c.parked), nonNil(c.createdAt),
	}
}

type inboxColumns struct {
	shard []int
	id    []uuid.UUID
}

func (c *inboxColumns) add(shard int, id uuid.UUID) {
	c.shard = append(c.shard, shard)
	c.id = append(c.id, id)
}

func (c *inboxColumns) args() []any { return []any{nonNil(c.shard), nonNil(c.id)} }

type eventColumns struct {
	shard           []int
	offset, session []int64
	version         []int32
	kind            []string
	at              []time.Time
	data            [][]byte
}

func (c *eventColumns) add(shard int, offset uint64, e *parleyv1.Event) error {
	data, err := encodeEvent(e)
	if err != nil {
		return err
	}
	c.shard = append(c.shard, shard)
	c.offset = append(c.offset, int64(offset))
	c.session = append(c.session, int64(e.SessionId))
	c.version = append(c.version, int32(e.Version))
	c.kind = append(c.kind, EventType(e))
	c.at = append(c.at, time.UnixMilli(e.AtMs))
	c.data = append(c.data, data)
	return nil
}

func (c *eventColumns) args() []any {
	return []any{nonNil(c.shard), nonNil(c.offset), nonNil(c.session), nonNil(c.version), nonNil(c.kind), nonNil(c.at), nonNil(c.data)}
}

type sessionColumns struct {
	shard                       []int
	channel                     []string
	contact                     []uuid.UUID
	id                          []int64
	flow                        []string
	flowVersion                 []int32
	status, current, data, lang []string
	failures, version           []int32
	startedAt, lastInteraction  []time.Time
	progress                    []string
}

func (c *sessionColumns) add(s Session) error {
	answers := s.State.Answers
	if answers == nil {
		answers = map[string]any{}
	}
	data, err := json.Marshal(answers)
	if err != nil {
		return fmt.Errorf("flow data of session %d: %w: %w", s.ID, errNotJSON, err)
	}
	progress, err := json.Marshal(s.State.Progress)
	if err != nil {
		return fmt.Errorf("progress of session %d: %w: %w", s.ID, errNotJSON, err)
	}
	c.shard = append(c.shard, s.Shard)
	c.channel = append(c.channel, s.Key.Channel)
	c.contact = append(c.contact, s.Key.Contact)
	c.id = append(c.id, int64(s.ID))
	c.flow = append(c.flow, s.State.Flow)
	c.flowVersion = append(c.flowVersion, int32(s.State.FlowVersion))
	c.status = append(c.status, s.State.Status.String())
	c.current = append(c.current, s.State.CurrentState())
	c.data = append(c.data, string(data))
	c.lang = append(c.lang, s.State.Language)
	c.failures = append(c.failures, int32(s.State.Failures))
	c.version = append(c.version, int32(s.State.Version))
	c.startedAt = append(c.startedAt, time.UnixMilli(s.State.StartedAtMs))
	c.lastInteraction = append(c.lastInteraction, time.UnixMilli(s.State.LastInteractionMs))
	c.progress = append(c.progress, string(progress))
	return nil
}

func (c *sessionColumns) args() []any {
	return []any{
		nonNil(c.shard), nonNil(c.channel), nonNil(c.contact), nonNil(c.id), nonNil(c.flow), nonNil(c.flowVersion), nonNil(c.status),
		nonNil(c.current), nonNil(c.data), nonNil(c.lang), nonNil(c.failures), nonNil(c.version), nonNil(c.startedAt), nonNil(c.lastInteraction),
		nonNil(c.progress),
	}
}

type deadLetterColumns struct {
	shard    []int
	kind     []string
	position []int64
	channel  []string
	contact  []uuid.NullUUID
	data     [][]byte
	reason   []string
}

func (c *deadLetterColumns) add(d DeadLetter) {
	c.shard = append(c.shard, d.Shard)
	c.kind = append(c.kind, d.Kind)
	c.position = append(c.position, int64(d.Position))
	c.channel = append(c.channel, d.Channel)
	c.contact = append(c.contact, d.Contact)
	c.data = append(c.data, d.Data)
	c.reason = append(c.reason, d.Reason)
}

func (c *deadLetterColumns) args() []any {
	return []any{nonNil(c.shard), nonNil(c.kind), nonNil(c.position), nonNil(c.channel), nonNil(c.contact), nonNil(c.data), nonNil(c.reason)}
}

type idColumns struct {
	shard []int
	id    []int64
}

func (c *idColumns) add(shard int, id int64) {
	c.shard = append(c.shard, shard)
	c.id = append(c.id, id)
}

func (c *idColumns) args() []any { return []any{nonNil(c.shard), nonNil(c.id)} }

type keyColumns struct {
	shard   []int
	channel []string
	contact []uuid.UUID
}

func (c *keyColumns) add(shard int, k SessionKey) {
	c.shard = append(c.shard, shard)
	c.channel = append(c.channel, k.Channel)
	c.contact = append(c.contact, k.Contact)
}

func (c *keyColumns) args() []any {
	return []any{nonNil(c.shard), nonNil(c.channel), nonNil(c.contact)}
}

type timerColumns struct {
	keyColumns
	ref    []string
	wakeAt []time.Time
}

func (c *timerColumns) add(shard int, t Timer) {
	c.keyColumns.add(shard, t.Key)
	c.ref = append(c.ref, t.Ref)
	c.wakeAt = append(c.wakeAt, t.WakeAt)
}

func (c *timerColumns) args() []any {
	return append(c.keyColumns.args(), nonNil(c.ref), nonNil(c.wakeAt))
}
