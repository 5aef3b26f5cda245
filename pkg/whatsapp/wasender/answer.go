package wasender

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// sessionPause is the least wait after a session was found unconnected: a restart
// takes seconds.
const sessionPause = 10 * time.Second

// answer is one of WASenderApi, read whole.
type answer struct {
	status int
	header http.Header
	body   value // none if it is no JSON object
}

func newAnswer(status int, header http.Header, body []byte) answer {
	a := answer{status: status, header: header}
	if root, fault := parse(body); fault == "" && root.isObject() {
		a.body = root
	}
	return a
}

// phrases are what WASenderApi writes about a session that cannot send, in lower
// case, with the class and a title of ours. It has no codes, and no statuses are
// documented for them.
// Source: WASenderApi, "Send message"; the strings of its clients.
var phrases = []struct {
	words string
	class Class
	title string
}{
	{"not registered on whatsapp", Permanent, "not on WhatsApp"},
	{"not on whatsapp", Permanent, "not on WhatsApp"},
	{"does not exist on whatsapp", Permanent, "not on WhatsApp"},
	{"logged out", StopNumber, "session logged out"},
	{"need_scan", StopNumber, "session must be scanned"},
	{"subscription", StopNumber, "subscription"},
	{"trial has", StopNumber, "subscription"},
	{"not connected", RetryNumber, "session not connected"},
	{"disconnected", RetryNumber, "session not connected"},
	{"active session", RetryNumber, "session not connected"},
	{"account protection", RetryNumber, "account protection"},
	{"concurren", RetryNumber, "too many at a time"},
	{"too many", RetryNumber, "rate"},
	{"rate limit", RetryNumber, "rate"},
}

// judge says why an answer is a refusal; nil if it is none. Only what WASenderApi
// itself wrote about the session, or a 4xx, is a message not sent. Everything else
// may have been sent. It repeats nothing of the answer, which can name people.
func judge(a answer, now time.Time) *SendError {
	f := a.body.fields()
	refuses := f.get("success").isFalse()
	if a.status >= 200 && a.status < 300 && !a.body.isNone() && !refuses {
		return nil
	}
	e := &SendError{
		Class: statusClass(a.status, refuses, !f.get("errors").isNone()), Status: a.status,
		RetryAfter: retryAfter(a.header, f, now), Message: "HTTP " + strconv.Itoa(a.status),
	}
	if a.body.isNone() && isPage[a.status] != 0 {
		e.Class, e.RetryAfter = isPage[a.status], max(e.RetryAfter, sessionPause)
	}
	if a.body.isNone() || a.status >= 300 && a.status < 400 {
		return e
	}
	e.Code = a.status
	said := strings.ToLower(f.get("message").limited(maxFieldBytes) + " " + f.get("error").limited(maxFieldBytes))
	for _, p := range phrases {
		if a.status != http.StatusTooManyRequests && a.status != http.StatusUnprocessableEntity && strings.Contains(said, p.words) {
			e.Class, e.Message = p.class, e.Message+": "+p.title
			if p.class == RetryNumber {
				e.RetryAfter = max(e.RetryAfter, sessionPause)
			}
			return e
		}
	}
	return e
}

// isPage are the statuses with which what stands in front of WASenderApi answers by
// itself, with a page: it is in doubt about us, or did not reach it.
// Source: Cloudflare, "5xx errors".
var isPage = map[int]Class{
	http.StatusForbidden: RetryNumber, 521: RetryNumber, 523: RetryNumber, 525: RetryNumber, 526: RetryNumber,
}

// statusClass is what the status of a refusal means. A path that does not exist and
// a key that is not taken stop the session: neither is about the message.
func statusClass(status int, refuses, hasErrors bool) Class {
	switch {
	case status >= 200 && status < 300 && refuses && hasErrors:
		return Permanent
	case status >= 200 && status < 300 && refuses:
		return Retry
	case status < 400:
		return Ambiguous
	}
	switch status {
	case http.StatusTooManyRequests:
		return RetryNumber
	case http.StatusUnauthorized, http.StatusPaymentRequired, http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed:
		return StopNumber
	case http.StatusRequestTimeout:
		return Ambiguous
	}
	if status < 500 {
		return Permanent
	}
	return Ambiguous
}
