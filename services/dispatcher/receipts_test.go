package dispatcher

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"google.golang.org/protobuf/proto"

	"github.com/parleyhq/parley/pkg/lane"
	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/pkg/whatsapp/meta"
	"github.com/parleyhq/parley/pkg/whatsapp/meta/fake"
)

// receipt is one that WhatsApp posts.
type receipt struct{ status, callback, wamid string }

// post is the receipts lane of the shard.
type post struct {
	*Receipts
	db    *database
	lease store.Lease
	log   strings.Builder
}

func newPost(t *testing.T, db *database) *post {
	t.Helper()
	p := &post{db: db, lease: db.lease(store.ServiceReceipts)}
	p.Receipts = NewReceipts(db.Store, zerolog.New(&p.log))
	p.FollowNumbers(db.Store)
	return p
}

// letter is a receipt as it stands in WA_STATUS: what meta.Split makes of a
// webhook.
func (r receipt) letter() []byte {
	body := fake.Payload("1", "n1", fake.Receipt(fake.Person{Phone: "16505551234"}, r.wamid, r.status, start, r.callback))
	data, err := proto.Marshal(meta.Split(body, start)[0])
	if err != nil {
		panic(err)
	}
	return data
}

// receive applies receipts as one batch.
func (p *post) receive(receipts ...receipt) {
	p.db.t.Helper()
	letters := make([][]byte, len(receipts))
	for i, r := range receipts {
		letters[i] = r.letter()
	}
	p.deliver(letters...)
}

func (p *post) deliver(letters ...[]byte) {
	p.db.t.Helper()
	part := lane.Part{Fence: store.Fence{Shard: shard, Epoch: p.lease.Epoch, From: p.lease.Checkpoint}}
	for i, data := range letters {
		part.Messages = append(part.Messages, lane.Message{Shard: shard, Pos: p.lease.Checkpoint + uint64(i) + 1, Data: data})
	}
	part.Fence.To = p.lease.Checkpoint + uint64(len(letters))
	held, err := p.Apply(p.db.t.Context(), []lane.Part{part})
	if err != nil || len(held) != 1 {
		p.db.t.Fatalf("apply: held %v, %v", held, err)
	}
	p.lease.Checkpoint = part.Fence.To
}

func (p *post) orphans() int {
	p.db.t.Helper()
	status, err := p.db.Status(p.db.t.Context())
	if err != nil {
		p.db.t.Fatal(err)
	}
	return status.Orphans
}

// accepted makes a delivery that the provider has accepted.
func accepted(t *testing.T, db *database) *office {
	t.Helper()
	o := open(t, db)
	o.apply(queued("a", 1))
	o.Finish(o.wantLaunched("1")[0], "wamid.1", nil)
	o.cycle()
	return o
}

// permutations calls visit with every order of the list.
func permutations(list []receipt, visit func([]receipt)) {
	var walk func(n int)
	walk = func(n int) {
		if n == len(list) {
			visit(list)
			return
		}
		for i := n; i < len(list); i++ {
			list[n], list[i] = list[i], list[n]
			walk(n + 1)
			list[n], list[i] = list[i], list[n]
		}
	}
	walk(0)
}

// PEERS C18: receipts in every order, one by one, doubled, or in one batch,
// with and without our id, end in the same state: the highest rank.
func TestReceiptsInEveryOrder(t *testing.T) {
	db := newDatabase(t)
	o := accepted(t, db)
	p := newPost(t, db)
	id := store.DeliveryID(shard, 1)
	list := []receipt{{"sent", id, "wamid.1"}, {"failed", "", "wamid.1"}, {"delivered", id, "wamid.1"}, {"read", "", "wamid.1"}}
	reset := func() {
		if _, err := db.conn.Exec(t.Context(), `UPDATE deliveries SET receipt = '', receipt_rank = 0, receipt_at = NULL, error_code = 0`); err != nil {
			t.Fatal(err)
		}
	}
	permutations(list, func(order []receipt) {
		for _, batches := range [][]int{{1, 1, 1, 1}, {4}, {2, 2}} {
			reset()
			for from, rest := 0, batches; len(rest) > 0; from, rest = from+rest[0], rest[1:] {
				p.receive(append(order[from:from+rest[0]:from+rest[0]], order[from])...) // the first of each twice
			}
			r := db.row(1)
			if r.Receipt != "read" || r.Rank != 4 || r.State != store.DeliveryAccepted || r.SettledBy != "response" {
				t.Fatalf("%v in batches of %v: %+v", order, batches, r)
			}
			if r.Code != 131026 {
				t.Fatalf("%v in batches of %v: the error code of the failure is not on record", order, batches)
			}
		}
	})
	if p.orphans() != 0 {
		t.Errorf("%d orphans of a known message", p.orphans())
	}
	o.cycle()
	o.wantLaunched("")
}

func TestFailedReceipt(t *testing.T) {
	db := newDatabase(t)
	accepted(t, db)
	newPost(t, db).receive(receipt{"sent", "", "wamid.1"}, receipt{"failed", "", "wamid.1"})
	if r := db.row(1); r.Receipt != "failed" || r.Code != 131026 || r.State != store.DeliveryAccepted {
		t.Errorf("%+v", r)
	}
}

// PEERS C19: a receipt that comes before anybody knows its message is kept, and
// joined when the message is known.
func TestEarlyReceipt(t *testing.T) {
	db := newDatabase(t)
	p := newPost(t, db)
	p.receive(receipt{"delivered", "", "wamid.1"}, receipt{"sent", "", "wamid.1"})
	p.receive(receipt{"delivered", "", "wamid.1"}, receipt{"sent", "", "wamid.1"})
	if p.orphans() == 0 {
		t.Fatal("an early receipt is lost")
	}
	if n, _, err := db.AdoptOrphans(t.Context(), orphanAge, ""); err != nil || n != 0 || p.orphans() == 0 {
		t.Fatalf("adopted %d of nobody's: %v", n, err)
	}
	accepted(t, db)
	if n, _, err := db.AdoptOrphans(t.Context(), orphanAge, ""); err != nil || n != 1 || p.orphans() != 0 {
		t.Fatalf("adopted %d, %d left, %v", n, p.orphans(), err)
	}
	if r := db.row(1); r.Receipt != "delivered" || r.Rank != 3 {
		t.Errorf("%+v", r)
	}
}

// Receipts of messages that are not ours, and ids that only look like ours,
// touch nothing.
func TestForeignReceipts(t *testing.T) {
	db := newDatabase(t)
	accepted(t, db)
	before := db.row(1)
	p := newPost(t, db)
	for i, callback := range []string{
		"", "another system's", store.DeliveryID(shard, 999), store.DeliveryID(shard+1, 1), store.DeliveryID(1<<15-1, 1<<62), "p1.1.-1", "p1.1.01",
		store.Callback(store.DeliveryKey{Shard: shard, Offset: 1}, start.Add(-time.Hour)),
	} {
		p.receive(receipt{"read", callback, fmt.Sprint("wamid.foreign", i)})
	}
	if after := db.row(1); after != before {
		t.Errorf("%+v became %+v", before, after)
	}
	if p.orphans() != 8 {
		t.Errorf("%d orphans, want 8", p.orphans())
	}
}

// An installation that begins anew on the same number uses its offsets again, while
// receipts of before still come. They settle nothing of what waits now, and do not
// hide those that are about it.
func TestReceiptsOfAnEarlierInstallation(t *testing.T) {
	db := newDatabase(t)
	o := open(t, db)
	o.apply(queued("a", 1), queued("a", 2))
	o.Finish(o.wantLaunched("1")[0], "wamid.1", nil)
	o.cycle()
	o.cycle()
	o.wantLaunched("2")
	o.apply(queued("a", 3))
	of := func(offset uint64, at time.Time) string {
		return store.Callback(store.DeliveryKey{Shard: shard, Offset: offset}, at)
	}
	newPost(t, db).receive(
		receipt{"read", of(1, start.Add(-time.Hour)), "wamid.old"}, receipt{"delivered", of(1, start), "wamid.1"},
		receipt{"sent", of(3, start.Add(-time.Hour)), "wamid.older"})
	if r := db.row(1); r.Receipt != "delivered" || r.WAMID != "wamid.1" {
		t.Errorf("the first: %+v", r)
	}
	db.wantState(3, store.DeliveryQueued)
}

// RELIABILITY A6: what cannot be read, and numbers beyond every column, stop
// neither the lane nor the receipts around them. Nothing of it reaches the log.
func TestUnreadableReceipts(t *testing.T) {
	db := newDatabase(t)
	accepted(t, db)
	p := newPost(t, db)
	envelope := func(raw string) []byte {
		e := meta.Split(fake.Payload("1", "n1", fake.Receipt(fake.Person{Phone: "15559990000"}, "w", "read", start, "")), start)[0]
		e.Raw = []byte(raw)
		data, err := proto.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	p.deliver(
		[]byte("\xff no envelope"), envelope(`[]`), envelope(`{"id":"w"}`), envelope(`{"id":"w","status":"canary"}`), envelope(``),
		envelope(`{"id":"wamid.huge","status":"failed","timestamp":"99999999999999999999","errors":[{"code":99999999999999}]}`),
		receipt{"read", "", "wamid.1"}.letter(),
	)
	if r := db.row(1); r.Receipt != "read" {
		t.Errorf("%+v", r)
	}
	for _, word := range []string{"15559990000", "canary"} {
		if strings.Contains(p.log.String(), word) {
			t.Errorf("%q stands in the log: %s", word, p.log.String())
		}
	}
	if strings.Count(p.log.String(), "receipt not readable") != 5 {
		t.Errorf("log: %s", p.log.String())
	}
}

// Whoever has lost the lane writes no receipt.
func TestReceiptsFenced(t *testing.T) {
	db := newDatabase(t)
	accepted(t, db)
	zombie := newPost(t, db)
	newPost(t, db)
	part := lane.Part{
		Fence:    store.Fence{Shard: shard, Epoch: zombie.lease.Epoch, From: 0, To: 1},
		Messages: []lane.Message{{Shard: shard, Pos: 1, Data: receipt{"read", "", "wamid.1"}.letter()}},
	}
	held, err := zombie.Apply(t.Context(), []lane.Part{part})
	if err != nil || len(held) != 0 || db.row(1).Rank != 0 {
		t.Errorf("held %v, %v, rank %d", held, err, db.row(1).Rank)
	}
}

func TestRank(t *testing.T) {
	rising := []string{"vanished", "sent", "failed", "delivered", "read", "played"}
	for i, status := range rising {
		r, err := meta.DecodeReceipt(meta.Split(fake.Payload("1", "n1",
			fake.Receipt(fake.Person{Phone: "1"}, "w", status, time.Unix(1, 0), "")), start)[0])
		if err != nil || Rank(r) != i {
			t.Errorf("%s has rank %d, want %d (%v)", status, Rank(r), i, err)
		}
	}
}
