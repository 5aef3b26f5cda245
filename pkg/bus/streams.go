package bus

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// shardsKey is where StreamIn's metadata keeps the number of shards.
const shardsKey = "parley_shards"

// duplicateWindow is the server's minimum. Parley sends no message ids: the inbox in
// PostgreSQL deduplicates for as long as providers retry, which is days, and a batch
// that carries ids is refused whole as soon as one of them was seen before.
const duplicateWindow = 100 * time.Millisecond

// Options describes the streams of an installation. Zero values take the defaults.
type Options struct {
	// Shards is the number of lanes: 16. It counts only when the installation is created.
	Shards int
	// Replicas is 1 (the only choice of a single server), or 3 in a cluster.
	Replicas int
	// MaxAge is how long updates and receipts are kept: 14 days.
	MaxAge time.Duration
	// EventsMaxAge is how long relayed events are kept: 7 days.
	EventsMaxAge time.Duration
	// MaxBytes limits StreamIn and StreamStatus, each: 32 GiB. A stream at its limit
	// refuses new messages (ErrFull); Trim makes room.
	MaxBytes int64
	// EventsMaxBytes limits StreamEvents, which drops its oldest messages: 8 GiB.
	EventsMaxBytes int64
}

func (o Options) withDefaults() Options {
	o.Shards = cmp.Or(o.Shards, 16)
	o.Replicas = cmp.Or(o.Replicas, 1)
	o.MaxAge = cmp.Or(o.MaxAge, 14*24*time.Hour)
	o.EventsMaxAge = cmp.Or(o.EventsMaxAge, 7*24*time.Hour)
	o.MaxBytes = cmp.Or(o.MaxBytes, 32<<30)
	o.EventsMaxBytes = cmp.Or(o.EventsMaxBytes, 8<<30)
	return o
}

// Declare creates the streams or brings them up to date, and returns the number of shards
// in force: o.Shards if this call created the installation, else what its creator chose,
// for contacts must not move between lanes. Several processes may declare at once.
func Declare(ctx context.Context, js jetstream.JetStream, o Options) (shards int, err error) {
	o = o.withDefaults()
	in, err := ensure(ctx, js, o.streamIn())
	if err != nil {
		return 0, err
	}
	if shards, err = shardsOf(in); err != nil {
		return 0, err
	}
	if _, err := ensure(ctx, js, o.updates(StreamStatus, rootStatus)); err != nil {
		return 0, err
	}
	if _, err := ensure(ctx, js, o.streamEvents()); err != nil {
		return 0, err
	}
	return shards, nil
}

func (o Options) streamIn() jetstream.StreamConfig {
	config := o.updates(StreamIn, rootIn)
	config.Metadata = map[string]string{shardsKey: strconv.Itoa(o.Shards)}
	return config
}

// updates configures a stream whose messages exist nowhere else: it refuses rather than
// drops, and a publish is on disk when it is acknowledged.
func (o Options) updates(name, root string) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:               name,
		Subjects:           []string{root + ".>"},
		Storage:            jetstream.FileStorage,
		Retention:          jetstream.LimitsPolicy,
		Discard:            jetstream.DiscardNew,
		Replicas:           o.Replicas,
		MaxAge:             o.MaxAge,
		MaxBytes:           o.MaxBytes,
		Duplicates:         duplicateWindow,
		AllowDirect:        true,
		AllowAtomicPublish: true,
	}
}

// streamEvents configures the relay of what PostgreSQL holds. On one replica it is
// written behind the acknowledgement, which saves every fsync; its readers recover what
// a power cut takes from PostgreSQL. The server offers that mode for one replica only,
// and not together with atomic batches.
func (o Options) streamEvents() jetstream.StreamConfig {
	config := o.updates(StreamEvents, rootEvents)
	config.Discard = jetstream.DiscardOld
	config.MaxAge, config.MaxBytes = o.EventsMaxAge, o.EventsMaxBytes
	config.AllowAtomicPublish = false
	if o.Replicas == 1 {
		config.PersistMode = jetstream.AsyncPersistMode
	}
	return config
}

// ensure brings the stream of that name up to date, or creates it. It keeps the metadata
// of an existing stream. It looks before it creates: a server without room for the stream
// a second time (max_file) refuses to create even the one that it has.
func ensure(ctx context.Context, js jetstream.JetStream, want jetstream.StreamConfig) (jetstream.Stream, error) {
	existing, err := js.Stream(ctx, want.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		created, failed := js.CreateStream(ctx, want)
		if failed == nil {
			return created, nil
		}
		// It may have failed because another process was first.
		if existing, err = js.Stream(ctx, want.Name); err != nil {
			return nil, fmt.Errorf("create stream %s: %w", want.Name, failed)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("look up stream %s: %w", want.Name, err)
	}
	want.Metadata = maps.Clone(existing.CachedInfo().Config.Metadata)
	stream, err := js.UpdateStream(ctx, want)
	if err != nil {
		return nil, fmt.Errorf("stream %s exists with settings that cannot be brought up to date: %w", want.Name, err)
	}
	return stream, nil
}

func shardsOf(in jetstream.Stream) (int, error) {
	text := in.CachedInfo().Config.Metadata[shardsKey]
	shards, err := strconv.Atoi(text)
	if err != nil || shards < 1 {
		return 0, fmt.Errorf("stream %s: its metadata %s is %q, not a number of shards", StreamIn, shardsKey, text)
	}
	return shards, nil
}

// Trim makes room in a stream that is more than three quarters full: it removes the
// messages up to and including the sequence applied, which must be the lowest checkpoint
// of all shards of all services that read the stream. It reports whether it removed any.
// Without it a stream whose messages were all handled long ago would refuse new ones.
func Trim(ctx context.Context, js jetstream.JetStream, name string, applied uint64) (bool, error) {
	stream, err := js.Stream(ctx, name)
	if err != nil {
		return false, fmt.Errorf("trim stream %s: %w", name, err)
	}
	info := stream.CachedInfo()
	roomy := info.Config.MaxBytes <= 0 || info.State.Bytes <= uint64(info.Config.MaxBytes)/4*3
	if roomy || applied < info.State.FirstSeq {
		return false, nil
	}
	if err := stream.Purge(ctx, jetstream.WithPurgeSequence(applied+1)); err != nil {
		return false, fmt.Errorf("trim stream %s up to %d: %w", name, applied, err)
	}
	return true, nil
}
