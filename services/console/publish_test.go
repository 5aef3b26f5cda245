package console

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/parleyhq/parley/pkg/bus"
	"github.com/parleyhq/parley/pkg/flow"
	"github.com/parleyhq/parley/pkg/lifecycle"
	"github.com/parleyhq/parley/pkg/store"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// ordered is an update that stands in a lane, with its input.
type ordered struct {
	*parleyv1.Envelope
	subject string
	input   *parleyv1.Input
}

// lanes reads all that stands in WA_IN.
func (s *site) lanes() (all []ordered) {
	s.t.Helper()
	stream, err := s.js.Stream(s.t.Context(), bus.StreamIn)
	if err != nil {
		s.t.Fatal(err)
	}
	for seq := uint64(1); seq <= stream.CachedInfo().State.LastSeq; seq++ {
		m, err := stream.GetMsg(s.t.Context(), seq)
		if err != nil {
			s.t.Fatal(err)
		}
		o := ordered{&parleyv1.Envelope{}, m.Subject, &parleyv1.Input{}}
		if err := proto.Unmarshal(m.Data, o.Envelope); err != nil {
			s.t.Fatal(err)
		}
		if err := protojson.Unmarshal(o.Raw, o.input); err != nil {
			s.t.Fatal(err)
		}
		all = append(all, o)
	}
	return all
}

// rows describes who stands where.
func rows(r publishReport) (all []string) {
	for _, row := range r.Standing {
		where := "stay"
		if row.To != "" {
			where = "to " + row.To
		}
		if row.Lacks != "" {
			where = "lack " + row.Lacks
		}
		all = append(all, fmt.Sprintf("%d %s %s %d %s", row.Version, row.Step, row.Status, row.People, where))
	}
	return all
}

func TestPublish(t *testing.T) {
	s := newSite(t, "")
	first, second := visit(askCity), visit(askTown)
	if got := s.published(request{"source": first, "note": "first"}); got.Version != 1 || got.Known || got.Flow != "visit" || got.Standing == nil || got.Weight != 0 {
		t.Errorf("%+v", got)
	}
	if got := s.published(request{"source": second, "flow": "visit"}); got.Version != 2 || got.Known {
		t.Errorf("%+v", got)
	}
	if got := s.live("visit"); got != (store.Live{Name: "visit", Version: 2}) {
		t.Errorf("live is %+v", got)
	}
	// The same again is the same version, and live again.
	if got := s.published(request{"source": first}); got.Version != 1 || !got.Known {
		t.Errorf("%+v", got)
	}
	if got := s.live("visit"); got.Version != 1 {
		t.Errorf("live is %+v", got)
	}
	if n := len(s.lanes()); n != 0 {
		t.Errorf("%d orders without people", n)
	}
}

// Without migrate everybody stays where they are, and nobody counts as stranded.
func TestPublishLeavesPeople(t *testing.T) {
	s := newSite(t, "")
	first := visit(askCity)
	s.published(request{"source": first})
	s.meet(person{who: phone(1), in: version(t, first, 1), texts: []string{"hi", "Ann"}}, person{who: phone(2), in: version(t, first, 1), texts: []string{"hi"}})
	for _, dry := range []bool{true, false} {
		got := s.published(request{"source": visit(askTown), "dry_run": dry})
		if want := []string{"1 city active 1 stay", "1 name active 1 stay"}; !slices.Equal(rows(got), want) || got.Moving != 0 || got.Stranded != 0 {
			t.Errorf("dry run %v: %+v", dry, got)
		}
	}
	if got := s.published(request{"source": first}); len(got.Standing) != 0 {
		t.Errorf("people are in the version that is published: %+v", got)
	}
	if n := len(s.lanes()); n != 0 {
		t.Errorf("%d orders", n)
	}
}

func TestPublishRefusesErrors(t *testing.T) {
	s := newSite(t, "")
	source := strings.Replace(visit(askCity), "expect: {type: text, save: city}", "expect: {type: txt, save: city}", 1)
	var refused struct {
		Error    string
		Problems flow.Problems
	}
	s.post("/api/v1/flows", request{"source": source, "by": "ann"}, http.StatusUnprocessableEntity, &refused)
	if len(refused.Problems) != 1 || !strings.Contains(refused.Error, "nothing was published") {
		t.Fatalf("%+v", refused)
	}
	p := refused.Problems[0]
	if p.Rule != "value" || p.Line != 11 || p.Column < 10 || !strings.Contains(p.Message, "text") || !strings.Contains(p.Excerpt, "^") || p.Warning {
		t.Errorf("%+v", p)
	}
	s.post("/api/v1/flows", request{"source": strings.Repeat("#", flow.SourceBytesMax+1), "by": "ann"}, http.StatusUnprocessableEntity, &refused)
	if !strings.Contains(refused.Problems[0].Message, "split the flow") {
		t.Errorf("%+v", refused)
	}
	var all []store.Live
	if s.ask(http.MethodGet, "/api/v1/flows", http.StatusOK, &all); len(all) != 0 {
		t.Errorf("%+v was published", all)
	}
}

func TestPublishRefusesNonsense(t *testing.T) {
	s := newSite(t, "")
	source := visit(askCity)
	s.published(request{"source": source})
	digest := version(t, source, 1).Digest()
	for _, c := range []struct {
		body   request
		status int
		word   string
	}{
		{request{}, 400, "give source"},
		{request{"source": source, "digest": digest}, 400, "give source, or flow and the digest"},
		{request{"digest": digest}, 400, "give flow"},
		{request{"source": source, "by": " "}, 400, "who publishes"},
		{request{"source": source, "by": strings.Repeat("é", 101)}, 400, "by has 101 characters: give at most 100"},
		{request{"source": source, "by": "a\x00b"}, 400, `by has a control character after "a"`},
		{request{"source": source, "note": "\x1b[2J"}, 400, "note has a control character"},
		{request{"source": source, "weight": 0}, 400, "1 to 100"},
		{request{"source": source, "weight": -1}, 400, "1 to 100"},
		{request{"source": source, "weight": 101}, 400, "1 to 100"},
		{request{"source": source, "weight": 50, "migrate": true}, 400, "leave out weight, or migrate"},
		{request{"source": source, "map": request{"a": "b"}}, 400, "add migrate"},
		{request{"source": source, "migrate": true, "map": request{"a": "b"}}, 400, `from "a" to "b", and the definition has no such step: its steps are name, city`},
		{request{"source": source, "migrate": true, "map": request{"a": ""}}, 400, "no such step"},
		{request{"source": source, "migrate": true, "map": request{strings.Repeat("a", 65): "name"}}, 400, "names of steps have at most 64"},
		{request{"source": source, "flow": "other"}, 400, "the definition is of flow visit, not of other"},
		{request{"flow": "visit", "digest": digest[:5]}, 400, "first 6 digits or more"},
		{request{"flow": "visit", "digest": "xyzxyz"}, 400, "0 to 9 and a to f"},
		{request{"flow": "visit", "digest": "000000"}, 404, "no version of flow visit has a digest that begins with 000000"},
		{request{"flow": "nope", "digest": digest}, 404, `no flow "nope" is published; published are: visit`},
		{request{"source": source, "weight": 20}, 409, "live already as version 1"},
		{request{"source": source, "weight": 20, "dry_run": true}, 409, "live already as version 1"},
		{request{"source": strings.Replace(source, "name: visit", "name: fresh", 1), "weight": 20}, 409, "flow fresh has none: publish without weight"},
	} {
		if got := s.unpublished(c.body, c.status); !strings.Contains(got.Message, c.word) {
			t.Errorf("%v: %q does not say %q", c.body, got.Message, c.word)
		}
	}
	entries := request{}
	for i := range flow.StepsMax + 1 {
		entries[fmt.Sprint("s", i)] = "name"
	}
	if got := s.unpublished(request{"source": source, "migrate": true, "map": entries}, http.StatusBadRequest); !strings.Contains(got.Message, "more entries") {
		t.Errorf("%q", got.Message)
	}
	if got := s.live("visit"); got != (store.Live{Name: "visit", Version: 1}) {
		t.Errorf("live is %+v", got)
	}
	if strings.Contains(s.log.String(), "request failed") {
		t.Errorf("somebody else's mistake is logged as our failure: %s", s.log.String())
	}
}

// Nobody is left at a step that is not there: it is said who stands where, and
// nothing is published, until a map says where they go.
func TestPublishStrandsNobody(t *testing.T) {
	s := newSite(t, "")
	first, second := visit(askCity), visit(askTown)
	s.published(request{"source": first})
	old := version(t, first, 1)
	sessions := s.meet(
		person{who: phone(1), in: old, texts: []string{"hi", "Ann"}},
		person{who: phone(2), in: old, texts: []string{"hi", "Bob"}},
		person{who: &parleyv1.Identity{Bsuid: "US.3"}, in: old, texts: []string{"hi"}},
		person{who: phone(4), in: old, texts: []string{"hi", "Dan", "Ulm"}},
		person{who: phone(5), in: old, texts: []string{"hi", "Eve"}, human: true},
	)
	refused := s.unpublished(request{"source": second, "migrate": true}, http.StatusConflict)
	if refused.Report == nil || !strings.Contains(refused.Message, "2 people cannot be moved, and nothing was published") {
		t.Fatalf("%+v", refused)
	}
	stranded := []string{"1 city active 2 lack step city", "1 city human 1 stay", "1 name active 1 to name"}
	if got := rows(*refused.Report); !slices.Equal(got, stranded) || refused.Report.Stranded != 2 {
		t.Errorf("%q, want %q", got, stranded)
	}
	// The dry run says the same, as an answer; with a map, where they go.
	if got := s.published(request{"source": second, "migrate": true, "dry_run": true}); !slices.Equal(rows(got), stranded) || got.Stranded != 2 || got.Moving != 1 || !got.DryRun || got.Version != 0 {
		t.Errorf("%+v", got)
	}
	mapped := request{"source": second, "migrate": true, "map": request{"city": "town"}, "dry_run": true}
	moved := []string{"1 city active 2 to town", "1 city human 1 stay", "1 name active 1 to name"}
	if got := s.published(mapped); !slices.Equal(rows(got), moved) || got.Stranded != 0 || got.Moving != 3 {
		t.Errorf("%+v", got)
	}
	if s.live("visit").Version != 1 || len(s.lanes()) != 0 {
		t.Fatal("a dry run or a refusal did something")
	}
	var versions flowView
	if s.ask(http.MethodGet, "/api/v1/flows/visit", http.StatusOK, &versions); len(versions.Versions) != 1 {
		t.Errorf("%+v", versions.Versions)
	}
	delete(mapped, "dry_run")
	if got := s.published(mapped); !slices.Equal(rows(got), moved) || got.Moving != 3 || got.Version != 2 {
		t.Errorf("%+v", got)
	}
	s.wantOrders(version(t, second, 2), map[uint64]string{sessions[0].ID: "town", sessions[1].ID: "town", sessions[2].ID: "name"}, sessions)
	if s.live("visit").Version != 2 {
		t.Error("it is not live")
	}
}

// wantOrders checks that every lane has exactly one order, which brings the session
// to a step of the new version.
func (s *site) wantOrders(to *flow.Flow, steps map[uint64]string, sessions []store.Session) {
	s.t.Helper()
	orders := s.lanes()
	if len(orders) != len(steps) {
		s.t.Fatalf("%d orders, want %d: %v", len(orders), len(steps), orders)
	}
	for _, session := range sessions {
		step, moves := steps[session.ID]
		i := slices.IndexFunc(orders, func(o ordered) bool { return store.ContactID(o.Portfolio, o.LaneKey) == session.Key.Contact })
		if (i >= 0) != moves {
			s.t.Fatalf("session %d at %s: order %d", session.ID, session.State.Step, i)
		}
		if !moves {
			continue
		}
		o := orders[i]
		if want := bus.SubjectIn(bus.ShardOf("n1", o.LaneKey, shards), "n1", o.LaneKey); o.subject != want || o.Channel != "n1" || o.Portfolio != "n1" {
			s.t.Errorf("the order is on %s, want %s: %v", o.subject, want, o.Envelope)
		}
		if want := fmt.Sprintf("migrate/%d/%d/%d", session.ID, session.State.Version, to.Version()); o.Id != want {
			s.t.Errorf("id %s, want %s", o.Id, want)
		}
		if o.Kind != parleyv1.Kind_KIND_OPERATOR || o.Field != store.OperatorInput || o.Provider != "parley" || time.Since(time.UnixMilli(o.ReceivedAtMs)) > time.Minute {
			s.t.Errorf("%v", o.Envelope)
		}
		old, err := s.store.LoadFlow(s.t.Context(), to.Name(), session.State.FlowVersion)
		if err != nil {
			s.t.Fatal(err)
		}
		_, after := flow.Turn(to, old, session.State, &parleyv1.Input{Id: o.Id, AtMs: start.UnixMilli(), Body: o.input.Body})
		if after.FlowVersion != to.Version() || after.Step != step {
			s.t.Errorf("session %d is brought to %s of version %d, want %s", session.ID, after.Step, after.FlowVersion, step)
		}
	}
}

// The file's own map counts as well, below that of the request.
func TestPublishMapsByFile(t *testing.T) {
	s := newSite(t, "")
	first := visit(askCity)
	s.published(request{"source": first})
	sessions := s.meet(person{who: phone(1), in: version(t, first, 1), texts: []string{"hi", "Ann"}})
	second := visit(askTown) + "migrate: {city: name}\n"
	if got := s.published(request{"source": second, "migrate": true, "dry_run": true}); !slices.Equal(rows(got), []string{"1 city active 1 to name"}) {
		t.Errorf("%+v", got)
	}
	if got := s.published(request{"source": second, "migrate": true, "map": request{"city": "town"}}); !slices.Equal(rows(got), []string{"1 city active 1 to town"}) {
		t.Errorf("%+v", got)
	}
	s.wantOrders(version(t, second, 2), map[uint64]string{sessions[0].ID: "town"}, sessions)
}

// The order goes into the lane of the contact's portfolio, whatever channel.
func TestPublishFindsTheLanes(t *testing.T) {
	s := newSite(t, "")
	first := visit(askCity)
	s.published(request{"source": first})
	old := version(t, first, 1)
	s.meet(person{who: phone(1), in: old, texts: []string{"hi"}}, person{who: phone(2), in: old, texts: []string{"hi"}}, person{who: phone(3), in: old, texts: []string{"hi"}})
	if _, err := s.conn.Exec(t.Context(), `UPDATE contacts SET portfolio = 'shop'`); err != nil {
		t.Fatal(err)
	}
	s.published(request{"source": visit(askTown), "migrate": true})
	for _, o := range s.lanes() {
		if o.Portfolio != "shop" || o.Channel != "n1" || o.subject != bus.SubjectIn(bus.ShardOf("shop", o.LaneKey, shards), "n1", o.LaneKey) {
			t.Errorf("%s %v", o.subject, o.Envelope)
		}
	}
}

// Who lacks a value that the new version relies on cannot be moved: a map to an
// earlier step helps.
func TestPublishMissesValues(t *testing.T) {
	s := newSite(t, "")
	first, second := visit(askCity), visit(askAge, byAge)
	s.published(request{"source": first})
	sessions := s.meet(person{who: phone(1), in: version(t, first, 1), texts: []string{"hi", "Ann"}}, person{who: phone(2), in: version(t, first, 1), texts: []string{"hi"}})
	refused := s.unpublished(request{"source": second, "migrate": true}, http.StatusConflict)
	if want := []string{"1 city active 1 lack age", "1 name active 1 to name"}; !slices.Equal(rows(*refused.Report), want) || !strings.Contains(refused.Message, "1 person cannot") {
		t.Errorf("%q %q", refused.Message, rows(*refused.Report))
	}
	s.published(request{"source": second, "migrate": true, "map": request{"city": "age"}})
	s.wantOrders(version(t, second, 2), map[uint64]string{sessions[0].ID: "age", sessions[1].ID: "name"}, sessions)
}

// Published again, after whatever happened, everybody who is still elsewhere gets
// the very order that they had before: it takes effect once.
func TestPublishAgainOrdersTheSame(t *testing.T) {
	s := newSite(t, "")
	first := visit(askCity)
	s.published(request{"source": first})
	s.meet(person{who: phone(1), in: version(t, first, 1), texts: []string{"hi", "Ann"}}, person{who: phone(2), in: version(t, first, 1), texts: []string{"hi"}})
	again := request{"source": visit(askTown), "migrate": true, "map": request{"city": "town"}}
	s.published(again)
	once := s.lanes()
	if got := s.published(again); got.Moving != 2 || !got.Known || got.Version != 2 {
		t.Errorf("%+v", got)
	}
	twice := s.lanes()
	ids := func(list []ordered) (ids []string) {
		for _, o := range list {
			ids = append(ids, o.Id+" "+o.subject)
		}
		slices.Sort(ids)
		return ids
	}
	if len(twice) != 4 || !slices.Equal(ids(once), ids(twice[2:])) {
		t.Errorf("%q then %q", ids(once), ids(twice[2:]))
	}
	// Who has come is not told again.
	if _, err := s.conn.Exec(t.Context(), `UPDATE sessions SET flow_version = 2`); err != nil {
		t.Fatal(err)
	}
	if got := s.published(again); got.Moving != 0 || len(got.Standing) != 0 || len(s.lanes()) != 4 {
		t.Errorf("%+v", got)
	}
}

// More people than a page holds each get one order.
func TestPublishPages(t *testing.T) {
	s := newSite(t, "")
	first := visit(askCity)
	s.published(request{"source": first})
	old := version(t, first, 1)
	const crowd = 2*pinsPage + 7
	people := make([]person, crowd)
	for i := range people {
		people[i] = person{who: phone(i), in: old, texts: []string{"hi"}}
	}
	s.meet(people...)
	if got := s.published(request{"source": visit(askTown), "migrate": true}); got.Moving != crowd || !slices.Equal(rows(got), []string{fmt.Sprintf("1 name active %d to name", crowd)}) {
		t.Errorf("%+v", got)
	}
	seen := map[string]bool{}
	for _, o := range s.lanes() {
		seen[o.LaneKey] = true
	}
	if n := len(s.lanes()); n != crowd || len(seen) != crowd {
		t.Errorf("%d orders for %d of %d people", n, len(seen), crowd)
	}
}

// Whoever begins on the old version after the check, or answers on to another step,
// is seen all the same: orders go out after the publish has sunk in, and each has
// the whole map. Who cannot be moved by then stays, and is counted.
func TestPublishWhilePeopleMove(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	first, second := visit(askCity, askAge), visit(askTown, askAge)
	s.published(request{"source": first})
	old := version(t, first, 1)
	s.meet(person{who: phone(1), in: old, texts: []string{"hi"}})
	s.api.sinkIn = 2 * time.Second
	done := make(chan publishReport)
	go func() {
		var report publishReport
		w := s.begin(request{"source": second, "by": "ann", "migrate": true})
		decode(t, w, http.StatusOK, &report)
		done <- report
	}()
	for s.live("visit").Version != 2 {
		time.Sleep(5 * time.Millisecond)
	}
	s.meet(person{who: phone(2), in: old, texts: []string{"hi"}}, person{who: phone(3), in: old, texts: []string{"hi", "Cid"}})
	report := <-done
	if want := []string{"1 city active 1 lack step city", "1 name active 2 to name"}; !slices.Equal(rows(report), want) || report.Moving != 2 || report.Stranded != 1 {
		t.Errorf("%+v", report)
	}
	orders := s.lanes()
	if len(orders) != 2 {
		t.Errorf("%d orders", len(orders))
	}
	s.published(request{"source": second, "migrate": true, "map": request{"city": "town"}})
	for _, o := range s.lanes()[2:] {
		if got := o.input.GetMigration().GetSteps(); !reflect.DeepEqual(got, map[string]string{"city": "town"}) {
			t.Errorf("the order has the map %v", got)
		}
	}
}

// begin posts without a look at the answer: for goroutines.
func (s *site) begin(body request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/api/v1/flows", encoded(body)))
	return w
}

// Of two who publish at once, the later one moves the people; the other is told.
func TestPublishTwiceAtOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	first := visit(askCity)
	s.published(request{"source": first})
	s.meet(person{who: phone(1), in: version(t, first, 1), texts: []string{"hi"}})
	s.api.sinkIn = 2 * time.Second
	answers := make(chan *httptest.ResponseRecorder)
	go func() { answers <- s.begin(request{"source": visit(askTown), "by": "ann", "migrate": true}) }()
	for s.live("visit").Version != 2 {
		time.Sleep(5 * time.Millisecond)
	}
	third := s.published(request{"source": visit(askAge), "by": "bob", "migrate": true})
	if third.Version != 3 || third.Moving != 1 {
		t.Errorf("%+v", third)
	}
	var refused refusal
	decode(t, <-answers, http.StatusConflict, &refused)
	if !strings.Contains(refused.Message, "version 3 of visit was published meanwhile and is live instead of version 2; 0 people had been told") || refused.Report.Moving != 0 {
		t.Errorf("%+v", refused)
	}
	if orders := s.lanes(); len(orders) != 1 || orders[0].input.GetMigration().GetToVersion() != 3 {
		t.Errorf("%v", orders)
	}
}

// The same publish by many at once is one version.
func TestPublishSameAtOnce(t *testing.T) {
	s := newSite(t, "")
	answers := make(chan *httptest.ResponseRecorder)
	for range 8 {
		go func() { answers <- s.begin(request{"source": visit(askCity), "by": "ann"}) }()
	}
	unknown := 0
	for range 8 {
		var report publishReport
		decode(t, <-answers, http.StatusOK, &report)
		if report.Version != 1 {
			t.Errorf("%+v", report)
		}
		if !report.Known {
			unknown++
		}
	}
	if unknown != 1 {
		t.Errorf("%d were the first", unknown)
	}
}

// Where the stream takes nothing, it is said that the version is live and how many
// were told; the same again does the rest.
func TestPublishInterrupted(t *testing.T) {
	s := newSite(t, "")
	first := visit(askCity)
	s.published(request{"source": first})
	s.meet(person{who: phone(1), in: version(t, first, 1), texts: []string{"hi"}})
	s.sealStream(1)
	refused := s.unpublished(request{"source": visit(askTown), "migrate": true}, http.StatusServiceUnavailable)
	if refused.Report == nil || refused.Report.Version != 2 || refused.Report.Moving != 0 || !strings.Contains(refused.Message, "version 2 of visit is live, but moving people was interrupted after 0 were told, because the database or the message stream did not answer: publish the same again") {
		t.Errorf("%+v", refused)
	}
	if !strings.Contains(s.log.String(), "moving people was interrupted") {
		t.Errorf("log: %s", s.log.String())
	}
	s.sealStream(-1)
	if got := s.published(request{"source": visit(askTown), "migrate": true}); got.Moving != 1 {
		t.Errorf("%+v", got)
	}
}

// Nobody is where they seem to be while the session service has orders to apply:
// with a rollback right after a publish, people would stay on the version that they
// are yet to be moved to.
func TestPublishWaitsForTheLanes(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	first := visit(askCity)
	s.published(request{"source": first})
	s.meet(person{who: phone(1), in: version(t, first, 1), texts: []string{"hi"}})
	second := request{"source": visit(askTown), "migrate": true, "note": "better"}
	s.published(second) // its order is in the lane
	var applied, asked atomic.Uint64
	waits := make(chan struct{}, 1)
	s.api.applied = func(_ context.Context, service string, shard int) (uint64, error) {
		if service != store.ServiceSession || shard >= shards {
			t.Errorf("asked for %s/%d", service, shard)
		}
		if asked.Add(1) == 2 { // once was not enough
			waits <- struct{}{}
		}
		return applied.Load(), nil
	}
	s.api.lagMax = 200 * time.Millisecond
	back := request{"source": first, "migrate": true, "by": "bob"}
	refused := s.unpublished(back, http.StatusServiceUnavailable)
	if !strings.Contains(refused.Message, "version 1 of visit is live, but moving people was interrupted after 0 were told, because the session service has not caught up") || !refused.Report.Published {
		t.Errorf("%+v", refused)
	}
	s.api.lagMax = time.Minute
	<-waits // of the refused one
	asked.Store(0)
	answers := make(chan *httptest.ResponseRecorder)
	go func() { answers <- s.begin(back) }()
	<-waits
	if _, err := s.conn.Exec(t.Context(), `UPDATE sessions SET flow_version = 2`); err != nil {
		t.Fatal(err)
	}
	applied.Store(1)
	var report publishReport
	decode(t, <-answers, http.StatusOK, &report)
	orders := s.lanes()
	if report.Moving != 1 || len(orders) != 2 || orders[1].input.GetMigration().GetFromVersion() != 2 || orders[1].input.GetMigration().GetToVersion() != 1 {
		t.Errorf("%+v, %d orders", report, len(orders))
	}
}

// A console that has to stop does not go on moving people.
func TestPublishStops(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	first := visit(askCity)
	s.published(request{"source": first})
	s.meet(person{who: phone(1), in: version(t, first, 1), texts: []string{"hi"}})
	s.api.sinkIn = time.Minute
	ctx, stop := context.WithCancel(t.Context())
	address := make(chan string, 1)
	limits := lifecycle.DefaultLimits()
	limits.Listening = func(bound net.Addr) { address <- bound.String() }
	ended := make(chan error, 1)
	go func() { ended <- lifecycle.Run(ctx, 10*time.Second, lifecycle.ServeHTTP("127.0.0.1:0", s, limits)) }()
	answers := make(chan *http.Response, 1)
	go func() {
		response, err := http.Post("http://"+<-address+"/api/v1/flows", "application/json", encoded(request{"source": visit(askTown), "by": "ann", "migrate": true}))
		if err != nil {
			t.Error(err)
		}
		answers <- response
	}()
	for s.live("visit").Version != 2 {
		time.Sleep(5 * time.Millisecond)
	}
	stop()
	response := <-answers
	if response == nil {
		t.Fatal("no answer")
	}
	defer response.Body.Close()
	var refused refusal
	if err := json.NewDecoder(response.Body).Decode(&refused); err != nil || response.StatusCode != http.StatusServiceUnavailable || !strings.Contains(refused.Message, "the console is stopping") {
		t.Errorf("%d %+v, %v", response.StatusCode, refused, err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// sealStream lets WA_IN take no message of more bytes than that; -1 is any.
func (s *site) sealStream(bytesMax int32) {
	s.t.Helper()
	stream, err := s.js.Stream(s.t.Context(), bus.StreamIn)
	if err != nil {
		s.t.Fatal(err)
	}
	config := stream.CachedInfo().Config
	config.MaxMsgSize = bytesMax
	if _, err := s.js.UpdateStream(s.t.Context(), config); err != nil {
		s.t.Fatal(err)
	}
}

// Who hangs up after the publish does not leave half of the people behind.
func TestPublishGoesOnAlone(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	first := visit(askCity)
	s.published(request{"source": first})
	s.meet(person{who: phone(1), in: version(t, first, 1), texts: []string{"hi"}})
	s.api.sinkIn = 300 * time.Millisecond
	ctx, hangUp := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/api/v1/flows", encoded(request{"source": visit(askTown), "by": "ann", "migrate": true}))
		s.ServeHTTP(httptest.NewRecorder(), r)
	}()
	for s.live("visit").Version != 2 {
		time.Sleep(5 * time.Millisecond)
	}
	hangUp()
	<-done
	if n := len(s.lanes()); n != 1 {
		t.Errorf("%d orders, want 1", n)
	}
}

// A migration may take longer than the server lets other requests take.
func TestPublishTakesItsTime(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	first := visit(askCity)
	s.published(request{"source": first})
	s.meet(person{who: phone(1), in: version(t, first, 1), texts: []string{"hi"}})
	s.api.sinkIn = 600 * time.Millisecond
	server := httptest.NewUnstartedServer(s)
	server.Config.ReadTimeout, server.Config.WriteTimeout = 200*time.Millisecond, 200*time.Millisecond
	server.Start()
	defer server.Close()
	response, err := http.Post(server.URL+"/api/v1/flows", "application/json", encoded(request{"source": visit(askTown), "by": "ann", "migrate": true}))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK || len(s.lanes()) != 1 {
		t.Errorf("answered %d, %d orders", response.StatusCode, len(s.lanes()))
	}
}

// The way back is to publish the old digest, by its first digits.
func TestRollback(t *testing.T) {
	s := newSite(t, "")
	first, second := visit(askCity), visit(askTown)
	s.published(request{"source": first})
	s.published(request{"source": second})
	sessions := s.meet(person{who: phone(1), in: version(t, second, 2), texts: []string{"hi", "Ann"}})
	digest := version(t, first, 1).Digest()
	got := s.published(request{"flow": "visit", "digest": strings.ToUpper(digest[:digestDigitsMin]), "note": "too many left", "migrate": true, "map": request{"town": "city"}})
	if got.Version != 1 || !got.Known || got.Digest != digest || got.Moving != 1 {
		t.Errorf("%+v", got)
	}
	if s.live("visit").Version != 1 {
		t.Error("it is not live")
	}
	s.wantOrders(version(t, first, 1), map[uint64]string{sessions[0].ID: "city"}, sessions)
	// Two versions whose digests begin the same.
	if _, err := s.conn.Exec(t.Context(), `INSERT INTO flow_versions (flow, version, digest, definition) VALUES ('visit', 9, $1, '')`, digest[:8]+strings.Repeat("f", 56)); err != nil {
		t.Fatal(err)
	}
	if refused := s.unpublished(request{"flow": "visit", "digest": digest[:6]}, http.StatusConflict); !strings.Contains(refused.Message, "the digests of 2 versions of flow visit begin with "+digest[:6]+": give more digits") {
		t.Errorf("%q", refused.Message)
	}
	s.published(request{"flow": "visit", "digest": digest})
}

// A canary gets its share, and ends when something is published for all.
func TestCanary(t *testing.T) {
	s := newSite(t, "")
	s.published(request{"source": visit(askCity)})
	if got := s.published(request{"source": visit(askTown), "weight": 20}); got.Version != 2 || got.Weight != 20 {
		t.Errorf("%+v", got)
	}
	if got := s.live("visit"); got != (store.Live{Name: "visit", Version: 1, Canary: 2, Weight: 20}) {
		t.Errorf("live is %+v", got)
	}
	if got := s.published(request{"source": visit(askTown), "weight": 50}); got.Weight != 50 || !got.Known {
		t.Errorf("%+v", got)
	}
	if got := s.live("visit"); got.Weight != 50 || got.Canary != 2 {
		t.Errorf("live is %+v", got)
	}
	for source, want := range map[string]uint32{visit(askCity): 1, visit(askTown): 2} {
		if got := s.published(request{"source": source}); got.Weight != 0 {
			t.Errorf("%+v", got)
		}
		if got := s.live("visit"); got != (store.Live{Name: "visit", Version: want}) {
			t.Errorf("live is %+v", got)
		}
	}
	if got := s.published(request{"source": visit(askCity), "weight": 100}); got.Weight != 0 || s.live("visit") != (store.Live{Name: "visit", Version: 1}) {
		t.Errorf("%+v, live %+v", got, s.live("visit"))
	}
	// People of a canary that ended are moved like others.
	s.meet(person{who: phone(1), in: version(t, visit(askTown), 2), texts: []string{"hi"}})
	if got := s.published(request{"source": visit(askCity), "migrate": true}); !slices.Equal(rows(got), []string{"2 name active 1 to name"}) {
		t.Errorf("%+v", got)
	}
}

// Warnings do not keep a flow from being published; they come with the report, and
// so does what only shows beside the other flows.
func TestPublishWarns(t *testing.T) {
	s := newSite(t, "")
	idle := strings.Replace(visit(askCity), "slots:\n", "slots:\n  idle: {type: text, default: x}\n", 1)
	got := s.published(request{"source": idle})
	if len(got.Warnings) != 1 || !got.Warnings[0].Warning || !strings.Contains(got.Warnings[0].Message, `slot "idle"`) || got.Version != 1 {
		t.Errorf("%+v", got)
	}
	other := strings.Replace(visit(askTown), "name: visit", "name: tour", 1)
	got = s.published(request{"source": other, "dry_run": true})
	if len(got.Warnings) != 1 || got.Warnings[0].Rule != "entry" || got.Warnings[0].Line != 5 ||
		!strings.HasPrefix(got.Warnings[0].Message, "keyword visit overlaps with keyword visit of flow visit, which is live; what fits both begins tour") {
		t.Errorf("%+v", got.Warnings)
	}
	for from, to := range map[string]string{"keyword: [VISIT]": "keyword: [VISIT], priority: 2", "[VISIT]": "[TOUR]"} {
		if got := s.published(request{"source": strings.Replace(other, from, to, 1), "dry_run": true}); len(got.Warnings) != 0 {
			t.Errorf("%s: %+v", to, got.Warnings)
		}
	}
	if got := s.published(request{"source": visit(askTown)}); len(got.Warnings) != 0 {
		t.Errorf("a flow is no other than its earlier versions: %+v", got.Warnings)
	}
}

func TestPublishWithoutDatabase(t *testing.T) {
	s := newSite(t, "")
	s.store.Close()
	if got := s.unpublished(request{"source": visit(askCity)}, http.StatusServiceUnavailable); !strings.Contains(got.Message, "try again") {
		t.Errorf("%q", got.Message)
	}
}
