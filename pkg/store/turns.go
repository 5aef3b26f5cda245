package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/proto"

	"github.com/parleyhq/parley/pkg/flow"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// ServiceSession is the name of the session service's leases; they also hold
// the event head of every shard.
const ServiceSession = "session"

// SessionKey names a session: one per contact and channel.
type SessionKey struct {
	Channel string
	Contact uuid.UUID
}

// Contact is who a person is to one business.
type Contact struct {
	ID        uuid.UUID
	Portfolio string
	LaneKey   string
	Shard     int
	Identity  *parleyv1.Identity
	// Language is what the person chose, in any session; empty if never.
	Language string
	// OptedOut says that the person wants to hear nothing more.
	OptedOut bool
	// NoMarketing says that the person wants nothing that the business begins.
	NoMarketing bool
	// Blocked says that the business wants to hear nothing of the person.
	Blocked   bool
	Parked    bool
	CreatedAt time.Time
	// MergedInto is the contact that this one turned out to be; zero if it is itself.
	MergedInto uuid.UUID
}

// Session is the row of one session: its key, its id and the fold of its events.
type Session struct {
	Key   SessionKey
	ID    uint64
	Shard int
	State flow.State
	// FromArchive says that the row was read from the archive.
	FromArchive bool
}

// Known is what the store knows about the contacts and message ids of a batch.
type Known struct {
	Contacts map[uuid.UUID]Contact
	Sessions map[SessionKey]Session
	Applied  map[uuid.UUID]bool
	// Parked holds, in order, the updates that wait for a contact's redrive.
	Parked map[uuid.UUID][]DeadLetter
	// Arrived are contacts that turned out to be another one, which has not taken over
	// yet what they had, by that other one.
	Arrived map[uuid.UUID][]uuid.UUID
}

// DeadLetter is something that could not be done, kept whole.
type DeadLetter struct {
	// ID is set for one that was read from the store.
	ID       int64
	Kind     string
	Shard    int
	Position uint64
	Channel  string
	Contact  uuid.NullUUID
	Data     []byte
	Reason   string
}

// Kinds of dead letters.
const (
	// DeadParked waits, in order, for a redrive of its contact.
	DeadParked = "parked"
	// DeadUnreadable is authentic but could not be decoded.
	DeadUnreadable = "unreadable"
	// DeadUnhandled is kept, but nothing reacts to it.
	DeadUnhandled = "unhandled"
)

// TurnPart is the effect of one shard's part of a batch. Events are numbered
// Head+1, Head+2, ... in the order given.
type TurnPart struct {
	Fence       Fence
	Head        uint64
	Events      []*parleyv1.Event
	Contacts    []Contact
	Sessions    []Session
	Inbox       []uuid.UUID
	DeadLetters []DeadLetter
	// Redriven are the ids of parked letters whose updates took effect here.
	Redriven []int64
	// Replaced are sessions that ended before another one of their contact began, which
	// is in Sessions: they go to the archive.
	Replaced []Session
	// Adopted are sessions of other contacts that go on as sessions of this part: their
	// rows and their timers go.
	Adopted []Session
	// Timers are armed, or moved; TimersOff are taken away, and need not be there.
	// A session is in one of them, and once: a turn that leaves a session's timer as
	// it was names it in neither, and costs nothing. Their shard is the part's.
	Timers    []Timer
	TimersOff []SessionKey
}

// LoadKnown reads, in one round trip, what a batch of turns needs to decide.
func (s *Store) LoadKnown(ctx context.Context, contacts []uuid.UUID, inbox []uuid.UUID) (Known, error) {
	known := Known{
		Contacts: map[uuid.UUID]Contact{},
		Sessions: map[SessionKey]Session{},
		Applied:  map[uuid.UUID]bool{},
		Parked:   map[uuid.UUID][]DeadLetter{},
		Arrived:  map[uuid.UUID][]uuid.UUID{},
	}
	batch := &pgx.Batch{}
	batch.Queue(`SELECT id, portfolio, lane_key, shard, phone, bsuid, parent_bsuid, username, name,
		language, opted_out_at IS NOT NULL, marketing_stopped_at IS NOT NULL, blocked_at IS NOT NULL, parked_at IS NOT NULL, created_at, merged_into
		FROM contacts WHERE id = ANY($1)`, contacts).Query(known.scanContacts)
	batch.Queue(`SELECT channel, contact_id, session_id, shard, flow, flow_version, status, current_state, flow_data,
		language, failure_count, version, started_at, last_interaction, progress
		FROM sessions WHERE contact_id = ANY($1)`, contacts).Query(known.scanSessions(false))
	// Those in the archive come first to last, and only where none is among those that run.
	batch.Queue(`SELECT channel, contact_id, session_id, shard, flow, flow_version, status, current_state, flow_data,
		language, failure_count, version, started_at, last_interaction, progress
		FROM session_archive a WHERE contact_id = ANY($1)
		 AND NOT EXISTS (SELECT FROM sessions s WHERE s.contact_id = a.contact_id AND s.channel = a.channel)
		ORDER BY archived_at, session_id`, contacts).Query(known.scanSessions(true))
	batch.Queue(`SELECT merged_into, id FROM contacts WHERE merged_into = ANY($1) AND taken_over_at IS NULL ORDER BY merged_into, id`, contacts).
		Query(known.scanArrived)
	batch.Queue(`SELECT id FROM inbox WHERE id = ANY($1)`, inbox).Query(known.scanApplied)
	// service || '' hides the service from the other index, in which all letters of
	// a service stand together.
	batch.Queue(`SELECT id, kind, shard, position, channel, contact_id, data, reason FROM dead_letters
		WHERE contact_id = ANY($1) AND kind = 'parked' AND redriven_at IS NULL AND service || '' = $2 ORDER BY shard, position`,
		contacts, ServiceSession).Query(known.scanParked)
	if err := s.pool.SendBatch(ctx, batch).Close(); err != nil {
		return Known{}, fmt.Errorf("load sessions: %w", err)
	}
	return known, nil
}

func (k Known) scanContacts(rows pgx.Rows) error {
	for rows.Next() {
		c := Contact{Identity: &parleyv1.Identity{}}
		id := c.Identity
		var into uuid.NullUUID
		if err := rows.Scan(&c.ID, &c.Portfolio, &c.LaneKey, &c.Shard, &id.Phone, &id.Bsuid, &id.ParentBsuid,
			&id.Username, &id.Name, &c.Language, &c.OptedOut, &c.NoMarketing, &c.Blocked, &c.Parked, &c.CreatedAt, &into); err != nil {
			return err
		}
		c.MergedInto = into.UUID
		k.Contacts[c.ID] = c
	}
	return rows.Err()
}

func (k Known) scanSessions(fromArchive bool) func(pgx.Rows) error {
	return func(rows pgx.Rows) error {
		for rows.Next() {
			session, err := scanSession(rows)
			if err != nil {
				return err
			}
			session.FromArchive = fromArchive
			k.Sessions[session.Key] = session
		}
		return rows.Err()
	}
}

func (k Known) scanArrived(rows pgx.Rows) error {
	for rows.Next() {
		var into, id uuid.UUID
		if err := rows.Scan(&into, &id); err != nil {
			return err
		}
		k.Arrived[into] = append(k.Arrived[into], id)
	}
	return rows.Err()
}

func (k Known) scanApplied(rows pgx.Rows) error {
	for rows.Next() {
		var id uuid.UUID
		if err := rows.Scan(&id); err != nil {
			return err
		}
		k.Applied[id] = true
	}
	return rows.Err()
}

func (k Known) scanParked(rows pgx.Rows) error {
	for rows.Next() {
		var d DeadLetter
		var position int64
		if err := rows.Scan(&d.ID, &d.Kind, &d.Shard, &position, &d.Channel, &d.Contact, &d.Data, &d.Reason); err != nil {
			return err
		}
		d.Position = uint64(position)
		k.Parked[d.Contact.UUID] = append(k.Parked[d.Contact.UUID], d)
	}
	return rows.Err()
}

// scanSession reads a session; more are the columns behind its own.
func scanSession(row pgx.CollectableRow, more ...any) (Session, error) {
	var s Session
	var id int64
	var status, current string
	var answers, progress []byte
	var started, last time.Time
	err := row.Scan(append([]any{
		&s.Key.Channel, &s.Key.Contact, &id, &s.Shard, &s.State.Flow, &s.State.FlowVersion, &status, &current, &answers,
		&s.State.Language, &s.State.Failures, &s.State.Version, &started, &last, &progress,
	}, more...)...)
	if err != nil {
		return s, err
	}
	s.ID = uint64(id)
	s.State.StartedAtMs, s.State.LastInteractionMs = started.UnixMilli(), last.UnixMilli()
	if s.State.Status, err = flow.ParseStatus(status); err != nil {
		return s, fmt.Errorf("session %d: %w", id, err)
	}
	if s.State.Status == flow.Active || s.State.Status == flow.Human || s.State.Status == flow.Expired {
		s.State.Step = current
	}
	if err := json.Unmarshal(answers, &s.State.Answers); err != nil {
		return s, fmt.Errorf("flow data of session %d: %w", id, err)
	}
	if err := json.Unmarshal(progress, &s.State.Progress); err != nil {
		return s, fmt.Errorf("progress of session %d: %w", id, err)
	}
	return s, nil
}

// appendTurnsSQL is the whole effect of a batch in one statement: fence,
// checkpoint and event head, contacts, inbox keys, events, sessions, dead letters,
// timers and the archive. A repeated inbox key fails the statement on purpose: it would mean
// that a message is about to take effect twice.
const appendTurnsSQL = `
WITH cp AS (
	UPDATE leases l SET checkpoint = f.upto, checkpoint_at = CASE WHEN f.upto > f.start THEN f.at ELSE l.checkpoint_at END, head = f.head + f.events
	  FROM unnest($2::int[], $3::bigint[], $4::bigint[], $5::bigint[], $6::timestamptz[], $7::bigint[], $8::bigint[])
	       f(shard, epoch, start, upto, at, head, events)
	 WHERE l.service = $1 AND l.shard = f.shard AND l.epoch = f.epoch AND l.checkpoint = f.start AND l.head = f.head
	RETURNING l.shard),
ct AS (
	INSERT INTO contacts AS c (id, portfolio, lane_key, shard, phone, bsuid, parent_bsuid, username, name, language,
	       opted_out_at, parked_at, created_at, marketing_stopped_at, blocked_at)
	SELECT u.id, u.portfolio, u.lane_key, u.shard, u.phone, u.bsuid, u.parent_bsuid, u.username, u.name, u.language,
	       CASE WHEN u.opted_out THEN now() END, CASE WHEN u.parked THEN now() END, u.created_at,
	       CASE WHEN u.no_marketing THEN now() END, CASE WHEN u.blocked THEN now() END
	  FROM cp JOIN unnest($9::uuid[], $10::text[], $11::text[], $12::int[], $13::text[], $14::text[], $15::text[], $16::text[], $17::text[],
	       $18::text[], $19::bool[], $20::bool[], $21::timestamptz[], $83::bool[], $84::bool[])
	       u(id, portfolio, lane_key, shard, phone, bsuid, parent_bsuid, username, name, language, opted_out, parked, created_at, no_marketing, blocked)
	       USING (shard)
	ON CONFLICT (id) DO UPDATE SET phone = excluded.phone, bsuid = excluded.bsuid, parent_bsuid = excluded.parent_bsuid,
	       username = excluded.username, name = excluded.name, language = excluded.language,
	       opted_out_at = CASE WHEN excluded.opted_out_at IS NOT NULL THEN COALESCE(c.opted_out_at, excluded.opted_out_at) END,
	       parked_at = CASE WHEN excluded.parked_at IS NOT NULL THEN COALESCE(c.parked_at, excluded.parked_at) END,
	       marketing_stopped_at = CASE WHEN excluded.marketing_stopped_at IS NOT NULL
	                              THEN COALESCE(c.marketing_stopped_at, excluded.marketing_stopped_at) END,
	       blocked_at = CASE WHEN excluded.blocked_at IS NOT NULL THEN COALESCE(c.blocked_at, excluded.blocked_at) END),
ib AS (
	INSERT INTO inbox (id, at)
	SELECT u.id, now() FROM cp JOIN unnest($22::int[], $23::uuid[]) u(shard, id) USING (shard)),
ev AS (
	INSERT INTO events (shard, "offset", session_id, version, type, at, data)
	SELECT u.* FROM cp JOIN unnest($24::int[], $25::bigint[], $26::bigint[], $27::int[], $28::text[], $29::timestamptz[], $30::bytea[])
	       u(shard, "offset", session_id, version, type, at, data) USING (shard)),
se AS (
	INSERT INTO sessions AS s (shard, channel, contact_id, session_id, flow, flow_version, status, current_state, flow_data,
	       language, failure_count, version, started_at, last_interaction, progress)
	SELECT u.shard, u.channel, u.contact_id, u.session_id, u.flow, u.flow_version, u.status, u.current_state, u.flow_data::jsonb,
	       u.language, u.failure_count, u.version, u.started_at, u.last_interaction, u.progress::jsonb
	  FROM cp JOIN unnest($31::int[], $32::text[], $33::uuid[], $34::bigint[], $35::text[], $36::int[], $37::text[], $38::text[], $39::text[],
	       $40::text[], $41::int[], $42::int[], $43::timestamptz[], $44::timestamptz[], $45::text[])
	       u(shard, channel, contact_id, session_id, flow, flow_version, status, current_state, flow_data,
	         language, failure_count, version, started_at, last_interaction, progress) USING (shard)
	ON CONFLICT (contact_id, channel) DO UPDATE SET session_id = excluded.session_id, flow = excluded.flow,
	       flow_version = excluded.flow_version, status = excluded.status, current_state = excluded.current_state,
	       flow_data = excluded.flow_data, language = excluded.language, failure_count = excluded.failure_count,
	       version = excluded.version, started_at = excluded.started_at, last_interaction = excluded.last_interaction,
	       progress = excluded.progress),
dl AS (
	INSERT INTO dead_letters (kind, service, shard, position, channel, contact_id, data, reason)
	SELECT u.kind, $1, u.shard, u.position, u.channel, u.contact_id, u.data, u.reason
	  FROM cp JOIN unnest($46::int[], $47::text[], $48::bigint[], $49::text[], $50::uuid[], $51::bytea[], $52::text[])
	       u(shard, kind, position, channel, contact_id, data, reason) USING (shard)
	ON CONFLICT (service, shard, position, kind, sha256(data)) DO NOTHING),
rd AS (
	UPDATE dead_letters d SET redriven_at = now()
	  FROM cp JOIN unnest($53::int[], $54::bigint[]) u(shard, id) USING (shard) WHERE d.id = u.id),
tm AS (
	INSERT INTO timers (shard, channel, contact_id, session_ref, wake_at)
	SELECT u.* FROM cp JOIN unnest($55::int[], $56::text[], $57::uuid[], $58::text[], $59::timestamptz[])
	       u(shard, channel, contact_id, session_ref, wake_at) USING (shard)
	ON CONFLICT (contact_id, channel) DO UPDATE SET shard = excluded.shard, session_ref = excluded.session_ref, wake_at = excluded.wake_at),
tf AS (
	DELETE FROM timers t USING cp JOIN unnest($60::int[], $61::text[], $62::uuid[]) u(shard, channel, contact_id) USING (shard)
	 WHERE t.channel = u.channel AND t.contact_id = u.contact_id),
ar AS (
	INSERT INTO session_archive AS a (shard, channel, contact_id, session_id, flow, flow_version, status, current_state, flow_data,
	       language, failure_count, version, started_at, last_interaction, progress, archived_at)
	SELECT u.shard, u.channel, u.contact_id, u.session_id, u.flow, u.flow_version, u.status, u.current_state, u.flow_data::jsonb,
	       u.language, u.failure_count, u.version, u.started_at, u.last_interaction, u.progress::jsonb, clock_timestamp()
	  FROM cp JOIN unnest($63::int[], $64::text[], $65::uuid[], $66::bigint[], $67::text[], $68::int[], $69::text[], $70::text[], $71::text[],
	       $72::text[], $73::int[], $74::int[], $75::timestamptz[], $76::timestamptz[], $77::text[])
	       u(shard, channel, contact_id, session_id, flow, flow_version, status, current_state, flow_data,
	         language, failure_count, version, started_at, last_interaction, progress) USING (shard)
	ON CONFLICT (session_id) DO UPDATE SET flow = excluded.flow, status = excluded.status, current_state = excluded.current_state,
	       started_at = excluded.started_at, flow_version = excluded.flow_version, flow_data = excluded.flow_data, language = excluded.language,
	       failure_count = excluded.failure_count, version = excluded.version, last_interaction = excluded.last_interaction,
	       progress = excluded.progress, archived_at = excluded.archived_at),
so AS (
	DELETE FROM sessions s USING cp JOIN unnest($78::int[], $79::text[], $80::uuid[]) u(shard, channel, contact_id) USING (shard)
	 WHERE s.contact_id = u.contact_id AND s.channel = u.channel),
ao AS (
	DELETE FROM session_archive a USING cp JOIN unnest($81::int[], $82::bigint[]) u(shard, session_id) USING (shard)
	 WHERE a.session_id = u.session_id)
SELECT shard FROM cp`

// AppendTurns commits the parts, each under its own fence, and returns the
// shards whose part was written. The others are fenced: of them nothing was.
func (s *Store) AppendTurns(ctx context.Context, parts []TurnPart) (held []int, err error) {
	args, err := turnArgs(parts)
	if err != nil {
		return nil, err
	}
	held, err = s.heldShards(ctx, appendTurnsSQL, args)
	if err != nil {
		return nil, fmt.Errorf("append turns: %w", err)
	}
	return held, nil
}

func turnArgs(parts []TurnPart) ([]any, error) {
	var columns turnColumns
	for _, part := range parts {
		if err := columns.add(part); err != nil {
			return nil, err
		}
	}
	return columns.args(), nil
}

// encodeEvent leaves out what the table's own columns hold.
func encodeEvent(e *parleyv1.Event) ([]byte, error) {
	shard, offset, session, version, at := e.Shard, e.Offset, e.SessionId, e.Version, e.AtMs
	e.Shard, e.Offset, e.SessionId, e.Version, e.AtMs = 0, 0, 0, 0, 0
	data, err := proto.Marshal(e)
	e.Shard, e.Offset, e.SessionId, e.Version, e.AtMs = shard, offset, session, version, at
	if err != nil {
		return nil, fmt.Errorf("encode event: %w", err)
	}
	return data, nil
}
