package meta

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

func graphError(code int) []byte {
	return fmt.Appendf(nil, `{"error":{"message":"(#%d) to +15550002222","type":"OAuthException","code":%d,"error_data":{"details":".."},"fbtrace_id":"A"}}`, code, code)
}

// TestErrorCodes states the class of each code of Meta's reference with its usual
// HTTP status, and whether it calls somebody, independently of the order and the
// ranges of the table.
func TestErrorCodes(t *testing.T) {
	tests := []struct {
		class  Class
		alarm  bool
		status int
		codes  []int
	}{
		{RetryNumber, false, 400, []int{130429}},
		{RetryNumber, false, 429, []int{130429}},
		{RetryNumber, false, 500, []int{131057}},
		{RetryPair, false, 400, []int{131056}},
		{RetryAccount, false, 400, []int{80007}},
		{RetryApp, false, 400, []int{4, 17, 613}},
		{Retry, false, 503, []int{133004, 131016, 2}},
		{Retry, false, 500, []int{131000, 131016}},
		{Retry, false, 400, []int{1, 135000, 131053}},
		{RestNumber, true, 400, []int{131048}},
		{StopNumber, true, 400, []int{133010, 33, 131037}},
		{StopNumber, true, 500, []int{131045}},
		{StopAccount, true, 401, []int{0, 190}},
		{StopAccount, true, 500, []int{3}},
		{StopAccount, true, 403, []int{10, 131005, 200, 201, 299, 368, 131031}},
		{StopAccount, true, 400, []int{130497, 131042, 131044}},
		{ParkTemplate, true, 400, []int{132015, 132016}},
		{StopTemplates, true, 400, []int{131064}},
		{ParkForm, true, 400, []int{132068, 132069}},
		{Permanent, true, 400, []int{131063, 131021, 131008, 131009, 131051, 100, 132000, 132005, 132007, 132008, 132012}},
		{Permanent, true, 404, []int{132001}},
		{Permanent, false, 400, []int{
			131047, 131026, 131049, 131050, 130472, 131062, 131030, 130403, 133016, 137000, 131052, 131200, 131299,
		}},
		{Permanent, false, 429, []int{131059, 131200}},
	}
	tested := map[int]bool{}
	for _, test := range tests {
		for _, code := range test.codes {
			tested[code] = true
			wamid, e := judge(test.status, http.Header{}, graphError(code))
			if wamid != "" || e.Class != test.class || e.Code != code || e.Status != test.status || e.Alarms() != test.alarm {
				t.Errorf("HTTP %d, code %d: %q, %+v; want class %s, alarm %t", test.status, code, wamid, e, test.class, test.alarm)
			}
			if strings.Contains(e.Error(), "15550002222") {
				t.Errorf("code %d names a person: %s", code, e)
			}
		}
	}
	for _, row := range codeClasses {
		if !tested[row.first] || !tested[row.last] {
			t.Errorf("no test of the codes %d..%d", row.first, row.last)
		}
	}
}

func TestCodeRowsDoNotOverlap(t *testing.T) {
	for i, a := range codeClasses {
		for _, b := range codeClasses[:i] {
			if a.first <= b.last && b.first <= a.last {
				t.Errorf("%d..%d and %d..%d overlap", a.first, a.last, b.first, b.last)
			}
		}
		if a.title == "" || a.first > a.last {
			t.Errorf("row %+v", a)
		}
	}
}

func TestJudge(t *testing.T) {
	const accepted = `{"messaging_product":"whatsapp","contacts":[{"input":"1","wa_id":"1"}],"messages":[{"id":"wamid.X"}]}`
	tests := []struct {
		status     int
		retryAfter string
		body       string
		wamid      string
		class      Class
		wait       time.Duration
	}{
		{status: 200, body: accepted, wamid: "wamid.X"},
		{status: 201, body: accepted, wamid: "wamid.X"},
		{status: 200, body: "", class: Ambiguous},
		{status: 200, body: "<html>", class: Ambiguous},
		{status: 200, body: "{}", class: Ambiguous},
		{status: 200, body: accepted[:len(accepted)-3], class: Ambiguous},
		{status: 200, body: accepted + accepted, class: Ambiguous},
		{status: 200, body: `{"messages":[]}`, class: Ambiguous},
		{status: 200, body: `{"messages":[{"id":""}]}`, class: Ambiguous},
		{status: 200, body: `{"messages":[{"id":"a\u0000b"}]}`, class: Ambiguous},
		{status: 200, body: `{"messages":[{"id":7}]}`, class: Ambiguous},
		{status: 200, body: string(graphError(130429)), class: Ambiguous},
		{status: 302, body: accepted, class: Ambiguous},
		{status: 400, body: accepted, class: Permanent},
		{status: 400, body: string(graphError(424242)), class: Permanent},
		{status: 400, body: "<html>", class: Permanent},
		{status: 400, body: `{"error":{"message":"no code"}}`, class: Permanent},
		{status: 400, body: `{"error":{"code":"131056"}}`, class: RetryPair},
		{status: 400, body: `{"error":{"code":131056.5}}`, class: Permanent},
		{status: 400, body: `{"error":{"code":100,"error_subcode":33,"message":"Object with ID '1' does not exist"}}`, class: StopNumber},
		{status: 400, body: `{"error":{"code":100,"error_subcode":2494010,"error_data":"details as a text"}}`, class: Permanent},
		{status: 400, body: `{"error":{"code":424242,"is_transient":true}}`, class: Retry},
		{status: 500, body: `{"error":{"code":424242,"is_transient":true}}`, class: Ambiguous},
		{status: 400, body: `{"error":{"code":131047,"is_transient":true}}`, class: Permanent},
		{status: 401, body: "", class: StopAccount},
		{status: 404, body: "", class: Permanent},
		{status: 429, body: "", class: RetryNumber},
		{status: 429, body: string(graphError(424242)), class: RetryNumber},
		{status: 429, body: string(graphError(131056)), class: RetryPair},
		{status: 429, retryAfter: "7", class: RetryNumber, wait: 7 * time.Second},
		{status: 429, retryAfter: "999999", class: RetryNumber, wait: time.Hour},
		{status: 429, retryAfter: "-3", class: RetryNumber},
		{status: 429, retryAfter: "soon", class: RetryNumber},
		{status: 429, retryAfter: "Fri, 31 Dec 9999 23:59:59 GMT", class: RetryNumber, wait: time.Hour},
		{status: 429, retryAfter: "Mon, 02 Jan 2006 15:04:05 GMT", class: RetryNumber},
		{status: 400, retryAfter: "2", body: string(graphError(130429)), class: RetryNumber, wait: 2 * time.Second},
		{status: 500, body: string(graphError(131057)), class: RetryNumber, wait: time.Minute},
		{status: 500, retryAfter: "5", body: string(graphError(131057)), class: RetryNumber, wait: 5 * time.Second},
		{status: 500, body: string(graphError(424242)), class: Ambiguous},
		{status: 500, body: "<html>", class: Ambiguous},
		{status: 503, body: "", class: Ambiguous},
		{status: 504, body: accepted, class: Ambiguous},
	}
	for _, test := range tests {
		header := http.Header{}
		if test.retryAfter != "" {
			header.Set("Retry-After", test.retryAfter)
		}
		wamid, e := judge(test.status, header, []byte(test.body))
		if wamid != test.wamid || (e == nil) != (wamid != "") {
			t.Errorf("%+v: wamid %q, %v", test, wamid, e)
		}
		if e != nil && (e.Class != test.class || e.RetryAfter != test.wait) {
			t.Errorf("%+v: %+v", test, e)
		}
	}
}

func TestClassNames(t *testing.T) {
	seen := map[string]bool{}
	for c := Permanent; c <= Ambiguous; c++ {
		seen[c.String()] = true
		if parsed, ok := ParseClass(c.String()); !ok || parsed != c {
			t.Errorf("%s is read as %s", c, parsed)
		}
	}
	if len(seen) != len(classNames) || seen[""] || Ambiguous.String() != "ambiguous" || Class(99).String() != "class 99" {
		t.Errorf("names %v", seen)
	}
	if _, ok := ParseClass("class 99"); ok {
		t.Error("a class that is none is read")
	}
}

func FuzzSendResponse(f *testing.F) {
	f.Add(200, "", []byte(`{"messages":[{"id":"wamid.X"}]}`))
	f.Add(400, "5", graphError(131056))
	f.Add(429, "Fri, 31 Dec 9999 23:59:59 GMT", []byte(`{"error":{"code":1e99}}`))
	f.Add(500, "", []byte(`{"error":[{"code":1}]}`))
	f.Add(-1, "\x00", []byte("<html>"))
	f.Fuzz(func(t *testing.T, status int, retryAfter string, body []byte) {
		wamid, e := judge(status, http.Header{"Retry-After": {retryAfter}}, body)
		if (wamid == "") != (e != nil) {
			t.Fatalf("wamid %q and %v", wamid, e)
		}
		if e == nil {
			if status < 200 || status > 299 || !validID(wamid) || !json.Valid(body) {
				t.Errorf("HTTP %d is accepted as %q", status, wamid)
			}
			return
		}
		if e.Class > Ambiguous || e.RetryAfter < 0 || e.RetryAfter > maxRetryAfter || e.Status != status {
			t.Errorf("%+v", e)
		}
		if status < 400 && e.Class != Ambiguous {
			t.Errorf("HTTP %d is %s", status, e.Class)
		}
		if status >= 500 && e.Class != Ambiguous && !json.Valid(body) {
			t.Errorf("HTTP %d without a Graph error is %s", status, e.Class)
		}
	})
}
