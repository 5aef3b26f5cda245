package session

import (
	"context"
	"testing"

	"github.com/parleyhq/parley/pkg/bus"
	"github.com/parleyhq/parley/pkg/store"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// A notice about an account becomes an event, once, of no session; one that says
// nothing known is kept as it came.
func TestNoticeBecomesAnEvent(t *testing.T) {
	d := newDesk(t)
	notice := func(id, field, value string) {
		d.put(&parleyv1.Envelope{
			Id: id, Kind: parleyv1.Kind_KIND_ACCOUNT, Provider: "meta", Channel: "waba", Portfolio: "waba", LaneKey: "waba", Field: field,
			Raw: []byte(`{"field":"` + field + `","value":` + value + `}`),
		})
	}
	notice("n1", "account_update", `{"event":"DISABLED_UPDATE","ban_info":{"waba_ban_state":"DISABLE"}}`)
	notice("n1", "account_update", `{"event":"DISABLED_UPDATE","ban_info":{"waba_ban_state":"DISABLE"}}`)
	d.put(&parleyv1.Envelope{
		Id: "s1", Kind: parleyv1.Kind_KIND_ACCOUNT, Provider: "wasender", Channel: "waba", Portfolio: "waba", LaneKey: "waba", Field: "session.status",
		Raw: []byte(`{"event":"session.status","data":{"status":"logged_out"}}`),
	})
	notice("n2", "weather", `{"event":"RAIN"}`)
	d.run(100)
	shard := bus.ShardOf("waba", "waba", shards)
	events, err := d.store.ReadEvents(context.Background(), shard, 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	var noticed []*parleyv1.AccountNoticed
	for _, e := range events {
		if n := e.GetAccountNoticed(); n != nil && e.SessionId == 0 {
			noticed = append(noticed, n)
		}
	}
	if len(noticed) != 2 || noticed[0].GetFacts()[0].GetValue() != "DISABLE" || len(noticed[0].GetRaw()) == 0 ||
		noticed[1].GetFacts()[0].GetValue() != "logged_out" {
		t.Errorf("%+v", noticed)
	}
	if letters := d.letters(store.DeadUnhandled); len(letters) != 1 {
		t.Errorf("%+v", letters)
	}
	d.consistent(t)
}
