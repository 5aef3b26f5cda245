package dispatcher

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/parleyhq/parley/pkg/bus"
	"github.com/parleyhq/parley/pkg/whatsapp"
	"github.com/parleyhq/parley/pkg/whatsapp/wasender"
)

const (
	// catchPage and catchPages bound what is read of a session's log of sends.
	catchPage, catchPages = 100, 10
	// catchMargin is how long before an outage a receipt may have been missed.
	catchMargin = 15 * time.Minute
	// catchTimeout bounds it all, catchPause leaves room between its questions,
	// catchAgain is the wait after one that failed, and catchAge ends the trying.
	catchTimeout, catchPause, catchAgain, catchAge = 5 * time.Minute, 100 * time.Millisecond, time.Minute, 24 * time.Hour
)

// catchUp asks what became of the messages that were sent around an outage, whose
// receipts nobody heard, and puts the answers where the receipts would have gone. A
// receipt that had come has no second effect: ranks only grow. What people wrote
// meanwhile, WASenderApi has no call for: it comes if WhatsApp delivers it to the
// gateway.
// Source: WASenderApi, "Get message logs" (WIRE.md 5.2). That its times are UTC is not
// said there.
func (w *watcher) catchUp(ctx context.Context, channel string, from time.Time) (receipts int, err error) {
	ctx, cancel := context.WithTimeout(ctx, catchTimeout)
	defer cancel()
	id, err := w.ids.of(ctx, channel)
	if err != nil {
		return 0, err
	}
	for page := 1; page <= catchPages; page++ {
		logs, more, err := w.client.MessageLogs(ctx, id, page, catchPage)
		if err != nil {
			return receipts, err
		}
		isOld := false
		var found []bus.Message
		for _, l := range logs { // newest first
			if isOld = l.At.Before(from.Add(-catchMargin)) && !l.At.IsZero(); isOld {
				break
			}
			message, ok, err := w.receiptOf(ctx, channel, l)
			if err != nil {
				return receipts, err
			}
			if ok {
				found = append(found, message)
			}
		}
		if len(found) > 0 {
			if err := w.status.Publish(ctx, found...); err != nil {
				return receipts, err
			}
		}
		receipts += len(found)
		if isOld || !more {
			break
		}
	}
	return receipts, nil
}

// receiptOf is a line of the log as the webhook that did not come; ok is false if it
// would have been none.
func (w *watcher) receiptOf(ctx context.Context, channel string, l wasender.MessageLog) (m bus.Message, ok bool, err error) {
	if l.MsgID == 0 {
		return m, false, nil
	}
	select {
	case <-time.After(catchPause):
	case <-ctx.Done():
		return m, false, ctx.Err()
	}
	info, err := w.client.MessageInfo(ctx, channel, l.MsgID)
	if err != nil || info.ID == "" {
		return m, false, err
	}
	status := info.Status
	if status == "" {
		status = l.Status
	}
	phone := strings.TrimPrefix(l.To, "+")
	body, err := json.Marshal(map[string]any{"event": "messages.update", "data": map[string]any{
		"update": map[string]any{"status": status}, "key": map[string]any{"id": info.ID, "fromMe": true, "remoteJid": phone + "@s.whatsapp.net"},
	}})
	if err != nil {
		return m, false, fmt.Errorf("make a receipt: %w", err)
	}
	for _, e := range wasender.Split(body, channel, w.now()) {
		receipt, err := whatsapp.DecodeReceipt(e)
		if err != nil || wasender.IsPending(e) || receipt.Rank == 0 && !receipt.Failed {
			continue
		}
		e.Portfolio = w.portfolio(channel)
		data, err := proto.Marshal(e)
		return bus.Message{Subject: bus.SubjectStatus(bus.ShardOf(e.Portfolio, e.LaneKey, w.shards), channel, e.LaneKey), Data: data}, err == nil, err
	}
	return m, false, nil
}
