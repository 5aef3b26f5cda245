package session

import "time"

// window is how long after a message of a person Meta takes free text for them on that
// number (WIRE.md 3.4, 131047). WASenderApi has no such limit. The 72 hours after an
// advertisement are about the price; they are not counted on.
const window = 24 * time.Hour

// window is until when free text may be sent, in Unix milliseconds, by the provider's
// clock; 0 if that is not known. It can only end later than the session knows. Of a
// reaction Meta does not say that it opens the window: only what is said counts.
func (b *batch) window(u update) int64 {
	known := b.known.Sessions[u.session()].State.Progress.WindowUntilMs
	if u.input.GetMessage() == nil || u.envelope.Provider != "meta" {
		return known
	}
	said := u.envelope.ProviderAtMs
	if said == 0 || said > b.nowMs { // a clock that is ahead must not open it for longer
		said = b.nowMs
	}
	return max(known, said+window.Milliseconds())
}
