package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/parleyhq/parley/pkg/insight"
)

// FunnelFilter selects sessions. Empty fields select all.
type FunnelFilter struct {
	Flow string
	// From and To are days (2026-11-22), both included.
	From, To string
	Version  int
	Channel  string
	Language string
}

// Funnel is what sessions did at each step of a flow.
type Funnel struct {
	Flow   string       `json:"flow"`
	Totals FunnelTotals `json:"totals"`
	Steps  []FunnelStep `json:"steps"`
}

// FunnelTotals says what became of the sessions.
type FunnelTotals struct {
	Started   int64 `json:"started"`
	Completed int64 `json:"completed"`
	Cancelled int64 `json:"cancelled"`
	// Expired counts those whose person is silent for too long, and can come back.
	Expired int64 `json:"expired"`
}

// FunnelStep is one step: Entered = Answered + Left + Waiting.
type FunnelStep struct {
	Step     string `json:"step"`
	Position int    `json:"position"`
	Entered  int64  `json:"entered"`
	Answered int64  `json:"answered"`
	// Failed counts sessions with at least one rejected answer, Rejections all of them.
	Failed     int64 `json:"failed"`
	Rejections int64 `json:"rejections"`
	// Left counts sessions that went without an accepted answer.
	Left    int64 `json:"left"`
	Waiting int64 `json:"waiting"`
	// Messages says what became of what the step said.
	Messages FunnelMessages `json:"messages"`
	// Reminders says what reminders do that choose their time; nil if there were none.
	Reminders *FunnelReminders `json:"reminders,omitempty"`
}

// FunnelMessages counts messages, not sessions. Failed are those that were refused, or
// that are reported as failed and not as delivered.
type FunnelMessages struct {
	Sent      int64 `json:"sent"`
	Delivered int64 `json:"delivered"`
	Read      int64 `json:"read"`
	Failed    int64 `json:"failed"`
}

// FunnelReminders compares those who were reminded with those whose reminder was withheld
// at the same time, in a draw. Its days are those on which the silences began.
type FunnelReminders struct {
	Reminded         int64 `json:"reminded"`
	Returned         int64 `json:"returned"`
	Withheld         int64 `json:"withheld"`
	WithheldReturned int64 `json:"withheld_returned"`
	// Uplift is the difference of the two shares, Low and High its bounds of 95 %
	// confidence; nil if there is nobody to compare.
	Uplift *float64 `json:"uplift"`
	Low    *float64 `json:"uplift_low"`
	High   *float64 `json:"uplift_high"`
	// AfterMs is when people are reminded now, and Reason why then; 0 if nothing is known.
	AfterMs int64  `json:"after_ms"`
	Reason  string `json:"reason"`
}

const funnelWhere = ` WHERE flow = $1
	AND ($2 = '' OR day >= NULLIF($2, '')::date) AND ($3 = '' OR day <= NULLIF($3, '')::date)
	AND ($4 = 0 OR flow_version = $4) AND ($5 = '' OR channel = $5) AND ($6 = '' OR language = $6)`

// Funnel reads the funnel of a flow from the read models.
func (s *Store) Funnel(ctx context.Context, f FunnelFilter) (Funnel, error) {
	funnel := Funnel{Flow: f.Flow, Steps: []FunnelStep{}}
	args := []any{f.Flow, f.From, f.To, f.Version, f.Channel, f.Language}
	batch := &pgx.Batch{}
	batch.Queue(`SELECT COALESCE(sum(started), 0)::bigint, COALESCE(sum(completed), 0)::bigint, COALESCE(sum(cancelled), 0)::bigint, COALESCE(sum(expired), 0)::bigint
		FROM insight.flow_totals`+funnelWhere, args...).QueryRow(func(row pgx.Row) error {
		return row.Scan(&funnel.Totals.Started, &funnel.Totals.Completed, &funnel.Totals.Cancelled, &funnel.Totals.Expired)
	})
	batch.Queue(`SELECT s.*, COALESCE(m.sent, 0), COALESCE(m.delivered, 0), COALESCE(m.read, 0), COALESCE(m.failed, 0)
		FROM (SELECT step, max(position) AS position, sum(entered)::bigint, sum(answered)::bigint, sum(failed)::bigint,
		             sum(rejections)::bigint, sum(departed)::bigint, sum(waiting)::bigint
		        FROM insight.funnel_steps`+funnelWhere+` GROUP BY step) s
		LEFT JOIN (SELECT step, sum(sent)::bigint AS sent, sum(delivered)::bigint AS delivered, sum(read)::bigint AS read, sum(failed)::bigint AS failed
		             FROM insight.delivery_steps`+funnelWhere+` GROUP BY step) m USING (step)
		ORDER BY s.position, s.step`, args...).Query(func(rows pgx.Rows) error {
		var err error
		funnel.Steps, err = pgx.CollectRows(rows, scanFunnelStep)
		return err
	})
	reminders := map[string]*FunnelReminders{}
	queueReminders(batch, args, reminders)
	if err := s.pool.SendBatch(ctx, batch).Close(); err != nil {
		return Funnel{}, fmt.Errorf("read funnel of %s: %w", f.Flow, err)
	}
	for i, step := range funnel.Steps {
		funnel.Steps[i].Reminders = reminders[step.Step]
	}
	return funnel, nil
}

// queueReminders reads what reminders do, by step.
func queueReminders(batch *pgx.Batch, args []any, into map[string]*FunnelReminders) {
	batch.Queue(`SELECT step, sum(reminded)::bigint, sum(returned)::bigint, sum(withheld)::bigint, sum(withheld_returned)::bigint,
	                    COALESCE(max(a.after_ms), 0), COALESCE(max(a.reason), '')
		FROM insight.silences LEFT JOIN insight.reminder_advice a USING (flow, step)`+funnelWhere+` GROUP BY step`, args...).
		Query(func(rows pgx.Rows) error {
			var step string
			var n insight.SilenceCounts
			var r FunnelReminders
			_, err := pgx.ForEachRow(rows, []any{&step, &n.Reminded, &n.Returned, &n.Withheld, &n.WithheldReturned, &r.AfterMs, &r.Reason}, func() error {
				one := FunnelReminders{Reminded: n.Reminded, Returned: n.Returned, Withheld: n.Withheld, WithheldReturned: n.WithheldReturned, AfterMs: r.AfterMs, Reason: r.Reason}
				if uplift, low, high, ok := insight.Uplift(n); ok {
					one.Uplift, one.Low, one.High = &uplift, &low, &high
				}
				into[step] = &one
				return nil
			})
			return err
		})
}

func scanFunnelStep(row pgx.CollectableRow) (s FunnelStep, err error) {
	err = row.Scan(&s.Step, &s.Position, &s.Entered, &s.Answered, &s.Failed, &s.Rejections, &s.Left, &s.Waiting,
		&s.Messages.Sent, &s.Messages.Delivered, &s.Messages.Read, &s.Messages.Failed)
	return s, err
}

// FlowPublished reports whether a flow of that name exists.
func (s *Store) FlowPublished(ctx context.Context, name string) (known bool, err error) {
	err = s.pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM flows WHERE name = $1)`, name).Scan(&known)
	if err != nil {
		return false, fmt.Errorf("look up flow %s: %w", name, err)
	}
	return known, nil
}
