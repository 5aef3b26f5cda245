package store

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// ErrConflict says that another replica changed what a batch decided by, before it
// could commit: nothing was written. Read it again, and decide again.
var ErrConflict = errors.New("another was first")

// ResourceChanges are what a batch of turns does besides its turns.
type ResourceChanges struct {
	Bookings   BookingChanges
	Leads      LeadChanges
	Identities IdentityChanges
	Calls      []Call
	Campaigns  CampaignChanges
}

// Empty reports whether there is nothing to write.
func (c ResourceChanges) Empty() bool {
	return len(c.Calls) == 0 && len(c.Bookings.Bookings) == 0 && len(c.Leads.Pools) == 0 && c.Identities.Empty() &&
		len(c.Campaigns.Results) == 0 && len(c.Campaigns.Replies) == 0
}

// AppendTurnsAnd commits the parts together with the calls that they queue, with what they
// decided about slots, leads and campaigns, and learnt about who is who, all or nothing: a
// part that is fenced may have decided what the others met, so then nothing
// at all is written, and held names those that may try again. The rows of the turns
// are written first and those that others fight for last, so that they are locked as
// short as can be; slots are locked in the order of their ids, and then
// pools in that of their names.
func (s *Store) AppendTurnsAnd(ctx context.Context, parts []TurnPart, changes ResourceChanges) (held []int, err error) {
	args, err := turnArgs(parts)
	if err != nil {
		return nil, err
	}
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, appendTurnsSQL, args...)
		if err != nil {
			return err
		}
		if held, err = pgx.CollectRows(rows, pgx.RowTo[int]); err != nil {
			return err
		}
		if len(held) < len(parts) {
			return ErrFenced
		}
		batch := &resourceBatch{}
		queueCalls(batch, changes.Calls)
		changes.Identities.queue(batch)
		changes.Bookings.queue(batch)
		changes.Leads.queue(batch)
		changes.Identities.queueTaken(batch)
		changes.Campaigns.queue(batch)
		return batch.send(ctx, tx)
	})
	switch {
	case errors.Is(err, ErrFenced):
		return held, ErrFenced
	case othersWereFirst(err):
		return nil, fmt.Errorf("append turns: %w: %v", ErrConflict, err) //nolint:errorlint // what PostgreSQL says must not look like a fault of the values
	case err != nil:
		return nil, fmt.Errorf("append turns: %w", err)
	}
	return held, nil
}

// resourceBatch are statements that each must change a known number of rows.
type resourceBatch struct {
	batch pgx.Batch
}

// mustChange queues a statement; nothing is committed unless it changes so many rows.
func (b *resourceBatch) mustChange(rows int, sql string, args ...any) {
	if rows == 0 {
		return
	}
	b.batch.Queue(sql, args...).Exec(func(tag pgconn.CommandTag) error {
		if tag.RowsAffected() != int64(rows) {
			return ErrConflict
		}
		return nil
	})
}

func (b *resourceBatch) send(ctx context.Context, tx pgx.Tx) error {
	if b.batch.Len() == 0 {
		return nil
	}
	return tx.SendBatch(ctx, &b.batch).Close()
}

// othersWereFirst reports whether a commit failed because of what another one did: a
// row that had changed, a place that was gone, a deadlock, a lock that took too long.
func othersWereFirst(err error) bool {
	if errors.Is(err, ErrConflict) {
		return true
	}
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return false
	}
	switch pg.Code {
	case "40001", "40P01", "55P03":
		return true
	}
	return slices.Contains([]string{"slots_capacity", "bookings_once", "leads_once"}, pg.ConstraintName)
}
