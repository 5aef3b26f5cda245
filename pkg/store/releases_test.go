package store

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/parleyhq/parley/pkg/flow"
)

// definition is a flow that differs from others by a comment.
func definition(n int) string { return fmt.Sprintf("%s# %d\n", leadFlow, n) }

// start is what a service does that carries the definition.
func start(t *testing.T, s *Store, n int) (version uint32) {
	t.Helper()
	version, err := s.PublishFlow(t.Context(), parseFlow(t, definition(n)), []byte(definition(n)))
	if err != nil {
		t.Fatal(err)
	}
	return version
}

func publish(t *testing.T, s *Store, n, weight int) Published {
	t.Helper()
	p, err := s.Publish(t.Context(), releaseOf(t, n, weight))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func releaseOf(t *testing.T, n, weight int) Release {
	return Release{Flow: parseFlow(t, definition(n)), Source: []byte(definition(n)), By: "ann", Note: fmt.Sprint("number ", n), Weight: weight}
}

func digestOf(t *testing.T, n int) string { return parseFlow(t, definition(n)).Digest() }

// checkLive compares what new sessions of the flow get.
func checkLive(t *testing.T, s *Store, version, canary, weight uint32) {
	t.Helper()
	live, err := s.LiveFlows(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if want := (Live{"lead", version, canary, weight}); len(live) != 1 || live[0] != want {
		t.Errorf("live %+v, want %+v", live, want)
	}
}

// releases is the record of what became live, and by whom.
func releases(t *testing.T, s *Store, name string) []string {
	t.Helper()
	rows, err := s.pool.Query(t.Context(), `SELECT concat_ws(' ', version, 'canary ' || canary_version || ' at ' || canary_weight, 'by', released_by)
		FROM flow_releases WHERE flow = $1 ORDER BY id`, name)
	if err != nil {
		t.Fatal(err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestPublish(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	v1, v2 := Live{Name: "lead", Version: 1}, Live{Name: "lead", Version: 2}
	canary := Live{"lead", 1, 2, 10}
	for i, c := range []struct {
		n, weight int
		want      Published
	}{
		{1, 0, Published{1, false, Live{Name: "lead"}, v1}},
		{2, 10, Published{2, false, v1, canary}},
		{2, 50, Published{2, true, canary, Live{"lead", 1, 2, 50}}},
		{3, 1, Published{3, false, Live{"lead", 1, 2, 50}, Live{"lead", 1, 3, 1}}},
		{2, 100, Published{2, true, Live{"lead", 1, 3, 1}, v2}},
		{2, 0, Published{2, true, v2, v2}},
		{1, 99, Published{1, true, v2, Live{"lead", 2, 1, 99}}},
		{2, 0, Published{2, true, Live{"lead", 2, 1, 99}, v2}}, // ends the canary
	} {
		if got := publish(t, s, c.n, c.weight); got != c.want {
			t.Errorf("release %d: %+v, want %+v", i, got, c.want)
		}
		checkLive(t, s, c.want.After.Version, c.want.After.Canary, c.want.After.Weight)
	}
	want := []string{
		"1 by ann", "1 canary 2 at 10 by ann", "1 canary 2 at 50 by ann", "1 canary 3 at 1 by ann", "2 by ann", "2 by ann",
		"2 canary 1 at 99 by ann", "2 by ann",
	}
	if got := releases(t, s, "lead"); !slices.Equal(got, want) {
		t.Errorf("releases\n%q, want\n%q", got, want)
	}
	if f, err := s.LoadFlow(t.Context(), "lead", 3); err != nil || f.Digest() != digestOf(t, 3) || f.Version() != 3 {
		t.Errorf("version 3: %v, %v", f, err)
	}
}

func TestPublishRefused(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	refused := func(r Release, says string) {
		t.Helper()
		p, err := s.Publish(t.Context(), r)
		if !errors.Is(err, ErrNoRelease) || !strings.Contains(err.Error(), says) || p != (Published{}) {
			t.Errorf("%+v, %v; want ErrNoRelease that says %q", p, err, says)
		}
	}
	refused(releaseOf(t, 1, 10), "there is none")
	if live, err := s.LiveFlows(t.Context()); err != nil || len(live) != 0 {
		t.Errorf("a refused release left %v, %v", live, err)
	}
	publish(t, s, 1, 0)
	refused(releaseOf(t, 1, 10), "its own canary")
	refused(releaseOf(t, 2, 101), "101 is not 0 to 100")
	refused(releaseOf(t, 2, -1), "-1 is not 0 to 100")
	anonymous := releaseOf(t, 2, 0)
	anonymous.By = ""
	refused(anonymous, "nobody is named")
	checkLive(t, s, 1, 0, 0)
	if n := value[int](t, s, `SELECT count(*) FROM flow_versions`); n != 1 {
		t.Errorf("%d versions: a refused release left one", n)
	}
}

// TestStartsRespectPeople walks through what a service start with a definition may change, and what it may not.
func TestStartsRespectPeople(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	starts := func(n int, wantVersion, live, canary, weight uint32) {
		t.Helper()
		if got := start(t, s, n); got != wantVersion {
			t.Errorf("definition %d is version %d, want %d", n, got, wantVersion)
		}
		checkLive(t, s, live, canary, weight)
	}
	// As long as no person has released anything, the definition of the last start is live.
	starts(1, 1, 1, 0, 0)
	starts(2, 2, 2, 0, 0)
	starts(1, 1, 1, 0, 0)
	starts(2, 2, 2, 0, 0)

	// A roll-back by a person outlives the restarts of old and new replicas.
	publish(t, s, 1, 0)
	starts(2, 2, 1, 0, 0)
	starts(1, 1, 1, 0, 0)

	// A canary does too: of the replicas that carry the live definition, the canary's own, and one of before.
	publish(t, s, 3, 10)
	starts(1, 1, 1, 3, 10)
	starts(3, 3, 1, 3, 10)
	starts(2, 2, 1, 3, 10)

	// What nobody has seen before goes live, and leaves the canary alone; a restart changes nothing.
	starts(4, 4, 4, 3, 10)
	starts(4, 4, 4, 3, 10)
	starts(3, 3, 4, 3, 10)
	starts(1, 1, 4, 3, 10) // an older definition comes back through a person only

	// Two starts after the last release of a person: the later one counts, as at the beginning.
	publish(t, s, 4, 0)
	starts(5, 5, 5, 0, 0)
	starts(6, 6, 6, 0, 0)
	starts(5, 5, 5, 0, 0)
	starts(4, 4, 5, 0, 0)
	want := []string{
		"1 by ", "2 by ", "1 by ", "2 by ", "1 by ann", "1 canary 3 at 10 by ann", "4 canary 3 at 10 by ", "4 by ann", "5 by ", "6 by ", "5 by ",
	}
	if got := releases(t, s, "lead"); !slices.Equal(got, want) {
		t.Errorf("releases\n%q, want\n%q", got, want)
	}
}

// TestStartsRespectPeopleOfAnotherFlow makes sure that only releases of the same flow count.
func TestStartsRespectPeopleOfAnotherFlow(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	start(t, s, 1)
	start(t, s, 2)
	source := strings.Replace(leadFlow, "name: lead", "name: other", 1)
	if _, err := s.Publish(t.Context(), Release{Flow: parseFlow(t, source), Source: []byte(source), By: "ann"}); err != nil {
		t.Fatal(err)
	}
	start(t, s, 1)
	live, err := s.LiveFlows(t.Context())
	if want := []Live{{Name: "lead", Version: 1}, {Name: "other", Version: 1}}; err != nil || !slices.Equal(live, want) {
		t.Errorf("live %v, %v; want %v", live, err, want)
	}
}

// TestReleaseWhileServicesStart has replicas start with an old definition while a person releases a new one: the person's is live in
// the end, whoever came first.
func TestReleaseWhileServicesStart(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	start(t, s, 1)
	old := parseFlow(t, definition(1))
	person := releaseOf(t, 2, 0)
	var group errgroup.Group
	for i := range 9 {
		group.Go(func() error {
			if i == 4 {
				_, err := s.Publish(t.Context(), person)
				return err
			}
			_, err := s.PublishFlow(t.Context(), old, []byte(definition(1)))
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	checkLive(t, s, 2, 0, 0)
}

func TestDefinition(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	start(t, s, 1)
	start(t, s, 2)
	for version, n := range map[uint32]int{0: 2, 1: 1, 2: 2} {
		source, err := s.Definition(t.Context(), "lead", version)
		if err != nil || string(source) != definition(n) {
			t.Errorf("version %d: %v\n%s", version, err, source)
		}
	}
	if _, err := s.Definition(t.Context(), "lead", 3); !errors.Is(err, ErrNoFlow) {
		t.Errorf("version 3: %v", err)
	}
	exec(t, s, `UPDATE flow_versions SET definition = 'no flow' WHERE version = 1`)
	var problems flow.Problems
	if _, err := s.LoadFlow(t.Context(), "lead", 1); !errors.As(err, &problems) {
		t.Errorf("a definition that cannot be read any more: %v", err)
	}
}

// The record says who decided what, the newest first.
func TestReleases(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	if none, err := s.Releases(t.Context(), "lead", 10); err != nil || none == nil || len(none) != 0 {
		t.Errorf("of no flow: %v, %v", none, err)
	}
	start(t, s, 1)
	publish(t, s, 2, 25)
	won := releaseOf(t, 2, 0)
	won.By, won.Note = "bob", "it won"
	if _, err := s.Publish(t.Context(), won); err != nil {
		t.Fatal(err)
	}
	list, err := s.Releases(t.Context(), "lead", 10)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range list {
		got = append(got, fmt.Sprintf("%d canary %d at %d by %q: %q", r.Version, r.Canary, r.Weight, r.By, r.Note))
		if time.Since(r.At) > time.Hour {
			t.Errorf("released at %v", r.At)
		}
	}
	want := []string{`2 canary 0 at 0 by "bob": "it won"`, `1 canary 2 at 25 by "ann": "number 2"`, `1 canary 0 at 0 by "": ""`}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if last, err := s.Releases(t.Context(), "lead", 1); err != nil || len(last) != 1 || last[0].By != "bob" {
		t.Errorf("the last: %+v, %v", last, err)
	}
}
