package wasender

import (
	"slices"
	"strings"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// Status is the state of a session. WASenderApi writes it in either case.
type Status string

// The states of a session. One that is not known stays as it is, in lower case.
// Source: WASenderApi, "Get session status", "Connect session".
const (
	Connecting   Status = "connecting"
	Connected    Status = "connected"
	Disconnected Status = "disconnected"
	NeedScan     Status = "need_scan"    // somebody must scan a QR code
	NeedPasskey  Status = "need_passkey" // somebody must enter a code
	LoggedOut    Status = "logged_out"   // the phone ended the link
	Expired      Status = "expired"
)

func sessionStatus(s string) Status { return Status(strings.ToLower(s)) }

// NeedsPerson reports whether a session stays as it is until somebody takes a phone:
// a restart does not help.
func (s Status) NeedsPerson() bool {
	return s == NeedScan || s == NeedPasskey || s == LoggedOut || s == Expired
}

// DecodeSession reads what a KIND_ACCOUNT envelope says about its session; ok is
// false if it says nothing. A new QR code says that one must be scanned: the code
// itself is not kept, and CodeOf or Client.QRCode has the newest.
func DecodeSession(e *parleyv1.Envelope) (status Status, ok bool) {
	raw, fault := parse(e.GetRaw())
	if fault != "" {
		return "", false
	}
	switch e.GetField() {
	case "session.status":
		status = sessionStatus(raw.get("data", "status").limited(maxIDBytes))
	case "qrcode.updated":
		status = NeedScan
	}
	return status, status != ""
}

// CodeOf is the newest code that links a phone in a POST as it came, which no
// envelope holds; empty if there is none. It must not be stored for longer than it
// is good for.
// Source: WASenderApi, "Webhook: QR code updated".
func CodeOf(body []byte) Secret {
	root, fault := parse(body)
	if fault != "" {
		return ""
	}
	events := []value{root}
	if root.isList() {
		events = slices.Collect(root.elements())
	}
	code := ""
	for _, event := range events {
		if event.get("event").limited(maxEventBytes) == "qrcode.updated" {
			if qr := event.get("data", "qr").limited(maxFieldBytes); qr != "" {
				code = qr
			}
		}
	}
	return Secret(code)
}
