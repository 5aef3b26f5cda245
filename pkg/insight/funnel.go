// Package insight is the arithmetic of the read models: pure functions from
// events to counts. It has no clock, no I/O and no randomness, so that folding
// the same events again gives the same rows.
package insight

import (
	"cmp"
	"slices"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// Cohort is the group of sessions that a count belongs to. A session stays in
// the cohort of the day on which it started.
type Cohort struct {
	Flow     string
	Version  uint32
	Channel  string
	Language string
	// Day is the number of days since 1970-01-01, UTC.
	Day int64
}

// CohortOf is the cohort of the session that an event belongs to.
func CohortOf(e *parleyv1.Event) Cohort {
	return Cohort{
		Flow: e.GetFlow(), Version: e.GetFlowVersion(), Channel: e.GetChannel(), Language: cmp.Or(e.GetFirstLanguage(), e.GetLanguage()),
		Day: e.GetSessionStartedAtMs() / dayMs,
	}
}

// StepKey names one step within a cohort.
type StepKey struct {
	Cohort
	Step string
}

// StepCounts says what sessions did at a step. At any time
// Entered = Answered + Departed + those that still wait.
type StepCounts struct {
	// Position orders the steps of a flow, from 1.
	Position uint32
	// Entered counts sessions that reached the step.
	Entered int64
	// Answered counts sessions whose answer was accepted.
	Answered int64
	// Failed counts sessions with at least one rejected answer, Rejections all
	// rejected answers.
	Failed, Rejections int64
	// Departed counts sessions that left the step without an accepted answer, or
	// expired there; who comes back is taken out again.
	Departed int64
}

// TotalCounts says what became of the sessions of a cohort.
type TotalCounts struct {
	Started, Completed int64
	// Cancelled counts sessions that ended before their flow did.
	Cancelled int64
	// Expired counts sessions whose person has been silent for too long; who comes back is
	// taken out again.
	Expired int64
}

// Counts is the fold of a run of events of one shard.
type Counts struct {
	steps    map[StepKey]StepCounts
	totals   map[Cohort]TotalCounts
	silences map[SilenceKey]SilenceCounts
}

// NewCounts returns counts of nothing.
func NewCounts() *Counts {
	return &Counts{steps: map[StepKey]StepCounts{}, totals: map[Cohort]TotalCounts{}, silences: map[SilenceKey]SilenceCounts{}}
}

const dayMs = 24 * 60 * 60 * 1000

// Add folds one event.
func (c *Counts) Add(e *parleyv1.Event) {
	cohort := CohortOf(e)
	switch body := e.Body.(type) {
	case *parleyv1.Event_SessionStarted:
		c.total(cohort, func(n *TotalCounts) { n.Started++ })
	case *parleyv1.Event_StepEntered:
		c.step(cohort, body.StepEntered.Step, func(n *StepCounts) { n.Entered++; n.Position = body.StepEntered.Position })
	case *parleyv1.Event_AnswerAccepted:
		c.step(cohort, body.AnswerAccepted.Step, func(n *StepCounts) { n.Answered++ })
	case *parleyv1.Event_AnswerRejected:
		c.step(cohort, body.AnswerRejected.Step, func(n *StepCounts) {
			n.Rejections++
			if body.AnswerRejected.Failures == 1 {
				n.Failed++
			}
		})
	case *parleyv1.Event_StepLeft:
		c.step(cohort, body.StepLeft.Step, func(n *StepCounts) { n.Departed++ })
	case *parleyv1.Event_SessionExpired:
		c.step(cohort, body.SessionExpired.Step, func(n *StepCounts) { n.Departed++ })
		c.total(cohort, func(n *TotalCounts) { n.Expired++ })
	case *parleyv1.Event_SessionResumed:
		c.step(cohort, body.SessionResumed.Step, func(n *StepCounts) { n.Departed-- }) // and waits again
		c.total(cohort, func(n *TotalCounts) { n.Expired-- })
	case *parleyv1.Event_SilenceEnded:
		c.silenceEnded(cohort, body.SilenceEnded)
	case *parleyv1.Event_HandedOver:
		c.handedOver(cohort, body.HandedOver)
	case *parleyv1.Event_SessionMigrated:
		// The session counts as one of the version that it goes on in; what it did
		// before stays where it was done.
		c.total(cohort, func(n *TotalCounts) { n.Started++ })
		cohort.Version = body.SessionMigrated.FromVersion
		c.total(cohort, func(n *TotalCounts) { n.Started-- })
	case *parleyv1.Event_SessionCompleted:
		c.total(cohort, func(n *TotalCounts) { n.Completed++ })
	case *parleyv1.Event_SessionCancelled:
		c.cancelled(cohort, body.SessionCancelled)
	}
}

// handedOver counts a session that left a question to a human. A step that does
// nothing else was never waited at, and after the end there is no step.
func (c *Counts) handedOver(cohort Cohort, e *parleyv1.HandedOver) {
	if e.Reason != "step" && e.Step != "" {
		c.step(cohort, e.Step, func(n *StepCounts) { n.Departed++ })
	}
}

// cancelled counts a session that ended before its flow did. One that had
// completed before left no step and keeps counting as completed.
func (c *Counts) cancelled(cohort Cohort, e *parleyv1.SessionCancelled) {
	if e.Completed {
		return
	}
	c.total(cohort, func(n *TotalCounts) {
		n.Cancelled++
		if e.Expired {
			n.Expired--
		}
	})
	if e.Step != "" {
		c.step(cohort, e.Step, func(n *StepCounts) { n.Departed++ })
	}
}

func (c *Counts) step(cohort Cohort, step string, change func(*StepCounts)) {
	key := StepKey{Cohort: cohort, Step: step}
	n := c.steps[key]
	change(&n)
	c.steps[key] = n
}

func (c *Counts) total(cohort Cohort, change func(*TotalCounts)) {
	n := c.totals[cohort]
	change(&n)
	c.totals[cohort] = n
}

// StepRow and TotalRow are one line of a read model.
type (
	StepRow struct {
		Key    StepKey
		Counts StepCounts
	}
	TotalRow struct {
		Key    Cohort
		Counts TotalCounts
	}
)

// SortedSteps returns the step counts in one canonical order, so that writers
// lock rows in the same order.
func (c *Counts) SortedSteps() []StepRow {
	rows := make([]StepRow, 0, len(c.steps))
	for k, n := range c.steps {
		rows = append(rows, StepRow{k, n})
	}
	slices.SortFunc(rows, func(a, b StepRow) int {
		return cmp.Or(a.Key.Cohort.compare(b.Key.Cohort), cmp.Compare(a.Key.Step, b.Key.Step))
	})
	return rows
}

// SortedTotals returns the totals in one canonical order.
func (c *Counts) SortedTotals() []TotalRow {
	rows := make([]TotalRow, 0, len(c.totals))
	for k, n := range c.totals {
		rows = append(rows, TotalRow{k, n})
	}
	slices.SortFunc(rows, func(a, b TotalRow) int { return a.Key.compare(b.Key) })
	return rows
}

func (c Cohort) compare(o Cohort) int {
	return cmp.Or(cmp.Compare(c.Flow, o.Flow), cmp.Compare(c.Version, o.Version), cmp.Compare(c.Channel, o.Channel),
		cmp.Compare(c.Language, o.Language), cmp.Compare(c.Day, o.Day))
}
