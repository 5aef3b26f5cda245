package dispatcher

import (
	"context"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/pkg/whatsapp/wasender"
	"github.com/parleyhq/parley/pkg/whatsapp/wasender/fake"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// shelf holds late ids, and those that were set.
type shelf struct {
	late []store.LateID
	set  map[string]string
}

func (s *shelf) LateIDs(_ context.Context, _ time.Duration, after store.LateID, limit int) ([]store.LateID, error) {
	from := slices.Index(s.late, after) + 1
	return s.late[from:min(len(s.late), from+limit)], nil
}

func (s *shelf) SetLateID(_ context.Context, l store.LateID, wamid string) error {
	s.set[l.WAMID] = wamid
	return nil
}

// What a send could not wait for is asked for later; one that nobody knows holds up
// no other.
func TestJoinOnce(t *testing.T) {
	gateway := &fake.Server{JoinAfter: 1}
	gateway.Add(fake.Session{ID: 1, Name: "shop", APIKey: "key", Status: "connected"})
	server := httptest.NewServer(gateway)
	defer server.Close()
	client := wasender.NewClient(wasender.Options{
		BaseURL: server.URL + "/api", HTTP: server.Client(), JoinWithin: -1,
		Key: func(channel string) string { return map[string]string{"shop": "key"}[channel] },
	})
	ref, err := client.Send(t.Context(), wasender.Outgoing{Channel: "shop", Message: &parleyv1.MessageQueued{
		Phone: "15550001", Content: &parleyv1.MessageQueued_Text{Text: &parleyv1.Text{Body: "hi"}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	msgID, isRef := wasender.ParseRef(ref)
	if !isRef {
		t.Fatalf("sent as %s", ref)
	}
	s := &shelf{late: []store.LateID{{Channel: "gone", WAMID: wasender.Ref(5)}, {Channel: "shop", WAMID: wasender.Ref(99)}, {Channel: "shop", WAMID: ref}}, set: map[string]string{}}
	for try, want := range []string{"", gateway.WhatsAppID(msgID)} {
		if _, err := joinOnce(t.Context(), s, client, store.LateID{}); err == nil {
			t.Error("a channel without a key is not reported")
		}
		if got := s.set[ref]; got != want || len(s.set) > 1 {
			t.Errorf("try %d: %q, want %q", try, s.set, want)
		}
	}
}

// silent knows no id but one.
type silent struct{ ref string }

func (s silent) Join(_ context.Context, _, ref string) (string, error) {
	if ref == s.ref {
		return "3EB0", nil
	}
	return "", nil
}

// Ids that will never be known, as of a session that is gone, keep no others waiting
// for a day.
func TestLateIDsTakeTurns(t *testing.T) {
	s := &shelf{set: map[string]string{}}
	for n := range int64(2*lateMax + 1) {
		s.late = append(s.late, store.LateID{WAMID: wasender.Ref(n + 1)})
	}
	ref, after := s.late[2*lateMax].WAMID, store.LateID{}
	for range 3 {
		last, err := joinOnce(t.Context(), s, silent{ref}, after)
		if err != nil {
			t.Fatal(err)
		}
		after = last
	}
	if s.set[ref] == "" || after != (store.LateID{}) {
		t.Errorf("set %v, goes on behind %v", s.set, after)
	}
}
