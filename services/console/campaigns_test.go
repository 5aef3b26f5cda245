package console

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/parleyhq/parley/pkg/store"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

const (
	// offered says free text at its second step only.
	offered = `name: offer
language: en
languages: [es]
entry: [{api: true}]
slots: {guests: {type: number, default: 1}, when: {type: date, default: "2026-12-01"}, code: {type: text, default: none}, firm: {type: boolean, default: false}, place: {type: location}}
steps:
  - name: ask
    say: {text: {en: "How many?", es: "¿Cuántos?"}, template: {name: how_many, language: {en: en_US, es: es}}}
    expect: {type: location, save: place}
completed: {say: {en: Thanks., es: Gracias.}, again: {en: Done., es: Hecho.}}
`
	plain = `name: plain
language: en
entry: [{api: true}]
steps: [{name: ask, say: "How many?", expect: {type: text}}, {name: last, say: Well.}]
completed: {say: Thanks., again: Done.}
`
	greeting = `name: greeting
language: en
entry: [{api: true}]
steps: [{name: hello, say: Hello.}, {name: ask, say: "How many?", expect: {type: text}}]
completed: {say: Thanks., again: Done.}
`
)

// call is a campaign that can be made.
func call(more request) request {
	body := request{"name": "spring", "flow": "offer", "channel": "n1", "rate": "20/s", "csv": "phone\n15550000001\n", "source": "people.csv"}
	for name, value := range more {
		body[name] = value
	}
	return body
}

// calls has a campaign that runs: of four contacts one is refused.
func (s *site) calls() {
	s.t.Helper()
	c := store.Campaign{Name: "spring", Flow: "lead", Channel: "n1", Portfolio: "n1", PerSecond: 1, State: store.CampaignReady, Source: "<people>.csv"}
	var list []store.CampaignContact
	for i := range 4 {
		list = append(list, store.CampaignContact{Line: i + 2, Phone: fmt.Sprintf("1555000000%d", i), Slots: []byte("{}")})
	}
	err := s.store.CreateCampaign(s.t.Context(), c, list)
	if err == nil {
		_, err = s.store.MoveCampaign(s.t.Context(), "spring", "start")
	}
	if err == nil {
		_, err = s.conn.Exec(s.t.Context(), `UPDATE campaign_contacts SET state = CASE line WHEN 2 THEN 'refused' ELSE 'started' END,
			reason = CASE line WHEN 2 THEN 'busy' ELSE '' END WHERE line < 4`)
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// TestCampaigns: a file becomes a campaign, which can be started, paused, resumed and
// cancelled, and says how far it is.
func TestCampaigns(t *testing.T) {
	s := newSite(t, "")
	s.published(request{"source": offered})
	file := "\ufeffphone,name,language,guests,when,code,firm,seat\n" +
		"+1 (555) 000-0001,Ann,es,4,2026-12-24,=K7,Yes,12 \n" +
		"\n0049 151 1234567, Bob ,,,,,,13\n"
	file = strings.Replace(file, "Yes", "true", 1)
	template := request{"name": "invitation", "language": "en_US", "body": []request{{"text": "{name}"}, {"text": "seat {seat}"}}}
	var made campaignView
	s.post("/api/v1/campaigns", call(request{"rate": "5/s", "csv": file, "template": template, "dry_run": true}), http.StatusOK, &made)
	if !made.DryRun || made.Size != 2 {
		t.Errorf("%+v", made)
	}
	s.post("/api/v1/campaigns", call(request{"rate": "5/s", "csv": file, "template": template}), http.StatusCreated, &made)
	if made.State != store.CampaignReady || made.Size != 2 || made.Rate != "5/s" || made.Source != "people.csv" || made.Template != "invitation" {
		t.Errorf("%+v", made)
	}
	move := func(verb, want string) {
		t.Helper()
		var got campaignView
		if s.post("/api/v1/campaigns/spring/"+verb, request{}, http.StatusOK, &got); got.State != want {
			t.Errorf("after %s it is %s", verb, got.State)
		}
	}
	move("start", store.CampaignRunning)
	starts, running, err := s.store.TakeStarts(t.Context())
	if err != nil || !running || len(starts) == 0 {
		t.Fatalf("%d starts, %t, %v", len(starts), running, err)
	}
	ann := starts[0].Contact
	if ann.Line != 2 || ann.Phone != "15550000001" || ann.Name != "Ann" || ann.Language != "es" {
		t.Errorf("%+v", ann)
	}
	var slots map[string]any
	if err := json.Unmarshal(ann.Slots, &slots); err != nil || fmt.Sprint(slots) != "map[code:=K7 firm:true guests:4 when:2026-12-24]" {
		t.Errorf("%v, %v", slots, err)
	}
	told := &parleyv1.Template{}
	if err := proto.Unmarshal(ann.Template, told); err != nil || told.Name != "invitation" || told.Body[0].Text != "Ann" || told.Body[1].Text != "seat 12" {
		t.Errorf("%v, %v", told, err)
	}
	move("pause", store.CampaignPaused)
	move("resume", store.CampaignRunning)
	move("cancel", store.CampaignCancelled)
	var p problem
	if s.post("/api/v1/campaigns/spring/start", request{}, http.StatusConflict, &p); p.Error != "campaign spring is cancelled: it cannot be changed by start" {
		t.Errorf("%q", p.Error)
	}
	s.post("/api/v1/campaigns/nobody/start", request{}, http.StatusNotFound, &p)
	var one campaignView
	s.ask(http.MethodGet, "/api/v1/campaigns/spring", http.StatusOK, &one)
	if one.Progress == nil || one.Progress.Ordered != 1 || one.Progress.Waiting != 1 {
		t.Errorf("%+v", one.Progress)
	}
	var list struct{ Campaigns []campaignView }
	if s.ask(http.MethodGet, "/api/v1/campaigns", http.StatusOK, &list); len(list.Campaigns) != 1 {
		t.Errorf("%+v", list)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/api/v1/campaigns/spring/results", nil))
	body, _ := io.ReadAll(w.Body)
	want := strings.Join(resultColumns, ",") + "\n2,15550000001,,Ann,ordered,,,,,,,,false,\n4,491511234567,,Bob,waiting,,,,,,,,false,\n"
	if w.Code != http.StatusOK || string(body) != want {
		t.Errorf("%d\n%s", w.Code, body)
	}
	s.refused("/api/v1/campaigns/nobody/results", http.StatusNotFound)
}

// A file with mistakes is refused with all of them, each with its line, and nothing of it is
// kept.
func TestCampaignFile(t *testing.T) {
	s := newSite(t, "")
	s.published(request{"source": offered})
	for name, c := range map[string]struct {
		csv  string
		more request
		want []string
	}{
		"all at once": {
			csv: "phone,name,language,guests,when,firm,bsuid\n12,Ann,,,,,\n15550000002,Bob,fr,,,,\n15550000003,Cem,,four,2026-02-31,maybe,\n" +
				",,,,,,\n15550000003,Dan,,,,,\n15550000004,Eve\n,Fay,,,,,US.1\n15550000005,Gil,,,,,US.1\n15550000006,A\x01,,,,,\n",
			want: []string{
				"2: phone is no phone number: write its digits with the country code", `3: the flow does not speak "fr": it has en, es`,
				"4: firm is a boolean: what stands there is none, or is too long", "5: there is no phone and no bsuid",
				"6: the same person as in line 4", "7: 2 cells, and 7 columns", "9: the same person as in line 8", `10: name has a control character after "A": leave it out`,
			},
		},
		"no contacts":      {csv: "phone,name\n", want: []string{"1: there are no contacts: give a line that names the columns, and one for each contact"}},
		"columns":          {csv: "name,code,code,seat,place\nAnn,1,2,3,4\n", want: []string{`1: column "code" is here twice`, `1: column "seat" is no slot of flow offer`, `1: slot "place" is a location`, "1: there is no column phone (or bsuid)", "2: there is no phone and no bsuid"}},
		"no CSV":           {csv: "phone,name\n15550000001,\"Ann\n", want: []string{`2: this is no CSV from here on: extraneous or missing " in quoted-field`}},
		"template columns": {csv: "phone,name\n15550000001,\n", more: request{"template": request{"name": "t", "language": "en", "body": []request{{"text": "{name}, {seat}"}}}}, want: []string{`1: the template names column "seat"`, "2: name is empty, and the template needs it"}},
	} {
		more := request{"csv": c.csv}
		for k, v := range c.more {
			more[k] = v
		}
		var refused struct {
			Error    string
			Problems []rowProblem
		}
		s.post("/api/v1/campaigns", call(more), http.StatusUnprocessableEntity, &refused)
		var got []string
		for _, p := range refused.Problems {
			got = append(got, fmt.Sprintf("%d: %s", p.Line, p.Message))
		}
		ok := len(got) == len(c.want) && strings.Contains(refused.Error, "nothing was made")
		for i := range c.want {
			ok = ok && strings.HasPrefix(got[i], c.want[i])
		}
		if !ok {
			t.Errorf("%s: %s\n%s\nwant\n%s", name, refused.Error, strings.Join(got, "\n"), strings.Join(c.want, "\n"))
		}
	}
	var list struct{ Campaigns []campaignView }
	if s.ask(http.MethodGet, "/api/v1/campaigns", http.StatusOK, &list); len(list.Campaigns) > 0 {
		t.Errorf("kept: %+v", list)
	}
	var made campaignView
	s.post("/api/v1/campaigns", call(request{"csv": "phone;guests\n15550000001;2\n"}), http.StatusCreated, &made)
}

func TestCampaignRefuses(t *testing.T) {
	s := newSite(t, "")
	for _, source := range []string{offered, plain, greeting} {
		s.published(request{"source": source})
	}
	s.published(request{"source": strings.Replace(strings.Replace(plain, "name: plain", "name: closed", 1), "{api: true}", "{keyword: [CLOSED]}", 1)})
	template := request{"name": "t", "language": "en"}
	for _, c := range []struct {
		more   request
		status int
		word   string
	}{
		{request{"name": "Spring!"}, 400, `name is "Spring!"`},
		{request{"channel": ""}, 400, "give channel"},
		{request{"rate": "20"}, 400, `rate is "20"`},
		{request{"rate": "2000/s"}, 400, "at most 1000/s"},
		{request{"rate": "-1/s"}, 400, "rate"},
		{request{"rate": "NaN/s"}, 400, "rate"},
		{request{"at": time.Now().Add(-time.Hour)}, 400, "at is in the past"},
		{request{"csv": ""}, 400, "give csv"},
		{request{"query": request{"flow": "lead"}}, 400, "give csv"},
		{request{"csv": "", "query": request{"status": "completed"}}, 400, "give the query's flow"},
		{request{"csv": "", "query": request{"flow": "lead", "status": "done"}}, 400, `status is "done"`},
		{request{"csv": "", "query": request{"flow": "lead", "silent_for": "3 days"}}, 400, "silent_for"},
		{request{"csv": "", "query": request{"flow": "lead"}, "template": request{"name": "t", "language": "en", "body": []request{{"text": "{name}"}}}}, 400, "names columns"},
		{request{"template": request{"name": "t"}}, 400, "template is not understood"},
		{request{"flow": "nothing"}, 404, `no flow "nothing"`},
		{request{"flow": "closed"}, 409, "{api: true}"},
		{request{"flow": "plain"}, 409, "flow plain says free text at step ask"},
		{request{"flow": "plain"}, 409, "or the campaign one that goes in place"},
		{request{"flow": "plain", "template": request{"name": "t", "language": "en", "buttons": []request{{"kind": "flow"}}}}, 409, "button 0 opens a form"},
		{request{"flow": "greeting", "template": template}, 409, "flow greeting says free text at step ask"},
	} {
		var p problem
		s.post("/api/v1/campaigns", call(c.more), c.status, &p)
		if !strings.Contains(p.Error, c.word) {
			t.Errorf("%v: %q does not say %q", c.more, p.Error, c.word)
		}
	}
	var made campaignView
	s.post("/api/v1/campaigns", call(request{"flow": "plain", "template": template, "at": time.Now().Add(time.Hour)}), http.StatusCreated, &made)
	if made.State != store.CampaignScheduled || made.StartsAt == nil {
		t.Errorf("%+v", made)
	}
	for _, dry := range []bool{true, false} {
		var p problem
		if s.post("/api/v1/campaigns", call(request{"dry_run": dry}), http.StatusConflict, &p); !strings.Contains(p.Error, "there is a campaign spring already") {
			t.Errorf("%q", p.Error)
		}
	}
	// A session of WASenderApi takes free text at any time.
	if _, err := s.store.TakeSessions(t.Context(), "me", time.Minute, []string{"shop"}, nil); err != nil {
		t.Fatal(err)
	}
	s.post("/api/v1/campaigns", call(request{"name": "open", "flow": "plain", "channel": "shop"}), http.StatusCreated, &made)
	s.seed()
	s.post("/api/v1/campaigns", call(request{"name": "asked", "csv": "", "source": "", "query": request{"flow": "lead", "status": "completed"}}), http.StatusCreated, &made)
	if made.Size != 1 || made.Source != "query: newest conversation in lead, completed" {
		t.Errorf("%+v", made)
	}
}

func TestRates(t *testing.T) {
	for _, rate := range []string{"20/s", "1000/s", "30/min", "7/min", "1/h", "5000/h", "0.5/h"} {
		perSecond, err := readRate(rate)
		if err != nil {
			t.Error(err)
		}
		if again, err := readRate(rateText(perSecond)); err != nil || again-perSecond > 1e-9 || perSecond-again > 1e-9 {
			t.Errorf("%s is read as %v, and written %s", rate, perSecond, rateText(perSecond))
		}
	}
}
