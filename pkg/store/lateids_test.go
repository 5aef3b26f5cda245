package store

import (
	"testing"
	"time"
)

// A late id is found until it is set, and only for so long; a receipt that came
// before it is adopted then.
func TestLateIDs(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	exec(t, s, `INSERT INTO deliveries (shard, "offset", channel, contact_id, session_id, content, state, wamid, queued_at)
		SELECT 0, n, 'shop', gen_random_uuid(), 1, '', 'accepted', w, now() - a
		  FROM (VALUES (1, 'wasender:7', interval '1 minute'), (2, '3EB0', interval '0'), (3, 'wasender:8', interval '2 days'), (4, 'wasender:9', interval '0')) v(n, w, a)`)
	exec(t, s, `INSERT INTO orphan_receipts (channel, wamid, receipt, rank, at) VALUES ('shop', '3EB7', 'read', 4, now())`)
	late, err := s.LateIDs(t.Context(), 24*time.Hour, LateID{}, 10)
	if err != nil || len(late) != 2 || late[0].Key.Offset != 1 || late[0].Channel != "shop" || late[0].WAMID != "wasender:7" || late[1].Key.Offset != 4 {
		t.Fatalf("%+v, %v", late, err)
	}
	want := late[0]
	if behind, err := s.LateIDs(t.Context(), 24*time.Hour, want, 10); err != nil || len(behind) != 1 || behind[0] != late[1] {
		t.Errorf("behind the first: %+v, %v", behind, err)
	}
	for range 2 { // the second finds nothing to set
		if err := s.SetLateID(t.Context(), want, "3EB7"); err != nil {
			t.Fatal(err)
		}
	}
	if late, err = s.LateIDs(t.Context(), 24*time.Hour, LateID{}, 10); err != nil || len(late) != 1 {
		t.Errorf("%+v, %v", late, err)
	}
	if n, _, err := s.AdoptOrphans(t.Context(), time.Hour, ""); err != nil || n != 1 {
		t.Errorf("%d adopted, %v", n, err)
	}
	if got := value[string](t, s, `SELECT wamid || receipt FROM deliveries WHERE "offset" = 1`); got != "3EB7read" {
		t.Errorf("the delivery is %s", got)
	}
}
