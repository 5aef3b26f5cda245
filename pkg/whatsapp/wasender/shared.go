package wasender

import "github.com/parleyhq/parley/pkg/whatsapp/meta"

// What every provider has in common, under the names of this package, so that who
// sends through one can send through the other.
type (
	// Outgoing is one message to send. Its channel names the session. WASenderApi
	// has no place for the DeliveryID: it does not come back.
	Outgoing = meta.Outgoing
	// SendError says why a send failed and what to do about it. Its Code is the
	// HTTP status of an answer that WASenderApi wrote.
	SendError = meta.SendError
	// Class says what a sender does after a failed send.
	Class = meta.Class
	// Receipt says what became of a message that we sent. Its Callback is empty.
	Receipt = meta.Receipt
)

// The classes that this package uses.
const (
	Permanent   = meta.Permanent
	RetryNumber = meta.RetryNumber
	StopNumber  = meta.StopNumber
	Retry       = meta.Retry
	Ambiguous   = meta.Ambiguous
)
