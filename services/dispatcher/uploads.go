package dispatcher

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/pkg/whatsapp/meta"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

const (
	// uploadTimeout bounds an upload, uploadHold the claim of who makes it, and
	// uploadLook is how often another one looks whether it is done.
	uploadTimeout, uploadHold, uploadLook = 45 * time.Second, time.Minute, 200 * time.Millisecond
	// nameTimeout is how long a message waits for its file's upload before it goes back
	// into its line; the upload goes on. It is short, because the intent to send is on
	// disk already, and whoever takes the shard over will not wait for long.
	nameTimeout = 10 * time.Second
	// uploadsMax is how many uploads there are at a time: each has its file in memory.
	uploadsMax = 4
	// surelyThere is how long the provider surely knows what was uploaded.
	surelyThere = 10 * time.Minute
	// idGoodFor and linkGoodFor are how long an upload is used: Meta keeps a file for 30
	// days, WASenderApi for one (WIRE.md 1.6, 5.2). What is sent now is fetched a little
	// later.
	idGoodFor, linkGoodFor = 29 * 24 * time.Hour, 22 * time.Hour
)

// uploadStore is what the uploads need of PostgreSQL.
type uploadStore interface {
	File(ctx context.Context, sha256 string) (mimeType string, content []byte, err error)
	ClaimUpload(ctx context.Context, channel, sha256 string, hold time.Duration) (u store.Upload, mine bool, err error)
	KeepUpload(ctx context.Context, channel, sha256, mediaID string, goodFor time.Duration) error
	ForgetUpload(ctx context.Context, channel, sha256, mediaID string) error
}

// uploader gives a provider a file to send, and returns what it calls it. The error
// has a *meta.SendError.
type uploader interface {
	Upload(ctx context.Context, channel, mimeType string, file []byte) (id string, err error)
}

// uploads give the files of flows their names at the provider. A file is uploaded once
// for each channel, when it is sent first, and again when the provider has it no more:
// the row in PostgreSQL says what it is called and who is uploading it.
type uploads struct {
	store uploadStore
	// to is the provider of a channel.
	to func(channel string) uploader
	// byLink says that a provider calls files by addresses: WASenderApi.
	byLink func(channel string) bool
	now    func() time.Time

	flights singleflight.Group
	room    chan struct{}
	mu      sync.Mutex
	known   map[upload]store.Upload
}

// upload is a file of a channel.
type upload struct{ channel, sha256 string }

func newUploads(s uploadStore, to func(channel string) uploader, byLink func(channel string) bool) *uploads {
	return &uploads{store: s, to: to, byLink: byLink, now: time.Now, room: make(chan struct{}, uploadsMax), known: map[upload]store.Upload{}}
}

// fileOf is the file of the flow that a message is sent with, or stands above it; nil
// if it has none.
func fileOf(m *parleyv1.MessageQueued) *parleyv1.Media {
	files := filesOf(m)
	i := slices.IndexFunc(files, func(f *parleyv1.Media) bool { return f.GetSha256() != "" })
	if i < 0 {
		return nil
	}
	return files[i]
}

// name gives the file of a message its name at the provider. The error is a
// *meta.SendError, and never Ambiguous: nothing was sent.
func (u *uploads) name(channel string, file *parleyv1.Media) error {
	ctx, cancel := context.WithTimeout(context.Background(), nameTimeout)
	defer cancel()
	key, mimeType := upload{channel, file.GetSha256()}, file.GetMimeType()
	id, ok := u.remembered(key)
	if !ok {
		// The upload is not cancelled with the message that needs it first: others wait for it.
		done := u.flights.DoChan(channel+" "+key.sha256, func() (any, error) {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), uploadHold)
			defer cancel()
			return u.fetch(ctx, key, mimeType)
		})
		select {
		case r := <-done:
			if r.Err != nil {
				return notUploaded(r.Err)
			}
			id, _ = r.Val.(string)
		case <-ctx.Done():
			return notUploaded(ctx.Err())
		}
	}
	file.Id, file.Link = id, ""
	if u.byLink(channel) {
		file.Id, file.Link = "", id
	}
	return nil
}

func (u *uploads) remembered(key upload) (id string, ok bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	known, ok := u.known[key]
	return known.MediaID, ok && known.Expires.After(u.now())
}

// fetch finds out what the provider calls a file, or uploads it. While another replica
// does that it waits.
func (u *uploads) fetch(ctx context.Context, key upload, mimeType string) (string, error) {
	for {
		known, mine, err := u.store.ClaimUpload(ctx, key.channel, key.sha256, uploadHold)
		switch {
		case err != nil:
			return "", err
		case mine:
			return u.upload(ctx, key, mimeType)
		case known.MediaID != "":
			u.remember(key, known)
			return known.MediaID, nil
		}
		select {
		case <-time.After(uploadLook):
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}

func (u *uploads) upload(ctx context.Context, key upload, mimeType string) (string, error) {
	u.room <- struct{}{}
	defer func() { <-u.room }()
	uploading, cancel := context.WithTimeout(ctx, uploadTimeout)
	defer cancel()
	_, content, err := u.store.File(uploading, key.sha256)
	id := ""
	if err == nil {
		id, err = u.to(key.channel).Upload(uploading, key.channel, mimeType, content)
	}
	goodFor := u.goodFor(key.channel)
	// A failure ends the claim too, so that the next attempt need not wait for it.
	if kept := u.store.KeepUpload(ctx, key.channel, key.sha256, id, goodFor); err == nil && kept == nil {
		u.remember(key, store.Upload{MediaID: id, Expires: u.now().Add(goodFor)})
	}
	return id, err
}

func (u *uploads) goodFor(channel string) time.Duration {
	if u.byLink(channel) {
		return linkGoodFor
	}
	return idGoodFor
}

func (u *uploads) remember(key upload, known store.Upload) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.known[key] = known
}

// gone are the codes of the Graph API for an id that it does not know, or cannot read
// any more. They can mean other faults of a message as well.
var gone = []int{100, 131009, 131053}

// judge looks whether a message was refused because the provider has its file no more.
// Then the name is forgotten, and the message goes again: with another upload. What was
// uploaded a moment ago is there, and the refusal stands.
func (u *uploads) judge(channel string, file *parleyv1.Media, err error) error {
	var refused *meta.SendError
	if !errors.As(err, &refused) || !slices.Contains(gone, refused.Code) {
		return err
	}
	key := upload{channel, file.GetSha256()}
	u.mu.Lock()
	known, ok := u.known[key]
	stale := ok && known.MediaID == file.GetId() && u.now().Sub(known.Expires.Add(-u.goodFor(channel))) > surelyThere
	if stale {
		delete(u.known, key)
	}
	u.mu.Unlock()
	if !stale {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), nameTimeout)
	defer cancel()
	if err := u.store.ForgetUpload(ctx, channel, key.sha256, file.GetId()); err != nil {
		return notUploaded(err)
	}
	again := *refused
	again.Class, again.Message = meta.Retry, "the provider has the file no more"
	return &again
}

// notUploaded is why a message with a file was not sent. An upload that may have
// been made is no message: it is made again.
func notUploaded(err error) error {
	var refused *meta.SendError
	switch {
	case errors.Is(err, store.ErrNoFile):
		return &meta.SendError{Class: meta.Permanent, Message: "the flow's file is not kept here", Err: err}
	case !errors.As(err, &refused):
		return &meta.SendError{Class: meta.Retry, Message: "file not uploaded", Err: err}
	case refused.Class != meta.Ambiguous:
		return refused
	}
	again := *refused
	again.Class, again.Message = meta.Retry, "file not uploaded"
	return &again
}
