package store

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/parleyhq/parley/pkg/store/pgtest"
)

// People are found by what proves who they are and by the beginning of their names, in
// whatever letters; of several, one more than is asked for says that there are more.
func TestFindPeople(t *testing.T) {
	t.Parallel()
	dsn := pgtest.New(t, Migrate)
	s, err := Open(t.Context(), dsn, 2, "test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	random := rand.New(rand.NewPCG(1, 2))
	long := ""
	for range 5000 { // nothing that PostgreSQL could compress into what an index takes
		long += string(rune('a' + random.IntN(26)))
	}
	people := []struct{ name, username, phone, bsuid, lid string }{
		{"Ann Lee", "ann.lee", "15550100", "US.1", ""},
		{"ANNA 100%_", "", "15550101", "", "77@lid"},
		{"Élodie", "anton", "15550102", "", ""},
		{"", "", "15550103", "88@lid", "88@lid"},
		{long, long, "15550104", "", ""},
		{"Änne 🌷", "", "15550105", "", ""},
		{`O'Neil \`, "", "15550106", "", ""},
	}
	conn := connect(t, dsn)
	for i, p := range people {
		if _, err := conn.Exec(t.Context(), `INSERT INTO contacts (id, portfolio, lane_key, shard, name, username, phone, bsuid, created_at)
			VALUES ($1, 'p', $2, 0, $3, $4, $5, $6, now())`, numbered(i+1), fmt.Sprint(i), p.name, p.username, p.phone, p.bsuid); err != nil {
			t.Fatal(err)
		}
		if p.lid != "" {
			if _, err := conn.Exec(t.Context(), `INSERT INTO contact_identities (portfolio, kind, value, contact_id) VALUES ('p', 'lid', $1, $2)`, p.lid, numbered(i+1)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := conn.Exec(t.Context(), `INSERT INTO contacts (id, portfolio, lane_key, shard, name, merged_into, created_at) VALUES ($1, 'p', 'old', 0, 'Zed', $2, now())`, numbered(99), numbered(1)); err != nil {
		t.Fatal(err)
	}
	for who, want := range map[string][]int{
		"ann": {1, 2}, "Ann L": {1}, "ANN LEE": {1}, "@ann": {1}, "@ANT": {3}, "ant": {3},
		"15550101": {2}, "+15550101": {2}, "1555": nil, "US.1": {1}, "77@lid": {2}, "88@lid": {4},
		"anna 100%": {2}, "anna 100_": nil, "%": nil, "_": nil, "élo": {3}, "ÉLODIE": {3}, long: {5}, long + "x": {5}, "änne 🌷": {6},
		"o'neil \\": {7}, "zed": {1}, numbered(2).String(): {2}, "nobody": nil, numbered(99).String(): {1},
	} {
		found, more, err := s.FindPeople(t.Context(), who, 10)
		if err != nil || more {
			t.Fatalf("%.20q: %v %v", who, err, more)
		}
		var got []uuid.UUID
		for _, p := range found {
			got = append(got, p.ContactID)
		}
		var ids []uuid.UUID
		for _, n := range want {
			ids = append(ids, numbered(n))
		}
		slices.SortFunc(got, func(a, b uuid.UUID) int { return strings.Compare(a.String(), b.String()) })
		if !slices.Equal(got, ids) {
			t.Errorf("%.20q finds %v, want %v", who, got, want)
		}
	}
	if found, more, err := s.FindPeople(t.Context(), "ann", 1); err != nil || len(found) != 1 || !more || found[0].Name != "Ann Lee" {
		t.Errorf("one of several: %+v, %v, %v", found, more, err)
	}
	// What proves who somebody is names them everywhere; a name does not.
	for who, want := range map[string]int{"77@lid": 1, "15550101": 1, "ann.lee": 0, "Ann Lee": 0} {
		if found, err := s.FindContacts(t.Context(), who); err != nil || len(found) != want {
			t.Errorf("contact %q: %+v, %v", who, found, err)
		}
	}
}
