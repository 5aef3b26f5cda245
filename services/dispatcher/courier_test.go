package dispatcher

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"google.golang.org/protobuf/proto"

	"github.com/parleyhq/parley/pkg/lane"
	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/pkg/webhook"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// postOffice is what is queued, who tells it, and a receiver that says what it likes.
type postOffice struct {
	*Courier
	db    *database
	lease store.Lease
	queue *Webhooks
	time  time.Time

	mu    sync.Mutex
	heard []string // "person step", in the order of arrival
	says  func(id string) error
	log   strings.Builder
}

func newPostOffice(t *testing.T) *postOffice {
	t.Helper()
	o := &postOffice{db: newDatabase(t), time: time.Now(), says: func(string) error { return nil }}
	if err := o.db.EnsureLeases(t.Context(), store.ServiceWebhooks, 4); err != nil {
		t.Fatal(err)
	}
	o.lease = o.db.lease(store.ServiceWebhooks)
	o.Courier = NewCourier(o.db.Store, o.hear, func() time.Time { return o.time }, func() float64 { return 0.5 }, zerolog.New(&o.log))
	o.queue = NewWebhooks(o.db.Store, o.Wake, zerolog.Nop())
	return o
}

// hear is the receiver.
func (o *postOffice) hear(_ context.Context, id string, _ time.Time, body []byte) error {
	var posted struct {
		Data struct {
			Contact webhook.Contact   `json:"contact"`
			Event   map[string]string `json:"event"`
		} `json:"data"`
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.says(id); err != nil {
		return err
	}
	if err := json.Unmarshal(body, &posted); err != nil {
		return err
	}
	o.heard = append(o.heard, posted.Data.Contact.Phone+" "+posted.Data.Event["step"])
	return nil
}

// happen stores events of people and queues them: each step is an answer.
func (o *postOffice) happen(steps ...string) {
	o.db.t.Helper()
	part := lane.Part{Fence: store.Fence{Shard: shard, Epoch: o.lease.Epoch, From: o.lease.Checkpoint, To: o.lease.Checkpoint + uint64(len(steps)), At: o.time}}
	for i, each := range steps {
		phone, step, _ := strings.Cut(each, " ")
		id := store.ContactID("p", phone)
		e := &parleyv1.Event{
			Channel: "n1", ContactId: id[:], Offset: part.Fence.From + uint64(i) + 1,
			Body: &parleyv1.Event_AnswerAccepted{AnswerAccepted: &parleyv1.AnswerAccepted{Step: step}},
		}
		if step == "" {
			e.Body = &parleyv1.Event_StepEntered{StepEntered: &parleyv1.StepEntered{}} // of which nobody is told
		}
		data, err := proto.Marshal(e)
		if err != nil {
			o.db.t.Fatal(err)
		}
		o.exec(`INSERT INTO events (shard, "offset", session_id, version, type, at, data) VALUES ($1, $2, 1, 1, 'answer_accepted', now(), $3)`,
			shard, int64(e.Offset), data)
		o.exec(`INSERT INTO contacts (id, portfolio, lane_key, shard, phone, created_at) VALUES ($1, 'p', $2, $3, $2, now()) ON CONFLICT DO NOTHING`, id, phone, shard)
		part.Messages = append(part.Messages, lane.Message{Shard: shard, Pos: e.Offset, Event: e})
	}
	held, err := o.queue.Apply(o.db.t.Context(), []lane.Part{part})
	if err != nil || len(held) != 1 {
		o.db.t.Fatalf("queued: held %v, %v", held, err)
	}
	o.lease.Checkpoint = part.Fence.To
}

func (o *postOffice) exec(sql string, args ...any) {
	o.db.t.Helper()
	if _, err := o.db.conn.Exec(context.Background(), sql, args...); err != nil {
		o.db.t.Fatal(err)
	}
}

// round sends what is due, and waits for what comes of it. It returns how many went out.
func (o *postOffice) round() (sent int) {
	o.db.t.Helper()
	if err := o.Round(o.db.t.Context()); err != nil {
		o.db.t.Fatal(err)
	}
	for sent = o.flying; o.flying > 0; {
		o.land(<-o.landed)
	}
	if err := o.settle(o.db.t.Context()); err != nil {
		o.db.t.Fatal(err)
	}
	return sent
}

// pass lets time go by.
func (o *postOffice) pass(d time.Duration) {
	o.time = o.time.Add(d)
	o.exec(`UPDATE webhooks SET next_at = next_at - $1::interval, since = since - $1::interval`, d)
}

func (o *postOffice) counts() store.WebhookCounts {
	o.db.t.Helper()
	counts, err := o.db.CountWebhooks(o.db.t.Context())
	if err != nil {
		o.db.t.Fatal(err)
	}
	return counts
}

// TestCourierKeepsOrder: one event of a person after the other, people beside each other;
// what the receiver refuses comes again before what came after it.
func TestCourierKeepsOrder(t *testing.T) {
	o := newPostOffice(t)
	refused := 0
	o.says = func(id string) error {
		if id == "evt_1_1" && refused < 2 {
			refused++
			return &webhook.Refusal{Status: 500}
		}
		return nil
	}
	o.happen("491 a", "491", "491 b", "492 c", "491 d")
	select {
	case <-o.wake:
	default:
		t.Error("nobody says that there is something to tell")
	}
	if sent := o.round(); sent != 2 {
		t.Fatalf("%d went out at once, want one of each person", sent)
	}
	if sent := o.round(); sent != 0 {
		t.Errorf("%d went out behind one that was refused", sent)
	}
	for range 10 {
		o.pass(postWaitMax)
		o.round()
	}
	if want := []string{"492 c", "491 a", "491 b", "491 d"}; !slices.Equal(o.heard, want) {
		t.Errorf("heard %q, want %q", o.heard, want)
	}
	if c := o.counts(); c.Queued+c.Dead > 0 {
		t.Errorf("left: %+v", c)
	}
}

// TestCourierRests: a receiver that takes nothing is tried by one at a time, less and less
// often; the first that it takes opens the way for all.
func TestCourierRests(t *testing.T) {
	o := newPostOffice(t)
	away := errors.New("no connection")
	o.says = func(string) error { return away }
	var steps []string
	for i := range restAfter + 20 {
		steps = append(steps, fmt.Sprint("49", i, " a"))
	}
	o.happen(steps...)
	if sent := o.round(); sent != len(steps) {
		t.Fatalf("%d went out, want %d", sent, len(steps))
	}
	for rest := restMin; rest < restMax; rest *= 2 {
		if got := o.restUntil.Sub(o.time); got != rest {
			t.Errorf("rests for %s, want %s", got, rest)
		}
		if o.round() != 0 {
			t.Error("not left alone")
		}
		o.exec(`UPDATE webhooks SET next_at = now()`)
		o.time = o.restUntil
		if sent := o.round(); sent != 1 {
			t.Fatalf("%d went out to try, want 1", sent)
		}
	}
	away = nil
	o.pass(restMax)
	o.pass(postWaitMax)
	o.round()
	if sent := o.round(); sent != len(steps)-1 {
		t.Errorf("%d went out after the first was taken, want %d", sent, len(steps)-1)
	}
	if strings.Count(o.log.String(), "takes nothing") != 1 {
		t.Errorf("logged: %s", o.log.String())
	}
}

// TestCourierGivesUp: after a day of tries, or when the receiver wants to hear of it no more.
// It is kept, holds up nothing, and is told again when somebody says so.
func TestCourierGivesUp(t *testing.T) {
	o := newPostOffice(t)
	o.says = func(id string) error {
		switch id {
		case "evt_1_1":
			return errors.New("no connection")
		case "evt_1_3":
			return &webhook.Refusal{Status: 410}
		}
		return nil
	}
	o.happen("491 a", "491 b", "492 c")
	for range triesMin - 1 {
		o.round()
		o.pass(30 * time.Hour / triesMin)
	}
	if len(o.heard) > 0 || o.counts().Dead != 1 {
		t.Errorf("within the day: heard %q, %+v", o.heard, o.counts())
	}
	for range 2 {
		o.pass(30 * time.Hour / triesMin)
		o.round()
	}
	if !slices.Equal(o.heard, []string{"491 b"}) || o.counts().Dead != 2 {
		t.Errorf("after the day: heard %q, %+v", o.heard, o.counts())
	}
	o.says = func(string) error { return nil }
	if ok, err := o.db.RedriveWebhook(t.Context(), store.DeliveryKey{Shard: shard, Offset: 1}); err != nil || !ok {
		t.Fatal(ok, err)
	}
	if o.round(); !slices.Equal(o.heard, []string{"491 b", "491 a"}) {
		t.Errorf("after the redrive: heard %q", o.heard)
	}
}

// TestCourierJudges: how long a failed one waits.
func TestCourierJudges(t *testing.T) {
	now := time.Now()
	for _, c := range []struct {
		attempts int
		age      time.Duration
		cause    error
		again    time.Duration
		dead     bool
	}{
		{1, 0, errors.New("x"), postWaitMin, false},
		{2, 0, errors.New("x"), 2 * postWaitMin, false},
		{40, time.Hour, errors.New("x"), postWaitMax, false},
		{1, 0, &webhook.Refusal{Status: 429, After: time.Minute}, time.Minute, false},
		{1, 0, &webhook.Refusal{Status: 503, After: 48 * time.Hour}, postWaitMax, false},
		{1, 0, &webhook.Refusal{Status: 410}, 0, true},
		{triesMin - 1, 48 * time.Hour, errors.New("x"), 8 * postWaitMin, false},
		{triesMin, givenUpAfter, errors.New("x"), 0, true},
	} {
		for _, chance := range []float64{0, 0.5, 1} {
			o := &Courier{chance: func() float64 { return chance }}
			_, again, dead := o.judge(store.Webhook{Attempts: c.attempts, Since: now.Add(-c.age)}, now, c.cause)
			var refusal *webhook.Refusal
			least, most := c.again*3/4, c.again*5/4
			if errors.As(c.cause, &refusal) {
				least = c.again
			}
			if dead != c.dead || again < least || again > most {
				t.Errorf("%+v with %g: %s, %t", c, chance, again, dead)
			}
		}
	}
}

// TestCourierStops: what is under way when it is told to stop is recorded, and what is not
// told yet is told by the next.
func TestCourierStops(t *testing.T) {
	o := newPostOffice(t)
	begun, let := make(chan bool), make(chan bool)
	o.says = func(string) error { begun <- true; <-let; return nil }
	o.happen("491 a", "491 b")
	intake, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- o.Run(intake, t.Context()) }()
	<-begun
	stop()
	close(let)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if c := o.counts(); !slices.Equal(o.heard, []string{"491 a"}) || c.Queued != 1 {
		t.Errorf("heard %q, %+v", o.heard, c)
	}
}
