package session

import (
	"github.com/parleyhq/parley/pkg/store"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// target is the message that a reply or an aside is about, by the provider's id; empty
// if there is none to look for. A tap carries its question, so it asks nothing, and
// people edit and revoke their own messages only.
func (u update) target() string {
	if m := u.input.GetMessage(); m != nil && m.GetTap() == "" && m.GetForm() == nil {
		return m.GetReplyTo()
	}
	switch a := u.input.GetAside(); a.GetKind() {
	case "reaction", "payment", "status":
		return a.GetMessageId()
	}
	return ""
}

// findSent looks up, all at once, which of our messages the updates are about. Most
// batches have none, and ask nothing.
func (b *batch) findSent(list updates) error {
	wanted := map[store.SentKey]bool{}
	for _, part := range list {
		for _, u := range part {
			for _, each := range append(b.waiting(u), u) {
				if id := each.target(); id != "" {
					wanted[store.SentKey{Channel: each.envelope.Channel, WAMID: id}] = true
				}
			}
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	keys := make([]store.SentKey, 0, len(wanted))
	for key := range wanted {
		keys = append(keys, key)
	}
	var err error
	b.sent, err = b.service.store.SentMessages(b.ctx, keys)
	return err
}

// join says which of our messages the update is about. What is not found stays unknown.
func (b *batch) join(u update) {
	sent, found := b.sent[store.SentKey{Channel: u.envelope.Channel, WAMID: u.target()}]
	if !found {
		return
	}
	ours := &parleyv1.OurMessage{
		Delivery: store.DeliveryID(sent.Key.Shard, sent.Key.Offset), Step: sent.Step, QueuedAtMs: sent.QueuedAt.UnixMilli(),
	}
	if m := u.input.GetMessage(); m != nil {
		m.RepliedTo = ours
		return
	}
	u.input.GetAside().Ours = ours
}
