package dispatcher

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"
	"google.golang.org/protobuf/proto"

	"github.com/parleyhq/parley/pkg/bus"
	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/pkg/whatsapp/wasender"
	"github.com/parleyhq/parley/pkg/whatsapp/wasender/fake"
	"github.com/parleyhq/parley/pkg/whatsapp/wasender/health"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// ward is a session under watch: a real database, a real NATS, and a fake WASenderApi
// over HTTP. Its clock goes a hundred times as fast as the world's.
type ward struct {
	t        *testing.T
	db       *database
	nc       *nats.Conn
	gateway  *fake.Server
	url      string
	log      *lockedLog
	begun    time.Time
	answers  func(method, path string) fake.Answer
	answerMu sync.Mutex
	receipts []bus.Message
}

const (
	wardSpeed = 100
	wardKey   = "the api key of shop"
)

type lockedLog struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func newWard(t *testing.T, session fake.Session) *ward {
	t.Helper()
	w := &ward{t: t, db: newDatabase(t), gateway: &fake.Server{AccountToken: "the account token"}, log: &lockedLog{}, begun: time.Now()}
	w.gateway.OnCall = func(method, path string) fake.Answer {
		w.answerMu.Lock()
		defer w.answerMu.Unlock()
		if w.answers == nil {
			return fake.Answer{}
		}
		return w.answers(method, path)
	}
	session.ID, session.APIKey = 7, wardKey
	w.gateway.Add(fake.Session{ID: 3, APIKey: "another", Status: "connected"})
	w.gateway.Add(session)
	server := httptest.NewServer(w.gateway)
	t.Cleanup(server.Close)
	w.url = server.URL + "/api"
	natsServer, err := bus.StartServer(bus.ServerOptions{Dir: t.TempDir(), Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(natsServer.Shutdown)
	if w.nc, err = natsServer.Connect(t.Name()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.nc.Close)
	return w
}

// Publish keeps the receipts that were caught up.
func (w *ward) Publish(_ context.Context, messages ...bus.Message) error {
	w.answerMu.Lock()
	defer w.answerMu.Unlock()
	w.receipts = append(w.receipts, messages...)
	return nil
}

func (w *ward) now() time.Time { return w.begun.Add(time.Since(w.begun) * wardSpeed) }

func (w *ward) answer(f func(method, path string) fake.Answer) {
	w.answerMu.Lock()
	defer w.answerMu.Unlock()
	w.answers = f
}

// watcher is one replica.
func (w *ward) watcher(owner string, canAct bool) *watcher {
	client := wasender.NewClient(wasender.Options{
		BaseURL: w.url, AccountToken: "the account token", Key: func(string) string { return wardKey }, HTTP: &http.Client{Timeout: 5 * time.Second},
	})
	policy := health.DefaultPolicy()
	policy.CanAct = canAct
	return &watcher{
		store: w.db.Store, client: client, nats: w.nc, channels: []string{"shop"}, owner: owner, lease: time.Second, policy: policy,
		status: w, portfolio: func(channel string) string { return "portfolio of " + channel }, shards: 4,
		ids:  &sessionIDs{client: client, key: func(string) string { return wardKey }},
		tick: 10 * time.Millisecond, now: w.now, log: zerolog.New(w.log), meter: newSessionMeter(w.now),
	}
}

// watch runs a replica until stop.
func (w *ward) watch(owner string, canAct bool) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.watcher(owner, canAct).Run(ctx, context.Background()) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				w.t.Errorf("watcher %s: %v", owner, err)
			}
		})
	}
	w.t.Cleanup(stop)
	return stop
}

// await polls until the session is as wanted.
func (w *ward) await(what string, is func(store.SessionHealth) bool) store.SessionHealth {
	w.t.Helper()
	var last store.SessionHealth
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		list, err := w.db.SessionsHealth(context.Background())
		if err != nil {
			w.t.Fatal(err)
		}
		if len(list) == 1 {
			if last = list[0]; is(last) {
				return last
			}
		}
	}
	w.t.Fatalf("never %s; it is %+v\n%s", what, last, w.log)
	return last
}

func (w *ward) signal(s *parleyv1.SessionSignal) {
	w.t.Helper()
	data, err := proto.Marshal(s)
	if err = errors.Join(err, w.nc.Publish(bus.SubjectSignal("shop"), data)); err != nil {
		w.t.Fatal(err)
	}
}

func (w *ward) order(action string) *parleyv1.SessionOrderAnswer {
	w.t.Helper()
	data, _ := proto.Marshal(&parleyv1.SessionOrder{Action: action})
	m, err := w.nc.Request(bus.SubjectOrder("shop"), data, 10*time.Second)
	if err != nil {
		w.t.Fatal(err)
	}
	answer := &parleyv1.SessionOrderAnswer{}
	if err := proto.Unmarshal(m.Data, answer); err != nil {
		w.t.Fatal(err)
	}
	return answer
}

func (w *ward) connects() int { return w.gateway.Requests("POST /whatsapp-sessions/7/connect") }
func (w *ward) restarts() int { return w.gateway.Requests("POST /whatsapp-sessions/7/restart") }

// questions waits until the session was asked n times more for its state.
func (w *ward) questions(n int) {
	w.t.Helper()
	asked := w.gateway.Requests("GET /status")
	for deadline := time.Now().Add(20 * time.Second); w.gateway.Requests("GET /status") < asked+n; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			w.t.Fatal("the session is not asked any more")
		}
	}
}

func is(state, alarm string) func(store.SessionHealth) bool {
	return func(h store.SessionHealth) bool { return h.State == state && h.Alarm == alarm }
}

// A session that drops is connected again by itself, once.
func TestWatchConnectsAgain(t *testing.T) {
	t.Parallel()
	w := newWard(t, fake.Session{Status: "connected", Linked: true})
	w.watch("a", true)
	w.await("connected", is("connected", ""))
	w.gateway.SetStatus(7, "disconnected")
	w.signal(&parleyv1.SessionSignal{Unsent: true}) // a send was refused
	w.await("down", func(h store.SessionHealth) bool {
		return h.State == "disconnected" && h.DownSince != nil && h.NextTry != nil
	})
	w.await("connected again", func(h store.SessionHealth) bool { return h.State == "connected" && h.DownSince == nil && h.Tries == 1 })
	w.await("stable", func(h store.SessionHealth) bool { return h.State == "connected" && h.Tries == 0 })
	if w.connects() != 1 || w.restarts() != 0 {
		t.Errorf("%d connects, %d restarts", w.connects(), w.restarts())
	}
	history, err := w.db.SessionHistory(t.Context(), "shop", 10)
	if err != nil {
		t.Fatal(err)
	}
	var what []string
	for _, change := range history {
		what = append(what, change.What+" "+change.State)
	}
	if got := strings.Join(what, ", "); got != "caught_up connected, missed connected, state connected, connect disconnected, state disconnected, state connected" {
		t.Errorf("history: %s", got)
	}
}

// A session whose phone ended the link waits for a person, who orders a code, scans
// it, and is shown none afterwards.
func TestWatchWaitsForAPerson(t *testing.T) {
	t.Parallel()
	w := newWard(t, fake.Session{Status: "connected", Linked: true})
	w.watch("a", true)
	w.await("connected", is("connected", ""))
	w.gateway.Become(7, "logged_out")
	w.await("logged out", is("logged_out", "logged_out"))
	w.questions(5) // time passes
	if w.connects() != 0 {
		t.Errorf("%d connects while a person must act", w.connects())
	}
	if a := w.order("connect"); a.GetOutcome() != orderDone || a.GetStatus() != "need_scan" {
		t.Errorf("connect: %v", a)
	}
	w.await("scannable", is("need_scan", "scan"))
	code, _, ok, err := w.db.SessionCode(t.Context(), "shop")
	if err != nil || !ok || !strings.HasPrefix(code, "2@") {
		t.Errorf("code %q, %v", code, err)
	}
	w.signal(&parleyv1.SessionSignal{Heard: true, Status: "need_scan", Qr: "2@newer"})
	for deadline := time.Now().Add(10 * time.Second); code != "2@newer" && time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		code, _, _, _ = w.db.SessionCode(t.Context(), "shop")
	}
	if a := w.order("qr"); code != "2@newer" || a.GetOutcome() != orderDone {
		t.Errorf("code %q, then %v", code, a)
	}
	w.gateway.Scan(7)
	w.signal(&parleyv1.SessionSignal{Heard: true, Status: "connected"})
	w.await("connected", is("connected", ""))
	if _, _, ok, err := w.db.SessionCode(t.Context(), "shop"); ok || err != nil {
		t.Error("a code that was used is still shown")
	}
	for _, secret := range []string{wardKey, "the account token", "2@"} {
		if strings.Contains(w.log.String(), secret) {
			t.Errorf("the log holds %q", secret)
		}
	}
	if w.connects() != 1 {
		t.Errorf("%d connects", w.connects())
	}
}

// Without the account's token nothing is tried, and the alarm says so.
func TestWatchWithoutToken(t *testing.T) {
	t.Parallel()
	w := newWard(t, fake.Session{Status: "disconnected", Linked: true})
	w.watch("a", false)
	w.await("down", is("disconnected", "no_account_token"))
	if a := w.order("restart"); a.GetOutcome() != orderNoToken {
		t.Errorf("restart: %v", a)
	}
	if n := w.gateway.Requests("GET /whatsapp-sessions"); w.connects() != 0 || n != 0 {
		t.Errorf("%d connects, %d lists without the token", w.connects(), n)
	}
}

// A deaf session is restarted once, whatever it says of itself.
func TestWatchRestartsTheDeaf(t *testing.T) {
	t.Parallel()
	w := newWard(t, fake.Session{Status: "connected", Linked: true})
	w.watch("a", true)
	w.await("connected", is("connected", ""))
	w.signal(&parleyv1.SessionSignal{Sent: 1})
	w.signal(&parleyv1.SessionSignal{Heard: true})
	for range 3 {
		w.signal(&parleyv1.SessionSignal{Sent: 1})
	}
	w.await("deaf", is("connected", "deaf"))
	for deadline := time.Now().Add(10 * time.Second); w.restarts() == 0 && time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
	}
	w.signal(&parleyv1.SessionSignal{Heard: true})
	w.await("heard", func(h store.SessionHealth) bool { return h.Alarm == "" && h.HeardAt != nil })
	if w.restarts() != 1 || w.connects() != 0 {
		t.Errorf("%d restarts, %d connects", w.restarts(), w.connects())
	}
}

// What WASenderApi answers to the question after the state.
func TestWatchAsks(t *testing.T) {
	t.Parallel()
	w := newWard(t, fake.Session{Status: "connected", Linked: true})
	statusOnly := func(a fake.Answer) func(method, path string) fake.Answer {
		return func(_, path string) fake.Answer {
			if path == "/status" {
				return a
			}
			return fake.Answer{}
		}
	}
	w.watch("a", true)
	w.await("connected", is("connected", ""))
	w.answer(statusOnly(fake.Answer{Hangup: true}))
	w.await("unanswered", is("unknown", "no_answer"))
	w.answer(statusOnly(fake.Refusal(http.StatusUnauthorized, "Invalid API key.", nil)))
	w.await("refused", is("unknown", "key_refused"))
	w.answer(nil)
	w.await("connected again", is("connected", ""))
	w.answer(statusOnly(fake.TooMany(600)))
	asked := w.gateway.Requests("GET /status")
	w.questions(1)
	for until := w.now().Add(2 * time.Minute); w.now().Before(until); time.Sleep(10 * time.Millisecond) {
	}
	if n := w.gateway.Requests("GET /status"); n != asked+1 {
		t.Errorf("asked %d times although it was told to wait", n-asked)
	}
	w.await("left alone", is("connected", ""))
	if w.connects()+w.restarts() != 0 {
		t.Error("something was tried although nothing was known to be wrong")
	}
}

// What became of the messages sent before a drop is asked for when the session is back,
// once, and goes where the receipts would have gone; what the log does not know, or is
// older, is left alone.
func TestWatchCatchesUp(t *testing.T) {
	t.Parallel()
	w := newWard(t, fake.Session{Status: "connected", Linked: true})
	send := func(text string) (msgID int64) {
		t.Helper()
		_, err := w.watcher("sender", true).client.Send(t.Context(), wasender.Outgoing{Channel: "shop", Message: &parleyv1.MessageQueued{
			Phone: "15550001", Content: &parleyv1.MessageQueued_Text{Text: &parleyv1.Text{Body: text}},
		}})
		if err != nil {
			t.Fatal(err)
		}
		return 100_000 + int64(w.gateway.Accepted()) - 1
	}
	var ids []string
	for _, status := range []string{"delivered", "read", "in_progress"} {
		msgID := send(status)
		w.gateway.SetMessage(msgID, status)
		ids = append(ids, w.gateway.WhatsAppID(msgID))
	}
	w.watch("a", true)
	w.await("connected", is("connected", ""))
	w.gateway.SetStatus(7, "disconnected")
	w.signal(&parleyv1.SessionSignal{Unsent: true})
	w.await("down", func(h store.SessionHealth) bool { return h.DownSince != nil })
	back := w.await("back", func(h store.SessionHealth) bool { return h.State == "connected" && h.MissedTo != nil })
	if !back.MissedFrom.Before(*back.MissedTo) {
		t.Errorf("missed %s to %s", back.MissedFrom, back.MissedTo)
	}
	var history string
	for deadline := time.Now().Add(20 * time.Second); !strings.Contains(history, "caught_up") && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		list, err := w.db.SessionHistory(t.Context(), "shop", 100)
		if err != nil {
			t.Fatal(err)
		}
		history = fmt.Sprint(list)
	}
	w.questions(3) // it is not asked again
	w.answerMu.Lock()
	defer w.answerMu.Unlock()
	found := map[string]string{}
	for _, m := range w.receipts {
		e := &parleyv1.Envelope{}
		if err := proto.Unmarshal(m.Data, e); err != nil {
			t.Fatal(err)
		}
		r, err := wasender.DecodeReceipt(e)
		if err != nil || !strings.HasPrefix(m.Subject, "wa.status.") || e.Portfolio != "portfolio of shop" || e.LaneKey != "15550001" {
			t.Errorf("%s: %v, %v", m.Subject, e, err)
		}
		found[r.WAMID] = r.Status
	}
	// The fake takes a message to be sent as soon as somebody asks for it.
	if len(w.receipts) != 3 || found[ids[0]] != "delivered" || found[ids[1]] != "read" || found[ids[2]] != "sent" {
		t.Errorf("caught up %v of %v", found, ids)
	}
	if n := w.gateway.Requests("GET /whatsapp-sessions/7/message-logs"); n != 1 {
		t.Errorf("the log was read %d times", n)
	}
}

// Two replicas watch one session: one does. If it dies in the middle of a try, the
// other keeps to the wait that was written down before.
func TestWatchIsTakenOver(t *testing.T) {
	t.Parallel()
	w := newWard(t, fake.Session{Status: "disconnected"})
	blocked := make(chan struct{}, 100)
	w.answer(func(method, path string) fake.Answer {
		if method == http.MethodPost && strings.HasSuffix(path, "/connect") {
			blocked <- struct{}{}
			return fake.Refusal(http.StatusBadGateway, "later", nil)
		}
		return fake.Answer{}
	})
	first := w.watcher("a", true)
	dying, kill := context.WithCancel(context.Background())
	gone := make(chan error, 1)
	// The first one's process dies as soon as its call is out: nothing is written after.
	first.store = mute{first.store, func() bool { return len(blocked) > 0 }}
	go func() { gone <- first.Run(dying, context.Background()) }()
	<-w.firstCall(blocked)
	kill()
	<-gone
	list, err := w.db.SessionsHealth(t.Context())
	if err != nil || len(list) != 1 || list[0].Tries != 1 || list[0].NextTry == nil {
		t.Fatalf("before the call is written: %+v, %v", list, err)
	}
	wait := *list[0].NextTry
	if _, err := w.db.conn.Exec(t.Context(), `UPDATE session_health SET lease_until = now()`); err != nil {
		t.Fatal(err)
	}
	w.watch("b", true)
	w.watch("c", true)
	w.await("tried again", func(h store.SessionHealth) bool { return w.connects() >= 2 })
	if now := w.now(); now.Before(wait) {
		t.Errorf("the successor tried %s before the wait was over", wait.Sub(now))
	}
	var owners, epoch int
	if err := w.db.conn.QueryRow(t.Context(), `SELECT count(*), max(epoch) FROM session_health WHERE owner IN ('b', 'c')`).Scan(&owners, &epoch); err != nil || owners != 1 || epoch != 2 {
		t.Errorf("%d owners, epoch %d, %v", owners, epoch, err)
	}
}

// firstCall is closed when a call came; the call stays counted.
func (w *ward) firstCall(calls chan struct{}) chan struct{} {
	seen := make(chan struct{})
	go func() {
		for len(calls) == 0 {
			time.Sleep(time.Millisecond)
		}
		close(seen)
	}()
	return seen
}

// mute is the store of a process that died.
type mute struct {
	watchStore
	dead func() bool
}

func (m mute) SaveSession(ctx context.Context, w store.WatchedSession, h store.SessionHealth, changes []string) error {
	if m.dead() {
		return errors.New("dead")
	}
	return m.watchStore.SaveSession(ctx, w, h, changes)
}

func (m mute) ReleaseSession(context.Context, store.WatchedSession) error { return nil }

// Whoever lost a session writes nothing and does nothing to it.
func TestWatchIsFenced(t *testing.T) {
	t.Parallel()
	w := newWard(t, fake.Session{Status: "disconnected", Linked: true})
	zombie := w.watcher("zombie", true)
	taken, err := w.db.TakeSessions(t.Context(), "zombie", time.Minute, zombie.channels, nil)
	if err != nil || len(taken) != 1 {
		t.Fatal(taken, err)
	}
	if _, err := w.db.conn.Exec(t.Context(), `UPDATE session_health SET epoch = epoch + 1, owner = 'another'`); err != nil {
		t.Fatal(err)
	}
	if err := newWatch(zombie, taken[0]).run(t.Context()); !errors.Is(err, store.ErrFenced) {
		t.Errorf("the zombie ends with %v", err)
	}
	if w.connects() != 0 {
		t.Errorf("the zombie tried %d times", w.connects())
	}
}
