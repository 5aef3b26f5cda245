package store

import (
	"reflect"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/parleyhq/parley/pkg/flow"
)

// TestSessionRoundTrip stores random sessions, over older ones too, and reads them back.
func TestSessionRoundTrip(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	lease := take(t, s, ServiceSession, 1)[0]
	contacts := people(8)
	rapid.Check(t, func(r *rapid.T) {
		want := Session{
			Key:   SessionKey{text(r, "channel"), rapid.SampledFrom(contacts).Draw(r, "contact")},
			ID:    rapid.Uint64Range(1, 1<<62).Draw(r, "id"),
			State: randomState(r),
		}
		part := TurnPart{Fence: fence(lease, lease.Checkpoint+1), Sessions: []Session{want}}
		if held, err := s.AppendTurns(t.Context(), []TurnPart{part}); err != nil || len(held) != 1 {
			r.Fatalf("held %v, %v", held, err)
		}
		lease = moved(lease, part)
		known, err := s.LoadKnown(t.Context(), []uuid.UUID{want.Key.Contact}, nil)
		if err != nil {
			r.Fatal(err)
		}
		if got := known.Sessions[want.Key]; !reflect.DeepEqual(got, want) {
			r.Fatalf("got\n%+v\nwant\n%+v", got, want)
		}
	})
}

// randomState is a state that the fold of a session's events can have.
func randomState(t *rapid.T) flow.State {
	s := flow.State{
		Flow: text(t, "flow"), FlowVersion: rapid.Uint32Range(1, 1<<31-1).Draw(t, "flow version"),
		Status:   rapid.SampledFrom([]flow.Status{flow.Active, flow.Completed, flow.Cancelled}).Draw(t, "status"),
		Language: text(t, "language"), Failures: rapid.Uint32Range(0, 1<<31-1).Draw(t, "failures"),
		Version: rapid.Uint32Range(1, 1<<31-1).Draw(t, "version"),
		Answers: map[string]string{}, StartedAtMs: milliseconds2100(t, "started"), LastInteractionMs: milliseconds2100(t, "last"),
	}
	if s.Status == flow.Active {
		s.Step = rapid.OneOf(rapid.SampledFrom([]string{"completed", "cancelled"}), rapid.Map(rapid.String(), plain)).Draw(t, "step")
	}
	for range rapid.IntRange(0, 4).Draw(t, "answers") {
		s.Answers[text(t, "slot")] = text(t, "value")
	}
	return s
}

// text is any text that PostgreSQL can hold.
func text(t *rapid.T, label string) string {
	return rapid.Map(rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{`it's "so"`, `\u0000`, "👩‍👩‍👧", "$1; --", " "})), plain).Draw(t, label)
}

// plain leaves out NUL, the one character that PostgreSQL refuses.
func plain(s string) string {
	kept := make([]rune, 0, len(s))
	for _, r := range s {
		if r != 0 {
			kept = append(kept, r)
		}
	}
	return string(kept)
}

// milliseconds2100 is a time between 1970 and 2100.
func milliseconds2100(t *rapid.T, label string) int64 {
	return rapid.Int64Range(0, time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()).Draw(t, label)
}
