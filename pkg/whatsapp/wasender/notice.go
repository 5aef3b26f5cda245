package wasender

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/parleyhq/parley/pkg/whatsapp/meta"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// DecodeNotice reads what a KIND_ACCOUNT envelope says about a session, a group or a poll.
// It has no facts if nothing is known of what it says.
func DecodeNotice(e *parleyv1.Envelope) *parleyv1.AccountNoticed {
	n := &parleyv1.AccountNoticed{Field: e.GetField(), Account: e.GetChannel(), AtMs: cmp.Or(e.GetProviderAtMs(), e.GetReceivedAtMs())}
	raw, fault := parse(e.GetRaw())
	switch f := raw.fields(); {
	case fault != "":
	case f.get("event").is(e.GetField()):
		n.Facts = eventFacts(e, f.get("data"))
	case raw.isObject():
		n.Facts = elementFacts(e.GetField(), f)
	}
	return n
}

// eventFacts reads an event that is about nobody.
func eventFacts(e *parleyv1.Envelope, data value) []*parleyv1.AccountFact {
	if status, ok := DecodeSession(e); ok {
		return fact(NoticeSession, "", string(status))
	}
	switch event := e.GetField(); event {
	case "poll.results":
		return fact(meta.NoticeOther, "poll", pollOf(data))
	case "groups.upsert", "groups.update", "group-participants.update":
		var facts []*parleyv1.AccountFact
		groups, _ := updatesOf(data, []string{"groups"})
		for _, g := range groups {
			what := strings.TrimSpace(event + " " + g.get("action").limited(maxKindBytes))
			facts = append(facts, fact(meta.NoticeGroup, what, g.get("id").limited(maxIDBytes))...)
		}
		return facts
	}
	return nil
}

// elementFacts reads an update of an event about messages that is about none of a person.
func elementFacts(event string, f fields) []*parleyv1.AccountFact {
	chat := f.get("key").get("remoteJid")
	switch k := keyOf(f.get("key")); {
	case event == "message.sent" && f.get("success").isFalse():
		return fact(meta.NoticeAlert, event, f.get("error").limited(maxFieldBytes))
	case event == "messages.update" || event == "call" || event == "call.received":
		return fact(meta.NoticeOther, event, "about nobody")
	case event == eventDelete || event == eventReaction:
		return fact(meta.NoticeOther, event, "with the phone")
	case k.chat.isGroup():
		return fact(meta.NoticeGroup, "message", chat.limited(maxIDBytes))
	}
	return nil
}

// pollOf is how the votes of a poll stand.
func pollOf(data value) string {
	var options []string
	for option := range data.get("pollResult").elements() {
		votes := 0
		for range option.get("voters").elements() {
			votes++
		}
		options = append(options, fmt.Sprintf("%s %d", option.get("name").limited(maxKindBytes), votes))
	}
	if len(options) == 0 {
		return ""
	}
	return data.get("key", "id").limited(maxIDBytes) + ": " + strings.Join(options, ", ")
}

func fact(kind, subject, value string) []*parleyv1.AccountFact {
	if value == "" {
		return nil
	}
	return []*parleyv1.AccountFact{{Kind: kind, Subject: subject, Value: value}}
}
