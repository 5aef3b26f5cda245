package dispatcher

import (
	"context"
	"time"

	"github.com/rs/zerolog"
	"google.golang.org/protobuf/proto"

	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/pkg/whatsapp/wasender"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

const (
	// logEvery is how often the log is asked while there are unknown sends: a few times
	// within the grace period.
	logEvery = 3 * time.Second
	// logLines is how much of it is read: the newest lines. logSends bounds the sends
	// that are looked for at once.
	logLines, logSends = 100, 500
	// logMargin is how much earlier than its claim a send may stand in the log: the
	// clocks differ, and a line has whole seconds.
	logMargin = time.Minute
	// logTimeout bounds one look.
	logTimeout = 20 * time.Second
)

// sentLogStore is what the log needs of PostgreSQL.
type sentLogStore interface {
	UnknownSends(ctx context.Context, channels []string, shards []int, limit int) ([]store.UnknownSend, error)
	SettleByLog(ctx context.Context, u store.UnknownSend, ids []string) (ok bool, err error)
}

// sentLog finds sends whose outcome is unknown in WASenderApi's log of what it was asked
// to send: its receipts echo no id of ours, so they do not settle them. What is not
// found there, or as failed, is sent again after the grace period like any other.
type sentLog struct {
	store    sentLogStore
	client   *wasender.Client
	ids      *sessionIDs
	channels []string
	// owned says which shards this replica looks after.
	owned func() []int
	log   zerolog.Logger
}

// run looks until ctx ends.
func (l *sentLog) run(ctx context.Context) error {
	ticker := time.NewTicker(logEvery)
	defer ticker.Stop()
	failing := false
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
		err := l.once(ctx)
		if err != nil && !failing && ctx.Err() == nil {
			l.log.Warn().Err(err).Msg("unknown sends cannot be looked up in the log of WASenderApi; they are sent again after the grace period")
		}
		failing = err != nil
	}
}

// once looks for every unknown send. A session that does not answer holds up no other.
func (l *sentLog) once(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, logTimeout)
	defer cancel()
	list, err := l.store.UnknownSends(ctx, l.channels, l.owned(), logSends)
	if err != nil {
		return err
	}
	byChannel := map[string][]store.UnknownSend{}
	for _, u := range list {
		byChannel[u.Channel] = append(byChannel[u.Channel], u)
	}
	var first error
	for channel, sends := range byChannel {
		if err := l.look(ctx, channel, sends); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// look reads the log of one session.
func (l *sentLog) look(ctx context.Context, channel string, sends []store.UnknownSend) error {
	id, err := l.ids.of(ctx, channel)
	if err != nil {
		return err
	}
	lines, _, err := l.client.MessageLogs(ctx, id, 1, logLines)
	if err != nil {
		return err
	}
	for _, u := range sends {
		if err := l.find(ctx, u, lines); err != nil {
			return err
		}
	}
	return nil
}

// find settles a send by the newest line that is its own, if there is one. A line is
// another message's if that one has its id: the same words may have been sent before.
func (l *sentLog) find(ctx context.Context, u store.UnknownSend, lines []wasender.MessageLog) error {
	m := &parleyv1.MessageQueued{}
	if proto.Unmarshal(u.Content, m) != nil {
		return nil // the sender says what is wrong with it
	}
	for _, line := range lines {
		if line.MsgID == 0 || line.At.Before(u.SentAt.Add(-logMargin)) || !line.IsOf(m) {
			continue
		}
		info, err := l.client.MessageInfo(ctx, u.Channel, line.MsgID)
		if err != nil {
			return err
		}
		ids := []string{wasender.Ref(line.MsgID)}
		if info.ID != "" {
			ids = []string{info.ID, ids[0]}
		}
		if settled, err := l.store.SettleByLog(ctx, u, ids); err != nil || settled {
			return err
		}
	}
	return nil
}
