package store

import (
	"errors"
	"testing"
)

// TestWhoLeaves: a contact is taken out of use by another lane only while it is in no
// conversation and not parked, by its own at any time, and once; and never into one that
// is out of use itself.
func TestWhoLeaves(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		sql    string
		idle   bool
		leaves bool
	}{
		"has ended":           {`UPDATE sessions SET status = 'completed'`, true, true},
		"in a conversation":   {`SELECT 1`, true, false},
		"with a human":        {`UPDATE sessions SET status = 'human'`, true, false},
		"parked":              {`UPDATE sessions SET status = 'completed'; UPDATE contacts SET parked_at = now() WHERE lane_key = 'ann'`, true, false},
		"by its own lane":     {`SELECT 1`, false, true},
		"has left":            {`UPDATE contacts SET merged_into = gen_random_uuid() WHERE lane_key = 'ann'`, false, false},
		"into one that left":  {`UPDATE contacts SET merged_into = gen_random_uuid() WHERE lane_key = 'bob'`, false, false},
		"the other one talks": {`UPDATE sessions SET status = 'completed' WHERE contact_id = (SELECT id FROM contacts WHERE lane_key = 'ann')`, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStore(t)
			leases := take(t, s, ServiceSession, 2)
			ann, bob := turnOf(leases[0], "ann"), turnOf(leases[1], "bob")
			appendTurns(t, s, ann)
			appendTurns(t, s, bob)
			if _, err := s.pool.Exec(t.Context(), c.sql); err != nil {
				t.Fatal(err)
			}
			left := &Leaving{From: ann.Contacts[0].ID, Into: bob.Contacts[0].ID, Idle: c.idle}
			_, err := s.AppendTurnsAnd(t.Context(), nil, ResourceChanges{Identities: IdentityChanges{Left: left}})
			if c.leaves && err != nil || !c.leaves && !errors.Is(err, ErrConflict) {
				t.Errorf("%v", err)
			}
		})
	}
}
