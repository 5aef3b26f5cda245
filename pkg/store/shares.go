package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// SendShare is the part of a number's rate that a dispatcher may use until a time.
type SendShare struct {
	Channel, Owner string
	Units          int
	Until          time.Time
	// Weight is how much the owner wants it.
	Weight float64
	// Cooling units were given up and may not be used by anybody before CoolingUntil.
	Cooling      int
	CoolingUntil time.Time
}

// sharesKept is how long the row of an owner who has gone is kept.
const sharesKept = time.Hour

const (
	// The lock comes in a statement of its own: the next one must see what its
	// former holder has committed.
	lockSharesSQL = `SELECT pg_advisory_xact_lock(hashtext('send_shares'))`
	readSharesSQL = `SELECT channel, owner, units, until, weight, cooling, cooling_until FROM send_shares`
	putSharesSQL  = `
WITH gone AS (DELETE FROM send_shares WHERE until < now() - $8::interval AND owner <> $1)
INSERT INTO send_shares (owner, channel, units, until, weight, cooling, cooling_until)
SELECT $1, * FROM unnest($2::text[], $3::int[], $4::timestamptz[], $5::float8[], $6::int[], $7::timestamptz[])
ON CONFLICT (channel, owner) DO UPDATE
   SET units = excluded.units, until = excluded.until, weight = excluded.weight,
       cooling = excluded.cooling, cooling_until = excluded.cooling_until`
)

// ExchangeSendShares lets an owner decide on its shares, knowing everybody's: nobody
// else decides meanwhile. The time that decide is given is the database's.
func (s *Store) ExchangeSendShares(ctx context.Context, owner string, decide func(now time.Time, all []SendShare) []SendShare) error {
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, lockSharesSQL); err != nil {
			return err
		}
		var now time.Time
		if err := tx.QueryRow(ctx, `SELECT clock_timestamp()`).Scan(&now); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, readSharesSQL)
		if err != nil {
			return err
		}
		all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[SendShare])
		if err != nil {
			return err
		}
		return putShares(ctx, tx, owner, decide(now, all))
	})
	if err != nil {
		return fmt.Errorf("exchange shares of the rates: %w", err)
	}
	return nil
}

func putShares(ctx context.Context, tx pgx.Tx, owner string, own []SendShare) error {
	n := len(own)
	channels, units, until, weights := make([]string, n), make([]int, n), make([]time.Time, n), make([]float64, n)
	cooling, coolingUntil := make([]int, n), make([]time.Time, n)
	for i, s := range own {
		channels[i], units[i], until[i], weights[i] = s.Channel, s.Units, s.Until, s.Weight
		cooling[i], coolingUntil[i] = s.Cooling, s.CoolingUntil
	}
	_, err := tx.Exec(ctx, putSharesSQL, owner, channels, units, until, weights, cooling, coolingUntil, sharesKept)
	return err
}
