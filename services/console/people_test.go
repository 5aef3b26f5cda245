package console

import (
	"net/http"
	"strings"
	"testing"

	"github.com/parleyhq/parley/pkg/store"
)

// People are found by the beginning of a name and by what proves who they are; what was
// asked for is in no address and in no log.
func TestFindPeople(t *testing.T) {
	s := newSite(t, "")
	s.seed()
	for who, want := range map[string]string{"ad": "Ada", " ADA ": "Ada", "+16505551234": "Ada", "US.77": "Hid", "h": "Hid", "nobody": ""} {
		var found peopleFound
		s.post("/api/v1/contacts/find", request{"who": who}, http.StatusOK, &found)
		got := ""
		for _, p := range found.Contacts {
			got += p.Name
		}
		if got != want || found.More || found.Contacts == nil {
			t.Errorf("%q finds %+v", who, found)
		}
	}
	var found peopleFound
	s.post("/api/v1/contacts/find", request{"who": "ada", "limit": 1}, http.StatusOK, &found)
	if p := found.Contacts[0]; p.ContactID != store.ContactID("n1", "16505551234") || p.LastInteraction == nil || p.Phone != "16505551234" {
		t.Errorf("%+v", p)
	}
	for _, body := range []request{{}, {"who": " @ "}, {"who": "a\x00"}, {"who": strings.Repeat("é", 201)}, {"who": "ada", "limit": 101}, {"who": "ada", "limit": -1}, {"name": "ada"}} {
		var p problem
		s.post("/api/v1/contacts/find", body, http.StatusBadRequest, &p)
		if p.Error == "" {
			t.Errorf("%v is refused without a reason", body)
		}
	}
	if strings.Contains(strings.ToLower(s.log.String()), "ada") {
		t.Error("the log holds what was looked for")
	}
}
