package store

import (
	"reflect"
	"strconv"
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
	contacts, ids := people(8), uint64(1<<40)
	rapid.Check(t, func(r *rapid.T) {
		want := Session{
			Key:   SessionKey{text(r, "channel"), rapid.SampledFrom(contacts).Draw(r, "contact")},
			State: randomState(r),
		}
		before, err := s.LoadKnown(t.Context(), []uuid.UUID{want.Key.Contact}, nil)
		if err != nil {
			r.Fatal(err)
		}
		was, known := before.Sessions[want.Key]
		want.ID, want.FromArchive = was.ID, was.FromArchive
		if !known {
			ids++
			want.ID = ids
		}
		part := TurnPart{Fence: fence(lease, lease.Checkpoint+1), Sessions: []Session{want}}
		if held, err := s.AppendTurns(t.Context(), []TurnPart{part}); err != nil || len(held) != 1 {
			r.Fatalf("held %v, %v", held, err)
		}
		lease = moved(lease, part)
		stored, err := s.LoadKnown(t.Context(), []uuid.UUID{want.Key.Contact}, nil)
		if err != nil {
			r.Fatal(err)
		}
		got := stored.Sessions[want.Key]
		if got.FromArchive != want.State.Archived() {
			r.Fatalf("read from the archive: %v", got.FromArchive)
		}
		got.FromArchive = want.FromArchive
		if !reflect.DeepEqual(got, want) {
			r.Fatalf("got\n%+v\nwant\n%+v", got, want)
		}
		archived := value[int](t, s, `SELECT count(*) FROM session_archive WHERE session_id = `+strconv.FormatUint(want.ID, 10))
		hot := value[int](t, s, `SELECT count(*) FROM sessions WHERE session_id = `+strconv.FormatUint(want.ID, 10))
		if want.State.Archived() != (archived == 1) || want.State.Archived() == (hot == 1) {
			r.Fatalf("%d rows in the archive, %d among those that run: %+v", archived, hot, want.State)
		}
	})
}

// randomState is a state that the fold of a session's events can have.
func randomState(t *rapid.T) flow.State {
	s := flow.State{
		Flow: text(t, "flow"), FlowVersion: rapid.Uint32Range(1, 1<<31-1).Draw(t, "flow version"),
		Status:   rapid.SampledFrom([]flow.Status{flow.Active, flow.Completed, flow.Cancelled, flow.Human, flow.Expired}).Draw(t, "status"),
		Language: text(t, "language"), Failures: rapid.Uint32Range(0, 1<<31-1).Draw(t, "failures"),
		Version: rapid.Uint32Range(1, 1<<31-1).Draw(t, "version"),
		Answers: map[string]any{}, StartedAtMs: milliseconds2100(t, "started"), LastInteractionMs: milliseconds2100(t, "last"),
		Progress: randomProgress(t),
	}
	if s.Status == flow.Active || s.Status == flow.Human || s.Status == flow.Expired {
		s.Step = rapid.OneOf(rapid.SampledFrom([]string{"completed", "cancelled"}), rapid.Map(rapid.String(), plain)).Draw(t, "step")
	}
	for range rapid.IntRange(0, 4).Draw(t, "answers") {
		s.Answers[text(t, "slot")] = jsonValue(t, 2)
	}
	return s
}

// randomProgress has any of its fields set, as the engine sets them: what is empty is nil.
func randomProgress(t *rapid.T) flow.Progress {
	p := flow.Progress{
		Calls: some(t, "calls", text), Loops: named(t, "loops", count), Variants: named(t, "variants", text),
		Goals: named(t, "goals", func(*rapid.T, string) bool { return true }), Offered: some(t, "offered", choice),
		Pending: maybe(t, "pending", pending), Fragments: some(t, "fragments", text), Form: named(t, "form", anyValue),
		Lookup: maybe(t, "lookup", lookup),
	}
	if rapid.Bool().Draw(t, "scalars") {
		p.Ref, p.Page = text(t, "ref"), count(t, "page")
		p.TimerMs, p.AskedMs, p.Reminded = milliseconds2100(t, "timer"), milliseconds2100(t, "asked"), count(t, "reminded")
		p.Archived = rapid.Bool().Draw(t, "archived")
		p.WakeAtMs, p.UntilMs = milliseconds2100(t, "wake at"), milliseconds2100(t, "until")
	}
	return p
}

func count(t *rapid.T, label string) uint32 { return rapid.Uint32().Draw(t, label) }

func anyValue(t *rapid.T, _ string) any { return jsonValue(t, 2) }

func choice(t *rapid.T, _ string) flow.Choice {
	return flow.Choice{Title: text(t, "title"), Description: text(t, "description"), Value: text(t, "value")}
}

func pending(t *rapid.T, _ string) flow.Pending {
	return flow.Pending{Text: text(t, "text"), Value: jsonValue(t, 1)}
}

func lookup(t *rapid.T, _ string) flow.Lookup {
	return flow.Lookup{Table: text(t, "table"), Where: named(t, "where", text), Limit: count(t, "limit"), Answer: maybe(t, "answer", pending)}
}

// some is a list of values, or nil.
func some[V any](t *rapid.T, label string, value func(*rapid.T, string) V) (list []V) {
	for range rapid.IntRange(0, 3).Draw(t, label) {
		list = append(list, value(t, label))
	}
	return list
}

// named is a map of values, or nil.
func named[V any](t *rapid.T, label string, value func(*rapid.T, string) V) (m map[string]V) {
	for _, v := range some(t, label, value) {
		if m == nil {
			m = map[string]V{}
		}
		m[text(t, label)] = v
	}
	return m
}

// maybe is a value, or nil.
func maybe[V any](t *rapid.T, label string, value func(*rapid.T, string) V) *V {
	if !rapid.Bool().Draw(t, label) {
		return nil
	}
	v := value(t, label)
	return &v
}

// jsonValue is any value that JSON can hold, so deep at most.
func jsonValue(t *rapid.T, depth int) any {
	kinds := []string{"text", "number", "whole", "truth", "nothing", "object", "list"}
	switch rapid.SampledFrom(kinds[:len(kinds)-2*min(1, max(0, 1-depth))]).Draw(t, "kind") {
	case "text":
		return text(t, "value")
	case "number":
		return rapid.Float64().Draw(t, "value")
	case "whole":
		return float64(rapid.Int64Range(-1<<53, 1<<53).Draw(t, "value"))
	case "truth":
		return rapid.Bool().Draw(t, "value")
	case "object":
		object := map[string]any{}
		for range rapid.IntRange(0, 2).Draw(t, "members") {
			object[text(t, "member")] = jsonValue(t, depth-1)
		}
		return object
	case "list":
		list := []any{}
		for range rapid.IntRange(0, 2).Draw(t, "elements") {
			list = append(list, jsonValue(t, depth-1))
		}
		return list
	}
	return nil
}

// TestSessionOfNothing stores the least that a session can hold: no answers, no progress.
func TestSessionOfNothing(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	lease := take(t, s, ServiceSession, 1)[0]
	part := turnOf(lease, "ann")
	part.Sessions[0].State.Answers = nil
	appendTurns(t, s, part)
	if stored := value[string](t, s, `SELECT flow_data::text || progress::text FROM sessions`); stored != "{}{}" {
		t.Errorf("stored %s", stored)
	}
	known, err := s.LoadKnown(t.Context(), people(0), nil)
	if err != nil || len(known.Sessions) != 0 {
		t.Errorf("known of nobody: %v, %v", known.Sessions, err)
	}
	known, err = s.LoadKnown(t.Context(), []uuid.UUID{part.Contacts[0].ID}, nil)
	if err != nil {
		t.Fatal(err)
	}
	got := known.Sessions[part.Sessions[0].Key].State
	if got.Answers == nil || len(got.Answers) > 0 || !reflect.DeepEqual(got.Progress, flow.Progress{}) {
		t.Errorf("came back as %+v", got)
	}
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
