package console

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/pkg/whatsapp/meta"
	"github.com/parleyhq/parley/pkg/whatsapp/wasender"
)

// files reads the files that came with messages. The token stays here.
type files interface {
	Media(ctx context.Context, channel, id string) (*meta.File, error)
}

// providers has the files of Meta's numbers and of WASenderApi's sessions.
type providers struct {
	sessions map[string]string // API keys, by channel
	gateway  *wasender.Client
	cloud    *meta.Client
	store    *store.Store
}

// Media reads a file. A session makes it readable out of the update that brought it.
func (p providers) Media(ctx context.Context, channel, id string) (*meta.File, error) {
	if p.sessions[channel] == "" {
		return p.cloud.Media(ctx, channel, id)
	}
	raw, err := p.store.FileMessage(ctx, channel, id)
	if err != nil {
		return nil, err
	}
	if len(raw) == 0 {
		return nil, &meta.MediaError{Reason: errNoFile}
	}
	return p.gateway.Media(ctx, channel, raw)
}

// errNoFile is about the log: what it does not have, nobody can make readable.
var errNoFile = fmt.Errorf("the message log has no message with that file: %w", meta.ErrMediaGone)

// mediaTime bounds how long somebody may take to read a file.
const mediaTime = 5 * time.Minute

// mediaID is what providers call a file: nothing else is put into a path.
var mediaID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,200}$`)

// media is GET /api/v1/media/{channel}/{id}: a file that came with a message, passed on
// from the provider as it comes. Nothing of it is kept, and a webhook never waits for it.
func (a *API) media(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	if !mediaID.MatchString(id) {
		answer(w, http.StatusBadRequest, problem{"that is no id of a file: GET /api/v1/messages shows them (content.media.id)"})
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), mediaTime)
	defer cancel()
	file, err := a.files.Media(ctx, r.PathValue("channel"), id)
	if err != nil {
		a.noMedia(w, err)
		return
	}
	defer file.Body.Close()
	describe(w.Header(), id, file)
	if _, err := io.Copy(w, file.Body); err != nil {
		a.log.Warn().Err(err).Str("channel", r.PathValue("channel")).Msg("a file was not passed on whole")
		panic(http.ErrAbortHandler) // who reads must not take the part for the whole
	}
}

// noMedia says why there is no file.
func (a *API) noMedia(w http.ResponseWriter, err error) {
	status := http.StatusBadGateway
	if errors.Is(err, meta.ErrMediaGone) {
		status = http.StatusNotFound
	} else {
		a.log.Warn().Err(err).Msg("a file cannot be read")
	}
	var reason *meta.MediaError
	if errors.As(err, &reason) {
		err = reason.Reason
	}
	answer(w, status, problem{err.Error()})
}

// shown are the types that a browser may show in the page; all else is downloaded, so
// that nothing that a person sent runs here.
var shown = []string{"image/jpeg", "image/png", "image/webp", "image/gif", "audio/", "video/"}

func describe(h http.Header, id string, file *meta.File) {
	kind, _, err := mime.ParseMediaType(file.MimeType)
	disposition, ending := "attachment", ""
	if err != nil {
		kind = "application/octet-stream"
	}
	for _, prefix := range shown {
		if strings.HasPrefix(kind, prefix) {
			disposition = "inline"
		}
	}
	if endings, err := mime.ExtensionsByType(kind); err == nil && len(endings) > 0 {
		ending = endings[0]
	}
	h.Set("Content-Type", kind)
	h.Set("Content-Disposition", mime.FormatMediaType(disposition, map[string]string{"filename": id + ending}))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	h.Set("Cache-Control", "private, max-age=3600")
	if file.Size > 0 {
		h.Set("Content-Length", strconv.FormatInt(file.Size, 10))
	}
}
