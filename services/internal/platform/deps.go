package platform

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"github.com/parleyhq/parley/pkg/bus"
	"github.com/parleyhq/parley/pkg/lane"
	"github.com/parleyhq/parley/pkg/lifecycle"
	"github.com/parleyhq/parley/pkg/store"
)

// Deps is what a service is given: its connections and who it is.
type Deps struct {
	Common   Common
	Channels Channels
	// Store is nil for a service that has no database.
	Store *store.Store
	NATS  *nats.Conn
	JS    jetstream.JetStream
	// Shards is the installation's number of shards.
	Shards int
	// Owner names this replica in leases.
	Owner string
	Log   zerolog.Logger
}

// eventsIdle is how long WA_EVENTS may be silent before followers look into
// PostgreSQL.
const eventsIdle = 3 * time.Second

// ConnectNATS declares the streams and fills in what comes of it.
func (d *Deps) ConnectNATS(ctx context.Context, nc *nats.Conn) error {
	js, err := jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(4096))
	if err != nil {
		return fmt.Errorf("open JetStream: %w", err)
	}
	shards, err := bus.Declare(ctx, js, bus.Options{Shards: d.Common.Shards, Replicas: d.Common.Replicas})
	if err != nil {
		return fmt.Errorf("declare streams: %w", err)
	}
	if shards != d.Common.Shards {
		d.Log.Warn().Int("shards", shards).Int("asked", d.Common.Shards).Msg("the installation keeps the number of shards it was created with")
	}
	d.NATS, d.JS, d.Shards = nc, js, shards
	return nil
}

// How long a batch gathers. What nobody waits for gathers longer: fewer commits
// leave more of the database to what somebody does wait for.
const (
	GatherReply    = lane.DefaultGather
	GatherReceipts = 25 * time.Millisecond
	GatherInsight  = 100 * time.Millisecond
)

// Lane returns a runner of the service over the source.
func (d *Deps) Lane(service string, source lane.Source, handler lane.Handler, gather time.Duration, onShare func(int)) *lane.Runner {
	return lane.New(lane.Config{
		Service: service, Owner: d.Owner, Shards: d.Shards, LeaseTime: d.Common.LeaseTime,
		BatchMax: lane.DefaultBatchMax, Gather: gather,
		Log: d.Log.With().Str("lane", service).Logger(), OnShare: onShare,
	}, d.Store, source, handler)
}

// Stream is a source that reads a stream by its sequence.
func (d *Deps) Stream(service, stream string, filter func(int) string) lane.Source {
	return lane.StreamSource{JS: d.JS, Stream: stream, Service: service, Filter: filter, OnReset: d.onReset(service)}
}

// Events is a source that follows the events.
func (d *Deps) Events(service string) lane.Source {
	return lane.EventSource{JS: d.JS, Service: service, Events: d.Store, Idle: eventsIdle, OnReset: d.onReset(service)}
}

// Trimmer is the part that keeps the service's stream from filling up.
func (d *Deps) Trimmer(service, stream string, filter func(int) string) lifecycle.Part {
	t := lane.Trimmer{JS: d.JS, Stream: stream, Service: service, Shards: d.Shards, Filter: filter, Checkpoints: d.Store, Log: d.Log}
	return lifecycle.Part{Name: service + " trimmer", Run: func(intake, _ context.Context) error { return t.Run(intake) }}
}

func (d *Deps) onReset(service string) func(int, error) {
	return func(shard int, reason error) {
		d.Log.Warn().Err(reason).Str("lane", service).Int("shard", shard).Msg("reading was interrupted and goes on")
	}
}

// NewOwner names a replica that shares its name with nobody.
func NewOwner() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("%s-%d-%s", host, os.Getpid(), strings.ToLower(rand.Text()[:6]))
}
