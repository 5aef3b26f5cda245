package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// ServiceMessages is the name of the leases of who writes the message log.
const ServiceMessages = "messages"

// Directions of a message.
const (
	DirectionIn  = "in"
	DirectionOut = "out"
)

// Message is one line of the message log: what was said.
type Message struct {
	Shard      int             `json:"shard"`
	Offset     uint64          `json:"offset"`
	At         time.Time       `json:"at"`
	Direction  string          `json:"direction"`
	Channel    string          `json:"channel"`
	Contact    uuid.UUID       `json:"contact_id"`
	SessionID  uint64          `json:"session_id"`
	Flow       string          `json:"flow"`
	Kind       string          `json:"kind"`
	Body       string          `json:"body"` // what there is to read
	ProviderID string          `json:"provider_id"`
	Content    json.RawMessage `json:"content"` // all of it, in protobuf's JSON
	// Raw is what the provider sent, byte for byte; on reading, only if the query asks.
	Raw json.RawMessage `json:"raw,omitempty"`
	// Phone and BSUID are the contact's, set on reading.
	Phone string `json:"phone"`
	BSUID string `json:"bsuid"`
	// Status is what became of an outgoing message: read, delivered, sent, failed, or
	// the state of its delivery while no receipt has come; of one of the past what the
	// provider said of it. It is set on reading.
	Status string `json:"status"`
}

const addMessagesSQL = fenceSQL + `, ms AS (
	INSERT INTO messages (shard, "offset", at, direction, channel, contact_id, session_id, flow, kind, body, provider_id, content, raw)
	SELECT u.shard, u.o, u.at, u.direction, u.channel, u.contact, u.session, u.flow, u.kind, u.body, u.provider, u.content, u.raw
	  FROM cp JOIN unnest($7::int[], $8::bigint[], $9::timestamptz[], $10::text[], $11::text[], $12::uuid[], $13::bigint[], $14::text[],
	       $15::text[], $16::text[], $17::text[], $18::jsonb[], $19::bytea[])
	       u(shard, o, at, direction, channel, contact, session, flow, kind, body, provider, content, raw) USING (shard))
	SELECT shard FROM cp`

// AddMessages writes each shard's messages under the fences of the message log.
func (s *Store) AddMessages(ctx context.Context, fences []Fence, messages []Message) (held []int, err error) {
	var c messageColumns
	for _, m := range messages {
		c.add(m)
	}
	held, err = s.heldShards(ctx, addMessagesSQL, append(fenceArgs(ServiceMessages, fences), c.args()...))
	if err != nil {
		return nil, fmt.Errorf("add messages: %w", err)
	}
	return held, nil
}

type messageColumns struct {
	shard                                                   []int
	offset, session                                         []int64
	at                                                      []time.Time
	direction, channel, flow, kind, body, provider, content []string
	contact                                                 []uuid.UUID
	raw                                                     [][]byte
}

func (c *messageColumns) add(m Message) {
	c.shard, c.offset, c.session = append(c.shard, m.Shard), append(c.offset, int64(m.Offset)), append(c.session, int64(m.SessionID))
	c.at, c.contact = append(c.at, m.At), append(c.contact, m.Contact)
	c.direction, c.channel, c.flow = append(c.direction, m.Direction), append(c.channel, m.Channel), append(c.flow, m.Flow)
	c.kind, c.body = append(c.kind, m.Kind), append(c.body, m.Body)
	c.provider, c.content = append(c.provider, m.ProviderID), append(c.content, string(m.Content))
	c.raw = append(c.raw, nonNil([]byte(m.Raw)))
}

func (c *messageColumns) args() []any {
	return []any{
		nonNil(c.shard), nonNil(c.offset), nonNil(c.at), nonNil(c.direction), nonNil(c.channel), nonNil(c.contact), nonNil(c.session),
		nonNil(c.flow), nonNil(c.kind), nonNil(c.body), nonNil(c.provider), nonNil(c.content), nonNil(c.raw),
	}
}

// MessageQuery says which messages are wanted.
type MessageQuery struct {
	// Contact is a phone number, a BSUID, a LID or a contact's id; empty for everybody.
	Contact string
	Channel string // empty for all
	// From and To bound the time, To excluded.
	From, To time.Time
	// Latest asks for the newest first.
	Latest bool
	// Raw asks for what the provider sent, too.
	Raw bool
	// After is the last message of the page before.
	After *Message
	Limit int
}

const contactsOfSQL = `SELECT DISTINCT contacts_of(f) FROM contacts_named($1, $2) f`

// Contacts and deliveries are looked up for the messages of a page only. All that
// somebody said is found by who it was and sorted then: by way of the time, the
// index that has the order already, it would be everybody's.
const (
	ofContact    = `WITH found AS MATERIALIZED (SELECT * FROM messages WHERE contact_id = ANY($9) AND at >= $1 AND at < $2)`
	messagesPage = `
SELECT m.shard, m."offset", m.at, m.direction, m.channel, m.contact_id, m.session_id, m.flow, m.kind, m.body,
       COALESCE(NULLIF(m.provider_id, ''), d.wamid, ''), m.content,
       COALESCE(NULLIF(d.receipt, ''), d.state, CASE WHEN m.direction = 'out' THEN m.content ->> 'status' END, ''),
       COALESCE(c.phone, ''), COALESCE(c.bsuid, ''), CASE WHEN $8 THEN m.raw ELSE '' END
  FROM (SELECT * FROM `
	messagesWhere = `
         WHERE at >= $1 AND at < $2 AND ($3 = '' OR channel = $3) AND (at, shard, "offset") > ($4, $5, $6)
         ORDER BY at, shard, "offset" LIMIT $7) m
` + messagesJoin + `
 ORDER BY m.at, m.shard, m."offset"`
	messagesBack = `
         WHERE at >= $1 AND at < $2 AND ($3 = '' OR channel = $3) AND (at, shard, "offset") < ($4, $5, $6)
         ORDER BY at DESC, shard DESC, "offset" DESC LIMIT $7) m
` + messagesJoin + `
 ORDER BY m.at DESC, m.shard DESC, m."offset" DESC`
	messagesJoin = `  LEFT JOIN contacts c ON c.id = m.contact_id
  LEFT JOIN deliveries d ON m.direction = 'out' AND d.shard = m.shard AND d."offset" = m."offset"`
	messagesOfAllSQL     = messagesPage + `messages` + messagesWhere
	messagesOfContactSQL = ofContact + messagesPage + `found` + messagesWhere
	latestOfAllSQL       = messagesPage + `messages` + messagesBack
	latestOfContactSQL   = ofContact + messagesPage + `found` + messagesBack
)

// Messages returns a page of the message log, the oldest first unless the query asks
// for the latest. It is not nil; it is
// empty if the contact is not known.
func (s *Store) Messages(ctx context.Context, q MessageQuery) ([]Message, error) {
	after := Message{At: time.Unix(0, 0)}
	if q.Latest {
		after.At = q.To
	}
	if q.After != nil {
		after = *q.After
	}
	args := []any{q.From, q.To, q.Channel, after.At, after.Shard, int64(after.Offset), q.Limit, q.Raw}
	rows, err := s.messageRows(ctx, q, args)
	if err != nil {
		return nil, fmt.Errorf("read messages: %w", err)
	}
	list, err := pgx.CollectRows(rows, scanMessage)
	if err != nil {
		return nil, fmt.Errorf("read messages: %w", err)
	}
	return nonNil(list), nil
}

func (s *Store) messageRows(ctx context.Context, q MessageQuery, args []any) (pgx.Rows, error) {
	if q.Contact == "" && q.Latest {
		return s.pool.Query(ctx, latestOfAllSQL, args...)
	}
	if q.Contact == "" {
		return s.pool.Query(ctx, messagesOfAllSQL, args...)
	}
	ids, err := s.contactsOf(ctx, q.Contact)
	if err != nil {
		return nil, err
	}
	if q.Latest {
		return s.pool.Query(ctx, latestOfContactSQL, append(args, ids)...)
	}
	return s.pool.Query(ctx, messagesOfContactSQL, append(args, ids)...)
}

// contactsOf are the contacts of a phone number, a BSUID or an id.
func (s *Store) contactsOf(ctx context.Context, contact string) ([]uuid.UUID, error) {
	id, err := uuid.Parse(contact)
	if err != nil {
		id = uuid.Nil
	}
	rows, err := s.pool.Query(ctx, contactsOfSQL, contact, id)
	if err != nil {
		return nil, fmt.Errorf("find contacts: %w", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return nil, fmt.Errorf("find contacts: %w", err)
	}
	return nonNil(ids), nil
}

func scanMessage(row pgx.CollectableRow) (m Message, err error) {
	var offset, session int64
	err = row.Scan(&m.Shard, &offset, &m.At, &m.Direction, &m.Channel, &m.Contact, &session, &m.Flow, &m.Kind, &m.Body,
		&m.ProviderID, &m.Content, &m.Status, &m.Phone, &m.BSUID, &m.Raw)
	m.Offset, m.SessionID = uint64(offset), uint64(session)
	return m, err
}

// KeepMessages creates the log's partitions ahead of time, and drops the months that
// ended before a time; the zero time drops none.
func (s *Store) KeepMessages(ctx context.Context, monthsAhead int, before time.Time) (dropped int, err error) {
	if _, err := s.pool.Exec(ctx, `SELECT ensure_message_partitions($1)`, monthsAhead); err != nil {
		return 0, fmt.Errorf("create message partitions: %w", err)
	}
	if before.IsZero() {
		return 0, nil
	}
	if err := s.pool.QueryRow(ctx, `SELECT drop_messages($1)`, before).Scan(&dropped); err != nil {
		return 0, fmt.Errorf("drop old messages: %w", err)
	}
	return dropped, nil
}

// FileMessage is the update that brought a file, as the provider sent it. It is for
// providers that call a file by the id of its message (WASenderApi); nil if the log has no
// such message, or not any more.
func (s *Store) FileMessage(ctx context.Context, channel, id string) (raw []byte, err error) {
	err = s.pool.QueryRow(ctx, `SELECT raw FROM messages WHERE channel = $1 AND provider_id = $2
		AND (COALESCE(content #>> '{media,id}', content #>> '{message,media,id}') = provider_id) IS TRUE LIMIT 1`, channel, id).Scan(&raw)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("find the message of a file: %w", err)
	}
	return raw, nil
}
