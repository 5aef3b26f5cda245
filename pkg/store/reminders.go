package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/parleyhq/parley/pkg/insight"
)

// FlowStep names a step of a flow, whatever its version.
type FlowStep struct{ Flow, Step string }

const silencesSQL = `
	SELECT flow, step, bucket, sum(replied)::bigint, sum(cut)::bigint, sum(reminded)::bigint, sum(returned)::bigint,
	       sum(withheld)::bigint, sum(withheld_returned)::bigint
	  FROM insight.silences WHERE day >= $1 AND day <= $2 GROUP BY flow, step, bucket`

// Silences reads how silences ended that began on some days (UTC), both included, by
// step.
func (s *Store) Silences(ctx context.Context, from, to time.Time) (map[FlowStep]*insight.Silences, error) {
	rows, err := s.pool.Query(ctx, silencesSQL, from, to)
	if err != nil {
		return nil, fmt.Errorf("read silences: %w", err)
	}
	all := map[FlowStep]*insight.Silences{}
	var at FlowStep
	var bucket int
	var n insight.SilenceCounts
	_, err = pgx.ForEachRow(rows, []any{&at.Flow, &at.Step, &bucket, &n.Replied, &n.Cut, &n.Reminded, &n.Returned, &n.Withheld, &n.WithheldReturned}, func() error {
		if all[at] == nil {
			all[at] = &insight.Silences{}
		}
		all[at].Add(bucket, n)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read silences: %w", err)
	}
	return all, nil
}

const adviseSQL = `
	INSERT INTO insight.reminder_advice AS a (flow, step, after_ms, reason)
	SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[]) u ORDER BY 1, 2
	ON CONFLICT (flow, step) DO UPDATE SET after_ms = excluded.after_ms, reason = excluded.reason, advised_at = now()
	 WHERE (a.after_ms, a.reason) <> (excluded.after_ms, excluded.reason)`

// Advise writes when reminders do most good. Several may do so at once: each has it from
// the same counts.
func (s *Store) Advise(ctx context.Context, advice map[FlowStep]insight.Advice) error {
	var flow, step, reason []string
	var after []int64
	for at, a := range advice {
		flow, step, reason = append(flow, at.Flow), append(step, at.Step), append(reason, a.Reason)
		after = append(after, a.After.Milliseconds())
	}
	if _, err := s.pool.Exec(ctx, adviseSQL, nonNil(flow), nonNil(step), nonNil(after), nonNil(reason)); err != nil {
		return fmt.Errorf("advise on reminders: %w", err)
	}
	return nil
}
