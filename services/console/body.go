package console

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"
)

// refusal says why something was not done. It is an error on its way to the asker.
type refusal struct {
	status  int
	Message string `json:"error"`
	// Problems and Report are those of a publish.
	Problems any            `json:"problems,omitempty"`
	Report   *publishReport `json:"report,omitempty"`
}

func (r *refusal) Error() string { return r.Message }

func refuse(status int, format string, args ...any) *refusal {
	return &refusal{status: status, Message: fmt.Sprintf(format, args...)}
}

// readBody reads a JSON object of at most bytesMax into into. takes lists its fields.
func readBody(w http.ResponseWriter, r *http.Request, bytesMax int64, takes string, into any) error {
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, bytesMax))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(into)
	if err == nil {
		if _, err = decoder.Token(); errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = errors.New("something follows the JSON object")
		}
	}
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return refuse(http.StatusRequestEntityTooLarge, "the body is larger than %d bytes: send less", large.Limit)
	}
	if errors.Is(err, io.EOF) {
		err = errors.New("it is empty")
	}
	return refuse(http.StatusBadRequest, "the body cannot be read: %s: send one JSON object with %s", strings.TrimPrefix(err.Error(), "json: "), takes)
}

// checkWords refuses what is too long to be shown, or would be shown as something
// else.
func checkWords(field, value string, charactersMax int) error {
	if n := utf8.RuneCountInString(value); n > charactersMax {
		return refuse(http.StatusBadRequest, "%s has %d characters: give at most %d", field, n, charactersMax)
	}
	if i := strings.IndexFunc(value, unicode.IsControl); i >= 0 {
		return refuse(http.StatusBadRequest, "%s has a control character after %q: leave it out", field, value[:i])
	}
	return nil
}

// refused answers an error: a refusal with what it says, any other as our own.
func (a *API) refused(w http.ResponseWriter, r *http.Request, err error) {
	var refused *refusal
	if errors.As(err, &refused) {
		answer(w, refused.status, refused)
		return
	}
	a.failed(w, r, err)
}
