package store

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

func TestAppendTurnsWritesOnce(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	lease := take(t, s, ServiceSession, 4)[3]
	part := turnOf(lease, "ann")
	if held := appendTurns(t, s, part); !slices.Equal(held, []int{3}) {
		t.Fatalf("held %v, want [3]", held)
	}
	if got := rows(t, s); got != onePart {
		t.Fatalf("wrote %+v, want %+v", got, onePart)
	}
	checkLease(t, s, ServiceSession, moved(lease, part))
	// The same call again is what happens after a commit that went unseen.
	if held := appendTurns(t, s, part); len(held) != 0 {
		t.Fatalf("held %v by a repeated call", held)
	}
	if got := rows(t, s); got != onePart {
		t.Fatalf("a repeated call left %+v, want %+v", got, onePart)
	}
}

func TestAppendTurnsFenced(t *testing.T) {
	t.Parallel()
	cases := map[string]func(*TurnPart){
		"stale epoch":      func(p *TurnPart) { p.Fence.Epoch-- },
		"epoch to come":    func(p *TurnPart) { p.Fence.Epoch++ },
		"batch before":     func(p *TurnPart) { p.Fence.From-- },
		"batch after":      func(p *TurnPart) { p.Fence.From++ },
		"head too low":     func(p *TurnPart) { p.Head-- },
		"head too high":    func(p *TurnPart) { p.Head++ },
		"no such shard":    func(p *TurnPart) { p.Fence.Shard = 77 },
		"shard of another": func(p *TurnPart) { p.Fence.Shard = 0 },
	}
	s := newStore(t)
	leases := take(t, s, ServiceSession, 2)
	first := turnOf(leases[1], "ann")
	appendTurns(t, s, first)
	lease := moved(leases[1], first)
	for name, spoil := range cases {
		t.Run(name, func(t *testing.T) {
			part := turnOf(lease, "bob")
			spoil(&part)
			if held := appendTurns(t, s, part); len(held) != 0 {
				t.Errorf("held %v", held)
			}
			if got := rows(t, s); got != onePart {
				t.Errorf("there are %+v, want %+v", got, onePart)
			}
			checkLease(t, s, ServiceSession, lease)
		})
	}
	if held := appendTurns(t, s, turnOf(lease, "bob")); !slices.Equal(held, []int{1}) {
		t.Fatalf("held %v after the refused ones, want [1]", held)
	}
}

func TestAppendTurnsFencesEachShardByItself(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	leases := take(t, s, ServiceSession, 3)
	lost := turnOf(leases[1], "lost")
	lost.Fence.Epoch--
	held := appendTurns(t, s, turnOf(leases[0], "ann"), lost, turnOf(leases[2], "bob"))
	slices.Sort(held)
	if !slices.Equal(held, []int{0, 2}) {
		t.Fatalf("held %v, want [0 2]", held)
	}
	if got, want := rows(t, s), (written{2, 2, 6, 2, 2}); got != want {
		t.Fatalf("wrote %+v, want %+v", got, want)
	}
	for _, table := range []string{"contacts", "sessions", "events", "dead_letters"} {
		if n := value[int](t, s, "SELECT count(*) FROM "+table+" WHERE shard = 1"); n != 0 {
			t.Errorf("%s holds %d rows of the fenced shard", table, n)
		}
	}
	if value[bool](t, s, "SELECT EXISTS (SELECT FROM inbox WHERE id = $1)", InboxID(testChannel, "lost")) {
		t.Error("the inbox holds the fenced shard's message")
	}
}

// TestAppendTurnsOfZombie lets the append of an old owner wait for the row lock of the take-over that fences it.
func TestAppendTurnsOfZombie(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	leases := take(t, s, ServiceSession, 2)
	takeOver, err := s.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = takeOver.Rollback(context.Background()) }()
	_, err = takeOver.Exec(t.Context(), `UPDATE leases SET epoch = epoch + 1, owner = 'heir' WHERE service = 'session' AND shard = 0`)
	if err != nil {
		t.Fatal(err)
	}
	var held []int
	var zombie errgroup.Group
	zombie.Go(func() (err error) {
		held, err = s.AppendTurns(t.Context(), []TurnPart{turnOf(leases[0], "ann"), turnOf(leases[1], "bob")})
		return err
	})
	awaitBlocked(t, s, 1)
	if err := takeOver.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := zombie.Wait(); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(held, []int{1}) {
		t.Fatalf("held %v, want only the shard that was not taken over", held)
	}
	if got := rows(t, s); got != onePart {
		t.Fatalf("wrote %+v, want %+v", got, onePart)
	}
}

func TestAppendTurnsRefusesRepeatedInboxKey(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	leases := take(t, s, ServiceSession, 2)
	first := turnOf(leases[0], "ann")
	appendTurns(t, s, first)

	again := turnOf(moved(leases[0], first), "ann")
	_, err := s.AppendTurns(t.Context(), []TurnPart{again, turnOf(leases[1], "bob")})
	if !Permanent(err) {
		t.Fatalf("a message that takes effect twice: %v, want a permanent error", err)
	}
	if got := rows(t, s); got != onePart {
		t.Fatalf("the failed statement left %+v, want %+v", got, onePart)
	}
	checkLease(t, s, ServiceSession, moved(leases[0], first))
	checkLease(t, s, ServiceSession, leases[1])
}

// TestAppendTurnsNumbersEvents appends to four shards at a time, batch after batch.
func TestAppendTurnsNumbersEvents(t *testing.T) {
	t.Parallel()
	const shards, batches = 4, 25
	s := newStore(t)
	leases := take(t, s, ServiceSession, shards)
	var owners errgroup.Group
	for _, lease := range leases {
		owners.Go(func() error {
			for range batches {
				part := turnOf(lease, "ann")
				part.Contacts, part.Sessions, part.Inbox = nil, nil, nil
				part.Events = part.Events[:1+int(lease.Head)%3]
				if _, err := s.AppendTurns(t.Context(), []TurnPart{part}); err != nil {
					return err
				}
				lease = moved(lease, part)
			}
			return nil
		})
	}
	if err := owners.Wait(); err != nil {
		t.Fatal(err)
	}
	for shard := range shards {
		lease, _ := storedLease(t, s, ServiceSession, shard)
		events, err := s.ReadEvents(t.Context(), shard, 0, 1000)
		if err != nil {
			t.Fatal(err)
		}
		if lease.Checkpoint != batches || uint64(len(events)) != lease.Head || lease.Head < batches {
			t.Fatalf("shard %d: %d events, lease %+v", shard, len(events), lease)
		}
		for i, e := range events {
			if e.Offset != uint64(i)+1 || e.Shard != uint32(shard) {
				t.Fatalf("event %d of shard %d has position %d/%d", i, shard, e.Shard, e.Offset)
			}
		}
	}
}

func TestContactIsRewritten(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	lease := take(t, s, ServiceSession, 1)[0]
	write := func(c Contact) (got Contact, parkedAt string) {
		part := TurnPart{Fence: fence(lease, lease.Checkpoint+1), Contacts: []Contact{c}}
		appendTurns(t, s, part)
		lease = moved(lease, part)
		known, err := s.LoadKnown(t.Context(), []uuid.UUID{c.ID}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return known.Contacts[c.ID], value[string](t, s, `SELECT COALESCE(parked_at::text, '') FROM contacts WHERE id = $1`, c.ID)
	}
	c := Contact{
		ID: ContactID("p", "US.1"), Portfolio: "p", LaneKey: "US.1", Parked: true, CreatedAt: time.UnixMilli(1_700_000_000_123),
		Identity: &parleyv1.Identity{Phone: "1", Bsuid: "US.1", ParentBsuid: "US.0", Username: "ann", Name: "Ann"},
	}
	if got, parkedAt := write(c); !got.Parked || parkedAt == "" || got.Identity.String() != c.Identity.String() {
		t.Errorf("contact %+v, parked at %q", got, parkedAt)
	}
	first := value[time.Time](t, s, `SELECT parked_at FROM contacts`)
	later := c
	later.CreatedAt = c.CreatedAt.Add(time.Hour)
	later.Identity = &parleyv1.Identity{Phone: "2", Bsuid: "US.1", ParentBsuid: "US.00", Username: "ann2", Name: "Ann B."}
	got, _ := write(later)
	if got.Identity.String() != later.Identity.String() {
		t.Errorf("identity %v, want %v", got.Identity, later.Identity)
	}
	if !got.CreatedAt.Equal(c.CreatedAt) || got.LaneKey != c.LaneKey || got.Portfolio != c.Portfolio {
		t.Errorf("contact %+v, want it created at %v", got, c.CreatedAt)
	}
	if again := value[time.Time](t, s, `SELECT parked_at FROM contacts`); !got.Parked || !again.Equal(first) {
		t.Errorf("parked at %v, want %v as before", again, first)
	}
	if got.Language != "" || got.OptedOut {
		t.Errorf("language %q, opted out: %v", got.Language, got.OptedOut)
	}
	later.Parked = false
	if got, parkedAt := write(later); got.Parked || parkedAt != "" {
		t.Errorf("after a redrive it is parked at %q", parkedAt)
	}
}

// TestContactOptsOut follows what a person chose: the language, and to hear nothing more.
func TestContactOptsOut(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	lease := take(t, s, ServiceSession, 1)[0]
	var firstOut string
	for i, c := range []struct {
		language string
		out      bool
	}{{"", false}, {"de", true}, {"de", true}, {"pt-BR", true}, {"pt-BR", false}, {"", false}, {"en", true}} {
		part := turnOf(lease, "ann")
		part.Inbox, part.Contacts[0].Language, part.Contacts[0].OptedOut, part.Contacts[0].NoMarketing = nil, c.language, c.out, !c.out
		appendTurns(t, s, part)
		lease = moved(lease, part)
		known, err := s.LoadKnown(t.Context(), []uuid.UUID{part.Contacts[0].ID}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := known.Contacts[part.Contacts[0].ID]; got.Language != c.language || got.OptedOut != c.out || got.NoMarketing == c.out {
			t.Errorf("after write %d: language %q, opted out: %v; want %+v", i, got.Language, got.OptedOut, c)
		}
		since := value[string](t, s, `SELECT COALESCE(opted_out_at::text, '') FROM contacts`)
		if i == 1 {
			firstOut = since
		}
		if c.out != (since != "") || i > 1 && i < 4 && since != firstOut || i == 6 && since == firstOut {
			t.Errorf("after write %d: opted out at %q, the first time at %q", i, since, firstOut)
		}
	}
}

func TestLoadKnown(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	leases := take(t, s, ServiceSession, 2)
	ann, bob := turnOf(leases[0], "ann"), turnOf(leases[1], "bob")
	appendTurns(t, s, ann, bob)

	known, err := s.LoadKnown(t.Context(), []uuid.UUID{ann.Contacts[0].ID, uuid.New()}, []uuid.UUID{ann.Inbox[0], uuid.New()})
	if err != nil {
		t.Fatal(err)
	}
	if len(known.Contacts) != 1 || len(known.Sessions) != 1 || len(known.Applied) != 1 {
		t.Fatalf("known: %d contacts, %d sessions, %d messages; want one of each", len(known.Contacts), len(known.Sessions), len(known.Applied))
	}
	if c := known.Contacts[ann.Contacts[0].ID]; c.LaneKey != "ann" || c.Shard != 0 || c.Parked {
		t.Errorf("contact %+v", c)
	}
	if session, ok := known.Sessions[ann.Sessions[0].Key]; !ok || session.ID != ann.Sessions[0].ID {
		t.Errorf("sessions %+v", known.Sessions)
	}
	if !known.Applied[ann.Inbox[0]] {
		t.Error("the message is not known as applied")
	}
	none, err := s.LoadKnown(t.Context(), nil, nil)
	if err != nil || len(none.Contacts)+len(none.Sessions)+len(none.Applied) != 0 {
		t.Errorf("of nobody: %+v, %v", none, err)
	}
}

// TestPermanent shows errors as PostgreSQL raises them.
func TestPermanent(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	lease := take(t, s, ServiceSession, 1)[0]
	long := strings.Repeat("x", 100_000)
	cases := map[string]struct {
		spoil     func(*TurnPart)
		permanent bool
	}{
		"NUL in a name":       {func(p *TurnPart) { p.Contacts[0].Identity.Name = "a\x00b" }, true},
		"not UTF-8":           {func(p *TurnPart) { p.Contacts[0].Identity.Name = "a\xffb" }, true},
		"NUL in an answer":    {func(p *TurnPart) { p.Sessions[0].State.Answers = map[string]any{"name": "a\x00b"} }, true},
		"NUL in progress":     {func(p *TurnPart) { p.Sessions[0].State.Progress.Fragments = []string{"a\x00b"} }, true},
		"no JSON in answers":  {func(p *TurnPart) { p.Sessions[0].State.Answers = map[string]any{"n": math.NaN()} }, true},
		"no JSON in progress": {func(p *TurnPart) { p.Sessions[0].State.Progress.Form = map[string]any{"n": math.Inf(1)} }, true},
		"timer twice":         {func(p *TurnPart) { p.Timers = []Timer{{Key: p.Sessions[0].Key}, {Key: p.Sessions[0].Key}} }, true},
		"too long to index":   {func(p *TurnPart) { p.Contacts[0].Identity.Bsuid = incompressible(len(long)) }, true},
		"session twice":       {func(p *TurnPart) { p.Sessions = append(p.Sessions, p.Sessions[0]) }, true},
		"event not UTF-8":     {func(p *TurnPart) { p.Events[1].GetStepEntered().Step = "a\xffb" }, true},
		"long texts are fine": {func(p *TurnPart) { p.Contacts[0].Identity.Name, p.DeadLetters[0].Reason = long, long }, false},
		"any text that is one": {func(p *TurnPart) {
			p.Sessions[0].State.Answers = map[string]any{`"\'`: "👩‍👩‍👧 O'Brien\n\t\\u0000 €"}
		}, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			part := turnOf(lease, name)
			c.spoil(&part)
			_, err := s.AppendTurns(t.Context(), []TurnPart{part})
			if Permanent(err) != c.permanent || (err != nil) != c.permanent {
				t.Errorf("permanent %v, want %v: %.200v", Permanent(err), c.permanent, err)
			}
			lease, _ = storedLease(t, s, ServiceSession, 0)
		})
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.AppendTurns(cancelled, []TurnPart{turnOf(lease, "cancelled")}); err == nil || Permanent(err) {
		t.Errorf("a cancelled append: %v", err)
	}
	elsewhere := openStore(t, "postgres://parley@127.0.0.1:1/parley")
	if _, err := elsewhere.AppendTurns(t.Context(), []TurnPart{turnOf(lease, "lost")}); err == nil || Permanent(err) {
		t.Errorf("an append without a database: %v", err)
	}
}

// incompressible is a text that TOAST cannot make short enough for an index.
func incompressible(n int) string {
	var b strings.Builder
	for b.Len() < n {
		b.WriteString(uuid.NewString())
	}
	return b.String()
}

// TestPermanentOfLocks makes the two errors of waiting for each other.
func TestPermanentOfLocks(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	lease := take(t, s, ServiceSession, 1)[0]
	tx, err := s.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.Background()) }()
	if _, err := tx.Exec(t.Context(), `SELECT FROM leases FOR UPDATE`); err != nil {
		t.Fatal(err)
	}
	_, err = s.AppendTurns(t.Context(), []TurnPart{turnOf(lease, "ann")})
	if err == nil || Permanent(err) {
		t.Fatalf("lock timeout: %v, want an error that is not permanent", err)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if held := appendTurns(t, s, turnOf(lease, "ann")); len(held) != 1 {
		t.Fatalf("held %v when the lock is free", held)
	}
}

// TestParkedLetters follows updates that wait for a redrive, in order, until they took effect.
func TestParkedLetters(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	lease := take(t, s, ServiceSession, 1)[0]
	part := turnOf(lease, "ann")
	contact := part.Contacts[0].ID
	part.DeadLetters = nil
	for _, position := range []uint64{7, 3, 5} {
		part.DeadLetters = append(part.DeadLetters, DeadLetter{
			Kind: DeadParked, Position: position, Channel: testChannel, Contact: uuid.NullUUID{UUID: contact, Valid: true},
			Data: []byte{byte(position), 0, 0xff}, Reason: "because of \"it\"",
		})
	}
	appendTurns(t, s, part)
	waiting := func() []DeadLetter {
		known, err := s.LoadKnown(t.Context(), []uuid.UUID{contact, uuid.New()}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return known.Parked[contact]
	}
	letters := waiting()
	if len(letters) != 3 {
		t.Fatalf("%d letters wait, want 3", len(letters))
	}
	for i, position := range []uint64{3, 5, 7} {
		if d := letters[i]; d.Position != position || d.Data[0] != byte(position) || d.Reason != part.DeadLetters[0].Reason || d.Channel != testChannel {
			t.Errorf("letter %d is %+v, want that of position %d", i, d, position)
		}
	}
	letter, ok, err := s.ParkedLetter(t.Context(), letters[0].ID)
	if want := (ParkedLetter{Contact: letter.Contact, Channel: testChannel, Portfolio: "portfolio", LaneKey: "ann", Waiting: 3}); err != nil || !ok || letter != want {
		t.Errorf("parked letter %+v, %v, %v; want %+v", letter, ok, err, want)
	}

	lease = moved(lease, part)
	redrive := TurnPart{Fence: fence(lease, lease.Checkpoint+1), Head: lease.Head, Redriven: []int64{letters[0].ID, letters[1].ID}}
	stale := redrive
	stale.Fence.Epoch--
	if appendTurns(t, s, stale); len(waiting()) != 3 {
		t.Error("a fenced redrive took letters away")
	}
	appendTurns(t, s, redrive)
	if left := waiting(); len(left) != 1 || left[0].Position != 7 {
		t.Errorf("still waiting: %+v, want that of position 7", left)
	}
	if _, ok, err := s.ParkedLetter(t.Context(), letters[0].ID); ok || err != nil {
		t.Errorf("a redriven letter still waits: %v, %v", ok, err)
	}
}

// TestDeadLettersAfterRewind keeps what stands at a position of a stream that was wiped, next to what stood there before; what is only
// read again is kept once.
func TestDeadLettersAfterRewind(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	lease := take(t, s, ServiceSession, 1)[0]
	for _, data := range []string{"before the wipe", "after it", "after it"} {
		letter := DeadLetter{Kind: DeadParked, Position: 1, Channel: testChannel, Data: []byte(data), Reason: "poison"}
		appendTurns(t, s, TurnPart{Fence: fence(lease, 1), DeadLetters: []DeadLetter{letter}})
		if err := s.Rewind(t.Context(), ServiceSession, 0, lease.Epoch); err != nil {
			t.Fatal(err)
		}
		if held, err := s.ParkMessage(t.Context(), ServiceSession, fence(lease, 1), letter); err != nil || !held {
			t.Fatalf("park: %v, %v", held, err)
		}
		if err := s.Rewind(t.Context(), ServiceSession, 0, lease.Epoch); err != nil {
			t.Fatal(err)
		}
	}
	if kept := value[string](t, s, `SELECT string_agg(convert_from(data, 'UTF8'), ', ' ORDER BY id) FROM dead_letters`); kept != "before the wipe, after it" {
		t.Errorf("kept: %s", kept)
	}
}
