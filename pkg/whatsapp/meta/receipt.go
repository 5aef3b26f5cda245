package meta

import (
	"errors"
	"time"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

var errNoReceipt = errors.New("receipt without an id or a status")

// Receipt says what became of a message that we sent.
type Receipt struct {
	WAMID    string
	Status   string // as Meta writes it: sent, delivered, read, played, failed or another
	Callback string // the DeliveryID of the send; empty if Meta left it out
	// Rank orders the statuses: sent 1, delivered 2, read 3, played 4. Meta may skip
	// some and promises no order, so only a higher rank is news. 0 for failed, which
	// stands outside the order, and for statuses that Parley does not know.
	Rank int
	// Failed says that the message is lost. It can follow sent, and is final.
	Failed     bool
	At         time.Time // Meta's timestamp; zero if it has none
	ErrorCode  int       // of the first error; 0 if there is none
	ErrorTitle string
}

// DecodeReceipt reads a KIND_RECEIPT envelope.
func DecodeReceipt(e *parleyv1.Envelope) (Receipt, error) {
	raw, err := update(e)
	if err != nil {
		return Receipt{}, err
	}
	fault := raw.get("errors").first()
	r := Receipt{
		WAMID:      raw.get("id").text(),
		Status:     raw.get("status").text(),
		Callback:   raw.get("biz_opaque_callback_data").text(),
		ErrorCode:  fault.get("code").number(),
		ErrorTitle: fault.get("title").text(),
	}
	if !validID(r.WAMID) || !validID(r.Status) {
		return Receipt{}, errNoReceipt
	}
	r.Rank, r.Failed = rank(r.Status), r.Status == "failed"
	if ms := millis(raw.get("timestamp")); ms != 0 {
		r.At = time.UnixMilli(ms)
	}
	return r, nil
}

func rank(status string) int {
	switch status {
	case "sent":
		return 1
	case "delivered":
		return 2
	case "read":
		return 3
	case "played":
		return 4
	}
	return 0
}
