package bus

import (
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// What Publish returns where a caller may want to tell one failure from another. All of
// them, and any other error, mean that the messages are not known to be durable.
var (
	// ErrFull says that the stream is at its limit and refuses new messages.
	ErrFull = errors.New("stream is full")
	// ErrTooLarge says that a message is larger than the server takes. Retrying does not help.
	ErrTooLarge = errors.New("message is too large")
	// ErrOverloaded says that too many messages wait already. Nothing was sent.
	ErrOverloaded = errors.New("too many messages are waiting")
	// ErrClosed says that the publisher was closed. Nothing was sent.
	ErrClosed = errors.New("publisher is closed")
)

// ErrRegressed says that a stream no longer holds what was read from it: it was wiped,
// restored from an older copy, or lost its unsynced end in a power cut. Its sequences
// are about to be used a second time, so going on would skip messages silently.
type ErrRegressed struct {
	Stream string
	// After is the sequence that the reader had applied.
	After uint64
	// Last is the newest sequence in the stream.
	Last uint64
}

func (e ErrRegressed) Error() string {
	return fmt.Sprintf("stream %s went back: it ends at %d and does not hold what was applied up to %d", e.Stream, e.Last, e.After)
}

// Error codes of the JetStream API (nats-server, server/errors.json).
const (
	// codeStoreFailed is how a stream with DiscardNew refuses a message beyond its limits.
	codeStoreFailed jetstream.ErrorCode = 10077
	// codeNoResources is how a server refuses one beyond its own storage limit.
	codeNoResources jetstream.ErrorCode = 10023
)

// refusal gives the server's refusals the names that callers know.
func refusal(err error) error {
	var api *jetstream.APIError
	if errors.As(err, &api) && (api.ErrorCode == codeStoreFailed || api.ErrorCode == codeNoResources) {
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	return err
}
