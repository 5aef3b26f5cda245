package dispatcher

import (
	"context"
	"errors"
	"sync"

	"github.com/parleyhq/parley/pkg/whatsapp/wasender"
)

// errNoSession says that the account has no session with a channel's API key.
var errNoSession = errors.New("the account has no session with this API key")

// sessionIDs knows the account's number of each channel's session, which the calls of
// the account need. The session is the one that has the channel's API key.
type sessionIDs struct {
	client *wasender.Client
	key    func(channel string) string

	mu    sync.Mutex
	byKey map[string]int64
}

func (s *sessionIDs) of(ctx context.Context, channel string) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := s.key(channel)
	if id := s.byKey[key]; id != 0 {
		return id, nil
	}
	list, err := s.client.Sessions(ctx)
	if err != nil {
		return 0, err
	}
	found := map[string]int64{}
	for _, session := range list {
		if session.APIKey == "" { // lists do not show it
			if session, err = s.client.Session(ctx, session.ID); err != nil {
				return 0, err
			}
		}
		found[session.APIKey.Reveal()] = session.ID
	}
	s.byKey = found
	if id := found[key]; id != 0 {
		return id, nil
	}
	return 0, errNoSession
}
