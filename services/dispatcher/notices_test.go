package dispatcher

import (
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/parleyhq/parley/pkg/lane"
	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/pkg/whatsapp/meta"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// What each notice does to sending: what it stops, until it says otherwise or its time
// is over, and what it allows.
func TestNoticesChangeSending(t *testing.T) {
	now := start
	hour := now.Add(time.Hour)
	n := noticed{base: map[string]Facts{"n1": {Account: "waba", Rate: 80}}, accounts: map[string]bool{"waba": true}, numbers: map[string]string{"15550001111": "n1"}}
	for _, c := range []struct {
		fact store.AccountFact
		want string // class and subject of the stop
	}{
		{store.AccountFact{Kind: meta.NoticeTemplate, Subject: "template offer en", Value: "PAUSED"}, "park template: template offer en"},
		{store.AccountFact{Kind: meta.NoticeTemplate, Subject: "template offer en", Value: "APPROVED"}, ""},
		{store.AccountFact{Kind: meta.NoticeForm, Subject: "form 12", Value: "BLOCKED"}, "park form: form 12"},
		{store.AccountFact{Kind: meta.NoticeForm, Subject: "form 12", Value: "THROTTLED"}, ""},
		{store.AccountFact{Kind: meta.NoticeBan, Value: "DISABLE"}, "stop account: "},
		{store.AccountFact{Kind: meta.NoticeBan, Value: "SCHEDULE_FOR_DISABLE"}, ""},
		{store.AccountFact{Kind: meta.NoticeBan, Value: "REINSTATE"}, ""},
		{store.AccountFact{Kind: meta.NoticeRestriction, Subject: "RESTRICTED_BIZ_INITIATED_MESSAGING", Value: "ON", Until: &hour}, "stop templates: " + anyTemplate},
		{store.AccountFact{Kind: meta.NoticeRestriction, Subject: "RESTRICTED_CUSTOMER_INITIATED_MESSAGING", Value: "ON"}, "stop account: "},
		{store.AccountFact{Kind: meta.NoticeRestriction, Subject: "RESTRICTED_ADD_PHONE_NUMBER_ACTION", Value: "ON"}, ""},
		{store.AccountFact{Kind: meta.NoticeRestriction, Subject: "RESTRICTED_BIZ_INITIATED_MESSAGING", Value: "ON", Until: &now}, ""},
		{store.AccountFact{Kind: meta.NoticeQuality, Value: "FLAGGED"}, ""},
	} {
		c.fact.Account = "waba"
		stop, ok := n.stop(c.fact, now)
		got := ""
		if ok {
			got = stop.Class + ": " + stop.Subject
		}
		if got != c.want || ok && (stop.Name != "waba" || stop.Scope != scopeAccount || !stop.Until.After(now)) {
			t.Errorf("%+v: %q %+v, want %q", c.fact, got, stop, c.want)
		}
	}
	if stop, _ := n.stop(store.AccountFact{Account: "other", Kind: meta.NoticeBan, Value: "DISABLE"}, now); stop.Name != "" {
		t.Errorf("an account that is not configured is %q, the one that they share is empty", stop.Name)
	}
	facts := n.facts([]store.AccountFact{
		{Account: "waba", Number: "15550001111", Kind: meta.NoticeThroughput, Value: "1000"}, {Account: "waba", Number: "999", Kind: meta.NoticeThroughput, Value: "1000"},
	})
	if facts["n1"].Rate != 1000 || len(facts) != 1 || n.base["n1"].Rate != 80 {
		t.Errorf("%+v", facts)
	}
}

// A receipt tells which channel a number is, so that a notice of it is understood without
// a channels file.
func TestUpgradeIsLearned(t *testing.T) {
	db := newDatabase(t)
	s := New(db, Limits{ChannelRate: 80, PairEvery: time.Second, PairBurst: 45, InFlight: 10}, func(Job) {}, func() time.Time { return start }, zerolog.Nop())
	s.FollowNotices(db, map[string]Facts{}, map[string]string{})
	upgrade := store.AccountFact{Account: "waba", Number: "15550001111", Kind: meta.NoticeThroughput, Value: "1000", At: start}
	if err := db.PutAccountFacts(t.Context(), []store.AccountFact{upgrade}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []float64{0, 1000} {
		if _, err := s.followNotices(t.Context(), start); err != nil {
			t.Fatal(err)
		}
		if got := s.desk.facts["n1"].Rate; got != want {
			t.Errorf("%v a second, want %v", got, want)
		}
		newPost(t, db).receive(receipt{status: "delivered", wamid: "wamid.1"})
	}
}

// What the business writes with the phone's own app tells that Meta lets the number send
// 20 a second only, unless it is upgraded. Sessions of WASenderApi keep their own rate.
func TestCoexistenceIsSlower(t *testing.T) {
	db := newDatabase(t)
	s := New(db, Limits{ChannelRate: 80, PairEvery: time.Second, PairBurst: 45, InFlight: 10}, func(Job) {}, func() time.Time { return start }, zerolog.Nop())
	s.FollowNotices(db, map[string]Facts{"n1": {Account: "waba"}, "shop": {Rate: 4, OutOnly: true}}, map[string]string{"15550001111": "n1"})
	wrote := func(channel string) lane.Message {
		in := &parleyv1.Input{Body: &parleyv1.Input_Echo{Echo: &parleyv1.Echo{}}}
		return lane.Message{Event: &parleyv1.Event{Channel: channel, AtMs: 1000, Body: &parleyv1.Event_InputReceived{InputReceived: &parleyv1.InputReceived{Input: in}}}}
	}
	rates := func() (n1, shop float64) {
		t.Helper()
		if _, err := s.followNotices(t.Context(), start); err != nil {
			t.Fatal(err)
		}
		return s.desk.facts["n1"].Rate, s.desk.facts["shop"].Rate
	}
	for range 2 {
		if err := s.note(t.Context(), []lane.Part{{Messages: []lane.Message{wrote("n1"), wrote("shop")}}}); err != nil {
			t.Fatal(err)
		}
		if n1, shop := rates(); n1 != 20 || shop != 4 {
			t.Errorf("%v and %v a second, want 20 and 4", n1, shop)
		}
	}
	upgrade := store.AccountFact{Account: "waba", Number: "15550001111", Kind: meta.NoticeThroughput, Value: "1000", At: start}
	if err := db.PutAccountFacts(t.Context(), []store.AccountFact{upgrade}); err != nil {
		t.Fatal(err)
	}
	if n1, _ := rates(); n1 != 1000 {
		t.Errorf("after the upgrade %v a second", n1)
	}
}

// A notice is an event of one shard, and every replica follows it: a template that is
// paused is refused until it is approved again.
func TestNoticeReachesEveryReplica(t *testing.T) {
	db := newDatabase(t)
	replica := func() *Service {
		s := New(db, Limits{ChannelRate: 80, PairEvery: time.Second, PairBurst: 45, InFlight: 10}, func(Job) {}, func() time.Time { return start }, zerolog.Nop())
		s.FollowNotices(db, map[string]Facts{"n1": {Account: "waba"}}, nil)
		return s
	}
	told, other := replica(), replica()
	notice := func(value string, at int64) {
		t.Helper()
		part := lane.Part{Messages: []lane.Message{{Event: &parleyv1.Event{Body: &parleyv1.Event_AccountNoticed{AccountNoticed: &parleyv1.AccountNoticed{
			Account: "waba", AtMs: at, Facts: []*parleyv1.AccountFact{{Kind: meta.NoticeTemplate, Subject: "template offer en", Value: value}},
		}}}}}}
		if err := told.note(t.Context(), []lane.Part{part}); err != nil {
			t.Fatal(err)
		}
	}
	stopped := func() int {
		t.Helper()
		stops, err := other.followNotices(t.Context(), start)
		if err != nil {
			t.Fatal(err)
		}
		return len(stops)
	}
	notice("PAUSED", 2000)
	notice("APPROVED", 1000) // older, and late
	if stopped() != 1 {
		t.Error("the template is not stopped")
	}
	notice("APPROVED", 3000)
	if stopped() != 0 {
		t.Error("the template is stopped still")
	}
}
