// Package whatsapp reads what any of its providers has sent. An envelope names its
// provider, so what was stored is read the same way for ever.
package whatsapp

import (
	"github.com/parleyhq/parley/pkg/whatsapp/meta"
	"github.com/parleyhq/parley/pkg/whatsapp/wasender"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// DecodeMessage reads the message of a KIND_MESSAGE envelope; ok is false if no
// conversation can react to it.
func DecodeMessage(e *parleyv1.Envelope) (msg *parleyv1.IncomingMessage, ok bool, err error) {
	if e.GetProvider() == wasender.Provider {
		return wasender.DecodeMessage(e)
	}
	return meta.DecodeMessage(e)
}

// DecodeAside reads what a person did besides saying something; nil if the KIND_MESSAGE
// envelope is no such thing.
func DecodeAside(e *parleyv1.Envelope) *parleyv1.Aside {
	if e.GetProvider() == wasender.Provider {
		return wasender.DecodeAside(e)
	}
	return meta.DecodeAside(e)
}

// DecodeGroupMessage reads what was written or done in a group, out of a KIND_MESSAGE or
// KIND_ECHO envelope; nil if it was in none.
func DecodeGroupMessage(e *parleyv1.Envelope) *parleyv1.GroupMessage {
	if e.GetProvider() == wasender.Provider {
		return wasender.DecodeGroupMessage(e)
	}
	return meta.DecodeGroupMessage(e)
}

// DecodeVoiceCall reads a KIND_VOICE_CALL envelope.
func DecodeVoiceCall(e *parleyv1.Envelope) (*parleyv1.VoiceCall, error) {
	if e.GetProvider() == wasender.Provider {
		return wasender.DecodeVoiceCall(e)
	}
	return meta.DecodeVoiceCall(e)
}

// DecodeNotice reads a notice about an account, a number or a session. One that is not
// known has no facts.
func DecodeNotice(e *parleyv1.Envelope) *parleyv1.AccountNoticed {
	if e.GetProvider() == wasender.Provider {
		return wasender.DecodeNotice(e)
	}
	return meta.DecodeNotice(e)
}

// DecodeReceipt reads what became of a message that we sent.
func DecodeReceipt(e *parleyv1.Envelope) (meta.Receipt, error) {
	if e.GetProvider() == wasender.Provider {
		return wasender.DecodeReceipt(e)
	}
	return meta.DecodeReceipt(e)
}

// DecodeRenamed reads the ids that a person has from here on, if that is what the update
// says; nil if not.
func DecodeRenamed(e *parleyv1.Envelope) *parleyv1.Identity {
	if e.GetProvider() != meta.Provider {
		return nil
	}
	return meta.DecodeRenamed(e)
}
