package wasender

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestResetTimeReadsBothForms(t *testing.T) {
	now := time.Unix(1776000000, 0)
	for header, want := range map[string]time.Time{
		"": {}, "x": {}, "-1": {}, "NaN": {}, "1e99": {}, "0": now, "60": now.Add(time.Minute), "1776000060": now.Add(time.Minute),
		"1776000060000": now.Add(time.Minute), "1775999999": now.Add(-time.Second), "999999999": now.Add(24 * time.Hour),
	} {
		if got := resetTime(header, now); !got.Equal(want) {
			t.Errorf("%q: %v, want %v", header, got, want)
		}
	}
}

// FuzzJudge reads any answer: it says nothing of what stands in it, and asks for no
// more than a day.
func FuzzJudge(f *testing.F) {
	f.Add(200, `{"success":true,"data":{"msgId":100000,"jid":"+1","status":"in_progress"}}`, "3")
	f.Add(422, `{"success":false,"message":"x","errors":{"to":["x"]}}`, "")
	f.Add(429, `{"message":"x","retry_after":60}`, "Mon, 02 Jan 2006 15:04:05 GMT")
	f.Fuzz(func(t *testing.T, status int, body, header string) {
		h := http.Header{"Retry-After": {header}, "X-Ratelimit-Limit": {"1"}, "X-Ratelimit-Reset": {header}}
		a := newAnswer(status, h, []byte(strings.ReplaceAll(body, "x", "canary")))
		msgID := a.body.get("data", "msgId").integer()
		e := judge(a, time.Unix(1776000000, 0))
		switch {
		case msgID < 0:
			t.Errorf("id %d", msgID)
		case e == nil && (status < 200 || status > 299):
			t.Errorf("HTTP %d is a success", status)
		case e != nil && (e.RetryAfter < 0 || e.RetryAfter > 24*time.Hour || strings.Contains(e.Error(), "canary")):
			t.Errorf("%+v", e)
		}
	})
}
