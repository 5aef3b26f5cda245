package wasender

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/parleyhq/parley/pkg/egress"
	"github.com/parleyhq/parley/pkg/whatsapp/meta"
)

// Media reads the file that came with a message to a channel. Raw is that of the message's
// envelope: WhatsApp encrypts files, and WASenderApi makes one readable for an hour out
// of the message that brought it. Its error is a *meta.MediaError.
func (c *Client) Media(ctx context.Context, channel string, raw []byte) (*meta.File, error) {
	link, err := c.decryptMedia(ctx, channel, raw)
	var refused *CallError
	switch {
	case errors.As(err, &refused) && refused.Refusal.Class == Permanent:
		return nil, &meta.MediaError{Reason: meta.ErrMediaGone, Err: err}
	case err != nil:
		return nil, &meta.MediaError{Reason: meta.ErrMediaAway, Err: err}
	}
	carrier, err := c.carrier(link)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, link, nil)
	if err != nil {
		return nil, &meta.MediaError{Reason: meta.ErrMediaPlace}
	}
	resp, err := carrier.Do(req) // without the key: the link is enough
	if err != nil {
		return nil, &meta.MediaError{Reason: meta.ErrMediaAway, Err: egress.WithoutAddress(err)}
	}
	switch {
	case resp.StatusCode != http.StatusOK:
		err = &meta.MediaError{Reason: meta.ErrMediaAway, Err: fmt.Errorf("HTTP %d", resp.StatusCode)}
	case resp.ContentLength > meta.MaxMediaBytes:
		err = &meta.MediaError{Reason: meta.ErrMediaSize}
	default:
		return &meta.File{MimeType: resp.Header.Get("Content-Type"), Size: max(resp.ContentLength, 0), Body: meta.Bounded(resp.Body)}, nil
	}
	_ = resp.Body.Close() // it is not wanted
	return nil, err
}

// decryptMedia gives the address of a message's file.
// Source: WASenderApi, "Decrypt media file".
func (c *Client) decryptMedia(ctx context.Context, channel string, raw []byte) (link string, err error) {
	message, fault := parse(raw)
	if fault != "" || !message.isObject() {
		return "", &CallError{Call: "decrypt media", Refusal: cannot(errNoObject)}
	}
	body := map[string]any{"data": map[string]any{"messages": json.RawMessage(message.raw())}}
	return c.publicURL(ctx, post("decrypt media", "/decrypt-media", body).of(channel))
}

// carrier goes to an address that WASenderApi has named: to itself, or elsewhere by a
// connection that reaches no address of a private network.
func (c *Client) carrier(link string) (*http.Client, error) {
	u, err := url.Parse(link)
	if err != nil {
		return nil, &meta.MediaError{Reason: meta.ErrMediaPlace}
	}
	if own, err := url.Parse(c.o.BaseURL); err == nil && own.Scheme == u.Scheme && own.Host == u.Host {
		return c.http, nil
	}
	if u.Scheme != "https" || u.User != nil {
		return nil, &meta.MediaError{Reason: meta.ErrMediaPlace}
	}
	return c.outside, nil
}
