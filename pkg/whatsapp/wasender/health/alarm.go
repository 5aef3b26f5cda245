package health

import (
	"time"

	"github.com/parleyhq/parley/pkg/whatsapp/wasender"
)

// Alarm names what a person should know or do; empty if nothing.
type Alarm string

// The alarms.
const (
	Quiet          Alarm = ""
	Scan           Alarm = "scan"
	Passkey        Alarm = "passkey"
	LoggedOut      Alarm = "logged_out"
	Expired        Alarm = "expired"
	Stopped        Alarm = "stopped"
	KeyRefused     Alarm = "key_refused"
	TokenRefused   Alarm = "token_refused"
	NoAnswer       Alarm = "no_answer"
	NoAccountToken Alarm = "no_account_token"
	GaveUp         Alarm = "gave_up"
	Down           Alarm = "down"
	Deaf           Alarm = "deaf"
)

// advice is what each alarm asks for.
var advice = map[Alarm]string{
	Scan:           "the phone must be linked: open the session in the console (or run parley wasender status) and scan the QR code with WhatsApp, Settings, Linked devices",
	Passkey:        "the phone must be linked with a passkey: enter it on the dashboard of WASenderApi, or order connect and scan a QR code",
	LoggedOut:      "the phone has ended the link: order connect in the console and scan the QR code with WhatsApp, Settings, Linked devices",
	Expired:        "the session has expired: look at the subscription on the dashboard of WASenderApi, then order connect",
	Stopped:        "an operator has disconnected the session: order connect when it is to work again",
	KeyRefused:     "WASenderApi does not take the session's API key: correct PARLEY_WASENDER_TOKEN",
	TokenRefused:   "WASenderApi does not take the account's token, or the account has no session with this API key: correct PARLEY_WASENDER_ACCOUNT_TOKEN",
	NoAnswer:       "WASenderApi does not answer: nobody knows whether the session works; it is asked again and again",
	NoAccountToken: "the session is down and cannot be restarted from here: set PARLEY_WASENDER_ACCOUNT_TOKEN, or connect it on the dashboard of WASenderApi",
	GaveUp:         "the session did not come back however often it was connected: look at the phone and the dashboard of WASenderApi, then order connect",
	Down:           "the session is down and is being connected again",
	Deaf:           "the session says that it is connected, but nothing is heard of what is sent: it is restarted once; look at its webhook address and events on the dashboard of WASenderApi",
}

// Advice says what to do about an alarm, for people.
func (a Alarm) Advice() string { return advice[a] }

// alarmed is the health with the alarm that it deserves. What a person must do comes
// before what Parley does by itself.
func (h Health) alarmed(now time.Time, p Policy) Health {
	if alarm := h.alarm(now, p); alarm != h.Alarm {
		h.Alarm, h.AlarmSince = alarm, now
		if alarm == Quiet {
			h.AlarmSince = time.Time{}
		}
	}
	return h
}

func (h Health) alarm(now time.Time, p Policy) Alarm {
	down := !h.Down.IsZero() && now.Sub(h.Down) >= p.DropWait
	switch {
	case h.KeyRefused:
		return KeyRefused
	case h.Off:
		return Stopped
	case h.Person != "":
		return personal(h.Person)
	case h.Misses >= p.MissesMost:
		return NoAnswer
	case down && h.TokenRefused:
		return TokenRefused
	case down && !p.CanAct:
		return NoAccountToken
	case down && h.Tries >= p.TriesMost:
		return GaveUp
	case !h.Down.IsZero() && now.Sub(h.Down) >= p.AlarmAfter:
		return Down
	case h.Down.IsZero() && h.deaf(p) && (h.DeafTried || now.Sub(h.UnheardSince) >= p.DeafAfter):
		return Deaf
	}
	return Quiet
}

func personal(state wasender.Status) Alarm {
	switch state {
	case wasender.NeedScan:
		return Scan
	case wasender.NeedPasskey:
		return Passkey
	case wasender.LoggedOut:
		return LoggedOut
	}
	return Expired
}
