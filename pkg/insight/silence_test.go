package insight

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/parleyhq/parley/pkg/flow"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// The engine and the counts agree on what a silence is.
func TestSilenceIsTheEngines(t *testing.T) {
	if firstBound != flow.AutoFirst || horizon != flow.SilenceMeasured || DefaultAfter != flow.AutoDefault {
		t.Error("insight and flow have other constants")
	}
	if last := SilenceBound(SilenceBuckets - 1); last > horizon || SilenceBound(SilenceBuckets) < horizon {
		t.Errorf("the last bucket begins at %s", last)
	}
	for b := range SilenceBuckets {
		if got := silenceBucket(SilenceBound(b).Milliseconds()); got != b {
			t.Errorf("bucket %d begins in %d", b, got)
		}
		if got := silenceBucket(SilenceBound(b).Milliseconds() - 1); got != max(b-1, 0) {
			t.Errorf("before bucket %d begins is %d", b, got)
		}
	}
}

func ended(minutes int64, replied bool, reached int64, withheld, drawn bool) *parleyv1.SilenceEnded {
	const minute = 60_000
	return &parleyv1.SilenceEnded{
		Step: "day", BeganMs: 5 * dayMs, SilentMs: minutes * minute, Replied: replied, ReachedMs: reached * minute, Withheld: withheld, Drawn: drawn,
	}
}

// Each silence is counted where it ended, or where a reminder cut it off; the arms of
// the draw where their reminder was.
func TestSilencesAreCounted(t *testing.T) {
	for name, c := range map[string]struct {
		e    *parleyv1.SilenceEnded
		want map[int]SilenceCounts
	}{
		"by itself":                 {ended(15, true, 0, false, true), map[int]SilenceCounts{1: {Replied: 1}}},
		"left":                      {ended(15, false, 0, false, true), map[int]SilenceCounts{1: {Cut: 1}}},
		"reminded, and back":        {ended(100, true, 45, false, true), map[int]SilenceCounts{4: {Cut: 1, Reminded: 1, Returned: 1}}},
		"reminded, for nothing":     {ended(1440, false, 45, false, true), map[int]SilenceCounts{4: {Cut: 1, Reminded: 1}}},
		"reminded, not drawn":       {ended(1440, true, 45, false, false), map[int]SilenceCounts{4: {Cut: 1}}},
		"withheld, and back":        {ended(100, true, 45, true, true), map[int]SilenceCounts{4: {Withheld: 1, WithheldReturned: 1}, 6: {Replied: 1}}},
		"withheld, never back":      {ended(1440, false, 45, true, true), map[int]SilenceCounts{4: {Withheld: 1}, 14: {Cut: 1}}},
		"withheld, back too late":   {ended(1500, true, 45, true, true), map[int]SilenceCounts{4: {Withheld: 1}, 14: {Cut: 1}}},
		"shorter than it should be": {ended(0, true, 0, false, true), map[int]SilenceCounts{0: {Replied: 1}}},
	} {
		counts := NewCounts()
		counts.Add(&parleyv1.Event{Flow: "f", FlowVersion: 2, SessionStartedAtMs: 1, Body: &parleyv1.Event_SilenceEnded{SilenceEnded: c.e}})
		rows := counts.SortedSilences()
		if len(rows) != len(c.want) {
			t.Errorf("%s: %+v", name, rows)
		}
		for _, row := range rows {
			if row.Counts != c.want[row.Key.Bucket] || row.Key.Day != 5 || row.Key.Flow != "f" || row.Key.Step != "day" {
				t.Errorf("%s: %+v, want %+v", name, row, c.want)
			}
		}
	}
}

// Who was cut off in the middle, by reminders at any time, does not distort how long
// people are silent: the estimate finds the curve that they would have had.
func TestSurvivalFindsTheCurve(t *testing.T) {
	var s Silences
	const people = 40_000
	truth := func(ms float64) float64 { return 0.4 + 0.6*math.Pow(firstBound.Seconds()*1000/ms, 0.8) }
	u := func(n int) float64 { return math.Mod(float64(n)*0.6180339887498949, 1) }
	for n := range people {
		back := math.Inf(1)
		if still := u(n); still > 0.4 {
			back = firstBound.Seconds() * 1000 * math.Pow((still-0.4)/0.6, -1/0.8)
		}
		reminded := firstBound.Seconds() * 1000 * math.Pow(64, u(n*7+3))
		day := horizon.Seconds() * 1000
		switch {
		case back < reminded:
			s.Add(silenceBucket(int64(back)), SilenceCounts{Replied: 1})
		case n%4 > 0:
			s.Add(silenceBucket(int64(reminded)), SilenceCounts{Cut: 1})
		case back < day:
			s.Add(silenceBucket(int64(back)), SilenceCounts{Replied: 1})
		default:
			s.Add(silenceBucket(int64(day)), SilenceCounts{Cut: 1})
		}
	}
	still := s.survival()
	for k := range SilenceBuckets {
		if want := truth(float64(SilenceBound(k).Milliseconds())); math.Abs(still[k]-want) > 0.02 {
			t.Errorf("still silent after %s: %.3f, want %.3f", SilenceBound(k), still[k], want)
		}
	}
	if want := truth(horizon.Seconds() * 1000); math.Abs(still[SilenceBuckets]-want) > 0.02 {
		t.Errorf("still silent after a day: %.3f, want %.3f", still[SilenceBuckets], want)
	}
}

func TestAdvice(t *testing.T) {
	var s Silences
	advise := func(reason string, low, high time.Duration) {
		t.Helper()
		if a := s.Advise(); !strings.Contains(a.Reason, reason) || a.After < low || a.After > high {
			t.Errorf("%s, %q; want %q", a.After, a.Reason, reason)
		}
	}
	advise("too few silences yet, 0 of 50", DefaultAfter, DefaultAfter)
	s.Add(0, SilenceCounts{Replied: 30})
	s.Add(14, SilenceCounts{Cut: 19})
	advise("too few silences yet, 49 of 50", DefaultAfter, DefaultAfter)
	s.Add(2, SilenceCounts{Replied: 30})
	s.Add(6, SilenceCounts{Replied: 2})
	advise("only 10 % still end by themselves", 28*time.Minute, 40*time.Minute)
	for k := range 9 { // reminders work at 40 minutes, and not much else
		s.Add(k, SilenceCounts{Reminded: 100, Returned: 10})
	}
	s.Add(4, SilenceCounts{Returned: 60})
	advise("if reminded", 40*time.Minute, 50*time.Minute)
	s = Silences{} // all come by themselves, the later the reminder the fewer it disturbs
	s.Add(0, SilenceCounts{Replied: 500, Reminded: 100, Returned: 100})
	s.Add(5, SilenceCounts{Replied: 400, Reminded: 100, Returned: 100})
	s.Add(14, SilenceCounts{Cut: 100})
	advise("if reminded", 77*time.Minute, 12*time.Hour)
}

func TestUplift(t *testing.T) {
	uplift, low, high, ok := Uplift(SilenceCounts{Reminded: 70, Returned: 56, Withheld: 80, WithheldReturned: 48})
	// The example of Newcombe 1998, method 10: 56/70 - 48/80.
	if !ok || math.Abs(uplift-0.2) > 1e-9 || math.Abs(low-0.0524) > 1e-4 || math.Abs(high-0.3339) > 1e-4 {
		t.Errorf("%.4f (%.4f to %.4f) %v", uplift, low, high, ok)
	}
	for _, n := range []SilenceCounts{{}, {Reminded: 3, Returned: 1}, {Withheld: 3}} {
		if _, _, _, ok := Uplift(n); ok {
			t.Errorf("%+v: there is nobody to compare", n)
		}
	}
}
