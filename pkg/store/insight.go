package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/parleyhq/parley/pkg/insight"
)

// ServiceProjector is the name of the projector's leases.
const ServiceProjector = "projector"

const stepCountsSQL = `
	INSERT INTO insight.funnel_step_counts AS t (flow, flow_version, channel, language, day, step, shard, position,
	       entered, answered, failed, rejections, departed)
	SELECT u.flow, u.flow_version, u.channel, u.language, u.day, u.step, u.shard, u.position,
	       u.entered, u.answered, u.failed, u.rejections, u.departed
	  FROM cp JOIN unnest($7::int[], $8::text[], $9::int[], $10::text[], $11::text[], $12::date[], $13::text[], $14::int[],
	       $15::bigint[], $16::bigint[], $17::bigint[], $18::bigint[], $19::bigint[])
	       u(shard, flow, flow_version, channel, language, day, step, position, entered, answered, failed, rejections, departed) USING (shard)
	ON CONFLICT (flow, flow_version, channel, language, day, step, shard) DO UPDATE SET
	       position = GREATEST(t.position, excluded.position),
	       entered = t.entered + excluded.entered, answered = t.answered + excluded.answered,
	       failed = t.failed + excluded.failed, rejections = t.rejections + excluded.rejections,
	       departed = t.departed + excluded.departed`

const totalCountsSQL = `
	INSERT INTO insight.flow_total_counts AS t (flow, flow_version, channel, language, day, shard, started, completed, cancelled, expired)
	SELECT u.flow, u.flow_version, u.channel, u.language, u.day, u.shard, u.started, u.completed, u.cancelled, u.expired
	  FROM cp JOIN unnest($20::int[], $21::text[], $22::int[], $23::text[], $24::text[], $25::date[], $26::bigint[], $27::bigint[], $28::bigint[], $29::bigint[])
	       u(shard, flow, flow_version, channel, language, day, started, completed, cancelled, expired) USING (shard)
	ON CONFLICT (flow, flow_version, channel, language, day, shard) DO UPDATE SET
	       started = t.started + excluded.started, completed = t.completed + excluded.completed,
	       cancelled = t.cancelled + excluded.cancelled, expired = t.expired + excluded.expired`

const silenceCountsSQL = `
	INSERT INTO insight.silence_counts AS t (flow, flow_version, channel, language, day, step, bucket, shard,
	       replied, cut, reminded, returned, withheld, withheld_returned)
	SELECT u.flow, u.flow_version, u.channel, u.language, u.day, u.step, u.bucket, u.shard,
	       u.replied, u.cut, u.reminded, u.returned, u.withheld, u.withheld_returned
	  FROM cp JOIN unnest($30::int[], $31::text[], $32::int[], $33::text[], $34::text[], $35::date[], $36::text[], $37::int[],
	       $38::bigint[], $39::bigint[], $40::bigint[], $41::bigint[], $42::bigint[], $43::bigint[])
	       u(shard, flow, flow_version, channel, language, day, step, bucket, replied, cut, reminded, returned, withheld, withheld_returned) USING (shard)
	ON CONFLICT (flow, flow_version, channel, language, day, step, bucket, shard) DO UPDATE SET
	       replied = t.replied + excluded.replied, cut = t.cut + excluded.cut,
	       reminded = t.reminded + excluded.reminded, returned = t.returned + excluded.returned,
	       withheld = t.withheld + excluded.withheld, withheld_returned = t.withheld_returned + excluded.withheld_returned`

const addCountsSQL = fenceSQL + `, st AS (` + stepCountsSQL + `), tt AS (` + totalCountsSQL + `), si AS (` + silenceCountsSQL + `) SELECT shard FROM cp`

// AddCounts adds each shard's counts under the projector's fences. The counts
// are additive: that each is added once rests on the checkpoint alone.
func (s *Store) AddCounts(ctx context.Context, fences []Fence, counts map[int]*insight.Counts) (held []int, err error) {
	args := append(fenceArgs(ServiceProjector, fences), countArgs(counts)...)
	held, err = s.heldShards(ctx, addCountsSQL, args)
	if err != nil {
		return nil, fmt.Errorf("add counts: %w", err)
	}
	return held, nil
}

// ReplaceCounts puts counts of all events up to the projector's checkpoint in the
// place of what the shard's read models hold. fold makes them for that checkpoint,
// which stands still meanwhile: all but the last events should have been folded before.
func (s *Store) ReplaceCounts(ctx context.Context, shard int, fold func(upTo uint64) (*insight.Counts, error)) error {
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		var epoch, checkpoint int64
		var at time.Time
		err := tx.QueryRow(ctx, `SELECT epoch, checkpoint, GREATEST(checkpoint_at, '0001-01-01 00:00:00+00') FROM leases WHERE service = $1 AND shard = $2 FOR UPDATE`,
			ServiceProjector, shard).Scan(&epoch, &checkpoint, &at)
		if err != nil {
			return err
		}
		upTo := uint64(checkpoint)
		counts, err := fold(upTo)
		if err != nil {
			return err
		}
		for _, table := range []string{"insight.funnel_step_counts", "insight.flow_total_counts", "insight.silence_counts"} {
			if _, err := tx.Exec(ctx, `DELETE FROM `+table+` WHERE shard = $1`, shard); err != nil {
				return err
			}
		}
		fence := []Fence{{Shard: shard, Epoch: epoch, From: upTo, To: upTo, At: at}}
		_, err = tx.Exec(ctx, addCountsSQL, append(fenceArgs(ServiceProjector, fence), countArgs(map[int]*insight.Counts{shard: counts})...)...)
		return err
	})
	if err != nil {
		return fmt.Errorf("replace counts of shard %d: %w", shard, err)
	}
	return nil
}

// Checkpoint returns the last position that the service has applied for a shard.
func (s *Store) Checkpoint(ctx context.Context, service string, shard int) (uint64, error) {
	var checkpoint int64
	err := s.pool.QueryRow(ctx, `SELECT checkpoint FROM leases WHERE service = $1 AND shard = $2`, service, shard).Scan(&checkpoint)
	if err != nil {
		return 0, fmt.Errorf("read checkpoint of %s/%d: %w", service, shard, err)
	}
	return uint64(checkpoint), nil
}

func countArgs(counts map[int]*insight.Counts) []any {
	var steps stepColumns
	var totals totalColumns
	var silences silenceColumns
	for shard, c := range counts {
		for _, row := range c.SortedSteps() {
			steps.add(shard, row.Key, row.Counts)
		}
		for _, row := range c.SortedTotals() {
			totals.add(shard, row.Key, row.Counts)
		}
		for _, row := range c.SortedSilences() {
			silences.add(shard, row.Key, row.Counts)
		}
	}
	return slices.Concat(steps.args(), totals.args(), silences.args())
}

type cohortColumns struct {
	shard                   []int
	flow, channel, language []string
	version                 []int32
	day                     []time.Time
}

func (c *cohortColumns) add(shard int, k insight.Cohort) {
	c.shard = append(c.shard, shard)
	c.flow = append(c.flow, k.Flow)
	c.version = append(c.version, int32(k.Version))
	c.channel = append(c.channel, k.Channel)
	c.language = append(c.language, k.Language)
	c.day = append(c.day, time.Unix(k.Day*int64(24*time.Hour/time.Second), 0).UTC())
}

func (c *cohortColumns) args() []any {
	return []any{nonNil(c.shard), nonNil(c.flow), nonNil(c.version), nonNil(c.channel), nonNil(c.language), nonNil(c.day)}
}

type stepColumns struct {
	cohortColumns
	step                                            []string
	position                                        []int32
	entered, answered, failed, rejections, departed []int64
}

func (c *stepColumns) add(shard int, k insight.StepKey, n insight.StepCounts) {
	c.cohortColumns.add(shard, k.Cohort)
	c.step = append(c.step, k.Step)
	c.position = append(c.position, int32(n.Position))
	c.entered = append(c.entered, n.Entered)
	c.answered = append(c.answered, n.Answered)
	c.failed = append(c.failed, n.Failed)
	c.rejections = append(c.rejections, n.Rejections)
	c.departed = append(c.departed, n.Departed)
}

func (c *stepColumns) args() []any {
	return append(c.cohortColumns.args(), nonNil(c.step), nonNil(c.position), nonNil(c.entered), nonNil(c.answered),
		nonNil(c.failed), nonNil(c.rejections), nonNil(c.departed))
}

type totalColumns struct {
	cohortColumns
	started, completed, cancelled, expired []int64
}

func (c *totalColumns) add(shard int, k insight.Cohort, n insight.TotalCounts) {
	c.cohortColumns.add(shard, k)
	c.started = append(c.started, n.Started)
	c.completed = append(c.completed, n.Completed)
	c.cancelled = append(c.cancelled, n.Cancelled)
	c.expired = append(c.expired, n.Expired)
}

func (c *totalColumns) args() []any {
	return append(c.cohortColumns.args(), nonNil(c.started), nonNil(c.completed), nonNil(c.cancelled), nonNil(c.expired))
}

type silenceColumns struct {
	cohortColumns
	step                                                         []string
	bucket                                                       []int32
	replied, cut, reminded, returned, withheld, withheldReturned []int64
}

func (c *silenceColumns) add(shard int, k insight.SilenceKey, n insight.SilenceCounts) {
	c.cohortColumns.add(shard, k.Cohort)
	c.step = append(c.step, k.Step)
	c.bucket = append(c.bucket, int32(k.Bucket))
	c.replied = append(c.replied, n.Replied)
	c.cut = append(c.cut, n.Cut)
	c.reminded = append(c.reminded, n.Reminded)
	c.returned = append(c.returned, n.Returned)
	c.withheld = append(c.withheld, n.Withheld)
	c.withheldReturned = append(c.withheldReturned, n.WithheldReturned)
}

func (c *silenceColumns) args() []any {
	return append(c.cohortColumns.args(), nonNil(c.step), nonNil(c.bucket), nonNil(c.replied), nonNil(c.cut),
		nonNil(c.reminded), nonNil(c.returned), nonNil(c.withheld), nonNil(c.withheldReturned))
}
