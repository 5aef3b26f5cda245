package e2e

import (
	"context"
	"fmt"
	"reflect"
	"testing"

	"github.com/google/uuid"

	"github.com/parleyhq/parley/pkg/flow"
	"github.com/parleyhq/parley/pkg/store"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// history is all that is stored as events, folded without the read models.
type history struct {
	states  map[uint64]flow.State       // by session
	keys    map[uint64]store.SessionKey // by session
	inputs  map[store.SessionKey]map[string]int
	queued  map[store.DeliveryKey]bool
	said    map[string]int64 // messages by step
	steps   map[string]*store.FunnelStep
	refused map[visit]bool
	totals  store.FunnelTotals
}

// visit is a session at a step. A session of the flow "lead" never comes back to one.
type visit struct {
	session uint64
	step    string
}

// page is how many events are read at a time.
const page = 2000

// readHistory folds every shard's events, and fails if the offsets of a shard are
// not 1 to its head, or the versions of a session not 1, 2, 3 ...
func readHistory(ctx context.Context, t *testing.T, db *store.Store) *history {
	t.Helper()
	h := &history{
		states: map[uint64]flow.State{}, keys: map[uint64]store.SessionKey{},
		inputs: map[store.SessionKey]map[string]int{}, queued: map[store.DeliveryKey]bool{}, said: map[string]int64{},
		steps: map[string]*store.FunnelStep{}, refused: map[visit]bool{},
	}
	for shard, head := range heads(ctx, t, db) {
		at := uint64(0)
		for {
			events, err := db.ReadEvents(ctx, shard, at, page)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range events {
				if at++; e.Offset != at {
					t.Fatalf("shard %d: event %d follows %d", shard, e.Offset, at-1)
				}
				h.add(t, e)
			}
			if len(events) < page {
				break
			}
		}
		if at != head {
			t.Errorf("shard %d: the last event is %d, the head says %d", shard, at, head)
		}
	}
	return h
}

func heads(ctx context.Context, t *testing.T, db *store.Store) map[int]uint64 {
	t.Helper()
	list := map[int]uint64{}
	for _, row := range query[struct {
		Shard int
		Head  int64
	}](ctx, t, db, `SELECT shard, head FROM leases WHERE service = $1`, store.ServiceSession) {
		list[row.Shard] = uint64(row.Head)
	}
	if len(list) == 0 {
		t.Fatal("there are no shards")
	}
	return list
}

func (h *history) add(t *testing.T, e *parleyv1.Event) {
	t.Helper()
	if e.SessionId == 0 {
		return // of no session
	}
	key := store.SessionKey{Channel: e.Channel, Contact: uuid.UUID(e.ContactId)}
	h.keys[e.SessionId] = key
	h.states[e.SessionId] = flow.Evolve(h.states[e.SessionId], e)
	if folded := h.states[e.SessionId].Version; e.Version != folded {
		t.Errorf("session %d: event %d has version %d", e.SessionId, folded, e.Version)
	}
	if input := e.GetInputReceived().GetInput(); input != nil {
		if h.inputs[key] == nil {
			h.inputs[key] = map[string]int{}
		}
		h.inputs[key][input.Id]++
	}
	if e.GetMessageQueued() != nil {
		h.queued[store.DeliveryKey{Shard: int(e.Shard), Offset: e.Offset}] = true
		h.said[e.GetMessageQueued().GetStep()]++
	}
	h.count(e)
}

// count is the funnel, written a second time.
func (h *history) count(e *parleyv1.Event) {
	switch body := e.Body.(type) {
	case *parleyv1.Event_SessionStarted:
		h.totals.Started++
	case *parleyv1.Event_SessionCompleted:
		h.totals.Completed++
	case *parleyv1.Event_StepEntered:
		step := h.step(body.StepEntered.Step)
		step.Position = int(body.StepEntered.Position)
		step.Entered++
	case *parleyv1.Event_AnswerAccepted:
		h.step(body.AnswerAccepted.Step).Answered++
	case *parleyv1.Event_AnswerRejected:
		at := visit{e.SessionId, body.AnswerRejected.Step}
		h.step(at.step).Rejections++
		if !h.refused[at] {
			h.refused[at] = true
			h.step(at.step).Failed++
		}
	case *parleyv1.Event_SessionCancelled:
		if at := body.SessionCancelled.Step; at != "" { // else it had completed
			h.totals.Cancelled++
			h.step(at).Left++
		}
	}
}

func (h *history) step(name string) *store.FunnelStep {
	if h.steps[name] == nil {
		h.steps[name] = &store.FunnelStep{Step: name}
	}
	return h.steps[name]
}

// checkInputs fails unless every message took effect once, and the inbox holds
// exactly these.
func (h *history) checkInputs(ctx context.Context, t *testing.T, db *store.Store) {
	t.Helper()
	var ids []uuid.UUID
	for key, inputs := range h.inputs {
		for id, times := range inputs {
			if times != 1 {
				t.Errorf("a message took effect %d times", times)
			}
			ids = append(ids, store.InboxID(key.Channel, id))
		}
	}
	known, err := db.LoadKnown(ctx, nil, ids)
	if err != nil {
		t.Fatal(err)
	}
	if rows := count(ctx, t, db, `SELECT count(*) FROM inbox`); len(known.Applied) != len(ids) || rows != len(ids) {
		t.Errorf("%d messages took effect, the inbox has %d of them, and %d in all", len(ids), len(known.Applied), rows)
	}
}

// checkSessions fails unless the row of every contact is the fold of its newest session.
func (h *history) checkSessions(ctx context.Context, t *testing.T, db *store.Store) {
	t.Helper()
	contacts := map[uuid.UUID]bool{}
	newest := map[store.SessionKey]uint64{}
	for id, key := range h.keys {
		contacts[key.Contact] = true
		newest[key] = max(newest[key], id)
	}
	var ids []uuid.UUID
	for id := range contacts {
		ids = append(ids, id)
	}
	known, err := db.LoadKnown(ctx, ids, nil)
	if err != nil {
		t.Fatal(err)
	}
	if rows := count(ctx, t, db, `SELECT count(*) FROM sessions`); rows != len(newest) || len(known.Sessions) != len(newest) {
		t.Errorf("%d contacts have sessions, %d have a row", len(newest), rows)
	}
	for key, id := range newest {
		if row := known.Sessions[key]; row.ID != id || !reflect.DeepEqual(row.State, h.states[id]) {
			t.Errorf("session row %d:\n %+v\nits events %d:\n %+v", row.ID, row.State, id, h.states[id])
		}
	}
}

// checkDeliveries fails unless each queued message is one delivery, accepted and read.
func (h *history) checkDeliveries(ctx context.Context, t *testing.T, db *store.Store) {
	t.Helper()
	rows := query[struct {
		Shard          int
		Offset         int64
		State, Receipt string
	}](ctx, t, db, `SELECT shard, "offset", state, receipt FROM deliveries`)
	for _, row := range rows {
		key := store.DeliveryKey{Shard: row.Shard, Offset: uint64(row.Offset)}
		if !h.queued[key] {
			t.Errorf("delivery %v has no event", key)
		}
		if row.State != store.DeliveryAccepted || row.Receipt != "read" {
			t.Errorf("delivery %v is %s, receipt %q", key, row.State, row.Receipt)
		}
	}
	if len(rows) != len(h.queued) {
		t.Errorf("%d messages were queued, there are %d deliveries", len(h.queued), len(rows))
	}
}

// checkFunnel compares the fold with what the API answers, and both with the rows
// of the sessions.
func (h *history) checkFunnel(ctx context.Context, t *testing.T, db *store.Store, got store.Funnel) {
	t.Helper()
	if sessions := int64(len(h.states)); h.totals.Started != sessions || got.Totals != h.totals {
		t.Errorf("%d sessions; the funnel says %+v, the events say %+v", sessions, got.Totals, h.totals)
	}
	if len(got.Steps) != len(h.steps) {
		t.Errorf("the funnel has %d steps, the events %d", len(got.Steps), len(h.steps))
	}
	for _, step := range got.Steps {
		want, said := *h.step(step.Step), h.said[step.Step]
		want.Messages = store.FunnelMessages{Sent: said, Delivered: said, Read: said} // checkDeliveries has seen that
		want.Waiting = int64(count(ctx, t, db, `SELECT count(*) FROM sessions WHERE status = 'active' AND current_state = $1`, step.Step))
		if said == 0 || step != want || step.Entered != step.Answered+step.Left+step.Waiting {
			t.Errorf("the funnel says %+v\nthe events say %+v", step, want)
		}
	}
}

func (h *history) String() string {
	return fmt.Sprintf("%d sessions, %d replies", len(h.states), len(h.queued))
}
