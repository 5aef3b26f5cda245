package console

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/parleyhq/parley/pkg/bus"
	"github.com/parleyhq/parley/pkg/flow/booking"
	"github.com/parleyhq/parley/pkg/flow/leads"
	"github.com/parleyhq/parley/pkg/store"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// sends makes a request with a body, and returns the answer's.
func (s *site) sends(method, path, body string, want int) string {
	s.t.Helper()
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(body)))
	if w.Code != want {
		s.t.Fatalf("%s %s answered %d %s, want %d", method, path, w.Code, w.Body, want)
	}
	return w.Body.String()
}

// ordered is the last order in the lanes.
func (s *site) ordered() *parleyv1.ResourceOrder {
	s.t.Helper()
	stream, err := s.js.Stream(s.t.Context(), bus.StreamIn)
	if err != nil {
		s.t.Fatal(err)
	}
	info, err := stream.Info(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	m, err := stream.GetMsg(s.t.Context(), info.State.LastSeq)
	if err != nil {
		s.t.Fatal(err)
	}
	e, in := &parleyv1.Envelope{}, &parleyv1.Input{}
	if err := proto.Unmarshal(m.Data, e); err != nil {
		s.t.Fatal(err)
	}
	if err := protojson.Unmarshal(e.Raw, in); err != nil || e.Kind != parleyv1.Kind_KIND_OPERATOR || e.LaneKey != "16505551234" {
		s.t.Fatalf("%v %v", err, e)
	}
	return in.GetResourceOrder()
}

func TestSlotsAPI(t *testing.T) {
	s := newSite(t, "")
	day := time.Now().AddDate(0, 0, 3).Format(time.DateOnly)
	table := "service,calendar,start,minutes,capacity\ncut,Ana," + day + " 15:30,30,2\ncut,=Leo," + day + "T15:30:00Z,30,1\n"
	for range 2 {
		s.sends("POST", "/api/v1/slots?zone=Europe/Madrid", table, http.StatusOK)
	}
	var list struct{ Slots []store.SlotInfo }
	s.ask("GET", "/api/v1/slots?service=cut&calendar=Ana", http.StatusOK, &list)
	if len(list.Slots) != 1 || list.Slots[0].Day != day || list.Slots[0].Time != "15:30" || list.Slots[0].Capacity != 2 {
		t.Errorf("%+v", list.Slots)
	}
	if got := s.sends("GET", "/api/v1/slots?format=csv", "", http.StatusOK); strings.Count(got, "\n") != 3 || !strings.Contains(got, ",'=Leo,") {
		t.Errorf("%s", got)
	}
	s.ask("GET", "/api/v1/slots?from=2020-01-01", http.StatusOK, &list)
	if len(list.Slots) != 0 {
		t.Errorf("two weeks of 2020 have %v", list.Slots)
	}
	made := s.sends("POST", "/api/v1/slots/hours", "service: beard\nlength: 1h\nhorizon: 7\nhours: {monday-sunday: 09:00-11:00}\n", http.StatusOK)
	again := s.sends("POST", "/api/v1/slots/hours", "service: beard\nlength: 1h\nhorizon: 7\nhours: {monday-sunday: 09:00-11:00}\n", http.StatusOK)
	if !strings.Contains(made, `"service":"beard"`) || strings.Contains(made, `"changed":0`) || !strings.Contains(again, `"changed":0`) {
		t.Errorf("%s, then %s", made, again)
	}
	for body, want := range map[string]string{
		"service,calendar\n": "the first line must be service,calendar,start,minutes,capacity",
		"service,calendar,start,minutes,capacity\ncut,Ana,soon,30,1\n":                                            "line 2: start",
		"service,calendar,start,minutes,capacity\ncut,Ana,2026-12-04 15:30,0,1\n":                                 "line 2: minutes",
		"service,calendar,start,minutes,capacity\ncut,Ana,2026-12-04 15:30,30,many\n":                             "line 2: capacity",
		"service,calendar,start,minutes,capacity\nCut,A.B,2026-12-04 15:30,30,1\n":                                "line 2: service",
		"service,calendar,start,minutes,capacity\ncut,Ana,2026-12-04 15:30,30,1\ncut,Ana,2026-12-04 15:30,30,1\n": "line 3: this slot is here twice",
		"service,calendar,start,minutes,capacity\ncut,Ana,2026-12-04 15:30,30\n":                                  "no CSV",
	} {
		if got := s.sends("POST", "/api/v1/slots", body, http.StatusBadRequest); !strings.Contains(got, want) {
			t.Errorf("%s: %s", body, got)
		}
	}
	s.sends("POST", "/api/v1/slots?zone=Madrid", table, http.StatusBadRequest)
	s.sends("POST", "/api/v1/slots/hours", "service: beard\n", http.StatusUnprocessableEntity)
	s.sends("GET", "/api/v1/slots?from=soon", "", http.StatusBadRequest)
	s.sends("GET", "/api/v1/slots?format=xml", "", http.StatusBadRequest)
}

// seedResources gives Ada a booking and a lead.
func (s *site) seedResources() (bookingID, leadID string) {
	s.t.Helper()
	s.seed()
	s.sends("POST", "/api/v1/slots", "service,calendar,start,minutes,capacity\ncut,Ana,"+time.Now().AddDate(0, 0, 1).Format(time.DateOnly)+" 15:30,30,2\n", http.StatusOK)
	s.sends("PUT", "/api/v1/pools/sales", `{"react_seconds": 60}`, http.StatusOK)
	s.sends("PUT", "/api/v1/pools/sales/agents/ann", `{"name": "Ann", "skills": ["es"], "hours": {"monday": "09:00-17:00"}, "zone": "Europe/Madrid"}`, http.StatusOK)
	contact := store.ContactID("n1", "16505551234")
	bookingID, leadID = uuid.NewString(), uuid.NewString()
	var list struct{ Slots []store.SlotInfo }
	s.ask("GET", "/api/v1/slots", http.StatusOK, &list)
	_, err := s.conn.Exec(s.t.Context(), `INSERT INTO bookings (id, slot_id, contact_id, channel, places, state) VALUES ($1, $2, $3, 'n1', 1, $4)`,
		bookingID, list.Slots[0].ID, contact, string(booking.Booked))
	if err == nil {
		_, err = s.conn.Exec(s.t.Context(), `INSERT INTO leads (id, pool, contact_id, channel, state, agent, queued_at, assigned_at) VALUES ($1, 'sales', $2, 'n1', $3, 'ann', now(), now())`,
			leadID, contact, string(leads.Assigned))
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return bookingID, leadID
}

func TestBookingsAPI(t *testing.T) {
	s := newSite(t, "")
	id, _ := s.seedResources()
	var list struct{ Bookings []store.BookingInfo }
	s.ask("GET", "/api/v1/bookings", http.StatusOK, &list)
	if len(list.Bookings) != 1 || list.Bookings[0].Phone != "16505551234" || list.Bookings[0].Time != "15:30" {
		t.Errorf("%+v", list.Bookings)
	}
	s.sends("POST", "/api/v1/bookings/"+id+"/cancel", "", http.StatusAccepted)
	if o := s.ordered(); o.Verb != "cancel" || o.Booking != id {
		t.Errorf("%v", o)
	}
	s.sends("POST", "/api/v1/bookings/"+id+"/move", `{"slot": "cut.Ana.20261204T1430Z"}`, http.StatusAccepted)
	if o := s.ordered(); o.Verb != "reschedule" || o.Slot != "cut.Ana.20261204T1430Z" {
		t.Errorf("%v", o)
	}
	s.sends("POST", "/api/v1/bookings/"+id+"/move", `{}`, http.StatusBadRequest)
	s.sends("POST", "/api/v1/bookings/"+uuid.NewString()+"/cancel", "", http.StatusNotFound)
	s.sends("POST", "/api/v1/bookings/x/cancel", "", http.StatusNotFound)
	if _, err := s.conn.Exec(t.Context(), `UPDATE bookings SET state = 'cancelled'`); err != nil {
		t.Fatal(err)
	}
	s.sends("POST", "/api/v1/bookings/"+id+"/cancel", "", http.StatusConflict)
}

func TestLeadsAPI(t *testing.T) {
	s := newSite(t, "")
	_, id := s.seedResources()
	var list struct{ Pools []store.PoolInfo }
	s.sends("POST", "/api/v1/pools/sales/agents/ann/off", "", http.StatusOK)
	s.ask("GET", "/api/v1/pools", http.StatusOK, &list)
	if a := list.Pools[0].Agents[0]; a.On || a.Name != "Ann" || a.Weight != 1 || a.Hours["monday"] == "" || list.Pools[0].ReactSeconds != 60 {
		t.Errorf("%+v", list.Pools)
	}
	if got := s.sends("GET", "/api/v1/leads?pool=sales&state=assigned&agent=ann&format=csv", "", http.StatusOK); strings.Count(got, "\n") != 2 {
		t.Errorf("%s", got)
	}
	for path, body := range map[string]string{"take": `{"agent": "ann"}`, "close": "", "reassign": `{"reason": "refused"}`} {
		s.sends("POST", "/api/v1/leads/"+id+"/"+path, body, http.StatusAccepted)
		if o := s.ordered(); o.Lead != id || path == "reassign" && o.Reason != "refused" || path == "take" && o.Agent != "ann" {
			t.Errorf("%s: %v", path, o)
		}
	}
	s.sends("POST", "/api/v1/leads/"+id+"/reassign", `{"reason": "silent"}`, http.StatusBadRequest)
	s.sends("POST", "/api/v1/leads/"+uuid.NewString()+"/close", "", http.StatusNotFound)
	s.sends("PUT", "/api/v1/pools/Sales%20Team", `{}`, http.StatusBadRequest)
	s.sends("PUT", "/api/v1/pools/none/agents/ann", `{}`, http.StatusNotFound)
	for _, body := range []string{`{"weight": 0}`, `{"zone": "Madrid"}`, `{"hours": {"moonday": "9-5"}}`, `{"skills": ["a b"]}`, `{"capacity": -1}`} {
		s.sends("PUT", "/api/v1/pools/sales/agents/bob", body, http.StatusBadRequest)
	}
	s.sends("POST", "/api/v1/pools/sales/agents/bob/on", "", http.StatusNotFound)
	s.sends("DELETE", "/api/v1/pools/sales/agents/ann", "", http.StatusOK)
	s.sends("DELETE", "/api/v1/pools/sales/agents/ann", "", http.StatusNotFound)
	if _, err := s.conn.Exec(t.Context(), `UPDATE leads SET state = 'closed', agent = ''`); err != nil {
		t.Fatal(err)
	}
	s.sends("POST", "/api/v1/leads/"+id+"/close", "", http.StatusConflict)
}

// TestPublishNamesWhatIsMissing: a flow that books or assigns what is not there can be
// published, with a warning.
func TestPublishNamesWhatIsMissing(t *testing.T) {
	s := newSite(t, "")
	source := `
name: visit
language: en
steps:
  - {name: when, say: When?, expect: {type: choice, save: slot, options: {free: {service: '"visit"'}, empty: {say: None., goto: give}}}}
  - {name: book, book: {slot: slot, taken: {goto: when}}}
  - {name: give, assign: {pool: sales, none: {goto: cancelled}}}
completed: {say: Done., again: Done.}
`
	body, err := json.Marshal(map[string]any{"source": source, "by": "test", "dry_run": true})
	if err != nil {
		t.Fatal(err)
	}
	got := s.sends("POST", "/api/v1/flows", string(body), http.StatusOK)
	if !strings.Contains(got, "service visit has no slots") || !strings.Contains(got, "there is no pool sales") {
		t.Errorf("%s", got)
	}
	s.sends("PUT", "/api/v1/pools/sales", `{}`, http.StatusOK)
	s.sends("POST", "/api/v1/slots/hours", "service: visit\nlength: 1h\nhorizon: 7\nhours: {monday-sunday: 09:00-11:00}\n", http.StatusOK)
	if got := s.sends("POST", "/api/v1/flows", string(body), http.StatusOK); strings.Contains(got, "resource") {
		t.Errorf("%s", got)
	}
}
