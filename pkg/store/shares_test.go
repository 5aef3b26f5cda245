package store

import (
	"sync"
	"testing"
	"time"
)

// Owners decide one after another, and each sees what the one before has decided.
func TestExchangeSendShares(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	var owners sync.WaitGroup
	for _, owner := range []string{"a", "b", "c", "d"} {
		owners.Go(func() {
			for range 10 {
				err := s.ExchangeSendShares(t.Context(), owner, func(now time.Time, all []SendShare) []SendShare {
					most := 0
					for _, share := range all {
						most = max(most, share.Units)
					}
					return []SendShare{{Channel: testChannel, Owner: owner, Units: most + 1, Until: now, CoolingUntil: now, Weight: 1.5}}
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	owners.Wait()
	err := s.ExchangeSendShares(t.Context(), "e", func(now time.Time, all []SendShare) []SendShare {
		most := 0
		for _, share := range all {
			most = max(most, share.Units)
			if share.Channel != testChannel || share.Weight != 1.5 || share.Until.IsZero() {
				t.Errorf("%+v", share)
			}
		}
		if len(all) != 4 || most != 40 {
			t.Errorf("%d rows, the highest is %d: somebody did not see what another had decided", len(all), most)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestSendSharesOfTheGoneEnd(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	put := func(owner string, ago time.Duration) (seen int) {
		t.Helper()
		err := s.ExchangeSendShares(t.Context(), owner, func(now time.Time, all []SendShare) []SendShare {
			seen = len(all)
			return []SendShare{{Channel: testChannel, Owner: owner, Until: now.Add(-ago), CoolingUntil: now}}
		})
		if err != nil {
			t.Fatal(err)
		}
		return seen
	}
	put("a", 2*sharesKept)
	put("b", 2*sharesKept)
	if seen := put("c", 0); seen != 1 { // b has swept a away
		t.Errorf("c sees %d", seen)
	}
}
