package console

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parleyhq/parley/pkg/flow"
	"github.com/parleyhq/parley/pkg/store"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// visit asks for a name and then for what else it is told.
func visit(steps ...string) string {
	return `name: visit
language: en
entry:
  - {api: true}
  - {keyword: [VISIT]}
slots:
  source: {type: text, default: "-"}
  guests: {type: number, default: 1}
steps:
  - {name: name, say: {text: "Your name? You come from {source} with {guests}.", template: {name: hello, language: en}}, expect: {type: text, save: name}}
` + strings.Join(steps, "\n") + `
completed: {say: "Thanks, {name}", again: Done}
`
}

const (
	askCity = `  - {name: city, say: "Which city, {name}?", expect: {type: text, save: city}}`
	askTown = `  - {name: town, say: "Which town, {name}?", expect: {type: text, save: town}}`
	askAge  = `  - {name: age, say: "How old?", expect: {type: number, save: age}}`
	byAge   = `  - {name: city, say: "Which city, being {age}?", expect: {type: text, save: city}}`
)

// post sends a body, as JSON unless it is text, and decodes the answer.
func (s *site) post(path string, body any, want int, into any) {
	s.t.Helper()
	reader := io.Reader(nil)
	switch body := body.(type) {
	case string:
		reader = strings.NewReader(body)
	case request:
		reader = encoded(body)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(http.MethodPost, path, reader))
	if w.Code != want {
		s.t.Fatalf("POST %s %.200v answered %d %s, want %d", path, body, w.Code, w.Body, want)
	}
	decode(s.t, w, want, into)
}

// request is a body.
type request = map[string]any

// published publishes, and is told what happened.
func (s *site) published(body request) (report publishReport) {
	s.t.Helper()
	if body["by"] == nil {
		body["by"] = "ann"
	}
	s.post("/api/v1/flows", body, http.StatusOK, &report)
	return report
}

// unpublished publishes what must be refused.
func (s *site) unpublished(body request, want int) (refused refusal) {
	s.t.Helper()
	if body["by"] == nil {
		body["by"] = "ann"
	}
	s.post("/api/v1/flows", body, want, &refused)
	if refused.Message == "" {
		s.t.Error("the refusal says nothing")
	}
	return refused
}

// person is somebody with what they said, in a version of a flow.
type person struct {
	who   *parleyv1.Identity
	in    *flow.Flow
	texts []string
	human bool
}

func phone(n int) *parleyv1.Identity { return &parleyv1.Identity{Phone: fmt.Sprint(15550000000 + n)} }

// meet stores people's conversations. Their sessions are returned, in their order.
func (s *site) meet(people ...person) []store.Session {
	s.t.Helper()
	if s.shard.Epoch == 0 {
		s.shard = s.fence(store.ServiceSession)
	} else {
		s.shard.From, s.shard.To = s.shard.To, s.shard.To+1
	}
	turn := store.TurnPart{Fence: s.shard, Head: s.head}
	for _, p := range people {
		talk(&turn, p.in, "n1", p.who, p.texts...)
		if p.human {
			turn.Sessions[len(turn.Sessions)-1].State.Status = flow.Human
		}
		turn.Contacts[len(turn.Contacts)-1].Parked = false
	}
	held, err := s.store.AppendTurns(s.t.Context(), []store.TurnPart{turn})
	if err != nil || len(held) != 1 {
		s.t.Fatalf("append: %v, %v", held, err)
	}
	s.head += uint64(len(turn.Events))
	return turn.Sessions
}

// version compiles a version as it was published.
func version(t *testing.T, source string, number uint32) *flow.Flow {
	t.Helper()
	f, err := flow.Parse([]byte(source))
	if err != nil {
		t.Fatal(err)
	}
	return f.WithVersion(number)
}

func (s *site) live(name string) store.Live {
	s.t.Helper()
	var all []store.Live
	s.ask(http.MethodGet, "/api/v1/flows", http.StatusOK, &all)
	i := slices.IndexFunc(all, func(l store.Live) bool { return l.Name == name })
	if i < 0 {
		s.t.Fatalf("flow %s is not among %v", name, all)
	}
	return all[i]
}

func TestFlows(t *testing.T) {
	s := newSite(t, "")
	var all []store.Live
	if s.ask(http.MethodGet, "/api/v1/flows", http.StatusOK, &all); all == nil || len(all) != 0 {
		t.Errorf("none is %v, not an empty list", all)
	}
	if got := s.refused("/api/v1/flows/visit", http.StatusNotFound); !strings.Contains(got, `no flow "visit" is published, nor is any other`) {
		t.Errorf("%q", got)
	}
	source := visit(askCity)
	s.published(request{"source": source, "note": "the first"})
	s.published(request{"source": visit(askTown), "by": "bob", "weight": 20})
	s.meet(
		person{who: phone(1), in: version(t, source, 1), texts: []string{"hi", "Ann"}},
		person{who: phone(2), in: version(t, source, 1), texts: []string{"hi", "Bob"}},
		person{who: phone(3), in: version(t, source, 1), texts: []string{"hi"}, human: true},
		person{who: phone(4), in: version(t, source, 1), texts: []string{"hi", "Dan", "Ulm"}},
	)
	if s.ask(http.MethodGet, "/api/v1/flows", http.StatusOK, &all); !slices.Equal(all, []store.Live{{Name: "visit", Version: 1, Canary: 2, Weight: 20}}) {
		t.Errorf("live: %+v", all)
	}
	var view flowView
	s.ask(http.MethodGet, "/api/v1/flows/visit", http.StatusOK, &view)
	if len(view.Versions) != 2 || view.Flow != "visit" {
		t.Fatalf("%+v", view)
	}
	second, first := view.Versions[0], view.Versions[1]
	if first.Digest != version(t, source, 1).Digest() || first.Note != "the first" || first.PublishedBy != "ann" || time.Since(first.PublishedAt) > time.Hour {
		t.Errorf("the first: %+v", first)
	}
	if !first.Live || first.Weight != 80 || first.People != 3 || !second.Canary || second.Live || second.Weight != 20 || second.People != 0 || second.PublishedBy != "bob" {
		t.Errorf("%+v", view.Versions)
	}
	if r := view.Releases; len(r) != 2 || r[0].By != "bob" || r[0].Version != 1 || r[0].Canary != 2 || r[0].Weight != 20 || r[1].Note != "the first" {
		t.Errorf("releases %+v", view.Releases)
	}
	var standing []string
	for _, row := range view.Standing {
		standing = append(standing, fmt.Sprintf("%d %s %s %d", row.Version, row.Step, row.Status, row.People))
	}
	if want := []string{"1 city active 2", "1 name human 1"}; !slices.Equal(standing, want) {
		t.Errorf("standing %q, want %q", standing, want)
	}
	if got := s.refused("/api/v1/flows/visti", http.StatusNotFound); !strings.Contains(got, `no flow "visti" is published; published are: visit`) {
		t.Errorf("%q", got)
	}
	if got := s.refused("/api/v1/flows/%00", http.StatusBadRequest); !strings.Contains(got, "character") {
		t.Errorf("%q", got)
	}
}

// What orders people about asks for the token like everything else, and for a page
// of this site.
func TestOrdersAreGuarded(t *testing.T) {
	s := newSite(t, "sesame")
	for _, path := range []string{"/api/v1/flows", "/api/v1/flows/visit/start"} {
		for header, want := range map[string]int{"": http.StatusUnauthorized, "Bearer simsim": http.StatusUnauthorized, "Bearer sesame": http.StatusBadRequest} {
			r := httptest.NewRequest(http.MethodPost, path, strings.NewReader("{}"))
			r.Header.Set("Authorization", header)
			w := httptest.NewRecorder()
			if s.ServeHTTP(w, r); w.Code != want {
				t.Errorf("%s with %q answered %d %s, want %d", path, header, w.Code, w.Body, want)
			}
		}
		r := httptest.NewRequest(http.MethodPost, path, strings.NewReader("{}"))
		r.Header.Set("Authorization", "Bearer sesame")
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		w := httptest.NewRecorder()
		if s.ServeHTTP(w, r); w.Code != http.StatusForbidden {
			t.Errorf("%s from another site answered %d, want 403", path, w.Code)
		}
	}
}

// A body that cannot be meant is refused, with what to send instead.
func TestBadBodies(t *testing.T) {
	s := newSite(t, "")
	for _, path := range []string{"/api/v1/flows", "/api/v1/flows/visit/start"} {
		for body, c := range map[string]struct {
			status int
			words  []string
		}{
			"":               {400, []string{"it is empty", "send one JSON object with"}},
			"{":              {400, []string{"unexpected EOF"}},
			"[]":             {400, []string{"cannot unmarshal array"}},
			`{"channel": 7}`: {400, []string{"the body cannot be read"}},
			`{"weigth": 20}`: {400, []string{`unknown field "weigth"`, "send one JSON object with"}},
			`{} {}`:          {400, []string{"something follows"}},
			`{} x`:           {400, []string{"invalid character"}},
			`{"by":"` + strings.Repeat("x", publishBytesMax) + `"}`: {413, []string{"larger than", "send less"}},
		} {
			if path != "/api/v1/flows" && strings.HasPrefix(body, `{"by"`) {
				body = strings.Replace(body, "by", "key", 1)
			}
			var p problem
			s.post(path, body, c.status, &p)
			for _, word := range c.words {
				if !strings.Contains(p.Error, word) {
					t.Errorf("%s %.30s: %q does not say %q", path, body, p.Error, word)
				}
			}
		}
	}
}

func encoded(body request) io.Reader {
	data, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	return bytes.NewReader(data)
}

func decode(t *testing.T, w *httptest.ResponseRecorder, want int, into any) {
	t.Helper()
	if w.Code != want {
		t.Fatalf("answered %d %s, want %d", w.Code, w.Body, want)
	}
	if err := json.Unmarshal(w.Body.Bytes(), into); err != nil {
		t.Fatalf("%v: %s", err, w.Body)
	}
}
