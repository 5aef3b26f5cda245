package sandbox

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// maxReplyWait is how long a request may wait for the business to say something.
const maxReplyWait = 30 * time.Second

// readReplies answers what the business said on a phone after a bubble. If that is
// nothing yet, it waits for it as long as it was asked to.
func (s *Sandbox) readReplies(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	if _, ok := personOf(id); !ok {
		refuse(w, http.StatusNotFound, nobody)
		return
	}
	after, patience, fault := waitOf(r.URL.Query())
	if fault != "" {
		refuse(w, http.StatusBadRequest, fault)
		return
	}
	_ = http.NewResponseController(w).SetWriteDeadline(time.Time{}) // where there are no deadlines, none is in the way
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	writeJSON(w, http.StatusOK, map[string]any{"bubbles": s.awaitReplies(ctx, id, after)})
}

// awaitReplies waits until there is something, ctx ends, or the sandbox stops.
func (s *Sandbox) awaitReplies(ctx context.Context, id string, after uint64) []*Bubble {
	for {
		_, _, changed, _ := s.feed.since(nowhere, nil) // before the look, so that nothing falls between
		heard := s.book.heard(id, after)
		if len(heard) > 0 {
			return heard
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return heard
		case <-s.stopped:
			return heard
		}
	}
}

// waitOf reads which replies are asked for, and for how long to wait for them.
func waitOf(query url.Values) (after uint64, wait time.Duration, fault string) {
	var err error
	if text := query.Get("after"); text != "" {
		if after, err = strconv.ParseUint(text, 10, 64); err != nil {
			return 0, 0, "after must be the id of a bubble"
		}
	}
	if text := query.Get("wait"); text != "" {
		if wait, err = time.ParseDuration(text); err != nil || wait < 0 || wait > maxReplyWait {
			return 0, 0, `wait must be a duration of at most 30s, such as "2s"`
		}
	}
	return after, wait, ""
}
