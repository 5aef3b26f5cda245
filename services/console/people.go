package console

import (
	"net/http"
	"strings"

	"github.com/parleyhq/parley/pkg/store"
)

// Limits of a search for people.
const (
	whoCharactersMax = 200
	peopleShown      = 20
	peopleMax        = 100
	findBytesMax     = 4 << 10
)

// peopleFound is what a search finds. More says that there are others.
type peopleFound struct {
	Contacts []store.Person `json:"contacts"`
	More     bool           `json:"more"`
}

// findPeople is POST /api/v1/contacts/find: who has a phone number, user id, LID or contact
// id, or a user name or name that begins like this. It is a POST so that no name stands in
// an address, which servers in between write into their logs.
func (a *API) findPeople(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Who   string `json:"who"`
		Limit int    `json:"limit"`
	}
	err := readBody(w, r, findBytesMax, "who and limit", &body)
	if err == nil {
		err = checkWords("who", body.Who, whoCharactersMax)
	}
	who := strings.TrimSpace(body.Who)
	if err == nil && strings.Trim(who, "@+") == "" {
		err = refuse(http.StatusBadRequest, "who is empty: give a phone number, user id, LID, contact id, @user name, or the beginning of a name")
	}
	if err == nil && (body.Limit < 0 || body.Limit > peopleMax) {
		err = refuse(http.StatusBadRequest, "limit is %d: use 1 to %d", body.Limit, peopleMax)
	}
	if body.Limit == 0 {
		body.Limit = peopleShown
	}
	var found peopleFound
	if err == nil {
		found.Contacts, found.More, err = a.store.FindPeople(r.Context(), who, body.Limit)
	}
	if err != nil {
		a.refused(w, r, err)
		return
	}
	answer(w, http.StatusOK, found)
}
