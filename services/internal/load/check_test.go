package load

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// spoke is a contact who said these texts, a second apart from noon; all but the
// last unacked were answered 200.
func spoke(unacked int, texts ...string) *contact {
	c := &contact{acked: len(texts) - unacked}
	for i, text := range texts {
		c.said = append(c.said, &message{contact: c, words: words{text: text}, sent: noon.Add(time.Duration(i) * time.Second)})
	}
	return c
}

// hears adds what the contact heard, under callback ids of its own, after all that
// it said.
func (c *contact) hears(texts ...string) *contact {
	for i, text := range texts {
		at := noon.Add(time.Minute + time.Duration(i)*time.Second)
		c.heard = append(c.heard, heard{at: at, text: text, callback: fmt.Sprint("c", i)})
	}
	return c
}

func TestCheckKinds(t *testing.T) {
	const welcome, hi, invalid = "Welcome! What is your name?", "Hi Ann, what is your email?", "That email looks invalid. Please try again."
	early := spoke(0, "hi", "Ann", "no", "no").hears(welcome, hi, invalid, invalid)
	early.said[3].sent = early.heard[3].at.Add(time.Millisecond)
	tests := []struct {
		name string
		c    *contact
		want map[string]int
	}{
		{"right", spoke(0, "hi", "Ann", "no").hears(welcome, hi, invalid), nil},
		{"nothing said", spoke(0), nil},
		{"nobody asked", spoke(0).hears(welcome), map[string]int{Unexpected: 1}},
		{"lost first", spoke(0, "hi", "Ann").hears(hi), map[string]int{Lost: 1}},
		{"lost last", spoke(0, "hi", "Ann").hears(welcome), map[string]int{Lost: 1}},
		{"lost all", spoke(0, "hi", "Ann").hears(), map[string]int{Lost: 2}},
		{"doubled", spoke(0, "hi", "Ann").hears(welcome, welcome, hi), map[string]int{Doubled: 1}},
		{"doubled last", spoke(0, "hi", "Ann").hears(welcome, hi, hi), map[string]int{Doubled: 1}},
		{"swapped", spoke(0, "hi", "Ann").hears(hi, welcome), map[string]int{OutOfOrder: 1}},
		{"wrong", spoke(0, "hi", "Ann").hears(welcome, "Hi Bob"), map[string]int{Lost: 1, Unexpected: 1}},
		{"double hides loss", early, map[string]int{Lost: 1, Doubled: 1}},
		{"unacknowledged, silent", spoke(1, "hi", "Ann").hears(welcome), map[string]int{Unacknowledged: 1}},
		{"unacknowledged, answered", spoke(1, "hi", "Ann").hears(welcome, hi), map[string]int{Unacknowledged: 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k := checker{callbacks: map[string]owner{}}
			k.check(tt.c)
			got := map[string]int{}
			for _, f := range k.findings {
				got[f.Kind]++
			}
			if !maps.Equal(got, tt.want) {
				t.Errorf("found %v, want %v", got, tt.want)
			}
		})
	}
}

// A repeat under the same callback id is excused only if its first acceptance was
// cut off by a kill, and only if the run says so.
func TestExcuses(t *testing.T) {
	accepted := noon.Add(time.Minute)
	tests := []struct {
		name     string
		mark     Mark
		tolerate bool
		want     string
	}{
		{"just before the kill", Mark{"kill session", accepted.Add(time.Second)}, true, Excused},
		{"written before, read after", Mark{"kill dispatcher", accepted.Add(-50 * time.Millisecond)}, true, Excused},
		{"long before the kill", Mark{"kill session", accepted.Add(1600 * time.Millisecond)}, true, Doubled},
		{"after the kill", Mark{"kill session", accepted.Add(-time.Second)}, true, Doubled},
		{"not a kill", Mark{"stop postgres", accepted.Add(time.Second)}, true, Doubled},
		{"not tolerated", Mark{"kill session", accepted.Add(time.Second)}, false, Doubled},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := spoke(0, "hi").hears("Welcome! What is your name?")
			c.heard = append(c.heard, c.heard[0])
			c.heard[1].at = accepted.Add(20 * time.Second)
			k := checker{callbacks: map[string]owner{}, marks: []Mark{tt.mark}, tolerate: tt.tolerate}
			k.check(c)
			if len(k.findings) != 1 || k.findings[0].Kind != tt.want {
				t.Errorf("found %+v, want %s", k.findings, tt.want)
			}
		})
	}
}

// An effect that took place twice has a callback id of its own: no kill excuses it.
func TestFreshDoubleIsNeverExcused(t *testing.T) {
	c := spoke(0, "hi").hears("Welcome! What is your name?", "Welcome! What is your name?")
	k := checker{callbacks: map[string]owner{}, marks: []Mark{{"kill session", c.heard[0].at}}, tolerate: true}
	k.check(c)
	if len(k.findings) != 1 || k.findings[0].Kind != Doubled {
		t.Errorf("found %+v", k.findings)
	}
}

func TestCallbackOfAnotherContact(t *testing.T) {
	k := checker{callbacks: map[string]owner{}}
	k.check(spoke(0, "hi").hears("Welcome! What is your name?"))
	k.check(spoke(0, "hi").hears("Welcome! What is your name?"))
	if len(k.findings) != 1 || k.findings[0].Kind != Callback {
		t.Errorf("found %+v", k.findings)
	}
}

func TestAlign(t *testing.T) {
	want, got := "abcde", "bxcce"
	pairs, missing, extra := align(len(want), len(got), func(i, j int) bool { return want[i] == got[j] })
	if len(pairs) != 3 || !slices.Equal(missing, []int{0, 3}) || len(extra) != 2 {
		t.Errorf("pairs %v, missing %v, extra %v", pairs, missing, extra)
	}
	for n, pair := range pairs {
		if want[pair[0]] != got[pair[1]] || n > 0 && (pair[0] <= pairs[n-1][0] || pair[1] <= pairs[n-1][1]) {
			t.Errorf("pairs %v", pairs)
		}
	}
}

func TestSummarize(t *testing.T) {
	var durations []time.Duration
	for i := 100; i > 0; i-- {
		durations = append(durations, time.Duration(i)*time.Millisecond)
	}
	if got, want := summarize(durations), (Latency{Count: 100, P50: 51, P90: 91, P99: 100, Max: 100}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
