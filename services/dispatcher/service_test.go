package dispatcher

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/rs/zerolog"

	"github.com/parleyhq/parley/pkg/lane"
	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/pkg/store/pgtest"
	"github.com/parleyhq/parley/pkg/whatsapp/meta"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

const shard = 1

// database is a real one, with helpers to look into it.
type database struct {
	*store.Store
	t    *testing.T
	conn *pgx.Conn
}

func newDatabase(t *testing.T) *database {
	t.Helper()
	dsn := pgtest.New(t, store.Migrate)
	s, err := store.Open(t.Context(), dsn, 4, "test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	for _, service := range []string{store.ServiceDispatcher, store.ServiceReceipts} {
		if err := s.EnsureLeases(t.Context(), service, 4); err != nil {
			t.Fatal(err)
		}
	}
	return &database{Store: s, t: t, conn: conn}
}

// lease takes a shard, whoever held it.
func (db *database) lease(service string) store.Lease {
	db.t.Helper()
	leases, err := db.Acquire(db.t.Context(), service, "me", time.Minute, 4, nil)
	if err != nil {
		db.t.Fatal(err)
	}
	i := slices.IndexFunc(leases, func(l store.Lease) bool { return l.Shard == shard })
	return leases[i]
}

// row is a delivery as it is stored.
type row struct {
	State, Class, Cause, SettledBy, Receipt string
	Attempts, Code, Ambiguous, Rank         int
	WAMID                                   string
}

func (db *database) row(offset uint64) row {
	db.t.Helper()
	rows, err := db.conn.Query(context.Background(), `
		SELECT state, error_class, ambiguous_cause, settled_by, receipt, attempts, error_code, ambiguous_count, receipt_rank::int, COALESCE(wamid, '')
		  FROM deliveries WHERE shard = $1 AND "offset" = $2`, shard, int64(offset))
	if err != nil {
		db.t.Fatal(err)
	}
	r, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[row])
	if err != nil {
		db.t.Fatalf("delivery %d: %v", offset, err)
	}
	return r
}

func (db *database) wantState(offset uint64, want string) {
	db.t.Helper()
	if got := db.row(offset).State; got != want {
		db.t.Fatalf("delivery %d is %s, want %s", offset, got, want)
	}
}

// flaky is a Store that can fail before or after the real work.
type flaky struct {
	Store
	before, after func(call string) error
}

func (f *flaky) around(call string, work func() error) error {
	if f.before != nil {
		if err := f.before(call); err != nil {
			return err
		}
	}
	if err := work(); err != nil {
		return err
	}
	if f.after != nil {
		return f.after(call)
	}
	return nil
}

func (f *flaky) AddDeliveries(ctx context.Context, fences []store.Fence, list []store.Delivery) (held []int, err error) {
	err = f.around("add", func() (err error) { held, err = f.Store.AddDeliveries(ctx, fences, list); return err })
	return held, err
}

func (f *flaky) AdvanceDeliveries(ctx context.Context, results []store.SendResult, intents []store.Intent) (granted []store.DeliveryKey, err error) {
	err = f.around("advance", func() (err error) { granted, err = f.Store.AdvanceDeliveries(ctx, results, intents); return err })
	return granted, err
}

func (f *flaky) DeliveryContents(ctx context.Context, keys []store.DeliveryKey) (contents map[store.DeliveryKey][]byte, err error) {
	err = f.around("contents", func() (err error) { contents, err = f.Store.DeliveryContents(ctx, keys); return err })
	return contents, err
}

// office is a Service over a database with a clock of its own and a launch that
// only notes what it is given.
type office struct {
	*Service
	db    *database
	store *flaky
	lease store.Lease

	mu       sync.Mutex
	time     time.Time
	launched []Job
	onLaunch func(Job)
}

func open(t *testing.T, db *database) *office {
	t.Helper()
	o := &office{db: db, store: &flaky{Store: db.Store}, time: start}
	limits := roomy()
	o.Service = New(o.store, limits, o.note, o.clock, zerolog.Nop())
	o.desk.rested(start)
	o.retake()
	return o
}

func (o *office) note(j Job) {
	if o.onLaunch != nil {
		o.onLaunch(j)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.launched = append(o.launched, j)
}

func (o *office) clock() time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.time
}

func (o *office) pass(d time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.time = o.time.Add(d)
}

// retake leases the shard anew, as the lane's runner does after any doubt.
func (o *office) retake() {
	o.db.t.Helper()
	o.Drop(shard)
	o.lease = o.db.lease(store.ServiceDispatcher)
	if err := o.Take(o.db.t.Context(), o.lease); err != nil {
		o.db.t.Fatal(err)
	}
}

// queued is the event that asks for a message to a contact.
func queued(contact string, offset uint64) lane.Message {
	id := store.ContactID("p", contact)
	return lane.Message{Shard: shard, Pos: offset, Event: &parleyv1.Event{
		Shard: shard, Offset: offset, Channel: "n1", ContactId: id[:], AtMs: start.UnixMilli(), SessionId: 7,
		Body: &parleyv1.Event_MessageQueued{MessageQueued: &parleyv1.MessageQueued{
			Phone:   "16505551234",
			Content: &parleyv1.MessageQueued_Text{Text: &parleyv1.Text{Body: "hi"}},
		}},
	}}
}

// part is the next part of the shard's events.
func (o *office) part(messages ...lane.Message) lane.Part {
	fence := store.Fence{Shard: shard, Epoch: o.lease.Epoch, From: o.lease.Checkpoint, To: messages[len(messages)-1].Pos}
	return lane.Part{Fence: fence, Messages: messages}
}

func (o *office) apply(messages ...lane.Message) {
	o.db.t.Helper()
	part := o.part(messages...)
	held, err := o.Apply(o.db.t.Context(), []lane.Part{part})
	if err != nil || len(held) != 1 {
		o.db.t.Fatalf("apply: held %v, %v", held, err)
	}
	o.lease.Checkpoint = part.Fence.To
}

func (o *office) cycle() {
	o.db.t.Helper()
	if err := o.Cycle(o.db.t.Context()); err != nil {
		o.db.t.Fatal(err)
	}
}

// wantLaunched checks what was launched since the last look, and returns it.
func (o *office) wantLaunched(want string) []Job {
	o.db.t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	jobs := o.launched
	o.launched = nil
	if got := offsets(jobs); got != want {
		o.db.t.Fatalf("launched %q, want %q", got, want)
	}
	return jobs
}

// refused is a SendError of a class.
func refused(class meta.Class, code, status int) error {
	return &meta.SendError{Class: class, Code: code, Status: status, Message: "refused"}
}

// The intent is on disk before the call is made, whether the message goes with
// the commit of its event or later (PEERS C9, C20).
func TestIntentBeforeLaunch(t *testing.T) {
	db := newDatabase(t)
	o := open(t, db)
	o.onLaunch = func(j Job) {
		if r := db.row(j.Key.Offset); r.State != store.DeliverySending || r.Attempts != j.Attempts+1 {
			t.Errorf("delivery %d is launched while it is %s with %d attempts", j.Key.Offset, r.State, r.Attempts)
		}
	}
	o.apply(queued("a", 1), queued("b", 2), queued("a", 3))
	db.wantState(3, store.DeliveryQueued)
	jobs := o.wantLaunched("1 2")
	o.Finish(jobs[0], "wamid.1", nil)
	o.Finish(jobs[1], "", refused(meta.Retry, 131016, 500))
	o.cycle()
	o.cycle()
	o.wantLaunched("3")
	o.pass(retryMin)
	o.cycle()
	o.wantLaunched("2")
	if r := db.row(1); r.State != store.DeliveryAccepted || r.WAMID != "wamid.1" || r.SettledBy != "response" {
		t.Errorf("delivery 1: %+v", r)
	}
	if r := db.row(2); r.Attempts != 2 || r.Code != 131016 || r.Class != "retry" {
		t.Errorf("delivery 2: %+v", r)
	}
}

// WIRE 3.3: who takes a shard over does not give each person a new burst.
func TestPairLimitOutlivesItsOwner(t *testing.T) {
	db := newDatabase(t)
	dead := open(t, db)
	dead.apply(queued("a", 1), queued("b", 2))
	dead.Finish(dead.wantLaunched("1 2")[0], "wamid.1", nil)
	dead.cycle()
	dead.apply(queued("a", 3))
	dead.Finish(dead.wantLaunched("3")[0], "wamid.3", nil)
	dead.cycle()

	o := open(t, db)
	o.desk.limits.PairEvery, o.desk.limits.PairBurst = time.Hour, 2
	for range 2 { // what is known already does not count twice
		o.retake()
	}
	o.apply(queued("a", 4), queued("c", 5))
	o.wantLaunched("5")
	o.pass(time.Hour)
	o.cycle()
	o.wantLaunched("2 4") // b's was interrupted
}

// Events that ask for nothing become no delivery, but the checkpoint passes them.
func TestApplyOtherEvents(t *testing.T) {
	db := newDatabase(t)
	o := open(t, db)
	o.apply(lane.Message{Shard: shard, Pos: 1, Event: &parleyv1.Event{Body: &parleyv1.Event_StepEntered{}}})
	o.apply(queued("a", 2))
	o.wantLaunched("2")
}

// RELIABILITY E1: whoever dies between intent and record leaves an ambiguous
// send, which the next owner does not repeat before the grace period is over.
func TestCrashBetweenIntentAndRecord(t *testing.T) {
	db := newDatabase(t)
	dead := open(t, db)
	dead.apply(queued("a", 1), queued("a", 2), queued("b", 3))
	dead.wantLaunched("1 3")

	o := open(t, db)
	if r := db.row(1); r.State != store.DeliveryAmbiguous || r.Cause != "restart" || r.Ambiguous != 1 {
		t.Fatalf("after a restart: %+v", r)
	}
	db.wantState(2, store.DeliveryQueued)
	o.cycle()
	o.pass(grace - 1)
	o.cycle()
	o.wantLaunched("")
	o.pass(1)
	o.cycle()
	jobs := o.wantLaunched("1 3")
	if r := db.row(1); r.State != store.DeliverySending || r.Attempts != 2 {
		t.Fatalf("after the grace period: %+v", r)
	}
	o.Finish(jobs[0], "wamid.1", nil)
	o.cycle()
	o.cycle()
	o.wantLaunched("2")
	if r := db.row(1); r.State != store.DeliveryAccepted || r.Ambiguous != 1 {
		t.Errorf("in the end: %+v", r)
	}
}

// PEERS C9: a receipt that echoes our id settles an ambiguous send; it is not
// sent again, and the contact's next message follows.
func TestReceiptSettlesAmbiguous(t *testing.T) {
	db := newDatabase(t)
	o := open(t, db)
	o.apply(queued("a", 1), queued("a", 2))
	jobs := o.wantLaunched("1")
	o.Finish(jobs[0], "", refused(meta.Ambiguous, 0, 0))
	o.cycle()
	db.wantState(1, store.DeliveryAmbiguous)
	newPost(t, db).receive(receipt{status: "sent", callback: store.DeliveryID(shard, 1), wamid: "wamid.1"})
	o.pass(heldPoll)
	o.cycle()
	o.wantLaunched("2")
	if r := db.row(1); r.State != store.DeliveryAccepted || r.SettledBy != "receipt" || r.WAMID != "wamid.1" || r.Attempts != 1 {
		t.Errorf("%+v", r)
	}
}

// A receipt that comes in the very moment in which the grace period ends: the
// claim is refused, so it is not sent again.
func TestReceiptBeatsTheClaim(t *testing.T) {
	db := newDatabase(t)
	o := open(t, db)
	o.apply(queued("a", 1), queued("a", 2))
	jobs := o.wantLaunched("1")
	o.Finish(jobs[0], "", errors.New("cut"))
	o.cycle()
	o.pass(grace)
	o.store.before = func(string) error {
		newPost(t, db).receive(receipt{status: "delivered", callback: store.DeliveryID(shard, 1), wamid: "wamid.1"})
		return nil
	}
	o.cycle()
	o.wantLaunched("")
	o.store.before = nil
	o.cycle()
	o.wantLaunched("2")
	if r := db.row(1); r.State != store.DeliveryAccepted || r.Attempts != 1 {
		t.Errorf("%+v", r)
	}
}

// RELIABILITY E6: the receipt may come before the answer to the send.
func TestReceiptBeforeAnswer(t *testing.T) {
	db := newDatabase(t)
	o := open(t, db)
	o.apply(queued("a", 1))
	jobs := o.wantLaunched("1")
	newPost(t, db).receive(receipt{status: "read", callback: store.DeliveryID(shard, 1), wamid: "wamid.1"})
	o.Finish(jobs[0], "", errors.New("the answer is lost"))
	o.cycle()
	if r := db.row(1); r.State != store.DeliveryAccepted || r.SettledBy != "receipt" || r.Receipt != "read" || r.Ambiguous != 0 {
		t.Errorf("a result overruled a receipt: %+v", r)
	}
	o.pass(grace)
	o.cycle()
	o.wantLaunched("")
}

// A commit that fails loses nothing: outcomes are recorded by the next one,
// claims are repeated, and nothing is launched without a claim.
func TestCommitFails(t *testing.T) {
	errDown := errors.New("database down")
	for name, break_ := range map[string]func(*flaky, func(string) error){
		"before it is done": func(f *flaky, fail func(string) error) { f.before = fail },
		"after it is done":  func(f *flaky, fail func(string) error) { f.after = fail },
	} {
		t.Run(name, func(t *testing.T) {
			db := newDatabase(t)
			o := open(t, db)
			o.apply(queued("a", 1), queued("a", 2), queued("b", 3))
			jobs := o.wantLaunched("1 3")
			o.Finish(jobs[0], "wamid.1", nil)
			o.Finish(jobs[1], "", refused(meta.Retry, 1, 500))
			o.cycle()
			o.pass(2 * retryMin) // now 2 and 3 may go
			break_(o.store, func(string) error { return errDown })
			for range 3 {
				if err := o.Cycle(t.Context()); !errors.Is(err, errDown) {
					t.Fatalf("cycle: %v", err)
				}
				o.pass(recordRetry)
			}
			o.wantLaunched("")
			*o.store = flaky{Store: db.Store}
			o.cycle()
			jobs = o.wantLaunched("2 3")
			if a, b := db.row(2), db.row(3); a.Attempts != 1 || b.Attempts != 2 {
				t.Errorf("attempts are %d and %d, want 1 and 2", a.Attempts, b.Attempts)
			}
			for _, j := range jobs {
				o.Finish(j, "wamid", nil)
			}
			break_(o.store, func(string) error { return errDown })
			if err := o.Cycle(t.Context()); !errors.Is(err, errDown) {
				t.Fatalf("cycle: %v", err)
			}
			*o.store = flaky{Store: db.Store}
			o.cycle()
			db.wantState(2, store.DeliveryAccepted)
			db.wantState(3, store.DeliveryAccepted)
		})
	}
}

// A batch whose commit is in doubt is retaken: whatever had its intent
// committed is ambiguous then, everything else is as new.
func TestAddInDoubt(t *testing.T) {
	db := newDatabase(t)
	o := open(t, db)
	o.store.after = func(string) error { return errors.New("connection lost") }
	part := o.part(queued("a", 1), queued("a", 2))
	if _, err := o.Apply(t.Context(), []lane.Part{part}); err == nil {
		t.Fatal("no error")
	}
	o.wantLaunched("")
	o.store.after = nil
	o.retake()
	if o.lease.Checkpoint != 2 {
		t.Fatalf("checkpoint %d", o.lease.Checkpoint)
	}
	db.wantState(1, store.DeliveryAmbiguous)
	o.pass(grace)
	o.cycle()
	jobs := o.wantLaunched("1")
	o.Finish(jobs[0], "wamid.1", nil)
	o.cycle()
	o.cycle()
	o.wantLaunched("2")
}

// A batch that fails for a reason of its own is applied again message by
// message (lane.Process): nothing of the first attempt may linger on the desk.
func TestApplyAgainAfterFailure(t *testing.T) {
	db := newDatabase(t)
	o := open(t, db)
	o.store.before = func(string) error { return errors.New("value out of range") }
	part := o.part(queued("a", 1), queued("a", 2))
	if _, err := o.Apply(t.Context(), []lane.Part{part}); err == nil {
		t.Fatal("no error")
	}
	o.store.before = nil
	o.apply(queued("a", 1))
	jobs := o.wantLaunched("1")
	o.apply(queued("a", 2))
	o.Finish(jobs[0], "wamid.1", nil)
	o.cycle()
	o.cycle()
	o.wantLaunched("2")
}

// RELIABILITY E5: of two services that both believe to own a shard, only the
// owner writes and sends.
func TestZombie(t *testing.T) {
	db := newDatabase(t)
	zombie := open(t, db)
	zombie.apply(queued("a", 1), queued("b", 2), queued("b", 3))
	jobs := zombie.wantLaunched("1 2")
	owner := open(t, db)

	// It can add nothing any more ...
	held, err := zombie.Apply(t.Context(), []lane.Part{zombie.part(queued("c", 4))})
	if err != nil || len(held) != 0 {
		t.Fatalf("the zombie's part is written: %v, %v", held, err)
	}
	// ... and claim nothing; but what it learns is true, and is recorded.
	zombie.Finish(jobs[1], "wamid.2", nil)
	zombie.cycle()
	zombie.cycle()
	zombie.wantLaunched("")
	db.wantState(2, store.DeliveryAccepted)

	owner.pass(heldPoll)
	owner.cycle()
	sent := owner.wantLaunched("3")
	owner.Finish(sent[0], "wamid.3", nil)
	owner.apply(queued("c", 4))
	owner.wantLaunched("4")
	owner.pass(grace)
	owner.cycle()
	owner.wantLaunched("1")
}

// A claim that was planned before the shard was lost and taken again is refused.
// What the shard's new ownership holds must not be forgotten by that.
func TestRetakenDuringClaim(t *testing.T) {
	db := newDatabase(t)
	o := open(t, db)
	o.apply(queued("a", 1))
	jobs := o.wantLaunched("1")
	o.Finish(jobs[0], "", errors.New("cut"))
	o.cycle()
	o.pass(grace)
	o.store.before = func(string) error { o.store.before = nil; o.retake(); return nil }
	o.cycle()
	o.wantLaunched("")
	o.pass(grace)
	o.cycle()
	o.wantLaunched("1")
}

// An outcome that comes after its shard was lost and taken again is recorded,
// and the new ownership learns it from the database.
func TestOutcomeOfFormerOwnership(t *testing.T) {
	db := newDatabase(t)
	o := open(t, db)
	o.apply(queued("a", 1), queued("a", 2))
	jobs := o.wantLaunched("1")
	o.retake()
	o.Finish(jobs[0], "wamid.1", nil)
	o.cycle()
	db.wantState(1, store.DeliveryAccepted)
	o.pass(heldPoll)
	o.cycle()
	o.wantLaunched("2")
}

// An event that cannot become a delivery is kept whole, and the lane goes on.
func TestPark(t *testing.T) {
	db := newDatabase(t)
	o := open(t, db)
	part := o.part(queued("a", 1))
	held, err := o.Park(t.Context(), part, errors.New("no good"))
	if err != nil || !held {
		t.Fatalf("park: %t, %v", held, err)
	}
	letters, err := db.DeadLetters(t.Context(), store.DeadParked, 10)
	if err != nil || len(letters) != 1 || letters[0].Service != store.ServiceDispatcher || letters[0].Position != 1 || letters[0].Bytes == 0 {
		t.Fatalf("%+v, %v", letters, err)
	}
	o.lease.Checkpoint = 1
	o.apply(queued("a", 2))
	o.wantLaunched("2")
}
