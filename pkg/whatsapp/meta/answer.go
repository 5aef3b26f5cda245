package meta

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// maxRetryAfter bounds what a Retry-After header can ask for.
const maxRetryAfter = time.Hour

// maintenancePause is how long Meta asks to wait while it upgrades a number (131057).
const maintenancePause = time.Minute

// SendError says why a send failed and what to do about it.
type SendError struct {
	Class      Class
	Code       int           // of the Graph API; 0 if the answer had none
	Status     int           // of HTTP; 0 without an answer
	RetryAfter time.Duration // the least that Meta asks to wait; 0 if it asks nothing
	Message    string        // code and title, without personal data
	Alarm      bool          // somebody has to do something about it, though the class does not say so
	Err        error         // what failed on our side of the connection, if anything did
}

// Error is fit for logs: it holds nothing that Meta wrote, as that can name people.
func (e *SendError) Error() string {
	message := "send: " + e.Class.String() + ": " + e.Message
	if e.Err != nil {
		return message + ": " + e.Err.Error()
	}
	return message
}

// Alarms reports whether somebody has to do something about it.
func (e *SendError) Alarms() bool { return e.Alarm || e.Class >= RestNumber && e.Class <= ParkForm }

// Unwrap is Err.
func (e *SendError) Unwrap() error { return e.Err }

// judge reads a whole answer of the Graph API: a wamid, or an error. Only a 2xx
// with a wamid is a message sent; only an error that Meta itself wrote, or a 4xx,
// is a message not sent. Everything else may have been sent.
func judge(status int, header http.Header, body []byte) (wamid string, err *SendError) {
	code, isTransient, isGraphError := errorCode(body)
	known, isKnown := classOf(code)
	e := &SendError{
		Class: Ambiguous, Status: status, RetryAfter: retryAfter(header.Get("Retry-After")),
		Message: "HTTP " + strconv.Itoa(status),
	}
	if isGraphError {
		e.Code, e.Message = code, fmt.Sprintf("HTTP %d, code %d", status, code)
	}
	switch {
	case status >= 200 && status < 300:
		if id := wamidOf(body); id != "" {
			return id, nil
		}
		e.Message += " without a message id"
	case status < 400:
	case isGraphError && isKnown:
		e.Class, e.Message, e.Alarm = known.class, fmt.Sprintf("code %d: %s", code, known.title), known.alarm
	case status == http.StatusTooManyRequests:
		e.Class = RetryNumber
	case status == http.StatusUnauthorized:
		e.Class = StopAccount
	case status < 500 && isTransient:
		e.Class = Retry
	case status < 500:
		e.Class = Permanent
	}
	if e.Code == 131057 && e.Class == RetryNumber && e.RetryAfter == 0 {
		e.RetryAfter = maintenancePause
	}
	return "", e
}

// What the Graph API says of a number that is not there, or that the token cannot see:
// an invalid parameter to all calls, deleted to those that WIRE.md 3.4 knows.
const (
	codeInvalid  = 100
	subcodeNoObj = 33
	codeDeleted  = 33
)

// errorCode is the code of a Graph API error, a number or one in quotes, and whether it
// says that it will pass; ok is false if body is none.
func errorCode(body []byte) (code int, isTransient, ok bool) {
	answer, fault := parse(body)
	e := answer.get("error")
	code, isCode := e.get("code").whole()
	if fault != "" || !isCode {
		return 0, false, false
	}
	if code == codeInvalid && e.get("error_subcode").number() == subcodeNoObj {
		code = codeDeleted
	}
	return code, e.get("is_transient").isTrue(), true
}

// wamidOf is the id of an accepted message; empty if body does not have one.
func wamidOf(body []byte) string {
	var answer struct {
		Messages []struct {
			ID string `json:"id"`
		} `json:"messages"`
	}
	if json.Unmarshal(body, &answer) != nil || len(answer.Messages) == 0 || !validID(answer.Messages[0].ID) {
		return ""
	}
	return answer.Messages[0].ID
}

// confirmed reports whether an answer says that a request without a message id,
// as a typing indicator, was done.
func confirmed(status int, body []byte) bool {
	var answer struct {
		Success bool `json:"success"`
	}
	return status >= 200 && status < 300 && json.Unmarshal(body, &answer) == nil && answer.Success
}

// retryAfter reads the header of RFC 9110, section 10.2.3: seconds or a date.
func retryAfter(header string) time.Duration {
	wait := time.Duration(0)
	if seconds, err := strconv.ParseUint(header, 10, 31); err == nil {
		wait = time.Duration(seconds) * time.Second
	} else if at, err := http.ParseTime(header); err == nil {
		wait = time.Until(at)
	}
	return min(max(wait, 0), maxRetryAfter)
}
