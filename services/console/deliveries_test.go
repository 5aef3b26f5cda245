package console

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/parleyhq/parley/pkg/store"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

type deliveryPage struct {
	Deliveries []store.DeliveryRow
	Next       string
}

// delivers writes deliveries of one contact, a second apart, each in a state.
func (s *site) delivers(states ...string) {
	s.t.Helper()
	content, err := proto.Marshal(&parleyv1.MessageQueued{Content: &parleyv1.MessageQueued_Template{Template: &parleyv1.Template{Name: "offer"}}})
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := s.conn.Exec(s.t.Context(), `INSERT INTO contacts (id, portfolio, lane_key, shard, phone, created_at)
		VALUES ($1, 'n1', 'ann', 3, '15550100001', now()) ON CONFLICT DO NOTHING`, store.ContactID("n1", "ann")); err != nil {
		s.t.Fatal(err)
	}
	for i, state := range states {
		state, receipt, _ := strings.Cut(state, "/")
		if _, err := s.conn.Exec(s.t.Context(), `INSERT INTO deliveries (shard, "offset", channel, contact_id, session_id, content, state, receipt, ambiguous_cause, queued_at)
			VALUES (3, $1, 'n1', $2, 1, $3, $4, $5, 'timeout', $6)`, i+1, store.ContactID("n1", "ann"), content, state, receipt, start.Add(time.Duration(i)*time.Second)); err != nil {
			s.t.Fatal(err)
		}
	}
}

// TestDeliveriesOfMergedContact: what was sent to somebody is found by who they are now.
func TestDeliveriesOfMergedContact(t *testing.T) {
	s := newSite(t, "")
	s.delivers("failed", "accepted")
	now := store.ContactID("n1", "now")
	for _, sql := range []string{
		`INSERT INTO contacts (id, portfolio, lane_key, shard, phone, bsuid, created_at) VALUES ($1, 'n1', 'now', 1, '15550100001', 'US.7', now())`,
		`UPDATE contacts SET phone = '', merged_into = $1 WHERE lane_key = 'ann'`,
	} {
		if _, err := s.conn.Exec(t.Context(), sql, now); err != nil {
			t.Fatal(err)
		}
	}
	for _, who := range []string{"15550100001", "US.7", now.String(), store.ContactID("n1", "ann").String()} {
		var page deliveryPage
		s.ask(http.MethodGet, "/api/v1/deliveries?contact="+who, http.StatusOK, &page)
		if len(page.Deliveries) != 2 || page.Deliveries[0].Phone != "15550100001" || page.Deliveries[0].BSUID != "US.7" {
			t.Errorf("%s: %+v", who, page.Deliveries)
		}
	}
}

// The deliveries that somebody should look at are listed by state, channel, contact and
// time, page by page, the newest first.
func TestDeliveries(t *testing.T) {
	s := newSite(t, "")
	s.delivers("ambiguous", "accepted", "failed", "ambiguous", "accepted/failed", "ambiguous", "accepted/read")
	for query, want := range map[string]string{
		"state=ambiguous": "6 4 1", "state=failed": "5 3", "state=failed&channel=n2": "", "contact=15550100001": "7 6 5 4 3 2 1",
		"contact=%2B15550100001&state=failed": "5 3", "contact=" + store.ContactID("n1", "ann").String() + "&state=ambiguous": "6 4 1",
		"contact=15550100009": "", "state=ambiguous&to=2026-01-01": "", "state=ambiguous&from=2099-01-01": "",
	} {
		var got []string
		for after := ""; ; {
			var page deliveryPage
			s.ask(http.MethodGet, "/api/v1/deliveries?limit=2&"+query+after, http.StatusOK, &page)
			for _, d := range page.Deliveries {
				_, offset, _ := store.ParseDeliveryID(d.ID)
				got = append(got, fmt.Sprint(offset))
				if d.Kind != "template" || d.Phone != "15550100001" || d.Cause != "timeout" {
					t.Errorf("%+v", d)
				}
			}
			if page.Next == "" {
				break
			}
			after = "&after=" + page.Next
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %v, want %s", query, got, want)
		}
	}
	for _, query := range []string{"", "?state=lost", "?state=failed&from=x", "?state=failed&after=x"} {
		s.refused("/api/v1/deliveries"+query, http.StatusBadRequest)
	}
}

// An operator decides on what nobody knows, once, and on nothing else.
func TestDecideOnDeliveries(t *testing.T) {
	s := newSite(t, "")
	s.delivers("ambiguous", "accepted")
	var done map[string]string
	s.ask(http.MethodPost, "/api/v1/deliveries/p1.3.1/resend", http.StatusAccepted, &done)
	var page deliveryPage
	s.ask(http.MethodGet, "/api/v1/deliveries?state=ambiguous", http.StatusOK, &page)
	if len(page.Deliveries) != 1 || page.Deliveries[0].Ordered != "resend" {
		t.Fatalf("%+v", page)
	}
	s.ask(http.MethodPost, "/api/v1/deliveries/p1.3.1/drop", http.StatusAccepted, &done)
	s.ask(http.MethodGet, "/api/v1/deliveries?state=failed", http.StatusOK, &page)
	if len(page.Deliveries) != 1 || page.Deliveries[0].Class != "dropped" || page.Deliveries[0].SettledBy != "operator" || page.Deliveries[0].Ordered != "" {
		t.Fatalf("%+v", page)
	}
	var p problem
	for path, want := range map[string]int{
		"p1.3.1/drop": http.StatusNotFound, "p1.3.1/resend": http.StatusNotFound, "p1.3.2/drop": http.StatusNotFound,
		"p1.3.9/resend": http.StatusNotFound, "7/drop": http.StatusBadRequest,
	} {
		s.ask(http.MethodPost, "/api/v1/deliveries/"+path, want, &p)
	}
}
