package dispatcher

import (
	"net/http/httptest"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/pkg/whatsapp/wasender"
	"github.com/parleyhq/parley/pkg/whatsapp/wasender/fake"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// A session that is told with the last message of the minute that there is no room for
// more sends no more before the minute is over; another session does.
func TestSessionRests(t *testing.T) {
	gateway := &fake.Server{Now: func() time.Time { return start }}
	gateway.Add(fake.Session{ID: 1, Name: "shop", APIKey: "key", Status: "connected", PerMinute: 2})
	server := httptest.NewServer(gateway)
	defer server.Close()
	s := New(&memory{}, roomy(), func(Job) {}, func() time.Time { return start }, zerolog.Nop())
	client := wasender.NewClient(wasender.Options{
		BaseURL: server.URL + "/api", HTTP: server.Client(), JoinWithin: -1, Now: s.now, Key: func(string) string { return "key" },
		OnRate: func(channel string, r wasender.Rate) { s.Rest(channel, r.Wait(start)) },
	})
	d := s.desk
	d.rested(start)
	d.Add(start, job("a", 1, 1), job("b", 1, 2), job("c", 1, 3), on("n2", job("d", 1, 4)))
	for range 2 {
		if _, err := client.Send(t.Context(), wasender.Outgoing{Channel: "n1", Message: &parleyv1.MessageQueued{
			Phone: "15550001", Content: &parleyv1.MessageQueued_Text{Text: &parleyv1.Text{Body: "hi"}},
		}}); err != nil {
			t.Fatal(err)
		}
	}
	wantNext(t, d, 0, "4")
	d.Settle(start, store.DeliveryKey{Shard: 1, Offset: 4})
	wantWake(t, d, 0, time.Minute)
	wantNext(t, d, time.Minute, "1 2 3")
}
