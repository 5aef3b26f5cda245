package insight

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// Silences are counted by how long they were: two buckets to a doubling, from ten
// minutes on, after which the engine chooses a reminder's time, to a day.
const (
	SilenceBuckets = 15
	firstBound     = 10 * time.Minute
	horizon        = 24 * time.Hour
)

// SilenceBound is the length at which a bucket begins.
func SilenceBound(bucket int) time.Duration {
	bound := firstBound << (bucket / 2)
	if bucket%2 == 1 {
		bound = bound * 1414 / 1000
	}
	return bound
}

// silenceBucket is the bucket of a silence; shorter ones are in the first, longer ones
// in the last.
func silenceBucket(ms int64) int {
	for b := 1; b < SilenceBuckets; b++ {
		if ms < SilenceBound(b).Milliseconds() {
			return b - 1
		}
	}
	return SilenceBuckets - 1
}

// SilenceKey names silences of one length at one step. Its day is the one on which they
// began.
type SilenceKey struct {
	StepKey
	Bucket int
}

// SilenceCounts says how silences ended for which a reminder was planned.
type SilenceCounts struct {
	// Replied counts those that ended in this bucket because the person wrote, without
	// having been reminded. Cut counts those of which no more is known: a reminder was
	// said, or the question ended in another way, or a day was over.
	Replied, Cut int64
	// Reminded counts those whose drawn reminder was said in this bucket, and Returned
	// those of them that wrote after it. Withheld and WithheldReturned count the same of
	// those whose reminder was withheld.
	Reminded, Returned, Withheld, WithheldReturned int64
}

// add adds other counts.
func (n *SilenceCounts) add(o SilenceCounts) {
	n.Replied += o.Replied
	n.Cut += o.Cut
	n.Reminded += o.Reminded
	n.Returned += o.Returned
	n.Withheld += o.Withheld
	n.WithheldReturned += o.WithheldReturned
}

// SilenceRow is one line of the read model.
type SilenceRow struct {
	Key    SilenceKey
	Counts SilenceCounts
}

// silenceEnded counts a silence where it ended, and where its reminder was.
func (c *Counts) silenceEnded(cohort Cohort, e *parleyv1.SilenceEnded) {
	cohort.Day = e.GetBeganMs() / dayMs
	count := func(ms int64, n SilenceCounts) {
		key := SilenceKey{StepKey{cohort, e.GetStep()}, silenceBucket(ms)}
		n.add(c.silences[key])
		c.silences[key] = n
	}
	one := func(yes bool) int64 {
		if yes {
			return 1
		}
		return 0
	}
	replied := e.GetReplied() && e.GetSilentMs() < horizon.Milliseconds()
	reached := e.GetReachedMs()
	if reached > 0 && !e.GetWithheld() {
		count(reached, SilenceCounts{Cut: 1})
	} else {
		count(e.GetSilentMs(), SilenceCounts{Replied: one(replied), Cut: one(!replied)})
	}
	switch {
	case reached == 0 || !e.GetDrawn():
	case e.GetWithheld():
		count(reached, SilenceCounts{Withheld: 1, WithheldReturned: one(replied)})
	default:
		count(reached, SilenceCounts{Reminded: 1, Returned: one(replied)})
	}
}

// SortedSilences returns the counts of silences in one canonical order.
func (c *Counts) SortedSilences() []SilenceRow {
	rows := make([]SilenceRow, 0, len(c.silences))
	for k, n := range c.silences {
		rows = append(rows, SilenceRow{k, n})
	}
	slices.SortFunc(rows, func(a, b SilenceRow) int {
		return cmp.Or(a.Key.Cohort.compare(b.Key.Cohort), cmp.Compare(a.Key.Step, b.Key.Step), cmp.Compare(a.Key.Bucket, b.Key.Bucket))
	})
	return rows
}

// Silences are those of one step, by bucket.
type Silences [SilenceBuckets]SilenceCounts

// Add adds counts of one bucket.
func (s *Silences) Add(bucket int, n SilenceCounts) {
	if bucket >= 0 && bucket < SilenceBuckets {
		s[bucket].add(n)
	}
}

// total is the sum of all buckets.
func (s *Silences) total() (n SilenceCounts) {
	for _, b := range s {
		n.add(b)
	}
	return n
}

// survival estimates which share is still silent at the beginning of each bucket, and
// at the end of the day, if nobody is reminded: Kaplan and Meier by buckets, where who
// was cut off in the middle of one counts half. A mean of the replies that came would
// leave out those who never did.
func (s *Silences) survival() (still [SilenceBuckets + 1]float64) {
	total := s.total()
	atRisk := float64(total.Replied + total.Cut)
	still[0] = 1
	for k, n := range s {
		exposed := atRisk - float64(n.Cut)/2
		if k == SilenceBuckets-1 {
			exposed = atRisk // cut off at its end: the day is over
		}
		still[k+1] = still[k]
		if exposed > 0 {
			still[k+1] *= max(1-float64(n.Replied)/exposed, 0)
		}
		atRisk -= float64(n.Replied + n.Cut)
	}
	return still
}

// Advice says when a reminder does most good at a step.
type Advice struct {
	After  time.Duration
	Reason string
}

const (
	// Of fewer silences, or fewer reminders, nothing is concluded.
	silencesLeast, remindedLeast = 50, 100
	// DefaultAfter is when who is silent is reminded as long as nothing is concluded.
	DefaultAfter = 3 * time.Hour
	// Without a measured reminder it comes when so few would still write on their own.
	aloneMost = 0.15
	// annoyance is what it costs to remind who would have come anyway, against a return
	// won that is worth 1.
	annoyance = 0.2
	// lastChoice is the last bucket that is advised: 9 h to 11 h.
	lastChoice = 12
)

// Advise chooses the time of the reminder: the one that wins most returns, less what it
// costs to remind who would have come anyway.
//
// With S(t) the share that is still silent at t, p(t) the part of those who come on
// their own within the day, and r(t) the part that comes if reminded at t, that is the t
// with the largest S(t) · (r(t) − p(t) − annoyance · p(t)).
func (s *Silences) Advise() Advice {
	total, still := s.total(), s.survival()
	if n := total.Replied + total.Cut; n < silencesLeast {
		return Advice{DefaultAfter, fmt.Sprintf("too few silences yet, %d of %d", n, silencesLeast)}
	}
	alone := func(k int) float64 {
		if still[k] == 0 {
			return 0
		}
		return 1 - still[SilenceBuckets]/still[k]
	}
	if total.Reminded < remindedLeast {
		k := 0
		for k < lastChoice && alone(k) > aloneMost {
			k++
		}
		return Advice{inside(k), fmt.Sprintf("of %d silences, after %s only %s still end by themselves", total.Replied+total.Cut, about(k), percent(alone(k)))}
	}
	returns := s.returns(total)
	best, most := 0, math.Inf(-1)
	for k := range lastChoice + 1 {
		if gain := still[k] * (returns[k] - alone(k) - annoyance*alone(k)); gain > most {
			best, most = k, gain
		}
	}
	return Advice{inside(best), fmt.Sprintf("of %d silences, after %s %s still end by themselves, and %s if reminded",
		total.Replied+total.Cut, about(best), percent(alone(best)), percent(returns[best]))}
}

// returns estimates which part comes if reminded in each bucket: what was measured there
// and beside it, drawn towards the mean of all where that is little.
func (s *Silences) returns(total SilenceCounts) (share [SilenceBuckets]float64) {
	const drawn = 20
	mean := float64(total.Returned) / float64(total.Reminded)
	for k := range s {
		reminded, returned := float64(drawn), drawn*mean
		for j, weight := range []float64{0.25, 0.5, 1, 0.5, 0.25} {
			if i := k + j - 2; i >= 0 && i < SilenceBuckets {
				reminded += weight * float64(s[i].Reminded)
				returned += weight * float64(s[i].Returned)
			}
		}
		share[k] = returned / reminded
	}
	return share
}

// inside is a time inside of a bucket.
func inside(bucket int) time.Duration {
	return (SilenceBound(bucket) * 6 / 5).Truncate(time.Minute)
}

func about(bucket int) string { return inside(bucket).Truncate(time.Minute).String() }

func percent(share float64) string { return fmt.Sprintf("%.0f %%", 100*share) }

// Uplift says by how much more of those who were reminded wrote than of those whose
// reminder was withheld, with the bounds of 95 % confidence; ok is false if there is
// nobody to compare.
func Uplift(n SilenceCounts) (uplift, low, high float64, ok bool) {
	if n.Reminded == 0 || n.Withheld == 0 {
		return 0, 0, 0, false
	}
	p, pLow, pHigh := wilson(n.Returned, n.Reminded)
	q, qLow, qHigh := wilson(n.WithheldReturned, n.Withheld)
	uplift = p - q
	// Newcombe's interval for a difference of two shares.
	return uplift, uplift - math.Hypot(p-pLow, qHigh-q), uplift + math.Hypot(pHigh-p, q-qLow), true
}

// wilson is a share with the bounds of 95 % confidence, as Wilson has them.
func wilson(part, whole int64) (p, low, high float64) {
	const z = 1.96
	n := float64(whole)
	p = float64(part) / n
	middle := (p + z*z/(2*n)) / (1 + z*z/n)
	half := z / (1 + z*z/n) * math.Sqrt(p*(1-p)/n+z*z/(4*n*n))
	return p, middle - half, middle + half
}
