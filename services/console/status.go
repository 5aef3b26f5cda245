package console

import (
	"context"
	"net/http"

	"github.com/parleyhq/parley/pkg/bus"
	"github.com/parleyhq/parley/pkg/store"
)

// statusAnswer is how the installation is doing.
type statusAnswer struct {
	Streams    []streamStatus `json:"streams"`
	Leases     any            `json:"leases"`
	Deliveries map[string]int `json:"deliveries"`
	// Orphans are receipts whose message is not known yet.
	Orphans     int            `json:"orphan_receipts"`
	DeadLetters map[string]int `json:"dead_letters"`
	// Stops are the numbers, accounts, apps, templates and forms that are not sent to
	// now: why, since when, and until when at least.
	Stops []store.SendStop `json:"send_stops"`
}

type streamStatus struct {
	Name     string `json:"name"`
	Messages uint64 `json:"messages"`
	Bytes    uint64 `json:"bytes"`
	LastSeq  uint64 `json:"last_seq"`
}

// status answers leases and lag per service and shard, and what waits.
func (a *API) status(w http.ResponseWriter, r *http.Request) {
	status, err := a.store.Status(r.Context())
	if err != nil {
		a.failed(w, r, err)
		return
	}
	streams, err := a.streams(r.Context())
	if err != nil {
		a.failed(w, r, err)
		return
	}
	answer(w, http.StatusOK, statusAnswer{
		Streams: streams, Leases: status.Leases, Deliveries: status.Deliveries,
		Orphans: status.Orphans, DeadLetters: status.DeadLetters, Stops: status.Stops,
	})
}

func (a *API) streams(ctx context.Context) ([]streamStatus, error) {
	var list []streamStatus
	for _, name := range []string{bus.StreamIn, bus.StreamStatus, bus.StreamEvents} {
		stream, err := a.js.Stream(ctx, name)
		if err != nil {
			return nil, err
		}
		state := stream.CachedInfo().State
		list = append(list, streamStatus{Name: name, Messages: state.Msgs, Bytes: state.Bytes, LastSeq: state.LastSeq})
	}
	return list, nil
}
