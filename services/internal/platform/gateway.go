package platform

import (
	"errors"
	"fmt"

	"github.com/parleyhq/parley/pkg/whatsapp/wasender"
)

// Gateway is where WASenderApi is, and what opens its sessions.
type Gateway struct {
	URL string `env:"PARLEY_WASENDER_URL"`
	// SessionKeys are the API keys: channel=key. What has a key is a session, all else is Meta's.
	SessionKeys []string `env:"PARLEY_WASENDER_TOKEN"`
}

// Problems reports what is wrong with the values.
func (g Gateway) Problems() error {
	_, err := g.keys()
	return errors.Join(err, CheckURL("PARLEY_WASENDER_URL", g.URL, wasender.DefaultURL))
}

// Keys are the API keys by channel, as far as they can be read: Problems says what is
// wrong with the others.
func (g Gateway) Keys() map[string]string {
	keys, _ := g.keys()
	return keys
}

func (g Gateway) keys() (map[string]string, error) {
	keys := map[string]string{}
	lists, err := PerChannel("PARLEY_WASENDER_TOKEN", g.SessionKeys)
	for channel, list := range lists {
		if len(list) > 1 {
			err = errors.Join(err, fmt.Errorf("PARLEY_WASENDER_TOKEN has %d keys for channel %s: a session has one", len(list), channel))
			continue
		}
		keys[channel] = list[0]
	}
	return keys, err
}

// Client speaks with it for all sessions. What the options say of its address and of
// keys is not used.
func (g Gateway) Client(o wasender.Options) *wasender.Client {
	keys := g.Keys()
	o.BaseURL, o.Key = g.URL, func(channel string) string { return keys[channel] }
	return wasender.NewClient(o)
}
