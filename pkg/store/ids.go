package store

import (
	"crypto/sha256"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// ContactID derives a contact's id from where its identity is unique, so that a
// new contact needs no look-up and two replicas agree on it.
func ContactID(portfolio, laneKey string) uuid.UUID { return digest("contact", portfolio, laneKey) }

// NextContactID derives the id of somebody who is heard in the lane of another contact,
// who had the same number before: from the update that first showed them.
func NextContactID(portfolio, laneKey, channel, updateID string) uuid.UUID {
	return digest("contact", portfolio, laneKey, channel, updateID)
}

// InboxID is the key under which a provider's message id is remembered.
func InboxID(channel, messageID string) uuid.UUID { return digest("inbox", channel, messageID) }

// digest is the first 128 bits of SHA-256 over the parts: with 10^12 ids the
// chance that any two collide is below 10^-14.
func digest(parts ...string) uuid.UUID {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return uuid.UUID(sum[:16])
}

// sessionShardBits is how many bits of a session id the offset takes.
const sessionShardBits = 40

// SessionID is the shard and the offset of the session's first event in one number.
func SessionID(shard int, offset uint64) uint64 {
	return uint64(shard)<<sessionShardBits | offset
}

// DeliveryID is the name of an outgoing message.
func DeliveryID(shard int, offset uint64) string {
	return fmt.Sprintf("p1.%d.%d", shard, offset)
}

// ParseDeliveryID reads what DeliveryID wrote. ok is false for anything else.
func ParseDeliveryID(id string) (shard int, offset uint64, ok bool) {
	parts := strings.Split(id, ".")
	if len(parts) != 3 || parts[0] != "p1" {
		return 0, 0, false
	}
	shard64, err := strconv.ParseUint(parts[1], 10, 15)
	if err != nil {
		return 0, 0, false
	}
	offset, err = strconv.ParseUint(parts[2], 10, 63)
	if err != nil || offset == 0 || DeliveryID(int(shard64), offset) != id {
		return 0, 0, false
	}
	return int(shard64), offset, true
}

// Callback is the name of an outgoing message to the provider: it travels as
// biz_opaque_callback_data, comes back in every receipt, and tells ingress the shard
// without a database. The time, to the millisecond, tells the message from one of
// another installation on the same number, or of this one before it began anew.
func Callback(key DeliveryKey, queuedAt time.Time) string {
	return DeliveryID(key.Shard, key.Offset) + "." + strconv.FormatInt(queuedAt.UnixMilli(), 36)
}

// ParseCallback reads what Callback wrote, or a DeliveryID, as it was before: then
// queuedAt is zero. ok is false for anything else.
func ParseCallback(text string) (key DeliveryKey, queuedAt time.Time, ok bool) {
	id := text
	if strings.Count(text, ".") == 3 {
		at := strings.LastIndexByte(text, '.')
		ms, err := strconv.ParseInt(text[at+1:], 36, 64)
		if err != nil || ms <= 0 || strconv.FormatInt(ms, 36) != text[at+1:] {
			return key, queuedAt, false
		}
		id, queuedAt = text[:at], time.UnixMilli(ms)
	}
	key.Shard, key.Offset, ok = ParseDeliveryID(id)
	return key, queuedAt, ok
}
