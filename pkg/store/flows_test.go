package store

import (
	"errors"
	"fmt"
	"testing"

	"golang.org/x/sync/errgroup"
)

func TestPublishFlow(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	second := leadFlow + "# changed\n"
	publish := func(source string, want uint32) {
		t.Helper()
		got, err := s.PublishFlow(t.Context(), parseFlow(t, source), []byte(source))
		if err != nil || got != want {
			t.Errorf("published version %d, %v; want %d", got, err, want)
		}
		live, err := s.LoadFlow(t.Context(), "lead", 0)
		if err != nil || live.Version() != want || live.Digest() != parseFlow(t, source).Digest() {
			t.Errorf("live: %v, %v", live, err)
		}
	}
	publish(leadFlow, 1)
	publish(leadFlow, 1)
	publish(second, 2)
	publish(leadFlow, 1) // back to what was before, as it was
	publish(second, 2)
	if f, err := s.LoadFlow(t.Context(), "lead", 1); err != nil || f.Version() != 1 || f.Digest() != parseFlow(t, leadFlow).Digest() {
		t.Errorf("version 1: %v, %v", f, err)
	}
	for _, none := range []struct {
		name    string
		version uint32
	}{{"lead", 3}, {"nobody's", 0}, {"nobody's", 1}} {
		if _, err := s.LoadFlow(t.Context(), none.name, none.version); !errors.Is(err, ErrNoFlow) {
			t.Errorf("%v: %v, want ErrNoFlow", none, err)
		}
	}
	for name, want := range map[string]bool{"lead": true, "nobody's": false} {
		if known, err := s.FlowPublished(t.Context(), name); known != want || err != nil {
			t.Errorf("%s is published: %v, %v", name, known, err)
		}
	}
}

// TestPublishFlowConcurrently has replicas publish the same and different definitions at the same time.
func TestPublishFlowConcurrently(t *testing.T) {
	t.Parallel()
	const publishers, definitions = 12, 3
	s := newStore(t)
	versions := make([]uint32, publishers)
	var group errgroup.Group
	for i := range publishers {
		source := fmt.Sprintf("%s# %d\n", leadFlow, i%definitions)
		f := parseFlow(t, source)
		group.Go(func() (err error) {
			versions[i], err = s.PublishFlow(t.Context(), f, []byte(source))
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	for i, v := range versions {
		if v != versions[i%definitions] || v < 1 || v > definitions {
			t.Fatalf("versions %v: the same definition must have one number of 1 to %d", versions, definitions)
		}
	}
	if n := value[int](t, s, `SELECT count(*) FROM flow_versions`); n != definitions {
		t.Errorf("%d versions, want %d", n, definitions)
	}
	if f, err := s.LoadFlow(t.Context(), "lead", 0); err != nil || f.Version() == 0 {
		t.Errorf("live: %v, %v", f, err)
	}
}
