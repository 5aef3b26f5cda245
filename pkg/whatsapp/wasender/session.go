package wasender

import (
	"cmp"
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

// words are WhatsApp Web's own for states that WASenderApi has others for.
var words = map[string]Status{"open": Connected, "close": Disconnected, "closed": Disconnected}

func sessionStatus(s string) Status {
	word := strings.ToLower(s)
	return cmp.Or(words[word], Status(word))
}

// NeedsPerson reports whether a session stays as it is until somebody takes a phone:
// a restart does not help.
func (s Status) NeedsPerson() bool {
	return s == NeedScan || s == NeedPasskey || s == LoggedOut || s == Expired
}

// DecodeSession reads what a KIND_ACCOUNT envelope says about its session; ok is
// false if it says nothing. A new code says that somebody must take a phone: the code
// itself is not kept, and CodeOf or Client.QRCode has the newest.
// Source: WASenderApi, "Webhook: Session status"; clients of its passkeys.
func DecodeSession(e *parleyv1.Envelope) (status Status, ok bool) {
	raw, fault := parse(e.GetRaw())
	if fault != "" {
		return "", false
	}
	data := raw.get("data")
	switch e.GetField() {
	case eventSession:
		for _, v := range []value{data.get("status"), data.get("session", "status"), data.get("connection"), data, raw.get("status")} {
			status = cmp.Or(status, sessionStatus(v.limited(maxIDBytes)))
		}
	case eventCode:
		status = NeedScan
	case eventPasskey:
		status = NeedPasskey
		if data.get("stage").is("fallback_qr") {
			status = NeedScan
		}
	}
	return status, status != ""
}

const (
	eventSession = "session.status"
	eventCode    = "qrcode.updated"
	eventPasskey = "passkey.updated"
)

// NoticeSession is the kind of what a session says about itself; value: its Status.
const NoticeSession = "session"

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
		if event.get("event").limited(maxEventBytes) == eventCode {
			data := event.get("data")
			code = cmp.Or(data.get("qr").limited(maxFieldBytes), data.get("qrCode").limited(maxFieldBytes), code)
		}
	}
	return Secret(code)
}
