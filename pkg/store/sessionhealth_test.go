package store

import (
	"errors"
	"testing"
	"time"

	"github.com/parleyhq/parley/pkg/store/pgtest"
)

// One watcher has a session at a time, by epoch; who lost it writes nothing.
func TestSessionsAreFenced(t *testing.T) {
	t.Parallel()
	dsn := pgtest.New(t, Migrate)
	s, err := Open(t.Context(), dsn, 2, "test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	ctx, channels := t.Context(), []string{"a", "b"}
	take := func(owner string, want int, except ...string) []WatchedSession {
		t.Helper()
		taken, err := s.TakeSessions(ctx, owner, time.Minute, channels, except)
		if err != nil || len(taken) != want {
			t.Fatalf("%s took %+v, %v", owner, taken, err)
		}
		return taken
	}
	first := take("one", 2)
	take("one", 0, channels...)
	take("two", 0)
	if held, err := s.RenewSessions(ctx, "one", time.Minute); err != nil || held["a"] != 1 || held["b"] != 1 {
		t.Errorf("held %v, %v", held, err)
	}
	first[0].Memory = []byte(`{"n":1}`)
	now := time.Now()
	if err := s.SaveSession(ctx, first[0], SessionHealth{State: "connected", Since: &now}, []string{"state"}); err != nil {
		t.Fatal(err)
	}
	if err := s.ReleaseSession(ctx, first[0]); err != nil {
		t.Fatal(err)
	}
	second := take("two", 1)
	if second[0].Channel != "a" || second[0].Epoch != 2 || string(second[0].Memory) != `{"n": 1}` {
		t.Errorf("taken over: %+v %s", second[0], second[0].Memory)
	}
	if err := s.SaveSession(ctx, first[0], SessionHealth{State: "disconnected"}, []string{"state"}); !errors.Is(err, ErrFenced) {
		t.Errorf("the former owner writes: %v", err)
	}
	if err := s.ReleaseSession(ctx, first[0]); err != nil {
		t.Fatal(err)
	}
	take("three", 0) // the former owner's release gives nothing away
	take("one", 1)   // a restarted process has back what it held
	history, err := s.SessionHistory(ctx, "a", 10)
	if err != nil || len(history) != 1 || history[0].State != "connected" || history[0].What != "state" {
		t.Errorf("history %+v, %v", history, err)
	}
	if list, err := s.SessionsHealth(ctx); err != nil || len(list) != 2 || list[0].State != "connected" || list[1].State != "unknown" || !list[0].Watched {
		t.Errorf("sessions %+v, %v", list, err)
	}
}

// A session is forgotten when nobody watches it any more, and not before.
func TestForgetSession(t *testing.T) {
	t.Parallel()
	s, err := Open(t.Context(), pgtest.New(t, Migrate), 2, "test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	taken, err := s.TakeSessions(t.Context(), "one", time.Minute, []string{"a", "b"}, nil)
	if err != nil || len(taken) != 2 {
		t.Fatalf("%+v, %v", taken, err)
	}
	for _, want := range []int{2, 1} {
		if err := s.ForgetSession(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		if list, err := s.SessionsHealth(t.Context()); err != nil || len(list) != want {
			t.Errorf("%+v, %v: want %d", list, err, want)
		}
		if err := s.ReleaseSession(t.Context(), taken[0]); err != nil {
			t.Fatal(err)
		}
	}
}

// A code is kept until it expires, is used, or another comes.
func TestSessionCodes(t *testing.T) {
	t.Parallel()
	dsn := pgtest.New(t, Migrate)
	s, err := Open(t.Context(), dsn, 2, "test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	ctx := t.Context()
	for _, step := range []struct {
		set string
		in  time.Duration
		get string
	}{{"one", time.Minute, "one"}, {"two", time.Minute, "two"}, {"three", -time.Second, ""}} {
		if err := s.SetSessionCode(ctx, "a", step.set, time.Now().Add(step.in)); err != nil {
			t.Fatal(err)
		}
		if code, _, ok, err := s.SessionCode(ctx, "a"); err != nil || code != step.get || ok != (step.get != "") {
			t.Errorf("after %q: %q, %t, %v", step.set, code, ok, err)
		}
	}
	if err := s.TrimSessions(ctx, -time.Second); err != nil {
		t.Fatal(err)
	}
	if taken, err := s.TakeSessions(ctx, "me", time.Minute, []string{"a", "gone"}, nil); err != nil || s.ReleaseSession(ctx, taken[1]) != nil {
		t.Fatal(taken, err)
	}
	if err := s.TrimSessions(ctx, time.Hour); err != nil {
		t.Fatal(err)
	}
	taken, err := s.TakeSessions(ctx, "other", time.Minute, []string{"b"}, nil)
	if err != nil || s.SetSessionCode(ctx, "b", "four", time.Now().Add(time.Minute)) != nil {
		t.Fatal(err)
	}
	for _, state := range []string{"need_scan", "connected"} {
		if err := s.SaveSession(ctx, taken[0], SessionHealth{State: state}, nil); err != nil {
			t.Fatal(err)
		}
		if _, _, ok, err := s.SessionCode(ctx, "b"); err != nil || ok != (state == "need_scan") {
			t.Errorf("%s: there is a code: %t, %v", state, ok, err)
		}
	}
	if err := s.ReleaseSession(ctx, taken[0]); err != nil {
		t.Fatal(err)
	}
	if err := s.TrimSessions(ctx, time.Hour); err != nil {
		t.Fatal(err)
	}
	if list, err := s.SessionsHealth(ctx); err != nil || len(list) != 1 || list[0].Channel != "a" {
		t.Errorf("sessions %+v, %v", list, err) // the other was never seen, and is nobody's
	}
	var left int
	if err := connect(t, dsn).QueryRow(ctx, `SELECT (SELECT count(*) FROM session_codes) + (SELECT count(*) FROM session_history)`).Scan(&left); err != nil || left != 0 {
		t.Errorf("%d rows are left, %v", left, err)
	}
}
