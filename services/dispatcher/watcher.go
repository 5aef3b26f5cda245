package dispatcher

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"github.com/parleyhq/parley/pkg/bus"
	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/pkg/whatsapp/wasender"
	"github.com/parleyhq/parley/pkg/whatsapp/wasender/health"
)

// Times of the watcher.
const (
	// askEvery is how often a session is asked for its state, askDown if it is not
	// connected, and askLeast the least between two questions.
	askEvery, askDown, askLeast = 30 * time.Second, 10 * time.Second, 2 * time.Second
	askTimeout                  = 10 * time.Second
	watchTick                   = time.Second
	// keepEvery is how often signs of life alone are written down.
	keepEvery = 10 * time.Second
	// leaveTimeout bounds what is written when the process ends.
	leaveTimeout = 3 * time.Second
	// historyAge is how long the changes of a session are kept.
	historyAge, trimEvery = 90 * 24 * time.Hour, time.Hour
	// codeAge is how long a code that links a phone is good for if nobody says.
	codeAge = time.Minute
)

// watchStore is what the watcher needs of PostgreSQL.
type watchStore interface {
	RenewSessions(ctx context.Context, owner string, ttl time.Duration) (map[string]int64, error)
	TakeSessions(ctx context.Context, owner string, ttl time.Duration, channels, except []string) ([]store.WatchedSession, error)
	ReleaseSession(ctx context.Context, w store.WatchedSession) error
	SaveSession(ctx context.Context, w store.WatchedSession, h store.SessionHealth, changes []string) error
	SetSessionCode(ctx context.Context, channel, code string, expires time.Time) error
	TrimSessions(ctx context.Context, age time.Duration) error
}

// watcher keeps the sessions of WASenderApi alive. Of the replicas one watches each
// session: it holds the session's row by a lease with an epoch, like a shard, and
// everything that it writes is fenced by it. What it is about to do to a session is
// written first, so that whoever takes over after a crash keeps to the wait.
//
//	lease of the row ─▶ watch: signals, orders, questions ─▶ health.Step ─▶ row ─▶ connect, restart
//	        1                           2                          3         4             5
type watcher struct {
	store  watchStore
	client *wasender.Client
	ids    *sessionIDs
	nats   *nats.Conn
	// status takes the receipts that were missed. Portfolio and shards say which lane
	// they belong to.
	status    publisher
	portfolio func(channel string) string
	shards    int
	channels  []string
	owner     string
	lease     time.Duration
	policy    health.Policy
	tick      time.Duration
	now       func() time.Time
	log       zerolog.Logger
	meter     *sessionMeter
}

// publisher stores messages durably: nil means that every one is on disk.
type publisher interface {
	Publish(ctx context.Context, messages ...bus.Message) error
}

// watching is a session that this replica watches.
type watching struct {
	epoch int64
	stop  context.CancelFunc
	done  chan struct{}
}

// Run watches until intake ends, and then gives its sessions back.
func (w *watcher) Run(intake, work context.Context) error {
	running := map[string]watching{}
	var all sync.WaitGroup
	ticker := time.NewTicker(w.lease / 3)
	defer ticker.Stop()
	trimmed, failing := time.Time{}, false
	for intake.Err() == nil {
		err := w.share(intake, running, &all)
		if err == nil && w.now().Sub(trimmed) >= trimEvery {
			trimmed, err = w.now(), w.store.TrimSessions(intake, historyAge)
		}
		if err != nil && !failing && intake.Err() == nil {
			w.log.Warn().Err(err).Msg("sessions cannot be watched; they are taken again when the database answers")
		}
		failing = err != nil
		select {
		case <-ticker.C:
		case <-intake.Done():
		}
	}
	for _, r := range running {
		r.stop()
	}
	all.Wait()
	w.release(work, running)
	return nil
}

// release gives the sessions back. One that cannot be given back is free when its
// lease has run out.
func (w *watcher) release(ctx context.Context, running map[string]watching) {
	ctx, cancel := context.WithTimeout(ctx, leaveTimeout)
	defer cancel()
	for channel, r := range running {
		if err := w.store.ReleaseSession(ctx, store.WatchedSession{Channel: channel, Epoch: r.epoch}); err != nil {
			w.log.Warn().Err(err).Msg("sessions are free for others when the lease has run out")
			return
		}
	}
}

// share renews what is watched, stops what was lost, and takes what is free.
func (w *watcher) share(ctx context.Context, running map[string]watching, all *sync.WaitGroup) error {
	held, err := w.store.RenewSessions(ctx, w.owner, w.lease)
	if err != nil {
		return err
	}
	for channel, r := range running {
		select {
		case <-r.done: // fenced, or it could not subscribe
			delete(running, channel)
		default:
			if held[channel] != r.epoch {
				r.stop()
				<-r.done
				delete(running, channel)
			}
		}
	}
	taken, err := w.store.TakeSessions(ctx, w.owner, w.lease, w.channels, slices.Collect(maps.Keys(running)))
	if err != nil {
		return err
	}
	for _, session := range taken {
		watching := watching{epoch: session.Epoch, done: make(chan struct{})}
		var of context.Context
		of, watching.stop = context.WithCancel(ctx)
		running[session.Channel] = watching
		all.Go(func() {
			defer close(watching.done)
			defer watching.stop()
			if err := newWatch(w, session).run(of); err != nil && of.Err() == nil {
				w.log.Warn().Err(err).Str("channel", session.Channel).Msg("session is not watched; it is taken again")
			}
		})
	}
	return nil
}
