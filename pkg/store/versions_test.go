package store

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/parleyhq/parley/pkg/flow"
)

// stand is a session's place: of a person, in a version.
type stand struct {
	person  string
	version uint32
	status  flow.Status
	step    string
	minutes int // since the test's start of time
}

// standAt stores sessions of the flow "lead", and one of another flow that nobody asks for.
func standAt(t *testing.T, s *Store, places ...stand) {
	t.Helper()
	lease := take(t, s, ServiceSession, 1)[0]
	for i, p := range append(places, stand{"other", 1, flow.Active, "name", 0}) {
		part := turnOf(lease, p.person)
		state := &part.Sessions[0].State
		state.FlowVersion, state.Status, state.Step = p.version, p.status, p.step
		state.LastInteractionMs = timerStart.Add(time.Duration(p.minutes) * time.Minute).UnixMilli()
		state.Progress.Ref = p.person
		if i == len(places) {
			state.Flow = "other"
		}
		appendTurns(t, s, part)
		lease = moved(lease, part)
	}
}

func TestStanding(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	standAt(t, s,
		stand{"a", 1, flow.Active, "name", 3}, stand{"b", 1, flow.Active, "name", 1}, stand{"c", 1, flow.Active, "email", 2},
		stand{"d", 1, flow.Human, "email", 4}, stand{"e", 2, flow.Active, "name", 5}, stand{"f", 2, flow.Completed, "", 6},
		stand{"g", 1, flow.Cancelled, "", 0}, stand{"h", 2, flow.Human, "", 7})
	got, err := s.Standing(t.Context(), "lead")
	if err != nil {
		t.Fatal(err)
	}
	at := func(minutes int) time.Time { return timerStart.Add(time.Duration(minutes) * time.Minute) }
	want := []StandingRow{
		{1, "email", "active", 1, at(2)},
		{1, "email", "human", 1, at(4)},
		{1, "name", "active", 2, at(1)},
		{2, "", "human", 1, at(7)},
		{2, "name", "active", 1, at(5)},
	}
	same := func(a, b StandingRow) bool {
		sameTime := a.OldestInteraction.Equal(b.OldestInteraction)
		a.OldestInteraction, b.OldestInteraction = time.Time{}, time.Time{}
		return sameTime && a == b
	}
	if !slices.EqualFunc(got, want, same) {
		t.Errorf("standing\n%+v, want\n%+v", got, want)
	}
	if none, err := s.Standing(t.Context(), "nobody's"); err != nil || none == nil || len(none) != 0 {
		t.Errorf("in no flow: %v, %v", none, err)
	}
}

func TestFlowVersions(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	start(t, s, 1)
	publish(t, s, 2, 0)
	publish(t, s, 3, 25)
	standAt(t, s, stand{"a", 1, flow.Active, "name", 0}, stand{"b", 1, flow.Human, "name", 0}, stand{"c", 1, flow.Completed, "", 0},
		stand{"d", 3, flow.Active, "name", 0})
	list, err := s.FlowVersions(t.Context(), "lead")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, v := range list {
		got = append(got, fmt.Sprintf("%d %q %q live %v canary %v %d%% %d people", v.Version, v.PublishedBy, v.Note, v.Live, v.Canary, v.Weight, v.People))
		if v.Digest != digestOf(t, int(v.Version)) || time.Since(v.PublishedAt) > time.Hour {
			t.Errorf("version %d: digest %s of %v", v.Version, v.Digest, v.PublishedAt)
		}
	}
	want := []string{
		`3 "ann" "number 3" live false canary true 25% 1 people`,
		`2 "ann" "number 2" live true canary false 75% 0 people`,
		`1 "" "" live false canary false 0% 2 people`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("versions\n%q, want\n%q", got, want)
	}
	if none, err := s.FlowVersions(t.Context(), "nobody's"); err != nil || none == nil || len(none) != 0 {
		t.Errorf("of no flow: %v, %v", none, err)
	}
}

func TestSessionsAtPages(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	var places []stand
	for i := range 10 {
		places = append(places, stand{fmt.Sprint("p", i), uint32(i%3) + 1, flow.Active, "name", i})
	}
	places = append(places, stand{"human", 1, flow.Human, "email", 0}, stand{"done", 1, flow.Completed, "", 0}, stand{"gone", 2, flow.Cancelled, "", 0})
	standAt(t, s, places...)
	for _, c := range []struct {
		versions []uint32
		want     []string
	}{
		{[]uint32{1}, []string{"human", "p0", "p3", "p6", "p9"}},
		{[]uint32{2, 3}, []string{"p1", "p2", "p4", "p5", "p7", "p8"}},
		{nil, []string{"human", "p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8", "p9"}},
		{[]uint32{9}, nil},
	} {
		var got []string
		var after SessionKey
		for full := true; full; {
			page, err := s.SessionsAt(t.Context(), "lead", c.versions, after, 2)
			if err != nil {
				t.Fatal(err)
			}
			for _, pin := range page {
				got, after = append(got, pin.LaneKey), pin.Key
			}
			full = len(page) == 2
		}
		if slices.Sort(got); !slices.Equal(got, c.want) {
			t.Errorf("at versions %v: %q, want %q", c.versions, got, c.want)
		}
	}
}

func TestSessionsAt(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	standAt(t, s, stand{"ann", 3, flow.Human, "email", 0})
	page, err := s.SessionsAt(t.Context(), "lead", []uint32{3}, SessionKey{}, 10)
	if err != nil || len(page) != 1 {
		t.Fatalf("%v, %v", page, err)
	}
	pin := page[0]
	known, err := s.LoadKnown(t.Context(), []uuid.UUID{pin.Key.Contact}, nil)
	if err != nil {
		t.Fatal(err)
	}
	session := known.Sessions[SessionKey{testChannel, ContactID("portfolio", "ann")}]
	if pin.Key != session.Key || pin.ID != session.ID || pin.Shard != session.Shard || pin.State.Progress.Ref != "ann" || pin.State.Step != "email" {
		t.Errorf("%+v, want that of %+v", pin, session)
	}
	if pin.Portfolio != "portfolio" || pin.LaneKey != "ann" || pin.Phone != "49151" || pin.BSUID != "" {
		t.Errorf("%+v is reached elsewhere", pin)
	}
}
