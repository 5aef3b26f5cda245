package dispatcher

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/rs/zerolog"

	"github.com/parleyhq/parley/pkg/lane"
	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/pkg/webhook"
)

// WebhookStore is what the lane of webhooks needs of PostgreSQL.
type WebhookStore interface {
	AddWebhooks(ctx context.Context, fences []store.Fence, list []store.Webhook) (held []int, err error)
	lane.Parker
}

// Webhooks is the handler of the lane that queues what another system is told.
type Webhooks struct {
	store WebhookStore
	// added is called when there is something to tell.
	added func()
	log   zerolog.Logger
}

var _ lane.Handler = (*Webhooks)(nil)

// NewWebhooks returns the handler.
func NewWebhooks(s WebhookStore, added func(), log zerolog.Logger) *Webhooks {
	return &Webhooks{store: s, added: added, log: log}
}

// Take has nothing to prepare.
func (w *Webhooks) Take(context.Context, store.Lease) error { return nil }

// Drop has nothing to forget.
func (w *Webhooks) Drop(int) {}

// Apply queues what is told of the batch's events, under the fences of their shards.
func (w *Webhooks) Apply(ctx context.Context, parts []lane.Part) ([]int, error) {
	fences := make([]store.Fence, len(parts))
	var list []store.Webhook
	for i, part := range parts {
		fences[i] = part.Fence
		for _, m := range part.Messages {
			kind := webhook.Type(m.Event)
			if kind == "" {
				continue
			}
			contact, err := uuid.FromBytes(m.Event.GetContactId())
			if err != nil {
				return nil, fmt.Errorf("event %d/%d: contact: %w", m.Shard, m.Pos, err)
			}
			key := store.DeliveryKey{Shard: part.Fence.Shard, Offset: m.Event.GetOffset()}
			list = append(list, store.Webhook{Key: key, Contact: contact, Type: kind})
		}
	}
	held, err := w.store.AddWebhooks(ctx, fences, list)
	if err == nil && len(list) > 0 {
		w.added()
	}
	return held, err
}

// Park keeps an event that cannot be queued.
func (w *Webhooks) Park(ctx context.Context, part lane.Part, cause error) (bool, error) {
	return lane.Park(ctx, w.store, store.ServiceWebhooks, part, cause, w.log)
}
