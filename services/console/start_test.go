package console

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/parleyhq/parley/pkg/bus"
	"github.com/parleyhq/parley/pkg/flow"
	"github.com/parleyhq/parley/pkg/store"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
	"github.com/parleyhq/parley/services/internal/platform"
)

const startVisit = "/api/v1/flows/visit/start"

// started orders a start, and returns its id.
func (s *site) started(body request) string {
	s.t.Helper()
	var got map[string]string
	s.post(startVisit, body, http.StatusAccepted, &got)
	if got["id"] == "" {
		s.t.Error("the order has no id")
	}
	return got["id"]
}

// The order stands in the person's lane, and begins what was asked for.
func TestStart(t *testing.T) {
	s := newSite(t, "")
	source := visit(askCity)
	s.published(request{"source": source})
	id := s.started(request{"channel": "n1", "phone": "15551234567", "language": "en", "slots": request{"guests": 4, "source": "fair"}, "key": "k1"})
	byUser := s.started(request{"channel": "n1", "bsuid": "US.9", "phone": "15559999999"})
	orders := s.lanes()
	if len(orders) != 2 {
		t.Fatalf("%d orders", len(orders))
	}
	for i, want := range []struct {
		id, lane    string
		phone, user string
	}{{id, "15551234567", "15551234567", ""}, {byUser, "US.9", "15559999999", "US.9"}} {
		o := orders[i]
		if subject := bus.SubjectIn(bus.ShardOf("n1", want.lane, shards), "n1", want.lane); o.subject != subject || o.LaneKey != want.lane || o.Id != want.id {
			t.Errorf("order %d is on %s: %v", i, o.subject, o.Envelope)
		}
		if o.Kind != parleyv1.Kind_KIND_OPERATOR || o.Field != store.OperatorInput || o.Channel != "n1" || o.Portfolio != "n1" || o.Contact.GetPhone() != want.phone || o.Contact.GetBsuid() != want.user {
			t.Errorf("order %d: %v", i, o.Envelope)
		}
	}
	in := &parleyv1.Input{Id: id, AtMs: start.UnixMilli(), Body: orders[0].input.Body}
	f := version(t, source, 1)
	_, state := flow.Turn(flow.NewRouter("n1", "", flow.Release{Flow: f}), nil, flow.State{}, in)
	if state.Flow != "visit" || state.Step != "name" || state.Answers["source"] != "fair" || fmt.Sprint(state.Answers["guests"]) != "4" {
		t.Errorf("it begins %+v", state)
	}
	if strings.Contains(id, "1555") {
		t.Errorf("the id %s has the phone number", id)
	}
}

// A key makes a repeated request the same one, for each person.
func TestStartKey(t *testing.T) {
	s := newSite(t, "")
	s.published(request{"source": visit(askCity)})
	ann := request{"channel": "n1", "phone": "15551234567", "key": "spring"}
	bob := request{"channel": "n1", "phone": "15557654321", "key": "spring"}
	if first, again := s.started(ann), s.started(ann); first != again {
		t.Errorf("%s is not %s", first, again)
	}
	if s.started(ann) == s.started(bob) {
		t.Error("two people have one order: only one of them would be started")
	}
	delete(ann, "key")
	if first, second := s.started(ann), s.started(ann); first == second {
		t.Error("two requests without a key are one")
	}
}

// Whoever was met with a user id is heard in the lane of that: a start by phone
// must not begin a second conversation beside it.
func TestStartFindsTheLane(t *testing.T) {
	s := newSite(t, "")
	source := visit(askCity)
	s.published(request{"source": source})
	s.meet(person{who: &parleyv1.Identity{Bsuid: "US.7", Name: "Hid"}, in: version(t, source, 1), texts: []string{"hi"}}, person{who: phone(1), in: version(t, source, 1), texts: []string{"hi"}})
	if _, err := s.conn.Exec(t.Context(), `UPDATE contacts SET phone = '15557770000' WHERE bsuid = 'US.7'`); err != nil {
		t.Fatal(err)
	}
	for asked, lane := range map[string]string{"15557770000": "US.7", "15550000001": "15550000001", "15550000002": "15550000002"} {
		s.started(request{"channel": "n1", "phone": asked})
		orders := s.lanes()
		if got := orders[len(orders)-1].LaneKey; got != lane {
			t.Errorf("%s is started in the lane of %s, want %s", asked, got, lane)
		}
	}
	// On a number of another portfolio the user id is another's.
	s.started(request{"channel": "n2", "phone": "15557770000"})
	orders := s.lanes()
	if got := orders[len(orders)-1].LaneKey; got != "15557770000" {
		t.Errorf("lane %s", got)
	}
}

func TestStartRefuses(t *testing.T) {
	s := newSite(t, "")
	s.published(request{"source": visit(askCity)})
	closed := strings.Replace(strings.Replace(visit(askCity), "name: visit", "name: closed", 1), "{api: true}", "{keyword: [CLOSED]}", 1)
	s.published(request{"source": strings.Replace(closed, "  - {keyword: [VISIT]}\n", "", 1)})
	narrow := strings.Replace(strings.Replace(visit(askCity), "name: visit", "name: narrow", 1), "{api: true}", "{api: true, channels: [n7]}", 1)
	s.published(request{"source": strings.Replace(narrow, "[VISIT]", "[NARROW]", 1)})
	long := strings.Repeat("x", 129)
	for _, c := range []struct {
		flow   string
		body   request
		status int
		word   string
	}{
		{"visit", request{}, 400, "give channel"},
		{"visit", request{"channel": "n1"}, 400, "give phone or bsuid"},
		{"visit", request{"channel": "n1", "phone": "+15551234567"}, 400, `"+15551234567" is no phone number: give its digits only`},
		{"visit", request{"channel": "n1", "phone": "0015551234567"}, 400, "zeros before it"},
		{"visit", request{"channel": "n1", "phone": "1555"}, 400, "is no phone number"},
		{"visit", request{"channel": "n1", "phone": "1555 123 4567"}, 400, "is no phone number"},
		{"visit", request{"channel": long, "phone": "15551234567"}, 400, "channel has 129 characters"},
		{"visit", request{"channel": "n1", "bsuid": long}, 400, "bsuid has 129 characters"},
		{"visit", request{"channel": "n1", "bsuid": "US.\x00"}, 400, "bsuid has a control character"},
		{"visit", request{"channel": "n1", "phone": "15551234567", "key": long}, 400, "key has 129 characters"},
		{"visit", request{"channel": "n1", "phone": "15551234567", "language": long}, 400, "language has 129 characters"},
		{"visit", request{"channel": "n1", "phone": "15551234567", "slots": request{"gusts": 1}}, 400, `flow visit has no slot "gusts" to be set`},
		{"visit", request{"channel": "n1", "phone": "15551234567", "slots": request{"guests": "four"}}, 400, `slot "guests" is a number of flow visit`},
		{"visit", request{"channel": "n1", "phone": "15551234567", "slots": request{"city": "Ulm"}}, 400, "default in the flow"},
		{"visti", request{"channel": "n1", "phone": "15551234567"}, 404, `no flow "visti" is published; published are: closed, narrow, visit`},
		{"closed", request{"channel": "n1", "phone": "15551234567"}, 409, "give it the entry {api: true}"},
		{"narrow", request{"channel": "n1", "phone": "15551234567"}, 409, "on channel n1"},
	} {
		var p problem
		s.post("/api/v1/flows/"+c.flow+"/start", c.body, c.status, &p)
		if !strings.Contains(p.Error, c.word) {
			t.Errorf("%v: %q does not say %q", c.body, p.Error, c.word)
		}
	}
	if n := len(s.lanes()); n != 0 {
		t.Errorf("%d orders", n)
	}
	var got map[string]string
	s.post("/api/v1/flows/narrow/start", request{"channel": "n7", "phone": "15551234567"}, http.StatusAccepted, &got)
}

// The channels file says what a channel offers, and whose the people are.
func TestStartByChannels(t *testing.T) {
	s := newSite(t, "")
	s.published(request{"source": visit(askCity)})
	file := filepath.Join(t.TempDir(), "channels.yaml")
	if err := os.WriteFile(file, []byte("channels:\n  - {id: n1, flows: [other]}\n  - {id: n2, portfolio: shop}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var err error
	if s.api.channels, err = platform.LoadChannels(file, "lead"); err != nil {
		t.Fatal(err)
	}
	var p problem
	if s.post(startVisit, request{"channel": "n1", "phone": "15551234567"}, http.StatusConflict, &p); !strings.Contains(p.Error, "flow visit is not offered on channel n1") {
		t.Errorf("%q", p.Error)
	}
	for i := range 4 {
		who := phone(i).Phone
		s.started(request{"channel": "n2", "phone": who})
		if o := s.lanes()[i]; o.Portfolio != "shop" || o.subject != bus.SubjectIn(bus.ShardOf("shop", who, shards), "n2", who) {
			t.Errorf("%s %v", o.subject, o.Envelope)
		}
	}
}

// What is started is what is live now.
func TestStartSeesWhatIsLive(t *testing.T) {
	s := newSite(t, "")
	s.published(request{"source": visit(askCity)})
	body := request{"channel": "n1", "phone": "15551234567"}
	s.started(body)
	s.published(request{"source": strings.Replace(visit(askCity), "  - {api: true}\n", "", 1)})
	var p problem
	s.post(startVisit, body, http.StatusConflict, &p)
	s.published(request{"source": visit(askCity)})
	s.started(body)
}

func TestStartUnsent(t *testing.T) {
	s := newSite(t, "")
	s.published(request{"source": visit(askCity)})
	s.sealStream(1)
	var p problem
	s.post(startVisit, request{"channel": "n1", "phone": "15551234567"}, http.StatusServiceUnavailable, &p)
	if !strings.Contains(p.Error, "the message stream did not take the order; try again") || strings.Contains(s.log.String(), "15551234567") {
		t.Errorf("%q, log %s", p.Error, s.log.String())
	}
}

// Slots travel as they were given.
func TestStartSlots(t *testing.T) {
	s := newSite(t, "")
	s.published(request{"source": visit(askCity)})
	given := request{"guests": 2.5, "source": `"<é>"`}
	s.started(request{"channel": "n1", "phone": "15551234567", "slots": given})
	var got request
	if err := json.Unmarshal(s.lanes()[0].input.GetStart().GetSlots(), &got); err != nil || !reflect.DeepEqual(got, given) {
		t.Errorf("%v, %v", got, err)
	}
}
