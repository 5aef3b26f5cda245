package forms

import (
	"errors"
	"net/http"
)

// The answers that Meta gives a meaning of its own. Source: Meta, "Flows Error
// Codes". Of any other status the person sees a generic error.
const (
	statusDecrypt   = 421 // the phone fetches the public key again and sends once more
	statusToken     = 427 // the phone closes the form, and its button stays dead
	statusSignature = 432 // a generic error
)

// Refusal says why a request gets no answer, and the HTTP status that tells so.
type Refusal struct {
	Status int
	Reason string // one of few words, fit for logs and metric labels
}

// Error is fit for logs.
func (r *Refusal) Error() string { return "form: " + r.Reason }

// The refusals, in the order of the checks. An error of this package is compared
// with errors.Is. Every request that cannot be decrypted gets the same ErrDecrypt,
// with nothing in it: what was wrong would help to guess the key.
var (
	ErrTooLarge  = &Refusal{http.StatusRequestEntityTooLarge, "too large"}
	ErrSignature = &Refusal{statusSignature, "signature"}
	ErrDecrypt   = &Refusal{statusDecrypt, "decrypt"}
	ErrRequest   = &Refusal{http.StatusBadRequest, "request"}
	ErrToken     = &Refusal{statusToken, "token"}
)

// StatusOf is the HTTP status that says err: 200 for none, 500 for what is our own fault.
func StatusOf(err error) int {
	var refusal *Refusal
	switch {
	case err == nil:
		return http.StatusOK
	case errors.As(err, &refusal):
		return refusal.Status
	}
	return http.StatusInternalServerError
}
