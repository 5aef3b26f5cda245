package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Lease is the ownership of one shard for one service.
type Lease struct {
	Shard int
	// Epoch is the fence: it grows with every change of owner.
	Epoch int64
	// Checkpoint is the last position that was applied.
	Checkpoint uint64
	// CheckpointAt is when the message at Checkpoint was stored. A stream that
	// lost its end and grew again holds another message there.
	CheckpointAt time.Time
	// Head is the offset of the shard's last event (service session only).
	Head uint64
}

// Fence is the right to write one shard's part of a batch: it holds while the
// epoch is current and the checkpoint still stands at From.
type Fence struct {
	Shard    int
	Epoch    int64
	From, To uint64
	// At is when the message at To was stored.
	At time.Time
}

// EnsureLeases makes sure that every shard of the service has its row.
func (s *Store) EnsureLeases(ctx context.Context, service string, shards int) error {
	_, err := s.pool.Exec(ctx, `
		INSERT INTO leases (service, shard)
		SELECT $1, n FROM generate_series(0, $2::int - 1) n
		ON CONFLICT DO NOTHING`, service, shards)
	if err != nil {
		return fmt.Errorf("ensure leases of %s: %w", service, err)
	}
	return nil
}

// FollowFromNow begins a service that follows the events, unless it has begun: with what
// comes next. What happened before is not its concern.
func (s *Store) FollowFromNow(ctx context.Context, service string) error {
	_, err := s.pool.Exec(ctx, `
		INSERT INTO leases (service, shard, checkpoint)
		SELECT $1, shard, head FROM leases WHERE service = 'session'
		ON CONFLICT DO NOTHING`, service)
	if err != nil {
		return fmt.Errorf("begin leases of %s: %w", service, err)
	}
	return nil
}

// Unfollow ends such a service: it goes on from wherever FollowFromNow finds the events.
func (s *Store) Unfollow(ctx context.Context, service string) error {
	if _, err := s.pool.Exec(ctx, `DELETE FROM leases WHERE service = $1`, service); err != nil {
		return fmt.Errorf("end leases of %s: %w", service, err)
	}
	return nil
}

// Heartbeat says that owner is alive and renews what it holds. It returns the
// number of live replicas and the shards that are still the owner's, by epoch.
func (s *Store) Heartbeat(ctx context.Context, service, owner string, ttl time.Duration) (live int, held map[int]int64, err error) {
	batch := &pgx.Batch{}
	batch.Queue(`INSERT INTO replicas (service, owner, seen_at) VALUES ($1, $2, now())
		ON CONFLICT (service, owner) DO UPDATE SET seen_at = now()`, service, owner)
	batch.Queue(`DELETE FROM replicas WHERE service = $1 AND seen_at < now() - 10 * $2::interval`, service, ttl)
	batch.Queue(`SELECT count(*) FROM replicas WHERE service = $1 AND seen_at > now() - $2::interval`, service, ttl)
	batch.Queue(`UPDATE leases SET lease_until = now() + $3::interval
		WHERE service = $1 AND owner = $2 RETURNING shard, epoch`, service, owner, ttl)
	results := s.pool.SendBatch(ctx, batch)
	defer func() { _ = results.Close() }()
	for range 2 {
		if _, err := results.Exec(); err != nil {
			return 0, nil, fmt.Errorf("heartbeat of %s: %w", service, err)
		}
	}
	if err := results.QueryRow().Scan(&live); err != nil {
		return 0, nil, fmt.Errorf("count replicas of %s: %w", service, err)
	}
	rows, err := results.Query()
	if err != nil {
		return 0, nil, fmt.Errorf("renew leases of %s: %w", service, err)
	}
	held = map[int]int64{}
	var shard int
	var epoch int64
	_, err = pgx.ForEachRow(rows, []any{&shard, &epoch}, func() error { held[shard] = epoch; return nil })
	if err != nil {
		return 0, nil, fmt.Errorf("renew leases of %s: %w", service, err)
	}
	return live, held, nil
}

// Acquire takes up to most shards that nobody holds, or that the same owner
// held before (a restarted process need not wait for its own lease to run out).
// Every shard taken gets a new epoch. except lists shards to leave alone.
func (s *Store) Acquire(ctx context.Context, service, owner string, ttl time.Duration, most int, except []int) ([]Lease, error) {
	rows, err := s.pool.Query(ctx, `
		UPDATE leases l SET epoch = l.epoch + 1, owner = $2, lease_until = now() + $3::interval
		  FROM (SELECT shard FROM leases
		         WHERE service = $1 AND (lease_until < now() OR owner = $2) AND shard <> ALL($5::int[])
		         ORDER BY (owner = $2) DESC, shard LIMIT $4 FOR UPDATE SKIP LOCKED) free
		 WHERE l.service = $1 AND l.shard = free.shard
		RETURNING l.shard, l.epoch, l.checkpoint, GREATEST(l.checkpoint_at, '0001-01-01 00:00:00+00'), l.head`, service, owner, ttl, most, nonNil(except))
	if err != nil {
		return nil, fmt.Errorf("acquire shards of %s: %w", service, err)
	}
	leases, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (l Lease, err error) {
		var checkpoint, head int64
		err = row.Scan(&l.Shard, &l.Epoch, &checkpoint, &l.CheckpointAt, &head)
		l.Checkpoint, l.Head = uint64(checkpoint), uint64(head)
		return l, err
	})
	if err != nil {
		return nil, fmt.Errorf("acquire shards of %s: %w", service, err)
	}
	return leases, nil
}

// Release gives one shard back, so that another replica can take it at once.
func (s *Store) Release(ctx context.Context, service string, shard int, epoch int64) error {
	_, err := s.pool.Exec(ctx, `UPDATE leases SET owner = '', lease_until = '-infinity'
		WHERE service = $1 AND shard = $2 AND epoch = $3`, service, shard, epoch)
	if err != nil {
		return fmt.Errorf("release shard %d of %s: %w", shard, service, err)
	}
	return nil
}

// Leave removes the replica from those that share the shards.
func (s *Store) Leave(ctx context.Context, service, owner string) error {
	_, err := s.pool.Exec(ctx, `DELETE FROM replicas WHERE service = $1 AND owner = $2`, service, owner)
	if err != nil {
		return fmt.Errorf("leave %s: %w", service, err)
	}
	return nil
}

// Rewind sets the shard's checkpoint back to 0: used when the stream was wiped
// or restored from an older copy. What is applied again, the inbox absorbs.
func (s *Store) Rewind(ctx context.Context, service string, shard int, epoch int64) error {
	tag, err := s.pool.Exec(ctx, `UPDATE leases SET checkpoint = 0, checkpoint_at = '-infinity'
		WHERE service = $1 AND shard = $2 AND epoch = $3`, service, shard, epoch)
	if err != nil {
		return fmt.Errorf("rewind shard %d of %s: %w", shard, service, err)
	}
	if tag.RowsAffected() == 0 {
		return ErrFenced
	}
	return nil
}

// fenceSQL is the first part of every batch's statement. Its parameters are
// $1 service, $2 shards, $3 epochs, $4 from, $5 to, $6 at; what follows joins cp.
const fenceSQL = `
WITH cp AS (
	UPDATE leases l SET checkpoint = f.upto, checkpoint_at = f.at
	  FROM unnest($2::int[], $3::bigint[], $4::bigint[], $5::bigint[], $6::timestamptz[]) f(shard, epoch, start, upto, at)
	 WHERE l.service = $1 AND l.shard = f.shard AND l.epoch = f.epoch AND l.checkpoint = f.start
	RETURNING l.shard)`

func fenceArgs(service string, fences []Fence) []any {
	n := len(fences)
	shards, epochs, from, to := make([]int, n), make([]int64, n), make([]int64, n), make([]int64, n)
	at := make([]time.Time, n)
	for i, f := range fences {
		shards[i], epochs[i], from[i], to[i], at[i] = f.Shard, f.Epoch, int64(f.From), int64(f.To), f.At
	}
	return []any{service, shards, epochs, from, to, at}
}

// heldShards runs a fenced statement that ends in "SELECT shard FROM cp" and
// returns the shards whose part was written.
func (s *Store) heldShards(ctx context.Context, sql string, args []any) ([]int, error) {
	rows, err := s.pool.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[int])
}

func nonNil[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// CountShards returns how many shards the service has.
func (s *Store) CountShards(ctx context.Context, service string) (shards int, err error) {
	err = s.pool.QueryRow(ctx, `SELECT count(*) FROM leases WHERE service = $1`, service).Scan(&shards)
	if err != nil {
		return 0, fmt.Errorf("count shards of %s: %w", service, err)
	}
	return shards, nil
}
