package store

import (
	"testing"
	"time"
)

// The newest of each is kept, in whatever order notices come, and however often.
func TestNewestNoticeWins(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	at := func(minute int) time.Time { return time.Date(2026, 12, 1, 10, minute, 0, 0, time.UTC) }
	until := at(59)
	put := func(facts ...AccountFact) {
		t.Helper()
		if err := s.PutAccountFacts(t.Context(), facts); err != nil {
			t.Fatal(err)
		}
	}
	fact := func(subject, value string, minute int) AccountFact {
		return AccountFact{Account: "waba", Kind: "template", Subject: subject, Value: value, At: at(minute)}
	}
	put(fact("a", "PAUSED", 5), fact("a", "APPROVED", 1), fact("b", "PAUSED", 2))
	put(fact("a", "REJECTED", 3), fact("b", "APPROVED", 4))
	put(AccountFact{Account: "waba", Number: "1", Kind: "restriction", Subject: "X", Value: "ON", Until: &until, At: at(1)})
	got, err := s.AccountFacts(t.Context())
	if err != nil || len(got) != 3 {
		t.Fatalf("%+v, %v", got, err)
	}
	if got[0].Value != "PAUSED" || got[1].Value != "APPROVED" || got[2].Until == nil || !got[2].Until.Equal(until) {
		t.Errorf("%+v", got)
	}
}
