package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Receipt is what WhatsApp says became of one message. A batch holds each
// delivery at most once, with the highest rank seen.
type Receipt struct {
	// Lane is the shard in whose stream the receipt came: its fence guards it.
	Lane int
	// Key is the delivery, if known; Offset 0 means that it is not, and the
	// receipt is kept under its WAMID until it is.
	Key DeliveryKey
	// QueuedAt is when that delivery was queued: another one under the same key, of
	// another installation, was not. Zero if the receipt does not say.
	QueuedAt  time.Time
	Channel   string
	WAMID     string
	Name      string
	Rank      int
	At        time.Time
	ErrorCode int
}

// RankFailed is the rank of a message that failed: it beats sent. What ranks above it
// did arrive, whatever was reported.
const RankFailed = 2

// applyReceiptsSQL never lowers a rank. What failed is untold, unless the response
// had refused it already, and so is what failed and arrived: somebody should look. A receipt proves that the provider
// accepted the message, so it settles a send whose outcome was unknown. locked
// holds the deliveries, locked in the one order that all who update several keep to.
const applyReceiptsSQL = fenceSQL + `,
u AS (
	SELECT u.* FROM cp JOIN unnest($7::int[], $8::int[], $9::bigint[], $10::text[], $11::text[], $12::text[], $13::int[], $14::timestamptz[], $15::int[],
	       $17::timestamptz[]) u(lane, shard, "offset", channel, wamid, receipt, rank, at, error_code, queued_at) ON u.lane = cp.shard),
locked AS (
	SELECT u.* FROM u JOIN deliveries d ON d.shard = u.shard AND d."offset" = u."offset" AND d.queued_at = COALESCE(u.queued_at, d.queued_at)
	 WHERE u."offset" > 0 ORDER BY d.shard, d."offset" FOR NO KEY UPDATE OF d),
upd AS (
	UPDATE deliveries d SET
	       receipt      = CASE WHEN u.rank > d.receipt_rank THEN u.receipt ELSE d.receipt END,
	       receipt_at   = CASE WHEN u.rank > d.receipt_rank THEN u.at ELSE d.receipt_at END,
	       receipt_rank = GREATEST(d.receipt_rank, u.rank),
	       error_code   = CASE WHEN u.error_code <> 0 THEN u.error_code ELSE d.error_code END,
	       untold       = d.untold
	           OR u.receipt = 'failed' AND d.receipt_rank < u.rank AND d.state <> 'failed'
	           OR GREATEST(d.receipt_rank, u.rank) > $16 AND (d.receipt = 'failed' OR u.error_code <> 0 AND d.error_code = 0),
	       wamid        = COALESCE(d.wamid, u.wamid),
	       settled_by   = CASE WHEN d.state IN ('accepted', 'failed') THEN d.settled_by ELSE 'receipt' END,
	       settled_at   = COALESCE(d.settled_at, now()),
	       state        = 'accepted'
	  FROM locked u
	 WHERE d.shard = u.shard AND d."offset" = u."offset"
	   AND (u.rank > d.receipt_rank OR d.state <> 'accepted' OR d.wamid IS NULL OR u.error_code <> 0 AND d.error_code = 0)),
orphan AS (
	INSERT INTO orphan_receipts (channel, wamid, receipt, rank, at, error_code)
	SELECT u.channel, u.wamid, u.receipt, u.rank, u.at, u.error_code FROM u
	 WHERE NOT EXISTS (SELECT FROM deliveries d WHERE d.shard = u.shard AND d."offset" = u."offset" AND d.queued_at = COALESCE(u.queued_at, d.queued_at))
	ON CONFLICT (wamid, receipt) DO NOTHING)
SELECT shard FROM cp`

// ApplyReceipts records receipts under the fences of their lanes.
func (s *Store) ApplyReceipts(ctx context.Context, fences []Fence, receipts []Receipt) (held []int, err error) {
	n := len(receipts)
	lanes, shards, offsets, channels := make([]int, n), make([]int, n), make([]int64, n), make([]string, n)
	wamids, names, ranks, at, codes := make([]string, n), make([]string, n), make([]int, n), make([]time.Time, n), make([]int, n)
	queued := make([]*time.Time, n)
	for i, r := range receipts {
		lanes[i], shards[i], offsets[i], channels[i] = r.Lane, r.Key.Shard, int64(r.Key.Offset), r.Channel
		wamids[i], names[i], ranks[i], at[i], codes[i] = r.WAMID, r.Name, r.Rank, r.At, r.ErrorCode
		if !r.QueuedAt.IsZero() {
			queued[i] = &r.QueuedAt
		}
	}
	args := append(fenceArgs(ServiceReceipts, fences), lanes, shards, offsets, channels, wamids, names, ranks, at, codes, RankFailed, queued)
	held, err = s.heldShards(ctx, applyReceiptsSQL, args)
	if err != nil {
		return nil, fmt.Errorf("apply receipts: %w", err)
	}
	return held, nil
}

// FindDeliveries maps provider message ids to the deliveries that carry them.
func (s *Store) FindDeliveries(ctx context.Context, wamids []string) (map[string]DeliveryKey, error) {
	rows, err := s.pool.Query(ctx, `SELECT wamid, shard, "offset" FROM deliveries WHERE wamid = ANY($1)`, wamids)
	if err != nil {
		return nil, fmt.Errorf("find deliveries by provider id: %w", err)
	}
	found := map[string]DeliveryKey{}
	var wamid string
	var shard int
	var offset int64
	_, err = pgx.ForEachRow(rows, []any{&wamid, &shard, &offset}, func() error {
		found[wamid] = DeliveryKey{Shard: shard, Offset: uint64(offset)}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("find deliveries by provider id: %w", err)
	}
	return found, nil
}

// orphanPage is how many messages without a delivery a look at old receipts has.
const orphanPage = 2000

// AdoptOrphans gives receipts that came before their message was known to the
// deliveries that have appeared since, and forgets orphans older than age. It looks at
// those of the last minute, in which nearly all find theirs, and at a page of the
// others behind after; the next look begins at next. Of a number that another program
// sends from as well there are very many, and they stay until they are old.
func (s *Store) AdoptOrphans(ctx context.Context, age time.Duration, after string) (adopted int64, next string, err error) {
	wamids, next, err := s.orphanIDs(ctx, after)
	if err != nil {
		return 0, after, fmt.Errorf("look for orphan receipts: %w", err)
	}
	tag, err := s.pool.Exec(ctx, `
		UPDATE deliveries d SET receipt = o.receipt, receipt_rank = o.rank, receipt_at = o.at,
		       error_code = CASE WHEN o.error_code <> 0 THEN o.error_code ELSE d.error_code END,
		       untold = d.untold OR o.error_code <> 0 OR o.receipt = 'failed'
		  FROM (SELECT DISTINCT ON (wamid) wamid, receipt, rank, at, max(error_code) OVER (PARTITION BY wamid) AS error_code
		          FROM orphan_receipts WHERE wamid = ANY($1) ORDER BY wamid, rank DESC) o
		 WHERE d.wamid = o.wamid AND o.rank > d.receipt_rank`, wamids)
	if err != nil {
		return 0, after, fmt.Errorf("adopt orphan receipts: %w", err)
	}
	_, err = s.pool.Exec(ctx, `
		DELETE FROM orphan_receipts o
		 WHERE o.seen_at < now() - $1::interval
		    OR o.wamid = ANY($2) AND EXISTS (SELECT FROM deliveries d WHERE d.wamid = o.wamid AND d.receipt_rank >= o.rank)`, age, wamids)
	if err != nil {
		return 0, after, fmt.Errorf("forget orphan receipts: %w", err)
	}
	return tag.RowsAffected(), next, nil
}

// orphanIDs are the provider's ids of the orphans to look at now, and where the page
// behind them begins: at the first again, if these were the last.
func (s *Store) orphanIDs(ctx context.Context, after string) (wamids []string, next string, err error) {
	batch := &pgx.Batch{}
	batch.Queue(`SELECT DISTINCT wamid FROM orphan_receipts WHERE wamid > $1 ORDER BY wamid LIMIT $2`, after, orphanPage)
	batch.Queue(`SELECT DISTINCT wamid FROM orphan_receipts WHERE seen_at > now() - interval '1 minute'`)
	results := s.pool.SendBatch(ctx, batch)
	defer func() { _ = results.Close() }()
	wamids, err = collect(results, pgx.RowTo[string])
	if err != nil {
		return nil, after, err
	}
	if len(wamids) == orphanPage {
		next = wamids[orphanPage-1]
	}
	fresh, err := collect(results, pgx.RowTo[string])
	return nonNil(append(wamids, fresh...)), next, err
}
