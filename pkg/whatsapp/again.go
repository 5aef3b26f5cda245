package whatsapp

import (
	"slices"
	"time"

	"github.com/parleyhq/parley/pkg/whatsapp/meta"
	"github.com/parleyhq/parley/pkg/whatsapp/wasender"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// Again is what can be done today with an update that was kept because nothing was known
// of it: its parts that are recorded, or are notices. What decides anything, or says who
// somebody is, is left out: it was said long ago.
func Again(e *parleyv1.Envelope) []*parleyv1.Envelope {
	if e.GetKind() != parleyv1.Kind_KIND_ACCOUNT {
		return nil
	}
	parts := meta.Again(e)
	if e.GetProvider() == wasender.Provider {
		parts = wasender.Split(e.GetRaw(), e.GetChannel(), time.UnixMilli(e.GetReceivedAtMs()))
	}
	parts = slices.DeleteFunc(parts, func(part *parleyv1.Envelope) bool {
		switch part.GetKind() {
		case parleyv1.Kind_KIND_HISTORY, parleyv1.Kind_KIND_VOICE_CALL, parleyv1.Kind_KIND_ACTION:
			return false
		case parleyv1.Kind_KIND_ACCOUNT:
			return len(DecodeNotice(part).GetFacts()) == 0
		}
		return true
	})
	for _, part := range parts {
		part.Portfolio = e.GetPortfolio()
	}
	return parts
}
