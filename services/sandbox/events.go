package sandbox

import (
	"fmt"
	"io"
	"net/http"
	"time"
)

// heartbeat keeps an idle event stream open through proxies.
const heartbeat = 15 * time.Second

// maxPhonesPerStream bounds what one event stream asks for.
const maxPhonesPerStream = 10

// streamEvents tells a page what happens on its phones, until it leaves or the
// sandbox stops.
func (s *Sandbox) streamEvents(w http.ResponseWriter, r *http.Request) {
	phones := r.URL.Query()["phone"]
	if len(phones) == 0 || len(phones) > maxPhonesPerStream {
		refuse(w, http.StatusBadRequest, "the query must name 1 to 10 phones")
		return
	}
	control := http.NewResponseController(w)
	_ = control.SetWriteDeadline(time.Time{}) // where there are no deadlines, none is in the way
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	fmt.Fprint(w, "retry: 1000\n\n")

	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	at := s.feed.parse(r.Header.Get("Last-Event-ID"))
	for {
		now, changed := s.writeEvents(w, at, phones)
		if control.Flush() != nil {
			return
		}
		at = now
		select {
		case <-changed:
		case <-beat.C:
			_, _ = io.WriteString(w, ": still here\n\n") // Flush tells
		case <-r.Context().Done():
			return
		case <-s.stopped:
			return
		}
	}
}

// writeEvents writes what happened after at, or a reset if that is not known. It
// returns where the reader stands then; changed is closed when there is more.
func (s *Sandbox) writeEvents(w io.Writer, at uint64, phones []string) (now uint64, changed <-chan struct{}) {
	events, now, changed, ok := s.feed.since(at, phones)
	if !ok {
		fmt.Fprintf(w, "id: %s\nevent: reset\ndata: {}\n\n", s.feed.format(now))
	}
	for _, e := range events {
		fmt.Fprintf(w, "id: %s\nevent: %s\ndata: %s\n\n", s.feed.format(e.id), e.kind, e.data)
	}
	return now, changed
}
