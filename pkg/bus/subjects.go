package bus

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"regexp"
)

// The streams.
const (
	// StreamIn holds the updates that sessions consume: messages and operator actions.
	StreamIn = "WA_IN"
	// StreamStatus holds the receipts that the dispatcher consumes.
	StreamStatus = "WA_STATUS"
	// StreamEvents relays the events that PostgreSQL holds.
	StreamEvents = "WA_EVENTS"
)

// Each stream takes every subject under its root.
const (
	rootIn     = "wa.in"
	rootStatus = "wa.status"
	rootEvents = "wa.events"
)

// contactTokenBytes is how much of a lane key's digest goes into a subject: enough
// that two contacts never share a token, short enough to stay cheap in the index.
const contactTokenBytes = 16

var plainToken = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// ShardOf returns the shard, 0 to shards-1, of a contact's lane: FNV-1a over the
// portfolio and the lane key. shards must be positive; it is the number that Declare
// returned, for another number would move contacts between lanes and lose their order.
func ShardOf(portfolio, laneKey string, shards int) int {
	h := fnv.New32a()
	h.Write([]byte(portfolio + "\x00" + laneKey))
	return int(h.Sum32() % uint32(shards))
}

// SubjectIn returns the subject of a contact's updates in StreamIn.
func SubjectIn(shard int, channel, laneKey string) string {
	return contactSubject(rootIn, shard, channel, laneKey)
}

// SubjectStatus returns the subject of a contact's receipts in StreamStatus.
func SubjectStatus(shard int, channel, laneKey string) string {
	return contactSubject(rootStatus, shard, channel, laneKey)
}

// SubjectEvents returns the subject of a shard's events in StreamEvents. It is its
// own filter.
func SubjectEvents(shard int) string {
	return fmt.Sprintf("%s.%02d", rootEvents, shard)
}

// FilterAnswers selects what forms that wait are shown, whoever asked.
const FilterAnswers = "wa.answer.*"

// SubjectAnswer returns the subject of the answer to a form exchange. No stream keeps
// it: who missed it asks again, and the session has it on record.
func SubjectAnswer(exchange string) string { return "wa.answer." + digest(exchange) }

// FilterIn returns the filter that selects one shard of StreamIn.
func FilterIn(shard int) string {
	return fmt.Sprintf("%s.%02d.>", rootIn, shard)
}

// FilterStatus returns the filter that selects one shard of StreamStatus.
func FilterStatus(shard int) string {
	return fmt.Sprintf("%s.%02d.>", rootStatus, shard)
}

func contactSubject(root string, shard int, channel, laneKey string) string {
	return fmt.Sprintf("%s.%02d.%s.%s", root, shard, channelToken(channel), digest(laneKey))
}

// channelToken keeps a channel that is a legal subject token and hashes any other.
func channelToken(channel string) string {
	if plainToken.MatchString(channel) {
		return channel
	}
	return digest(channel)
}

// digest hides what it is given: subjects reach logs, metrics and file names, and a
// lane key is a phone number.
func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:contactTokenBytes])
}
