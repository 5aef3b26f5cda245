package wasender

import (
	"errors"
	"strings"
	"time"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

var (
	errNoObject  = errors.New("raw update is not a JSON object")
	errNoReceipt = errors.New("receipt without an id or a status")
)

// statuses are what becomes of a message, in Meta's words. WhatsApp Web numbers
// them, and has names of its own.
// Source: WASenderApi, "Webhook: Message Status Update".
var statuses = map[string]string{
	"0": failed, "error": failed, "failed": failed,
	"1": pending, "pending": pending, "in_progress": pending,
	"2": sent, "sent": sent, "server_ack": sent,
	"3": delivered, "delivered": delivered, "delivery_ack": delivered,
	"4": read, "read": read,
	"5": played, "played": played,
}

const (
	failed    = "failed"
	pending   = "pending"
	sent      = "sent"
	delivered = "delivered"
	read      = "read"
	played    = "played"
)

// ranks order the statuses as those of Meta's receipts. Pending is no news: the
// message has not left the gateway.
var ranks = map[string]int{sent: 1, delivered: 2, read: 3, played: 4}

// statusOf reads a status as a number or a word. One that is not known stays as it is.
func statusOf(v value) string {
	word := strings.ToLower(v.limited(maxIDBytes))
	if status, ok := statuses[word]; ok {
		return status
	}
	return word
}

// receiptOf reads which message of ours an update is about, and what became of it.
func receiptOf(event string, r value) (k key, status string, at value) {
	f := r.fields()
	k, at = keyIn(f), f.get("messageTimestamp")
	switch event {
	case eventUpdate:
		update := f.get("update")
		status = statusOf(update.get("status"))
		fill(&status, statusOf(update))
		fill(&status, statusOf(f.get("status")))
	case "message-receipt.update":
		receipt := f.get("receipt")
		status, at = latest(receipt)
		fill(&status, statusOf(f.get("status")))
		if participant := identityOf([]jid{parseJID(receipt.get("userJid").text())}); k.chat.isGroup() && laneKey(participant) != "" {
			k.person = participant
		}
	case "message.sent":
		status = sent
		if f.get("success").isFalse() {
			status = failed
		}
	default: // a message of ours, which comes when WhatsApp has it, whoever typed it
		status = statusOf(f.get("status"))
		fill(&status, sent)
	}
	return k, status, at
}

// latest is the last thing that a receipt of a group has a time of.
func latest(receipt value) (status string, at value) {
	f := receipt.fields()
	for _, of := range []struct{ name, status string }{
		{"playedTimestamp", played}, {"readTimestamp", read}, {"receiptTimestamp", delivered},
	} {
		if at := f.get(of.name); millis(at) != 0 {
			return of.status, at
		}
	}
	return statusOf(f.get("status")), value{}
}

// IsPending reports whether an envelope only says that a message of ours has not yet
// left the gateway, which it says of every one.
func IsPending(e *parleyv1.Envelope) bool {
	r, err := DecodeReceipt(e)
	return e.GetKind() == parleyv1.Kind_KIND_RECEIPT && err == nil && r.Status == pending
}

// DecodeReceipt reads a KIND_RECEIPT envelope. The WAMID is WhatsApp's id of the
// message. There is no callback, and a status that is not known, or pending, has
// neither a rank nor failed.
func DecodeReceipt(e *parleyv1.Envelope) (Receipt, error) {
	raw, fault := parse(e.GetRaw())
	if fault != "" || !raw.isObject() {
		return Receipt{}, errNoObject
	}
	k, status, at := receiptOf(e.GetField(), raw)
	if !validID(k.id) || !validID(status) {
		return Receipt{}, errNoReceipt
	}
	r := Receipt{WAMID: k.id, Status: status, Rank: ranks[status], Failed: status == failed}
	if r.Failed { // WhatsApp's code, such as "479", is the first of a list
		r.ErrorCode = int(min(raw.get("update", "messageStubParameters").first().integer(), 1<<31-1))
	}
	ms := millis(at)
	if ms == 0 {
		ms = e.GetProviderAtMs()
	}
	if ms != 0 {
		r.At = time.UnixMilli(ms)
	}
	return r, nil
}
