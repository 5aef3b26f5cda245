package dispatcher

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/parleyhq/parley/pkg/bus"
	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/pkg/whatsapp/meta"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// teller is the failures of the office's replica, and the lanes that they are put into.
type teller struct {
	*Failures
	t    interface{ Fatal(args ...any) }
	told []*parleyv1.Envelope
	lose func() error
	log  strings.Builder
}

func newTeller(t *testing.T, o *office) *teller {
	t.Helper()
	l := &teller{t: t}
	l.Failures = NewFailures(o.db.Store, o.Owned, l, 4, o.clock, zerolog.New(&l.log))
	return l
}

func (l *teller) Publish(_ context.Context, messages ...bus.Message) error {
	for _, m := range messages {
		e := &parleyv1.Envelope{}
		if err := proto.Unmarshal(m.Data, e); err != nil {
			return err
		}
		l.told = append(l.told, e)
	}
	if l.lose != nil {
		return l.lose()
	}
	return nil
}

// tell looks for failures, and returns the ids of what the lanes hold then.
func (l *teller) tell() string {
	if err := l.Tell(context.Background()); err != nil {
		l.t.Fatal(err)
	}
	var ids []string
	for _, e := range l.told {
		ids = append(ids, e.Id)
	}
	return strings.Join(ids, " ")
}

func (db *database) meet(contact string) {
	db.t.Helper()
	_, err := db.conn.Exec(db.t.Context(), `INSERT INTO contacts (id, portfolio, lane_key, shard, created_at) VALUES ($1, 'p', $2, $3, now())`,
		store.ContactID("p", contact), contact, shard)
	if err != nil {
		db.t.Fatal(err)
	}
}

// A message that is given up, and one that WhatsApp took and could not deliver, are told
// to their sessions, with all that a flow may react to.
func TestFailuresAreTold(t *testing.T) {
	db := newDatabase(t)
	db.meet("a")
	o, p := open(t, db), newPost(t, db)
	l := newTeller(t, o)
	asks := queued("a", 1)
	asks.Event.GetMessageQueued().Step = "name"
	o.apply(asks)
	o.Finish(o.wantLaunched("1")[0], "", refused(meta.Permanent, 131047, 400))
	if got := l.tell(); got != "" {
		t.Fatalf("told before it was on record: %s", got)
	}
	o.cycle()
	if got := l.tell(); got != "failed/p1.1.1" {
		t.Fatalf("told %q", got)
	}
	e, in := l.told[0], &parleyv1.Input{}
	if err := protojson.Unmarshal(e.Raw, in); err != nil {
		t.Fatal(err)
	}
	want := &parleyv1.DeliveryFailure{Delivery: "p1.1.1", Step: "name", Class: "permanent", Code: 131047, QueuedAtMs: start.UnixMilli()}
	if e.Kind != parleyv1.Kind_KIND_FAILURE || e.Portfolio != "p" || e.LaneKey != "a" || e.Channel != "n1" || !proto.Equal(in.GetDeliveryFailure(), want) {
		t.Errorf("told %v with %v", e, in)
	}
	o.apply(queued("a", 2))
	o.Finish(o.wantLaunched("2")[0], "wamid.2", nil)
	o.cycle()
	p.receive(receipt{"failed", "", "wamid.2"}, receipt{"sent", "", "wamid.2"})
	if got := l.tell(); got != "failed/p1.1.1 failed/p1.1.2" {
		t.Fatalf("told %q", got)
	}
	if !strings.Contains(string(l.told[1].Raw), `"class":"receipt"`) || !strings.Contains(string(l.told[1].Raw), "131026") {
		t.Errorf("told %s", l.told[1].Raw)
	}
}

// What a stream did not take for sure is told again, under the same id; what was taken
// is not.
func TestFailureIsToldAgain(t *testing.T) {
	db := newDatabase(t)
	db.meet("a")
	o := open(t, db)
	l := newTeller(t, o)
	o.apply(queued("a", 1))
	o.Finish(o.wantLaunched("1")[0], "", refused(meta.Permanent, 100, 400))
	o.cycle()
	l.lose = func() error { return errors.New("no acknowledgement") }
	if err := l.Tell(t.Context()); err == nil {
		t.Fatal("a lost publish is no error")
	}
	l.lose = nil
	if got := l.tell(); got != "failed/p1.1.1 failed/p1.1.1" {
		t.Fatalf("told %q", got)
	}
	if got := l.tell(); got != "failed/p1.1.1 failed/p1.1.1" {
		t.Fatalf("told what was told: %q", got)
	}
	o.Drop(shard)
	if shards := o.Owned(); len(shards) != 0 {
		t.Errorf("owns %v", shards)
	}
}

// A typing indicator is no message: its failure means nothing to anybody.
func TestTypingFails(t *testing.T) {
	db := newDatabase(t)
	db.meet("a")
	o := open(t, db)
	l := newTeller(t, o)
	typing := queued("a", 1)
	typing.Event.GetMessageQueued().Content = &parleyv1.MessageQueued_Typing{Typing: &parleyv1.Typing{MessageId: "wamid.0"}}
	o.apply(typing)
	o.Finish(o.wantLaunched("1")[0], "", refused(meta.Permanent, 100, 400))
	o.cycle()
	if got := l.tell(); got != "" {
		t.Errorf("told %q", got)
	}
}

// TestOutcomesInEveryOrder gives one message its answer and its receipts in any order,
// doubled, in batches of any size, and looks for failures at any moment: a session is
// told at most once, only of what failed, and always unless the message arrived.
func TestOutcomesInEveryOrder(t *testing.T) {
	db := newDatabase(t)
	db.meet("a")
	o, p := open(t, db), newPost(t, db)
	offset := uint64(0)
	rapid.Check(t, func(r *rapid.T) {
		offset++
		id, wamid := store.DeliveryID(shard, offset), "wamid."+store.DeliveryID(shard, offset)
		l := newTeller(t, o)
		l.t = r
		o.apply(queued("a", offset))
		job := o.launched[len(o.launched)-1]
		refuses := rapid.Bool().Draw(r, "refuses")
		answer := func() {
			if refuses {
				o.Finish(job, "", refused(meta.Permanent, 131026, 400))
			} else {
				o.Finish(job, wamid, nil)
			}
			o.cycle()
		}
		all := []receipt{{"sent", id, wamid}, {"delivered", id, wamid}, {"failed", id, wamid}}
		if refuses {
			all = nil // what was refused has no receipts
		}
		answered, failed, arrived, arrivedFirst := false, refuses, false, false
		for range rapid.IntRange(0, 6).Draw(r, "receipts") {
			switch n := rapid.IntRange(0, 5).Draw(r, "what"); {
			case n == 0:
				l.tell()
			case n == 1 && !answered:
				answered = true
				answer()
			case len(all) > 0:
				batch := rapid.SliceOfN(rapid.SampledFrom(all), 1, 3).Draw(r, "batch")
				for _, each := range batch {
					failed = failed || each.status == "failed"
					arrived = arrived || each.status == "delivered"
				}
				arrivedFirst = arrivedFirst || arrived && len(l.told) == 0
				p.receive(batch...)
			}
		}
		if !answered {
			answer()
		}
		l.tell()
		told := l.tell()
		want := ""
		if failed && !arrivedFirst {
			want = "failed/" + id
		}
		if told != want && !(arrived && told == "failed/"+id) {
			r.Fatalf("told %q, want %q (failed %t, arrived %t)", told, want, failed, arrived)
		}
		if contradicted := failed && arrived; contradicted != strings.Contains(l.log.String(), "as failed and as delivered") {
			r.Fatalf("failed %t, arrived %t, log: %s", failed, arrived, l.log.String())
		}
		o.pass(time.Hour) // the pair's bucket
	})
}
