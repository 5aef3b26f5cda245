package dispatcher

import (
	"context"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/pkg/whatsapp/wasender"
	"github.com/parleyhq/parley/pkg/whatsapp/wasender/fake"
)

// gateway is an office that sends through WASenderApi, and looks into its log.
type gateway struct {
	*office
	t      *testing.T
	api    *fake.Server
	answer atomic.Pointer[fake.Answer] // to the next send
	call   atomic.Pointer[fake.Answer] // to all else, if it is not answered as it should be
	client *wasender.Client
	log    sentLog
}

func newGateway(t *testing.T) *gateway {
	g := &gateway{t: t, office: open(t, newDatabase(t)), api: &fake.Server{AccountToken: "the account token"}}
	g.api.OnSend = func(context.Context, fake.Send) fake.Answer { return *g.answer.Load() }
	g.api.OnCall = func(string, string) fake.Answer { return *g.call.Load() }
	g.call.Store(&fake.Answer{})
	g.api.Add(fake.Session{ID: 7, APIKey: "key", Status: "connected", Linked: true})
	server := httptest.NewServer(g.api)
	t.Cleanup(server.Close)
	key := func(string) string { return "key" }
	g.client = wasender.NewClient(wasender.Options{
		BaseURL: server.URL + "/api", AccountToken: "the account token", Key: key, HTTP: server.Client(), JoinWithin: -1,
	})
	g.log = sentLog{
		store: g.db.Store, client: g.client, ids: &sessionIDs{client: g.client, key: key}, channels: []string{"n1"},
		owned: g.Owned, log: zerolog.Nop(),
	}
	return g
}

// send makes the one attempt that was launched, and records what came of it.
func (g *gateway) send(want string, answer fake.Answer) {
	g.t.Helper()
	g.answer.Store(&answer)
	job := g.wantLaunched(want)[0]
	id, err := g.client.Send(g.t.Context(), wasender.Outgoing{Channel: job.Channel, Message: contentOf(g.t, job)})
	g.Finish(job, id, err)
	g.cycle() // records it
	g.cycle() // and lets the next go
}

func (g *gateway) look() {
	g.t.Helper()
	if err := g.log.once(g.t.Context()); err != nil {
		g.t.Fatal(err)
	}
}

// later is behind the grace period. What is settled moves its line on, and the rest is
// sent again.
func (g *gateway) later() {
	g.t.Helper()
	g.pass(grace)
	g.cycle()
	g.cycle()
}

// What WASenderApi took although its answer was lost is found in its log and not sent
// again, and a message of the same words that it has from before is not taken for it.
func TestLogSettles(t *testing.T) {
	for name, joined := range map[string]bool{"ids are known": true, "ids are not known yet": false} {
		t.Run(name, func(t *testing.T) {
			g := newGateway(t)
			if !joined {
				g.api.JoinAfter = 1000
			}
			g.apply(queued("a", 1), queued("a", 2), queued("a", 3))
			g.send("1", fake.Answer{})
			if first := g.db.row(1); joined {
				err := g.db.SetLateID(t.Context(), store.LateID{Key: store.DeliveryKey{Shard: shard, Offset: 1}, WAMID: first.WAMID}, g.api.WhatsAppID(100_000))
				if err != nil {
					t.Fatal(err)
				}
			}
			g.send("2", fake.Answer{Hangup: true}) // it does not have it
			g.db.wantState(2, store.DeliveryAmbiguous)
			g.look()
			g.db.wantState(2, store.DeliveryAmbiguous)
			g.later()
			g.send("2", fake.Answer{Lost: true})
			g.db.wantState(2, store.DeliveryAmbiguous)
			g.look()
			want := wasender.Ref(100_001)
			if joined {
				want = g.api.WhatsAppID(100_001)
			}
			if r := g.db.row(2); r.State != store.DeliveryAccepted || r.SettledBy != "log" || r.WAMID != want || r.Ambiguous != 2 {
				t.Fatalf("%+v, want id %s", r, want)
			}
			g.later()
			g.send("3", fake.Answer{})
			if n := g.api.Accepted(); n != 3 {
				t.Errorf("%d messages were accepted", n)
			}
		})
	}
}

// What stands in the log as failed, or from before, is sent again after the grace
// period; so is everything if the log cannot be read.
func TestLogSettlesNothing(t *testing.T) {
	for name, spoil := range map[string]func(*gateway){
		"failed": func(g *gateway) { g.api.SetMessage(100_000, "error") },
		"from before": func(g *gateway) {
			if _, err := g.db.conn.Exec(t.Context(), `UPDATE deliveries SET sending_at = now() + '2 minutes'`); err != nil {
				g.t.Fatal(err)
			}
		},
		"of another shard": func(g *gateway) { g.log.owned = func() []int { return []int{shard + 1} } },
		"unreadable": func(g *gateway) {
			g.call.Store(&fake.Answer{Status: 500, Body: []byte("x")})
			if g.log.once(g.t.Context()) == nil {
				g.t.Error("nothing is reported")
			}
			g.call.Store(&fake.Answer{})
			g.log.owned = func() []int { return nil }
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGateway(t)
			g.apply(queued("a", 1))
			g.send("1", fake.Answer{Lost: true})
			spoil(g)
			g.look()
			g.db.wantState(1, store.DeliveryAmbiguous)
			g.later()
			g.send("1", fake.Answer{})
		})
	}
}

// An attempt that has begun meanwhile is not settled by what the log says of the one
// before.
func TestLogIsLate(t *testing.T) {
	g := newGateway(t)
	g.apply(queued("a", 1))
	g.send("1", fake.Answer{Lost: true})
	list, err := g.db.UnknownSends(t.Context(), []string{"n1"}, []int{shard}, 10)
	if err != nil || len(list) != 1 || time.Since(list[0].SentAt) > time.Minute {
		t.Fatalf("%+v, %v", list, err)
	}
	g.later()
	g.wantLaunched("1")
	if ok, err := g.db.SettleByLog(t.Context(), list[0], []string{"wamid.1"}); err != nil || ok {
		t.Errorf("settled %v, %v", ok, err)
	}
	g.db.wantState(1, store.DeliverySending)
}
