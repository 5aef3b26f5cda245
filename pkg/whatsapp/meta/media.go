package meta

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strings"

	"github.com/parleyhq/parley/pkg/egress"
)

// MaxMediaBytes is the longest file that WhatsApp carries: a document.
const MaxMediaBytes = 100 << 20

// mediaHosts are where Meta keeps files: what the Graph API names must be there.
var mediaHosts = []string{"fbsbx.com", "fbcdn.net", "whatsapp.net", "facebook.com"}

// Why a file cannot be read. A MediaError wraps one of them.
var (
	// ErrMediaGone: ids of incoming files live 7 days, and belong to one number (WIRE.md 1.6).
	ErrMediaGone = errors.New("the provider does not have it, or not any more: files of incoming messages are kept for 7 days")
	ErrMediaSize = fmt.Errorf("it has more than %d MB", MaxMediaBytes>>20)
	// ErrMediaPlace: we do not go where somebody else's answer sends us.
	ErrMediaPlace = errors.New("the provider names an address that is not one of its own")
	ErrMediaAway  = errors.New("the provider does not answer")
)

// MediaError says why a file cannot be read. It holds nothing that the provider wrote.
type MediaError struct {
	Reason error // one of the above
	Err    error // what happened, if there is more to say
}

// Error is fit for logs.
func (e *MediaError) Error() string {
	if e.Err == nil {
		return "media: " + e.Reason.Error()
	}
	return "media: " + e.Reason.Error() + ": " + e.Err.Error()
}

// Unwrap is the reason and what happened.
func (e *MediaError) Unwrap() []error { return []error{e.Reason, e.Err} }

// File is a file of a message while it is read. Body must be closed; it ends with an
// error at MaxMediaBytes.
type File struct {
	MimeType string
	Size     int64 // 0 if it is not known
	Body     io.ReadCloser
}

// Media reads a file that came with a message to a channel: the Graph API says where
// it is, and gives it to who has the token. Its error is a *MediaError.
func (c *Client) Media(ctx context.Context, channel, id string) (*File, error) {
	address := c.baseURL + "/" + url.PathEscape(id) + "?phone_number_id=" + url.QueryEscape(channel)
	resp, err := c.get(ctx, c.http, address)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var found struct {
		URL      string `json:"url"`
		MimeType string `json:"mime_type"`
		Size     any    `json:"file_size"` // a number, or one in quotes
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxAnswerBytes)).Decode(&found); err != nil || found.URL == "" {
		return nil, &MediaError{Reason: ErrMediaAway, Err: errors.New("the answer is not what was asked for")}
	}
	carrier, err := c.carrier(found.URL)
	if err != nil {
		return nil, err
	}
	resp, err = c.get(ctx, carrier, found.URL)
	if err != nil {
		return nil, err
	}
	if resp.ContentLength > MaxMediaBytes {
		_ = resp.Body.Close() // it is not wanted
		return nil, &MediaError{Reason: ErrMediaSize}
	}
	return &File{MimeType: found.MimeType, Size: max(resp.ContentLength, 0), Body: Bounded(resp.Body)}, nil
}

// Upload gives Meta a file to send from a channel, and returns its id, which is good
// for 30 days (WIRE.md 1.6). The error is always a *SendError, and never Ambiguous: a
// file that is there twice is no message.
func (c *Client) Upload(ctx context.Context, channel, mimeType string, file []byte) (id string, err error) {
	body, contentType, err := uploadForm(mimeType, file)
	if err != nil {
		return "", &SendError{Class: Permanent, Message: "no form for the file", Err: err}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.baseURL+"/"+url.PathEscape(channel)+"/media", bytes.NewReader(body))
	if err != nil {
		return "", &SendError{Class: Permanent, Message: "no request", Err: egress.WithoutAddress(err)}
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	req.Header.Set("Content-Type", contentType)
	resp, err := c.http.Do(req)
	if err != nil {
		return "", &SendError{Class: Retry, Message: "file not uploaded", Err: egress.WithoutAddress(err)}
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswerBytes))
	var kept struct {
		ID string `json:"id"`
	}
	if err == nil && resp.StatusCode == http.StatusOK && json.Unmarshal(answer, &kept) == nil && kept.ID != "" {
		return kept.ID, nil
	}
	_, refusal := judge(resp.StatusCode, resp.Header, answer)
	if refusal == nil || refusal.Class == Ambiguous {
		return "", &SendError{Class: Retry, Status: resp.StatusCode, Message: "file not uploaded", Err: err}
	}
	return "", refusal
}

// uploadForm is what POST /media takes. Source: Meta, "Media", upload.
func uploadForm(mimeType string, file []byte) (body []byte, contentType string, err error) {
	var b bytes.Buffer
	form := multipart.NewWriter(&b)
	err = errors.Join(form.WriteField("messaging_product", "whatsapp"), form.WriteField("type", mimeType))
	part, more := form.CreatePart(textproto.MIMEHeader{
		"Content-Disposition": {`form-data; name="file"; filename="file"`}, "Content-Type": {mimeType},
	})
	if more == nil {
		_, more = part.Write(file)
	}
	err = errors.Join(err, more, form.Close())
	return b.Bytes(), form.FormDataContentType(), err
}

// carrier goes to an address that the Graph API has named: to itself, or to a host of
// Meta's by a connection that reaches no address of a private network.
func (c *Client) carrier(address string) (*http.Client, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, &MediaError{Reason: ErrMediaPlace}
	}
	if own, err := url.Parse(c.baseURL); err == nil && own.Scheme == u.Scheme && own.Host == u.Host {
		return c.http, nil
	}
	known := slices.ContainsFunc(mediaHosts, func(host string) bool {
		return u.Hostname() == host || strings.HasSuffix(u.Hostname(), "."+host)
	})
	if u.Scheme != "https" || u.User != nil || !known {
		return nil, &MediaError{Reason: ErrMediaPlace}
	}
	return c.outside, nil
}

func (c *Client) get(ctx context.Context, carrier *http.Client, address string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, &MediaError{Reason: ErrMediaPlace}
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	resp, err := carrier.Do(req)
	switch {
	case err != nil:
		return nil, &MediaError{Reason: ErrMediaAway, Err: egress.WithoutAddress(err)}
	case resp.StatusCode == http.StatusOK:
		return resp, nil
	}
	_ = resp.Body.Close() // its status says it
	reason := ErrMediaAway
	switch resp.StatusCode {
	case http.StatusBadRequest, http.StatusForbidden, http.StatusNotFound, http.StatusGone:
		reason = ErrMediaGone
	}
	return nil, &MediaError{Reason: reason, Err: fmt.Errorf("HTTP %d", resp.StatusCode)}
}

// bounded ends with ErrMediaSize where a file is longer than any may be.
type bounded struct {
	io.ReadCloser
	left int64
}

// Bounded reads a file, at most MaxMediaBytes of it.
func Bounded(body io.ReadCloser) io.ReadCloser { return &bounded{body, MaxMediaBytes + 1} }

// Read fails where there is more.
func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left)])
	if b.left -= int64(n); b.left == 0 {
		return n, &MediaError{Reason: ErrMediaSize}
	}
	return n, err
}
