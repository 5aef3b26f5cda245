package store

import (
	"testing"
	"time"
)

func TestSendStops(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	now := time.Now().Truncate(time.Millisecond)
	number := SendStop{Scope: "number", Name: "n1", Class: "stop number", Code: 131045, Since: now, Until: now.Add(time.Hour)}
	offer := SendStop{Scope: "account", Name: "", Subject: "template offer en", Class: "park template", Code: 132015, Since: now, Until: now.Add(time.Hour)}
	over := SendStop{Scope: "app", Name: "", Class: "retry app", Code: 4, Since: now.Add(-time.Hour), Until: now.Add(-time.Minute)}
	put := func(owner string, stops ...SendStop) {
		t.Helper()
		if err := s.PutSendStops(t.Context(), owner, stops); err != nil {
			t.Fatal(err)
		}
	}
	want := func(except string, want ...SendStop) {
		t.Helper()
		stops, err := s.SendStops(t.Context(), except)
		if err != nil {
			t.Fatal(err)
		}
		if len(stops) != len(want) {
			t.Fatalf("%+v, want %+v", stops, want)
		}
		for i, stop := range stops {
			if !stop.Since.Equal(want[i].Since) || !stop.Until.Equal(want[i].Until) {
				t.Errorf("%+v, want %+v", stop, want[i])
			}
			stop.Since, stop.Until = want[i].Since, want[i].Until
			if stop != want[i] {
				t.Errorf("%+v, want %+v", stop, want[i])
			}
		}
	}
	put("a", number, offer, over)
	put("b")
	want("", offer, number)
	want("a")
	want("b", offer, number)

	longer := number
	longer.Since, longer.Until, longer.Code = now.Add(time.Minute), now.Add(2*time.Hour), 133010
	put("b", longer)
	both := longer
	both.Since = number.Since
	want("", offer, both)
	put("a")
	put("a")
	want("", longer)

	// The end of what has no owner any more is its own.
	long := over
	long.Until = now.Add(-2 * stopsKept)
	put("gone", long)
	put("b")
	var left int
	if err := s.pool.QueryRow(t.Context(), `SELECT count(*) FROM send_stops`).Scan(&left); err != nil || left != 0 {
		t.Errorf("%d rows are left, %v", left, err)
	}
}
