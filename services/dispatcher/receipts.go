package dispatcher

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rs/zerolog"
	"google.golang.org/protobuf/proto"

	"github.com/parleyhq/parley/pkg/lane"
	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/pkg/whatsapp"
	"github.com/parleyhq/parley/pkg/whatsapp/meta"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// ReceiptStore is what the receipts lane needs of PostgreSQL.
type ReceiptStore interface {
	ApplyReceipts(ctx context.Context, fences []store.Fence, receipts []store.Receipt) (held []int, err error)
	FindDeliveries(ctx context.Context, wamids []string) (map[string]store.DeliveryKey, error)
	lane.Parker
}

// Receipts is the handler of the lane of WA_STATUS. Receipts may come in any
// order, twice, and before the answer to the send: only a higher rank is news.
type Receipts struct {
	store   ReceiptStore
	log     zerolog.Logger
	numbers numbers
}

var _ lane.Handler = (*Receipts)(nil)

// NewReceipts returns the handler.
func NewReceipts(s ReceiptStore, log zerolog.Logger) *Receipts { return &Receipts{store: s, log: log} }

// Take and Drop have nothing to do: a receipt needs no memory.
func (r *Receipts) Take(context.Context, store.Lease) error { return nil }

// Drop has nothing to forget.
func (r *Receipts) Drop(int) {}

// Apply records what the receipts say, one row per message.
func (r *Receipts) Apply(ctx context.Context, parts []lane.Part) ([]int, error) {
	var fences []store.Fence
	var list []store.Receipt
	for _, part := range parts {
		fences = append(fences, part.Fence)
		for _, m := range part.Messages {
			receipt, envelope, err := decodeReceipt(m)
			if err != nil {
				// Ingress lets only readable receipts in; the raw update stays in the stream.
				r.log.Error().Err(err).Int("shard", m.Shard).Uint64("position", m.Pos).Msg("receipt not readable")
				continue
			}
			list = append(list, receipt)
			r.numbers.hear(envelope)
		}
	}
	list, err := r.resolve(ctx, list)
	if err := errors.Join(err, r.numbers.keep(ctx)); err != nil {
		return nil, err
	}
	return r.store.ApplyReceipts(ctx, fences, newest(list))
}

// resolve finds, by the provider's id, the deliveries of receipts that do not
// echo ours.
func (r *Receipts) resolve(ctx context.Context, list []store.Receipt) ([]store.Receipt, error) {
	var wamids []string
	for _, receipt := range list {
		if receipt.Key.Offset == 0 {
			wamids = append(wamids, receipt.WAMID)
		}
	}
	if len(wamids) == 0 {
		return list, nil
	}
	found, err := r.store.FindDeliveries(ctx, wamids)
	if err != nil {
		return nil, err
	}
	for i, receipt := range list {
		if receipt.Key.Offset == 0 {
			list[i].Key = found[receipt.WAMID]
		}
	}
	return list, nil
}

// newest keeps, of several receipts of one message, the one of the highest
// rank, with the error code of any of them.
func newest(list []store.Receipt) []store.Receipt {
	type subject struct {
		lane   int
		key    store.DeliveryKey
		queued int64
		wamid  string
	}
	index := map[subject]int{}
	var kept []store.Receipt
	for _, receipt := range list {
		of := subject{key: receipt.Key, queued: receipt.QueuedAt.UnixMilli()}
		if receipt.Key.Offset == 0 {
			of = subject{lane: receipt.Lane, wamid: receipt.WAMID}
		}
		i, seen := index[of]
		if !seen {
			index[of] = len(kept)
			kept = append(kept, receipt)
			continue
		}
		code := cmp.Or(receipt.ErrorCode, kept[i].ErrorCode)
		if receipt.Rank > kept[i].Rank {
			kept[i] = receipt
		}
		kept[i].ErrorCode = code
	}
	return kept
}

// Park keeps a receipt that cannot be applied.
func (r *Receipts) Park(ctx context.Context, part lane.Part, cause error) (bool, error) {
	return lane.Park(ctx, r.store, store.ServiceReceipts, part, cause, r.log)
}

func decodeReceipt(m lane.Message) (store.Receipt, *parleyv1.Envelope, error) {
	envelope := &parleyv1.Envelope{}
	if err := proto.Unmarshal(m.Data, envelope); err != nil {
		return store.Receipt{}, nil, fmt.Errorf("not an envelope: %w", err)
	}
	receipt, err := whatsapp.DecodeReceipt(envelope)
	if err != nil {
		return store.Receipt{}, nil, err
	}
	rank := Rank(receipt)
	if rank == 0 {
		return store.Receipt{}, nil, errors.New("unknown status")
	}
	at := receipt.At
	if at.IsZero() {
		at = time.UnixMilli(envelope.ReceivedAtMs)
	}
	key, queuedAt, _ := store.ParseCallback(receipt.Callback)
	return store.Receipt{
		Lane: m.Shard, Key: key, QueuedAt: queuedAt, Channel: envelope.Channel,
		WAMID: receipt.WAMID, Name: receipt.Status, Rank: rank, At: at, ErrorCode: receipt.ErrorCode,
	}, envelope, nil
}

// Rank orders receipts: sent 1, failed 2, delivered 3, read 4, played 5, and 0
// for statuses that are not known. Failed beats sent; should a delivered
// contradict it, the message did arrive, and the error code stays on record
// (WIRE.md 1.8).
func Rank(r meta.Receipt) int {
	switch {
	case r.Failed:
		return store.RankFailed
	case r.Rank >= 2:
		return r.Rank + 1
	}
	return r.Rank
}
