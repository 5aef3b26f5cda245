package load

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parleyhq/parley/pkg/whatsapp/meta/fake"
)

// smallConfig is a run of about a second that still sees everything, at a rate
// that a busy machine can keep up with.
func smallConfig(y *toy) Config {
	c := DefaultConfig()
	c.TargetURL, c.Secret = y.server.URL, secret
	c.Contacts, c.Rate, c.Duration, c.Connections = 80, 150, 600*time.Millisecond, 32
	c.Duplicates, c.EarlyReceipts, c.DoubleMessages = 0.2, 0.2, 0.2
	c.DuplicateDelay, c.WaitCap = 200*time.Millisecond, 100*time.Millisecond
	c.QuietTimeout, c.Settle = 10*time.Second, 100*time.Millisecond
	return c
}

// lossyConfig is smallConfig for targets that never become quiet.
func lossyConfig(y *toy) Config {
	c := smallConfig(y)
	c.QuietTimeout = 1200 * time.Millisecond
	return c
}

// play runs a load against the toy. Whatever the toy does, the machine must be
// fast enough to make the run mean something.
func play(t *testing.T, y *toy, c Config) Report {
	t.Helper()
	g, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.Close() })
	y.graphURL = g.GraphURL()
	r, err := g.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if p := g.Progress(); p.Messages != r.Counts.Messages || p.Posts != r.Counts.Posts || p.Replies != r.Counts.Sends {
		t.Errorf("progress %+v, counts %+v", p, r.Counts)
	}
	y.server.Close() // no more replies are begun
	y.working.Wait()
	return r
}

// wantFound fails unless the run found exactly this.
func wantFound(t *testing.T, r Report, kind string, n int) {
	t.Helper()
	if r.Found[kind] != n || len(r.Found) != 1 || r.Passed() {
		t.Errorf("found %v, want %d %s alone\nproblems: %v\nexamples: %v", r.Found, n, kind, r.Problems, r.Examples)
	}
	if len(r.Examples[kind]) != min(n, examplesMax) {
		t.Errorf("%d examples of %q", len(r.Examples[kind]), kind)
	}
}

// Not parallel: it is the one test in which the machine must keep up with the rate.
func TestCorrectTargetPasses(t *testing.T) {
	y := newToy(t)
	y.refuse = func(n int) bool { return n%20 == 0 }
	c := smallConfig(y)
	c.Rate, c.Duration = 60, 1500*time.Millisecond
	r := play(t, y, c)
	if !r.Passed() {
		t.Errorf("problems: %v\nexamples: %v", r.Problems, r.Examples)
	}
	n := r.Counts
	if n.Acked != n.Messages || n.Sends != n.Messages || n.Batches == 0 || n.Retries["503"] == 0 {
		t.Errorf("counts %+v", n)
	}
	l := r.Latency
	if l.Reply.Count != n.Messages || l.AckFromSend.P50 <= 0 || l.AckFromSchedule.P99 < l.AckFromSend.P99 {
		t.Errorf("latencies %+v", l)
	}
}

func TestLostMessageIsFound(t *testing.T) {
	t.Parallel()
	y := newToy(t)
	y.take = func(n int) bool { return n%500 != 50 }
	wantFoundAmong(t, play(t, y, lossyConfig(y)), Lost)
}

func TestLostReplyIsFound(t *testing.T) {
	t.Parallel()
	y := newToy(t)
	y.send = func(n int, r toyReply, _ bool) []toyReply {
		if n%500 == 50 {
			return nil
		}
		return []toyReply{r}
	}
	wantFound(t, play(t, y, lossyConfig(y)), Lost, 1)
}

func TestDoubledReplyIsFound(t *testing.T) {
	t.Parallel()
	y := newToy(t)
	y.send = func(n int, r toyReply, _ bool) []toyReply {
		if n != 50 {
			return []toyReply{r}
		}
		again := r
		again.callback = "fresh"
		return []toyReply{r, again}
	}
	wantFound(t, play(t, y, smallConfig(y)), Doubled, 1)
}

func TestSwappedRepliesAreFound(t *testing.T) {
	t.Parallel()
	y := newToy(t)
	var mu sync.Mutex
	var held *toyReply // the first of two replies to one person
	swapped := false
	y.send = func(_ int, r toyReply, more bool) []toyReply {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case held != nil && held.to == r.to && held.recipient == r.recipient:
			first := *held
			held, swapped = nil, first.text != r.text
			return []toyReply{r, first}
		case held == nil && more && !swapped:
			held = &r
			return nil
		}
		return []toyReply{r}
	}
	wantFound(t, play(t, y, smallConfig(y)), OutOfOrder, 1)
}

func TestAnsweredDuplicatesAreFound(t *testing.T) {
	t.Parallel()
	y := newToy(t)
	y.forgetful = true
	wantFoundAmong(t, play(t, y, smallConfig(y)), Doubled)
}

func TestMisaddressedSendsAreFound(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(r *toyReply){
		"BSUID in to":   func(r *toyReply) { r.to, r.recipient = r.recipient, "" },
		"wrong channel": func(r *toyReply) { r.channel += "9" },
		"nobody":        func(r *toyReply) { r.to, r.recipient = "15550000000", "" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			y := newToy(t)
			var spoiled atomic.Bool
			y.send = func(_ int, r toyReply, _ bool) []toyReply {
				if r.recipient != "" && spoiled.CompareAndSwap(false, true) {
					spoil(&r)
				}
				return []toyReply{r}
			}
			c := lossyConfig(y)
			c.Duration = 300 * time.Millisecond
			wantFoundAmong(t, play(t, y, c), Misaddressed)
		})
	}
}

func TestAddressee(t *testing.T) {
	t.Parallel()
	both := &contact{person: fake.Person{Phone: "1", BSUID: "US.1"}}
	phone := &contact{person: fake.Person{Phone: "2"}}
	bsuid := &contact{person: fake.Person{BSUID: "US.3"}}
	g := &Generator{
		config: Config{Channels: []string{"100"}},
		byID:   map[string]*contact{"1": both, "US.1": both, "2": phone, "US.3": bsuid},
	}
	tests := []struct {
		send  fake.Send
		want  *contact
		right bool
	}{
		{fake.Send{Channel: "100", To: "1"}, both, true},
		{fake.Send{Channel: "100", To: "+1"}, both, true},
		{fake.Send{Channel: "100", Recipient: "US.1"}, both, false},
		{fake.Send{Channel: "100", To: "US.1"}, both, false},
		{fake.Send{Channel: "101", To: "2"}, phone, false},
		{fake.Send{Channel: "100", To: "2"}, phone, true},
		{fake.Send{Channel: "100", Recipient: "US.3"}, bsuid, true},
		{fake.Send{Channel: "100", To: "US.3"}, bsuid, false},
		{fake.Send{Channel: "100", Recipient: "2"}, phone, false},
		{fake.Send{Channel: "100", To: "4"}, stranger, false},
	}
	for _, tt := range tests {
		c, fault := g.addressee(tt.send)
		if c != tt.want || (fault == "") != tt.right {
			t.Errorf("%+v: contact %+v, fault %q", tt.send, c, fault)
		}
	}
}

func TestMissingAndReusedCallbacksAreFound(t *testing.T) {
	t.Parallel()
	y := newToy(t)
	y.send = func(n int, r toyReply, _ bool) []toyReply {
		switch n {
		case 40:
			r.callback = ""
		case 50:
			r.callback = "delivery-30"
		}
		return []toyReply{r}
	}
	wantFound(t, play(t, y, smallConfig(y)), Callback, 2)
}

// A target that answers 200 before it stores, and forgets what it has not stored
// when it is killed.
func TestAckBeforeStoreIsFound(t *testing.T) {
	t.Parallel()
	y := newToy(t)
	var killed atomic.Bool
	y.take = func(int) bool { return !killed.CompareAndSwap(true, false) }
	c := lossyConfig(y)
	c.TolerateInFlightDoubles = true
	c.Nemesis = func(ctx context.Context, mark func(string)) {
		select {
		case <-ctx.Done():
		case <-time.After(c.Duration / 2):
			killed.Store(true)
			mark("kill toy")
		}
	}
	r := play(t, y, c)
	wantFoundAmong(t, r, Lost)
	if len(r.Nemesis) != 1 || r.InWindows == nil || r.InWindows.AckFromSend.Count == 0 || r.Outside.AckFromSend.Count == 0 {
		t.Errorf("nemesis %v, latencies inside %+v, outside %+v", r.Nemesis, r.InWindows, r.Outside)
	}
}

// A target that is killed between the acceptance of a send and its record can
// only send again.
func TestInFlightDoubleIsExcusedIfTolerated(t *testing.T) {
	t.Parallel()
	for _, tolerate := range []bool{true, false} {
		t.Run(fmt.Sprint("tolerate=", tolerate), func(t *testing.T) {
			t.Parallel()
			y := newToy(t)
			marker := make(chan func(string), 1)
			y.send = func(n int, r toyReply, _ bool) []toyReply {
				if n != 50 {
					return []toyReply{r}
				}
				y.post(r)
				(<-marker)("kill toy")
				return []toyReply{r}
			}
			c := smallConfig(y)
			c.TolerateInFlightDoubles = tolerate
			c.Nemesis = func(_ context.Context, mark func(string)) { marker <- mark }
			r := play(t, y, c)
			switch {
			case !tolerate:
				wantFound(t, r, Doubled, 1)
			case !r.Passed() || r.Found[Excused] != 1:
				t.Errorf("found %v, problems %v", r.Found, r.Problems)
			}
		})
	}
}

// wantFoundAmong fails unless the run failed and found this, perhaps with more:
// what goes wrong in the target's state shows in the replies behind it too.
func wantFoundAmong(t *testing.T, r Report, kind string) {
	t.Helper()
	if r.Found[kind] == 0 || r.Passed() {
		t.Errorf("found %v, want %s among it; problems %v", r.Found, kind, r.Problems)
	}
}

func TestVacuousRunFails(t *testing.T) {
	t.Parallel()
	y := newToy(t)
	c := smallConfig(y)
	c.Duration = 300 * time.Millisecond
	c.Duplicates, c.EarlyReceipts, c.BSUIDOnly, c.DoubleMessages, c.Batched = 0, 0, 0, 0, 0
	r := play(t, y, c)
	for _, want := range []string{"no duplicates", "no early receipts", "no BSUID-only contact", "no double messages"} {
		if !slices.Contains(r.Problems, "the run proves nothing: "+want) {
			t.Errorf("problems %v, want %q among them", r.Problems, want)
		}
	}
}

func TestSlowTargetFails(t *testing.T) {
	t.Parallel()
	y := newToy(t)
	c := smallConfig(y)
	c.Contacts, c.Rate, c.BSUIDOnly, c.Both = 3, 50_000, 1, 0 // three people cannot say so much if they wait for replies
	c.Duration = 300 * time.Millisecond
	r := play(t, y, c)
	if len(r.Found) != 0 || len(r.Problems) == 0 || r.RateReached >= r.Rate*rateShareMin {
		t.Errorf("found %v, problems %v, reached %.1f", r.Found, r.Problems, r.RateReached)
	}
}

func TestUnacknowledgedMessagesAreFound(t *testing.T) {
	t.Parallel()
	y := newToy(t)
	y.refuse = func(int) bool { return true }
	c := lossyConfig(y)
	c.Duration = 200 * time.Millisecond
	wantFoundAmong(t, play(t, y, c), Unacknowledged)
}

func TestInterruptedRunIsAnError(t *testing.T) {
	t.Parallel()
	y := newToy(t)
	g, err := New(smallConfig(y))
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	y.graphURL = g.GraphURL()
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if _, err := g.Run(ctx); err == nil {
		t.Error("no error")
	}
}

func TestConfigNamesAllFaults(t *testing.T) {
	t.Parallel()
	_, err := New(Config{Duplicates: 2})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"target URL", "secret", "channels", "contacts", "rate", "duration", "connections", "post timeout", "duplicates"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not name %s", err, want)
		}
	}
}
