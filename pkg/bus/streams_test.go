package bus

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
)

func TestDeclareKeepsTheNumberOfShards(t *testing.T) {
	_, js := connect(t, startServer(t, ""))
	for _, asked := range []int{8, 8, 16, 0} {
		if got := declare(t, js, Options{Shards: asked}); got != 8 {
			t.Errorf("declared with %d: %d shards are in force, want the 8 of the creator", asked, got)
		}
	}
}

func TestDeclareBringsStreamsUpToDate(t *testing.T) {
	_, js := connect(t, startServer(t, ""))
	declare(t, js, Options{MaxBytes: 1 << 20})
	declare(t, js, Options{MaxBytes: 2 << 20})
	for _, name := range []string{StreamIn, StreamStatus, StreamEvents} {
		stream, err := js.Stream(testContext(t), name)
		if err != nil {
			t.Fatal(err)
		}
		config := stream.CachedInfo().Config
		if name == StreamEvents {
			if config.PersistMode != jetstream.AsyncPersistMode || config.Discard != jetstream.DiscardOld {
				t.Errorf("%s: %+v", name, config)
			}
			continue
		}
		if config.MaxBytes != 2<<20 || !config.AllowAtomicPublish || config.Discard != jetstream.DiscardNew ||
			config.PersistMode != jetstream.DefaultPersistMode || config.Storage != jetstream.FileStorage {
			t.Errorf("%s: %+v", name, config)
		}
	}
}

// A restart must not need room for the streams a second time.
func TestDeclareAgainOnAServerThatIsSpokenFor(t *testing.T) {
	_, js := connect(t, startServer(t, ""))
	const limit = maxStoreBytes / 5 * 2 // for two streams: a third of that size finds no room
	for range 2 {
		declare(t, js, Options{MaxBytes: limit, EventsMaxBytes: 1 << 30})
	}
}

func TestDeclareByManyAtOnce(t *testing.T) {
	_, js := connect(t, startServer(t, ""))
	var all sync.WaitGroup
	shards := make([]int, 8)
	for i := range shards {
		all.Go(func() {
			var err error
			if shards[i], err = Declare(testContext(t), js, Options{Shards: i + 1}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for _, n := range shards {
		if n != shards[0] {
			t.Fatalf("the processes do not agree: %v", shards)
		}
	}
}

func TestDeclareRefusesAStreamThatIsNotOurs(t *testing.T) {
	for name, config := range map[string]jetstream.StreamConfig{
		"settings that cannot be brought up to date": {Name: StreamIn, Subjects: []string{"wa.in.>"}, Storage: jetstream.MemoryStorage},
		"not a number of shards":                     {Name: StreamIn, Subjects: []string{"wa.in.>"}},
		"subjects overlap":                           {Name: "OTHER", Subjects: []string{"wa.in.>"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, js := connect(t, startServer(t, ""))
			if _, err := js.CreateStream(testContext(t), config); err != nil {
				t.Fatal(err)
			}
			if _, err := Declare(testContext(t), js, Options{}); err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("got %v, want it to say %q", err, name)
			}
		})
	}
}

func TestTrimMakesRoomInAFullStream(t *testing.T) {
	nc, js := newBus(t, Options{MaxBytes: 64 << 10})
	p := newPublisher(t, nc, StreamIn, PublisherOptions{})
	if removed, err := Trim(testContext(t), js, StreamIn, 1<<40); removed || err != nil {
		t.Fatalf("an empty stream: removed %v, %v", removed, err)
	}
	big := Message{Subject: SubjectIn(0, "1", "2"), Data: make([]byte, 4<<10)}
	var err error
	for err == nil {
		err = p.Publish(testContext(t), big)
	}
	if !errors.Is(err, ErrFull) {
		t.Fatal(err)
	}
	last := streamState(t, js, StreamIn).LastSeq
	if removed, err := Trim(testContext(t), js, StreamIn, last-1); !removed || err != nil {
		t.Fatalf("removed %v, %v", removed, err)
	}
	if first := streamState(t, js, StreamIn).FirstSeq; first != last {
		t.Errorf("the first sequence is %d, want the one that was not applied, %d", first, last)
	}
	mustPublish(t, p, big)
}
