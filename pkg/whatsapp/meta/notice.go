package meta

import (
	"cmp"
	"strconv"
	"strings"
	"time"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// Kinds of what an account notice says. The subject names a template ("template NAME
// LANGUAGE") or a form ("form ID"); it is empty for what concerns a number or the account.
const (
	NoticeThroughput  = "throughput"  // value: messages a second
	NoticeQuality     = "quality"     // of a number, a template: the score, or FLAGGED
	NoticeTier        = "tier"        // value: the limit of people a day
	NoticeName        = "name"        // value: the decision on the displayed name
	NoticeRestriction = "restriction" // subject: the type; in force until then
	NoticeBan         = "ban"         // value: DISABLE, SCHEDULE_FOR_DISABLE, REINSTATE, DELETED
	NoticeTemplate    = "template"    // value: APPROVED, PAUSED, DISABLED, REJECTED ...
	NoticeCategory    = "category"    // of a template
	NoticeForm        = "form"        // value: PUBLISHED, THROTTLED, BLOCKED, DEPRECATED
	NoticeFormHealth  = "form health" // value: the alert and its state
	NoticeReview      = "review"      // of the account
	NoticeAlert       = "alert"       // value: severity and type; of an error its title
	NoticeSecurity    = "security"    // value: PIN_CHANGED ...
	NoticeHistory     = "history"     // value: how far the messages of the past have come
	NoticeGroup       = "group"       // subject: what became of a group; value: its id
	NoticeAction      = "action"      // subject: what somebody did with a message of ours; value: particulars
	NoticeOther       = "other"       // value: Meta's word for it
)

// DecodeNotice reads a notice about an account, a number or a template. Fields that
// are not known give a notice without facts: what came is kept all the same. Source:
// Meta, "Webhooks" (WIRE.md 1.9).
func DecodeNotice(e *parleyv1.Envelope) *parleyv1.AccountNoticed {
	n := &parleyv1.AccountNoticed{Field: e.GetField(), Account: e.GetChannel(), AtMs: e.GetProviderAtMs()}
	if n.AtMs == 0 {
		n.AtMs = e.GetReceivedAtMs()
	}
	whole, fault := parse(e.GetRaw())
	if fault != "" {
		return n
	}
	content := whole.get("value")
	n.Number = digitsOf(cmp.Or(
		content.get("display_phone_number").text(), content.get("phone_number").text(), content.get("metadata", "display_phone_number").text(),
	))
	n.Event = limited(content.get("event"), maxFieldBytes)
	if n.Facts = factsOf(n, content); listed[n.Field] {
		n.Facts = elementFacts(whole)
	}
	return n
}

// elementFacts reads an element of a list that names nobody.
func elementFacts(element value) []*parleyv1.AccountFact {
	switch {
	case element.get("code") != value{}:
		return errorFacts(element)
	case element.get("progress") != value{}:
		return historyFacts(element)
	case groupOf(element) != "":
		return fact(NoticeGroup, "message of ours", groupOf(element))
	}
	return actionFacts(element)
}

// factsOf goes by the field, and by the content where Meta's own examples disagree
// with the field.
func factsOf(n *parleyv1.AccountNoticed, content value) []*parleyv1.AccountFact {
	template := templateOf(content)
	switch {
	case template != "" && content.get("new_quality_score").text() != "":
		return fact(NoticeQuality, template, limited(content.get("new_quality_score"), maxFieldBytes))
	case template != "" && content.get("new_category").text() != "":
		return fact(NoticeCategory, template, limited(content.get("new_category"), maxFieldBytes))
	}
	switch n.Field {
	case "message_template_status_update":
		return fact(NoticeTemplate, template, n.Event)
	case "phone_number_quality_update":
		return numberFacts(n, content)
	case "phone_number_name_update":
		return fact(NoticeName, "", limited(content.get("decision"), maxFieldBytes))
	case "business_username_updates", "business_username_update": // sources disagree
		return fact(NoticeName, "username", limited(content.get("status"), maxFieldBytes))
	case "message_template_components_update":
		return fact(NoticeOther, template, n.Field)
	case "template_category_update", "template_correct_category_detection": // what will be, or should
		return fact(NoticeOther, template, limited(content.get("correct_category"), maxFieldBytes))
	case "partner_solutions":
		return fact(NoticeOther, "", n.Event)
	case "account_settings_update":
		return fact(NoticeOther, "settings", limited(content.get("type"), maxFieldBytes))
	case "payment_configuration_update":
		return fact(NoticeOther, "payment "+limited(content.get("configuration_name"), maxFieldBytes), limited(content.get("status"), maxFieldBytes))
	case "automatic_events":
		return automaticFacts(content)
	case "group_lifecycle_update", "group_participants_update", "group_settings_update", "group_status_update":
		return groupFacts(content)
	case "account_update":
		return accountFacts(n, content)
	case "account_review_update":
		return fact(NoticeReview, "", limited(content.get("decision"), maxFieldBytes))
	case "account_alerts":
		alert := content.get("alert_info")
		if !alert.isObject() { // older examples have its members one level up
			alert = content
		}
		return fact(NoticeAlert, limited(alert.get("alert_type"), maxFieldBytes), joinedText(alert.get("alert_severity"), alert.get("alert_status")))
	case "business_capability_update":
		return fact(NoticeTier, "", tierOf(content))
	case "security":
		return fact(NoticeSecurity, "", n.Event)
	case "flows":
		return formFacts(n, content)
	}
	return nil
}

// automaticFacts are what Meta believes to see in conversations that began with an
// advertisement: a lead, a purchase.
func automaticFacts(content value) (facts []*parleyv1.AccountFact) {
	for seen := range content.get("automatic_events").elements() {
		facts = append(facts, fact(NoticeOther, "automatic_events", limited(seen.get("event_name"), maxFieldBytes))...)
	}
	return facts
}

func fact(kind, subject, value string) []*parleyv1.AccountFact {
	if value == "" {
		return nil
	}
	return []*parleyv1.AccountFact{{Kind: kind, Subject: subject, Value: value}}
}

// errorFacts reads one of a change's own errors, which are about the number: of a
// message they stand within it (WIRE.md 1.6).
func errorFacts(fault value) []*parleyv1.AccountFact {
	code := fault.get("code").number()
	if code == 0 {
		return nil
	}
	return fact(NoticeAlert, "error "+strconv.Itoa(code), cmp.Or(limited(fault.get("title"), maxFieldBytes), "error"))
}

// templateOf is the subject of a template's notice; empty if it has none.
func templateOf(content value) string {
	name, language := limited(content.get("message_template_name"), maxFieldBytes), limited(content.get("message_template_language"), maxFieldBytes)
	if name == "" || language == "" {
		return ""
	}
	return "template " + name + " " + language
}

// throughputUpgraded is what a number sends after its upgrade, messages a second
// (WIRE.md 3.3).
const throughputUpgraded = 1000

func numberFacts(n *parleyv1.AccountNoticed, content value) []*parleyv1.AccountFact {
	facts := fact(NoticeTier, "", tierOf(content))
	switch n.Event {
	case "THROUGHPUT_UPGRADE":
		return append(facts, fact(NoticeThroughput, "", strconv.Itoa(throughputUpgraded))...)
	case "FLAGGED", "UNFLAGGED":
		return append(facts, fact(NoticeQuality, "", n.Event)...)
	case "", "ONBOARDING", "UPGRADE", "DOWNGRADE":
		return facts
	}
	return append(facts, fact(NoticeOther, "", n.Event)...)
}

// tierOf is the limit of people a day: a text in one place, a number in another.
func tierOf(content value) string {
	for _, name := range []string{"max_daily_conversations_per_business", "max_daily_conversation_per_phone", "current_limit"} {
		if v := content.get(name); v != (value{}) && !v.isNull() {
			if text := limited(v, maxFieldBytes); text != "" {
				return text
			}
			return string(v.raw())
		}
	}
	return ""
}

func accountFacts(n *parleyv1.AccountNoticed, content value) []*parleyv1.AccountFact {
	switch n.Event {
	case "ACCOUNT_RESTRICTION":
		var facts []*parleyv1.AccountFact
		for info := range content.get("restriction_info").items() {
			if kind := limited(info.get("restriction_type"), maxFieldBytes); kind != "" {
				facts = append(facts, &parleyv1.AccountFact{Kind: NoticeRestriction, Subject: kind, Value: "ON", UntilMs: untilOf(info.get("expiration"))})
			}
		}
		return facts
	case "DISABLED_UPDATE":
		state := content.get("ban_info", "waba_ban_state")
		if state.isList() {
			state = state.first()
		}
		return fact(NoticeBan, "", limited(state, maxFieldBytes))
	case "ACCOUNT_DELETED":
		return fact(NoticeBan, "", "DELETED")
	case "ACCOUNT_VIOLATION":
		return fact(NoticeOther, limited(content.get("violation_info", "violation_type"), maxFieldBytes), n.Event)
	}
	return fact(NoticeOther, "", n.Event)
}

// untilOf reads the end of a restriction: Unix seconds, or a date as some payloads
// have it.
func untilOf(v value) int64 {
	if at := millis(v); at > 0 {
		return at
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05-0700", time.DateOnly} {
		if at, err := time.Parse(layout, v.text()); err == nil {
			return at.UnixMilli()
		}
	}
	return 0
}

func formFacts(n *parleyv1.AccountNoticed, content value) []*parleyv1.AccountFact {
	id := idOf(content.get("flow_id"))
	if id == "" {
		return fact(NoticeOther, "", n.Event)
	}
	if n.Event == "FLOW_STATUS_CHANGE" {
		return fact(NoticeForm, "form "+id, limited(content.get("new_status"), maxFieldBytes))
	}
	return fact(NoticeFormHealth, "form "+id, strings.TrimSpace(n.Event+" "+limited(content.get("alert_state"), maxFieldBytes)))
}

func joinedText(a, b value) string {
	return strings.TrimSpace(limited(a, maxFieldBytes) + " " + limited(b, maxFieldBytes))
}

// digitsOf is a number without what is written around it.
func digitsOf(number string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, number)
}
