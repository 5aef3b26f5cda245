package store

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/parleyhq/parley/pkg/insight"
)

// Names of the leases of the dispatcher's two lanes.
const (
	ServiceDispatcher = "dispatcher"
	ServiceReceipts   = "receipts"
)

// States of a delivery.
const (
	// DeliveryQueued waits for its turn; nothing was sent.
	DeliveryQueued = "queued"
	// DeliverySending has its intent on record; the call may be under way.
	DeliverySending = "sending"
	// DeliveryAmbiguous may or may not have been accepted by the provider.
	DeliveryAmbiguous = "ambiguous"
	// DeliveryAccepted was accepted by the provider.
	DeliveryAccepted = "accepted"
	// DeliveryFailed was refused for good.
	DeliveryFailed = "failed"
)

// DeliveryKey is the position of the delivery's MessageQueued event.
type DeliveryKey struct {
	Shard  int
	Offset uint64
}

// Compare orders keys by shard and offset.
func (k DeliveryKey) Compare(other DeliveryKey) int {
	return cmp.Or(cmp.Compare(k.Shard, other.Shard), cmp.Compare(k.Offset, other.Offset))
}

// Delivery is one outgoing message.
type Delivery struct {
	Key       DeliveryKey
	Channel   string
	Contact   uuid.UUID
	SessionID uint64
	// Priority and Campaign say when it is its turn, as MessageQueued has them.
	Priority int
	Campaign string
	// Step says which step of which cohort it counts for; empty for none.
	Step insight.StepKey
	// Content is the encoded MessageQueued event body.
	Content  []byte
	State    string
	Attempts int
	// Unknown counts the attempts of which nobody knows what became of them.
	Unknown  int
	QueuedAt time.Time
	// Interrupted says that a former owner was sending it when it lost the shard: it has
	// just become ambiguous.
	Interrupted bool
}

// SendResult is what became of one attempt to send. Attempts is how many were
// made before it: a result that comes late, from a former owner or repeated
// after a commit that went unseen, says nothing about the attempts after it,
// unless it is that the message was accepted.
type SendResult struct {
	Key        DeliveryKey
	Attempts   int
	State      string
	WAMID      string
	ErrorClass string
	ErrorCode  int
	// Cause says why the outcome is unknown, for State ambiguous: "timeout",
	// "cut", "answer".
	Cause string
}

// Intent claims a delivery for one attempt to send. Attempts is how many were
// made before: it makes the claim repeatable, should its commit go unseen.
type Intent struct {
	Key      DeliveryKey
	Epoch    int64
	Attempts int
}

const addDeliveriesSQL = fenceSQL + `,
ins AS (
	INSERT INTO deliveries (shard, "offset", channel, contact_id, session_id, content, state, attempts, queued_at, sending_at, priority, campaign,
	       flow, flow_version, language, day, step)
	SELECT u.shard, u."offset", u.channel, u.contact_id, u.session_id, u.content, u.state,
	       (u.state = 'sending')::int, u.queued_at, CASE WHEN u.state = 'sending' THEN now() END, u.priority, u.campaign,
	       u.flow, u.flow_version, u.language, u.day, u.step
	  FROM cp JOIN unnest($7::int[], $8::bigint[], $9::text[], $10::uuid[], $11::bigint[], $12::bytea[], $13::text[], $14::timestamptz[], $15::int[], $16::text[],
	       $17::text[], $18::int[], $19::text[], $20::date[], $21::text[])
	       u(shard, "offset", channel, contact_id, session_id, content, state, queued_at, priority, campaign, flow, flow_version, language, day, step)
	       USING (shard))
SELECT shard FROM cp`

// AddDeliveries records new deliveries under the dispatcher's fences. Those in
// state sending have their intent on record with the same commit.
func (s *Store) AddDeliveries(ctx context.Context, fences []Fence, list []Delivery) (held []int, err error) {
	n := len(list)
	shards, offsets, channels, contacts := make([]int, n), make([]int64, n), make([]string, n), make([]uuid.UUID, n)
	sessions, contents, states, queued := make([]int64, n), make([][]byte, n), make([]string, n), make([]time.Time, n)
	priorities, campaigns, steps, cohorts := make([]int, n), make([]string, n), make([]string, n), cohortColumns{}
	for i, d := range list {
		cohorts.add(d.Key.Shard, d.Step.Cohort)
		steps[i] = d.Step.Step
		priorities[i], campaigns[i] = d.Priority, d.Campaign
		shards[i], offsets[i], channels[i], contacts[i] = d.Key.Shard, int64(d.Key.Offset), d.Channel, d.Contact
		sessions[i], contents[i], states[i], queued[i] = int64(d.SessionID), d.Content, d.State, d.QueuedAt
	}
	args := append(fenceArgs(ServiceDispatcher, fences), shards, offsets, channels, contacts, sessions, contents, states, queued, priorities, campaigns,
		nonNil(cohorts.flow), nonNil(cohorts.version), nonNil(cohorts.language), nonNil(cohorts.day), steps)
	held, err = s.heldShards(ctx, addDeliveriesSQL, args)
	if err != nil {
		return nil, fmt.Errorf("add deliveries: %w", err)
	}
	return held, nil
}

// OpenDeliveries returns, in order, what is still to be sent or settled on a
// shard that was just taken, bulk that waits without its content. What the former owner was sending when it lost the
// shard becomes ambiguous.
func (s *Store) OpenDeliveries(ctx context.Context, shard int, epoch int64) ([]Delivery, error) {
	batch := &pgx.Batch{}
	batch.Queue(`UPDATE deliveries d SET state = 'ambiguous', ambiguous_cause = 'restart', ambiguous_count = ambiguous_count + 1
		  FROM leases l
		 WHERE l.service = $3 AND l.shard = $1 AND l.epoch = $2 AND d.shard = $1 AND d.state = 'sending' RETURNING d.shard, d."offset"`, shard, epoch, ServiceDispatcher)
	batch.Queue(`SELECT shard, "offset", channel, contact_id, session_id, CASE WHEN priority < 2 OR state <> 'queued' THEN content END, state, attempts, queued_at, priority, campaign,
		 ambiguous_count FROM deliveries
		 WHERE shard = $1 AND state IN ('queued', 'sending', 'ambiguous') ORDER BY "offset"`, shard)
	results := s.pool.SendBatch(ctx, batch)
	defer func() { _ = results.Close() }()
	interrupted, err := collect(results, scanDeliveryKey)
	if err != nil {
		return nil, fmt.Errorf("mark interrupted sends of shard %d: %w", shard, err)
	}
	list, err := collect(results, scanDelivery)
	if err != nil {
		return nil, fmt.Errorf("read open deliveries of shard %d: %w", shard, err)
	}
	cut := map[DeliveryKey]bool{}
	for _, key := range interrupted {
		cut[key] = true
	}
	for i := range list {
		list[i].Interrupted = cut[list[i].Key]
	}
	return list, nil
}

// collect reads the rows of the next query of a batch.
func collect[T any](results pgx.BatchResults, scan pgx.RowToFunc[T]) ([]T, error) {
	rows, err := results.Query()
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scan)
}

func scanDelivery(row pgx.CollectableRow) (d Delivery, err error) {
	var offset, session int64
	err = row.Scan(&d.Key.Shard, &offset, &d.Channel, &d.Contact, &session, &d.Content, &d.State, &d.Attempts, &d.QueuedAt, &d.Priority, &d.Campaign, &d.Unknown)
	d.Key.Offset, d.SessionID = uint64(offset), uint64(session)
	return d, err
}

// advanceSQL records results and claims the next attempts in one commit. A
// result never overrules what a receipt has settled, nor a later attempt unless
// it says that the message was accepted; an intent is only granted
// to the shard's owner, for what is not settled, or for what the same owner has
// claimed in a commit that it did not see succeed. No delivery may be in both
// lists. The lock on the leases keeps a take-over, which asks for FOR UPDATE, out
// until the claim is on record, and nobody else: a claim that waits for a
// delivery's row must not come through behind the new owner's back.
//
// locked holds everything that the statement will touch, locked in the one order
// that all who update several deliveries keep to.
const advanceSQL = `
WITH own AS (SELECT shard, epoch FROM leases WHERE service = $12 AND shard = ANY($8) ORDER BY shard FOR KEY SHARE),
locked AS (
	SELECT x.* FROM (
		SELECT false AS claim, r.* FROM unnest($1::int[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::int[], $7::text[], $13::int[])
		       r(shard, "offset", state, wamid, error_class, error_code, cause, attempts)
		UNION ALL
		SELECT true, i.shard, i."offset", '', '', '', 0, '', i.attempts
		  FROM unnest($8::int[], $9::bigint[], $10::bigint[], $11::int[]) i(shard, "offset", epoch, attempts)
		  JOIN own USING (shard, epoch)) x
	  JOIN deliveries d ON d.shard = x.shard AND d."offset" = x."offset"
	 ORDER BY d.shard, d."offset" FOR NO KEY UPDATE OF d),
res AS (
	UPDATE deliveries d SET state = r.state, wamid = COALESCE(d.wamid, NULLIF(r.wamid, '')),
	       error_class = r.error_class, error_code = r.error_code, untold = d.untold OR r.state = 'failed',
	       ambiguous_count = d.ambiguous_count + (r.state = 'ambiguous')::int,
	       ambiguous_cause = COALESCE(NULLIF(r.cause, ''), d.ambiguous_cause),
	       settled_at = CASE WHEN r.state IN ('accepted', 'failed') THEN now() END,
	       settled_by = CASE WHEN r.state IN ('accepted', 'failed') THEN 'response' ELSE '' END
	  FROM locked r
	 WHERE NOT r.claim AND d.shard = r.shard AND d."offset" = r."offset"
	   AND (d.state IN ('sending', 'ambiguous') AND d.attempts = r.attempts + 1
	     OR r.state = 'accepted' AND d.state IN ('queued', 'sending', 'ambiguous'))),
claim AS (
	UPDATE deliveries d SET state = 'sending', attempts = i.attempts + 1, sending_at = now(), ordered = ''
	  FROM locked i
	 WHERE i.claim AND d.shard = i.shard AND d."offset" = i."offset"
	   AND (d.state IN ('queued', 'ambiguous') AND d.attempts = i.attempts
	     OR d.state = 'sending' AND d.attempts = i.attempts + 1)
	RETURNING d.shard, d."offset")
SELECT shard, "offset" FROM claim`

// AdvanceDeliveries records what became of attempts and claims new ones. It
// returns the claims that were granted; the others have been settled by a
// receipt meanwhile, or belong to another owner now.
func (s *Store) AdvanceDeliveries(ctx context.Context, results []SendResult, intents []Intent) ([]DeliveryKey, error) {
	n, m := len(results), len(intents)
	shards, offsets, states, wamids := make([]int, n), make([]int64, n), make([]string, n), make([]string, n)
	classes, codes, causes, made := make([]string, n), make([]int, n), make([]string, n), make([]int, n)
	for i, r := range results {
		shards[i], offsets[i], states[i], wamids[i] = r.Key.Shard, int64(r.Key.Offset), r.State, r.WAMID
		classes[i], codes[i], causes[i], made[i] = r.ErrorClass, r.ErrorCode, r.Cause, r.Attempts
	}
	claimShards, claimOffsets, epochs, attempts := make([]int, m), make([]int64, m), make([]int64, m), make([]int, m)
	for i, intent := range intents {
		claimShards[i], claimOffsets[i], epochs[i], attempts[i] = intent.Key.Shard, int64(intent.Key.Offset), intent.Epoch, intent.Attempts
	}
	rows, err := s.pool.Query(ctx, advanceSQL, shards, offsets, states, wamids, classes, codes, causes,
		claimShards, claimOffsets, epochs, attempts, ServiceDispatcher, made)
	if err != nil {
		return nil, fmt.Errorf("advance deliveries: %w", err)
	}
	granted, err := pgx.CollectRows(rows, scanDeliveryKey)
	if err != nil {
		return nil, fmt.Errorf("advance deliveries: %w", err)
	}
	return granted, nil
}

func scanDeliveryKey(row pgx.CollectableRow) (k DeliveryKey, err error) {
	var offset int64
	err = row.Scan(&k.Shard, &offset)
	k.Offset = uint64(offset)
	return k, err
}

// DeliveryContents returns what the given deliveries say.
func (s *Store) DeliveryContents(ctx context.Context, keys []DeliveryKey) (map[DeliveryKey][]byte, error) {
	shards, offsets := keyArrays(keys)
	rows, err := s.pool.Query(ctx, `
		SELECT d.shard, d."offset", d.content FROM deliveries d
		  JOIN unnest($1::int[], $2::bigint[]) k(shard, "offset") ON d.shard = k.shard AND d."offset" = k."offset"`, shards, offsets)
	if err != nil {
		return nil, fmt.Errorf("read contents of deliveries: %w", err)
	}
	contents := map[DeliveryKey][]byte{}
	var key DeliveryKey
	var offset int64
	var content []byte
	_, err = pgx.ForEachRow(rows, []any{&key.Shard, &offset, &content}, func() error {
		key.Offset = uint64(offset)
		contents[key] = content
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read contents of deliveries: %w", err)
	}
	return contents, nil
}

func keyArrays(keys []DeliveryKey) (shards []int, offsets []int64) {
	shards, offsets = make([]int, len(keys)), make([]int64, len(keys))
	for i, k := range keys {
		shards[i], offsets[i] = k.Shard, int64(k.Offset)
	}
	return shards, offsets
}

// SettledDeliveries returns those of the given deliveries that are settled,
// accepted or failed, whoever settled them.
func (s *Store) SettledDeliveries(ctx context.Context, keys []DeliveryKey) ([]DeliveryKey, error) {
	shards, offsets := keyArrays(keys)
	rows, err := s.pool.Query(ctx, `
		SELECT d.shard, d."offset" FROM deliveries d
		  JOIN unnest($1::int[], $2::bigint[]) k(shard, "offset") ON d.shard = k.shard AND d."offset" = k."offset"
		 WHERE d.state IN ('accepted', 'failed')`, shards, offsets)
	return deliveryKeys(rows, err)
}

// ReceivedDeliveries returns those of the given deliveries of which a receipt has come.
func (s *Store) ReceivedDeliveries(ctx context.Context, keys []DeliveryKey) ([]DeliveryKey, error) {
	shards, offsets := keyArrays(keys)
	rows, err := s.pool.Query(ctx, `
		SELECT d.shard, d."offset" FROM deliveries d
		  JOIN unnest($1::int[], $2::bigint[]) k(shard, "offset") ON d.shard = k.shard AND d."offset" = k."offset"
		 WHERE d.receipt_rank > 0`, shards, offsets)
	return deliveryKeys(rows, err)
}

func deliveryKeys(rows pgx.Rows, err error) ([]DeliveryKey, error) {
	if err != nil {
		return nil, fmt.Errorf("look at deliveries: %w", err)
	}
	list, err := pgx.CollectRows(rows, scanDeliveryKey)
	if err != nil {
		return nil, fmt.Errorf("look at deliveries: %w", err)
	}
	return list, nil
}
