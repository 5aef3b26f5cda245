package dispatcher

import (
	"context"
	"time"

	"github.com/rs/zerolog"

	"github.com/parleyhq/parley/pkg/store"
)

const (
	// lateEvery is how often late ids are asked for, lateMax how many at a time, and
	// lateAge how long: by then the receipts have come.
	lateEvery, lateMax, lateAge = 15 * time.Second, 100, 24 * time.Hour
	// lateTimeout bounds one question.
	lateTimeout = 5 * time.Second
)

// lateStore is what the late ids need of PostgreSQL.
type lateStore interface {
	LateIDs(ctx context.Context, age time.Duration, after store.LateID, limit int) ([]store.LateID, error)
	SetLateID(ctx context.Context, l store.LateID, wamid string) error
}

// joiner knows WhatsApp's id of a message; empty if there is none yet.
type joiner interface {
	Join(ctx context.Context, channel, ref string) (id string, err error)
}

// joinLate asks again and again for the ids that a send could not wait for.
func joinLate(ctx context.Context, s lateStore, j joiner, log zerolog.Logger) error {
	ticker := time.NewTicker(lateEvery)
	defer ticker.Stop()
	failing, after := false, store.LateID{}
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
		var err error
		after, err = joinOnce(ctx, s, j, after)
		if err != nil && !failing && ctx.Err() == nil {
			log.Warn().Err(err).Msg("ids of sent messages wait") // once, however long
		}
		failing = err != nil
	}
}

// joinOnce asks for the ids that are late, lateMax of them, behind those of the time
// before: many that cannot be answered hold up none.
func joinOnce(ctx context.Context, s lateStore, j joiner, after store.LateID) (last store.LateID, err error) {
	late, err := s.LateIDs(ctx, lateAge, after, lateMax)
	if err != nil {
		return after, err
	}
	if len(late) == lateMax {
		last = late[lateMax-1]
	}
	var first error
	for _, l := range late {
		asking, cancel := context.WithTimeout(ctx, lateTimeout)
		id, err := j.Join(asking, l.Channel, l.WAMID)
		cancel()
		if err == nil && id != "" {
			err = s.SetLateID(ctx, l, id)
		}
		if err != nil && first == nil {
			first = err
		}
	}
	return last, first
}
