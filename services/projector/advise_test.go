package projector

import (
	"testing"
	"time"
)

// Advice comes of days whose silences are all over, and not of what was long ago.
func TestAdvise(t *testing.T) {
	h := newHistory(t)
	now := time.Date(2026, 12, 20, 0, 30, 0, 0, time.UTC)
	silences := func(step string, daysAgo, replied, cut int) {
		t.Helper()
		_, err := h.conn.Exec(t.Context(), `INSERT INTO insight.silence_counts (flow, flow_version, channel, language, day, step, bucket, shard, replied, cut)
			VALUES ('lead', 1, '1', 'en', $1, $2, 0, 0, $3, $4)`, now.AddDate(0, 0, -daysAgo), step, replied, cut)
		if err != nil {
			t.Fatal(err)
		}
	}
	advised := func(step string) (after time.Duration, reason string) {
		t.Helper()
		if err := Advise(t.Context(), h.Store, now); err != nil {
			t.Fatal(err)
		}
		var ms int64
		err := h.conn.QueryRow(t.Context(), `SELECT COALESCE(max(after_ms), 0), COALESCE(max(reason), '') FROM insight.reminder_advice WHERE step = $1`, step).Scan(&ms, &reason)
		if err != nil {
			t.Fatal(err)
		}
		return time.Duration(ms) * time.Millisecond, reason
	}
	silences("name", 0, 100, 0)
	silences("name", 1, 100, 0)
	silences("name", 30, 100, 0)
	if after, reason := advised("name"); after != 0 {
		t.Errorf("%s, %q: those silences are not all over, or too old", after, reason)
	}
	silences("name", 2, 9, 1)
	if after, reason := advised("name"); after != 3*time.Hour || reason != "too few silences yet, 10 of 50" {
		t.Errorf("%s, %q", after, reason)
	}
	silences("name", 29, 10, 80)
	silences("email", 29, 60, 0)
	if after, reason := advised("name"); after >= time.Hour || reason != "of 100 silences, after 16m0s only 0 % still end by themselves" {
		t.Errorf("%s, %q", after, reason)
	}
	if _, reason := advised("email"); reason == "" {
		t.Error("the other step has no advice")
	}
}
