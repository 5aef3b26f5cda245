package dispatcher

import (
	"fmt"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/parleyhq/parley/pkg/lane"
	"github.com/parleyhq/parley/pkg/store"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// withFile is the content of a message that has a file.
var withFile = func() []byte {
	m := &parleyv1.MessageQueued{Content: &parleyv1.MessageQueued_Media{Media: &parleyv1.Media{Kind: "image", Link: "https://example.com/a.png"}}}
	content, _ := proto.Marshal(m) // it has nothing that could not be encoded
	return content
}()

func file(contact string, offset uint64) lane.Message {
	m := queued(contact, offset)
	m.Event.GetMessageQueued().Content = &parleyv1.MessageQueued_Media{Media: &parleyv1.Media{Kind: "image", Link: "https://example.com/a.png"}}
	return m
}

// PEERS C22: the provider answers before it has a file. What follows the file waits until
// it is sent, whoever was told of that, and for nobody else.
func TestTextWaitsForTheFile(t *testing.T) {
	db := newDatabase(t)
	o := open(t, db)
	o.apply(file("a", 1), queued("a", 2), queued("b", 3))
	jobs := o.wantLaunched("1 3")
	o.Finish(jobs[0], "wamid.1", nil)
	o.Finish(jobs[1], "wamid.3", nil)
	o.cycle()
	o.pass(heldPoll)
	o.cycle()
	o.apply(queued("b", 4), queued("a", 5))
	o.wantLaunched("4") // a picture is on its way to a, nothing to b
	newPost(t, db).receive(receipt{status: "sent", callback: store.DeliveryID(shard, 1), wamid: "wamid.1"})
	o.pass(heldPoll)
	o.cycle()
	o.wantLaunched("2")
}

// A receipt that does not come silences nobody for long.
func TestFileWithoutAReceipt(t *testing.T) {
	db := newDatabase(t)
	o := open(t, db)
	o.apply(file("a", 1))
	o.Finish(o.wantLaunched("1")[0], "wamid.1", nil)
	o.cycle()
	o.apply(queued("a", 2))
	o.pass(fileWait - 1)
	o.cycle()
	o.wantLaunched("")
	o.pass(1)
	o.cycle()
	o.wantLaunched("2")
	if len(o.desk.Awaited(o.clock())) > 0 {
		t.Error("the file is asked for though nothing waits for it")
	}
}

// Where no receipts come what follows a file waits long once, until one comes in time.
func TestFilesWithoutReceipts(t *testing.T) {
	db := newDatabase(t)
	o, p := open(t, db), newPost(t, db)
	offset := uint64(0)
	for i, c := range []struct {
		receipt bool
		wait    time.Duration
	}{{false, fileWait}, {false, silentWait}, {true, silentWait}, {false, fileWait}} {
		offset += 2
		o.apply(file("a", offset-1))
		o.Finish(o.wantLaunched(fmt.Sprint(offset - 1))[0], fmt.Sprint("wamid.", offset-1), nil)
		o.cycle()
		o.apply(queued("a", offset))
		if c.receipt {
			p.receive(receipt{status: "sent", callback: store.DeliveryID(shard, offset-1), wamid: fmt.Sprint("wamid.", offset-1)})
			c.wait = heldPoll
		} else {
			o.pass(c.wait - 1)
			o.cycle()
			o.wantLaunched("")
			c.wait = 1
		}
		o.pass(c.wait)
		o.cycle()
		jobs := o.wantLaunched(fmt.Sprint(offset))
		if o.Finish(jobs[0], fmt.Sprint("wamid.", offset), nil); t.Failed() {
			t.Fatalf("round %d", i)
		}
		o.cycle()
	}
}

// A file above buttons, or at the head of a template, is one, too.
func TestHasFile(t *testing.T) {
	picture := &parleyv1.Header{Media: &parleyv1.Media{Kind: "image", Link: "https://example.com/a.png"}}
	for name, m := range map[string]*parleyv1.MessageQueued{
		"buttons":  {Content: &parleyv1.MessageQueued_Buttons{Buttons: &parleyv1.Buttons{Header: picture}}},
		"template": {Content: &parleyv1.MessageQueued_Template{Template: &parleyv1.Template{Header: picture}}},
		"text":     {Content: &parleyv1.MessageQueued_Text{Text: &parleyv1.Text{Body: "hi"}}},
	} {
		content, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if got := hasFile(Job{Delivery: store.Delivery{Content: content}}); got != (name != "text") {
			t.Errorf("%s: %t", name, got)
		}
	}
}
