package meta

import (
	"fmt"
	"strings"
	"testing"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// TestNotices reads every field of WIRE.md 1.9 that says something about an account, in
// the shapes in which the sources have it.
func TestNotices(t *testing.T) {
	for _, c := range []struct{ field, value, want string }{
		{"phone_number_quality_update", `{"display_phone_number":"+1 555 000-1111","event":"THROUGHPUT_UPGRADE","current_limit":"TIER_100K"}`, "15550001111 tier TIER_100K, throughput 1000"},
		{"phone_number_quality_update", `{"display_phone_number":"15550001111","event":"ONBOARDING","max_daily_conversations_per_business":"TIER_UNLIMITED"}`, "15550001111 tier TIER_UNLIMITED"},
		{"phone_number_quality_update", `{"display_phone_number":"15550001111","event":"FLAGGED","current_limit":"TIER_1K"}`, "15550001111 tier TIER_1K, quality FLAGGED"},
		{"phone_number_name_update", `{"display_phone_number":"15550001111","decision":"APPROVED","requested_verified_name":"Shop"}`, "15550001111 name APPROVED"},
		{"business_capability_update", `{"max_daily_conversations_per_business":2000,"max_phone_numbers_per_waba":25}`, " tier 2000"},
		{"business_capability_update", `{"max_daily_conversation_per_phone":"TIER_2K"}`, " tier TIER_2K"},
		{
			"account_update", `{"event":"ACCOUNT_RESTRICTION","restriction_info":[{"restriction_type":"RESTRICTED_BIZ_INITIATED_MESSAGING","expiration":"1796000000"},{"restriction_type":"RESTRICTED_ADD_PHONE_NUMBER_ACTION"}]}`,
			" restriction [RESTRICTED_BIZ_INITIATED_MESSAGING] ON until 1796000000000, restriction [RESTRICTED_ADD_PHONE_NUMBER_ACTION] ON",
		},
		{"account_update", `{"event":"ACCOUNT_RESTRICTION","restriction_info":[{"restriction_type":"X","expiration":"2026-12-01"}]}`, " restriction [X] ON until 1796083200000"},
		{"account_update", `{"event":"DISABLED_UPDATE","ban_info":{"waba_ban_state":"SCHEDULE_FOR_DISABLE","waba_ban_date":"2026-12-01"}}`, " ban SCHEDULE_FOR_DISABLE"},
		{"account_update", `{"event":"ACCOUNT_DELETED"}`, " ban DELETED"},
		{"account_update", `{"event":"ACCOUNT_VIOLATION","violation_info":{"violation_type":"SCAM"}}`, " other [SCAM] ACCOUNT_VIOLATION"},
		{"account_update", `{"event":"PARTNER_ADDED","waba_info":{"waba_id":"1"}}`, " other PARTNER_ADDED"},
		{"account_review_update", `{"decision":"REJECTED"}`, " review REJECTED"},
		{"account_alerts", `{"entity_type":"WABA","alert_info":{"alert_severity":"CRITICAL","alert_status":"NONE","alert_type":"OBA_APPROVED"}}`, " alert [OBA_APPROVED] CRITICAL NONE"},
		{"security", `{"display_phone_number":"15550001111","event":"PIN_CHANGED","requester":"7"}`, "15550001111 security PIN_CHANGED"},
		{"message_template_status_update", `{"event":"PAUSED","message_template_id":594425479261596,"message_template_name":"offer","message_template_language":"pt-BR","reason":null}`, " template [template offer pt-BR] PAUSED"},
		{"message_template_quality_update", `{"previous_quality_score":"GREEN","new_quality_score":"RED","message_template_id":1,"message_template_name":"offer","message_template_language":"en"}`, " quality [template offer en] RED"},
		{"message_template_status_update", `{"previous_quality_score":"GREEN","new_quality_score":"YELLOW","message_template_id":1,"message_template_name":"offer","message_template_language":"en"}`, " quality [template offer en] YELLOW"},
		{"template_category_update", `{"message_template_name":"offer","message_template_language":"en","previous_category":"UTILITY","new_category":"MARKETING"}`, " category [template offer en] MARKETING"},
		{"flows", `{"event":"FLOW_STATUS_CHANGE","flow_id":"12","old_status":"PUBLISHED","new_status":"BLOCKED"}`, " form [form 12] BLOCKED"},
		{"flows", `{"event":"ENDPOINT_LATENCY","flow_id":"12","p90_latency":6000,"alert_state":"ACTIVATED"}`, " form health [form 12] ENDPOINT_LATENCY ACTIVATED"},
		{"template_category_update", `{"message_template_name":"offer","message_template_language":"en","correct_category":"MARKETING"}`, " other [template offer en] MARKETING"},
		{"account_update", `{"phone_number":"15550001111","event":"VERIFIED_ACCOUNT"}`, "15550001111 other VERIFIED_ACCOUNT"},
		{"account_update", `{"event":"ACCOUNT_RESTRICTION","restriction_info":{"restriction_type":"X","expiration":"2026-12-01"}}`, " restriction [X] ON until 1796083200000"},
		{"account_settings_update", `{"type":"PHONE_NUMBER_SETTINGS","phone_number_settings":{"phone_number_id":"1"}}`, " other [settings] PHONE_NUMBER_SETTINGS"},
		{"payment_configuration_update", `{"configuration_name":"main","provider_name":"p","status":"Active"}`, " other [payment main] Active"},
		{"automatic_events", `{"automatic_events":[{"id":"x","event_name":"LeadSubmitted"}]}`, " other [automatic_events] LeadSubmitted"},
		{"something_new", `{"event":"X"}`, " "},
		{"account_update", `{"event":{"a":7}}`, " "},
		{"account_update", `[]`, " "},
		{"messages", `{"messages":[],"code":7}`, " "},
	} {
		e := &parleyv1.Envelope{Channel: "waba", Field: c.field, ReceivedAtMs: 5, Raw: []byte(`{"field":"` + c.field + `","value":` + c.value + `}`)}
		n := DecodeNotice(e)
		var facts []string
		for _, f := range n.GetFacts() {
			fact := f.GetKind()
			if f.GetSubject() != "" {
				fact += " [" + f.GetSubject() + "]"
			}
			fact += " " + f.GetValue()
			if f.GetUntilMs() > 0 {
				fact += fmt.Sprint(" until ", f.GetUntilMs())
			}
			facts = append(facts, fact)
		}
		if got := n.GetNumber() + " " + strings.Join(facts, ", "); got != c.want || n.GetAccount() != "waba" || n.GetAtMs() != 5 {
			t.Errorf("%s %s\n got %q\nwant %q", c.field, c.value, got, c.want)
		}
	}
}

// An error of a number stands in no message, and says no time.
func TestErrorsAreNotices(t *testing.T) {
	for raw, want := range map[string]string{
		`{"code":130429,"title":"Rate limit hit","message":"x"}`: "alert [error 130429] Rate limit hit", `{"code":"131000"}`: "alert [error 131000] error",
		`{"title":"x"}`: "", `7`: "", `{"code":{}}`: "",
	} {
		got := ""
		for _, f := range DecodeNotice(&parleyv1.Envelope{Field: "messages", Raw: []byte(raw)}).GetFacts() {
			got += f.GetKind() + " [" + f.GetSubject() + "] " + f.GetValue()
		}
		if got != want {
			t.Errorf("%s: %q, want %q", raw, got, want)
		}
	}
}

// FuzzNotice: no bytes make it panic, and what it keeps has an end.
func FuzzNotice(f *testing.F) {
	f.Add("account_update", []byte(`{"value":{"event":"ACCOUNT_RESTRICTION","restriction_info":[{"restriction_type":"X","expiration":1e300}]}}`))
	f.Add("flows", []byte(`{"value":{"flow_id":{},"event":[]}}`))
	f.Fuzz(func(t *testing.T, field string, raw []byte) {
		for _, fact := range DecodeNotice(&parleyv1.Envelope{Field: field, Raw: raw}).GetFacts() {
			if fact.GetValue() == "" || len(fact.GetValue()) > 3*maxFieldBytes || len(fact.GetSubject()) > 3*maxFieldBytes {
				t.Errorf("%+v", fact)
			}
		}
	})
}
