package sandbox

import (
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

func TestRefusals(t *testing.T) {
	_, server := quiet(t)
	const messages = "/sandbox/api/phones/15551234567/messages"
	for _, c := range []struct {
		path, body string
		status     int
	}{
		{"/sandbox/api/phones", `{"kind":"fax"}`, 400},
		{"/sandbox/api/phones", `nonsense`, 400},
		{"/sandbox/api/phones", `{"kind":"phone","x":"` + strings.Repeat("x", maxBodyBytes) + `"}`, 400},
		{"/sandbox/api/phones/nobody/messages", `{"type":"text","text":"hi"}`, 404},
		{messages, `{"type":"text","text":""}`, 400},
		{messages, `{"type":"text","text":"` + strings.Repeat("é", maxTextRunes+1) + `"}`, 400},
		{messages, `{"type":"image","text":"` + strings.Repeat("é", maxCaptionRunes+1) + `"}`, 400},
		{messages, `{"type":"poll","text":"hi"}`, 400},
		{messages, `{"type":"text","text":"` + strings.Repeat("é", maxTextRunes) + `"}`, 202},
		{messages, `{"type":"image"}`, 202},
	} {
		req, _ := http.NewRequest(http.MethodPost, server.URL+c.path, strings.NewReader(c.body))
		status, answer := do(t, req)
		if status != c.status || (status >= 400 && !strings.HasPrefix(answer, `{"error":"`)) {
			t.Errorf("POST %s %.60s: %d %s, want %d", c.path, c.body, status, answer, c.status)
		}
	}
	req, _ := http.NewRequest(http.MethodGet, server.URL+"/sandbox/api/phones/nobody", nil)
	if status, _ := do(t, req); status != 404 {
		t.Errorf("unknown identity: %d", status)
	}
}

func TestCrossSitePostsAreRefused(t *testing.T) {
	s, server := quiet(t)
	for _, header := range [][2]string{{"Sec-Fetch-Site", "cross-site"}, {"Origin", "https://evil.example"}} {
		req, _ := http.NewRequest(http.MethodPost, server.URL+"/sandbox/api/phones", strings.NewReader(`{"kind":"phone"}`))
		req.Header.Set(header[0], header[1])
		if status, _ := do(t, req); status != http.StatusForbidden {
			t.Errorf("%s: %d", header[0], status)
		}
	}
	if n := len(s.book.phones); n != 0 {
		t.Errorf("%d phones were made", n)
	}
}

// A phone keeps its last 500 bubbles and 200 exchanges.
func TestPhoneForgetsTheOldest(t *testing.T) {
	_, server := quiet(t)
	const id = "15551234567"
	for i := range maxBubbles + 1 {
		status, answer := send(t, server.URL+"/sandbox/graph", id, fmt.Sprint(i))
		if status != http.StatusOK {
			t.Fatalf("%d %s", status, answer)
		}
	}
	v := view(t, server, id)
	if len(v.Bubbles) != maxBubbles || v.Bubbles[0].Text != "1" || v.Bubbles[maxBubbles-1].Text != fmt.Sprint(maxBubbles) || v.History != "trimmed" {
		t.Errorf("%d bubbles, first %q, %s", len(v.Bubbles), v.Bubbles[0].Text, v.History)
	}
	if len(v.Exchanges) != maxExchanges {
		t.Errorf("%d exchanges", len(v.Exchanges))
	}
}

// The phone that was unused for longest goes, and its waiting messages with it.
func TestBookForgetsTheOldestPhone(t *testing.T) {
	s, server := quiet(t)
	oldest, second := newPhone(t, server, "phone").ID, newPhone(t, server, "phone").ID
	say(t, server, oldest, "waits")
	w := s.book.phones[oldest].outboxes[s.meta].webhooks[0]
	say(t, server, second, "used later")
	for i := range maxPhones - 1 {
		s.book.create(fmt.Sprintf("1556%07d", i))
	}
	if len(s.book.phones) != maxPhones || s.book.phones[oldest] != nil || s.book.phones[second] == nil {
		t.Errorf("%d phones; oldest kept: %v", len(s.book.phones), s.book.phones[oldest] != nil)
	}
	if !s.book.attempted(w, outcome{status: 503}) {
		t.Error("the message of a dropped phone is still posted")
	}
}

func TestOutboxIsBounded(t *testing.T) {
	_, server := quiet(t)
	id := newPhone(t, server, "phone").ID
	for i := range maxOutbox {
		say(t, server, id, fmt.Sprint(i))
	}
	if status, answer := postJSON(t, server, "/sandbox/api/phones/"+id+"/messages", map[string]string{"type": "text", "text": "too much"}); status != http.StatusTooManyRequests {
		t.Errorf("%d %s", status, answer)
	}
}

// The Graph API takes no more replies than receipts can be posted for.
func TestRepliesAreBounded(t *testing.T) {
	s, server := quiet(t)
	for range maxRepliesWait {
		s.replies <- reply{}
	}
	if status, answer := send(t, server.URL+"/sandbox/graph", "15551234567", "hi"); status != 503 || !strings.Contains(answer, "131016") {
		t.Errorf("%d %s", status, answer)
	}
	if v := view(t, server, "15551234567"); len(v.Bubbles) != 0 {
		t.Error("a refused reply is shown")
	}
}

func TestPeople(t *testing.T) {
	for kind, pattern := range map[string]string{"phone": `^1555\d{7}$`, "bsuid": `^US\.\d{18}$`} {
		id, ok := newID(kind)
		p, valid := personOf(id)
		if !ok || !valid || !regexp.MustCompile(pattern).MatchString(id) || p.Phone+p.BSUID != id || p.Name == "" {
			t.Errorf("%s: %q is %+v", kind, id, p)
		}
	}
	for _, id := range []string{"", "+15551234567", "123456", "us.1", "US.", "US.1 2", "1555123456789012"} {
		if _, ok := personOf(id); ok {
			t.Errorf("%q is somebody", id)
		}
	}
}

// The page asks nobody else for anything and has no inline code or style.
func TestPageIsSelfContained(t *testing.T) {
	_, server := quiet(t)
	forbidden := regexp.MustCompile(`(?i)(src|href|url\()\s*=?\s*["']?(https?:)?//|\sstyle=|\son[a-z]+=|<style|<script(?: type="module")?>|innerHTML|insertAdjacentHTML|document\.write|@import`)
	names, err := fs.Glob(pageFiles, "page/*")
	if err != nil || len(names) < 5 {
		t.Fatalf("%q %v", names, err)
	}
	for _, name := range names {
		data := fetch(t, server, strings.TrimPrefix(name, "page/"))
		if found := forbidden.FindString(data); found != "" {
			t.Errorf("%s: %q", name, found)
		}
	}
	if page := fetch(t, server, ""); !strings.Contains(page, "<title>Parley sandbox</title>") {
		t.Errorf("page: %.80s", page)
	}
}

// fetch reads a file of the page, following the redirect of index.html.
func fetch(t *testing.T, server *httptest.Server, name string) string {
	t.Helper()
	resp, err := http.Get(server.URL + "/sandbox/" + name)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 200 || resp.Header.Get("Content-Security-Policy") != pagePolicy {
		t.Errorf("%s: %d, policy %q", name, resp.StatusCode, resp.Header.Get("Content-Security-Policy"))
	}
	req, _ := http.NewRequest(http.MethodGet, server.URL+"/sandbox/"+name, nil)
	_, body := do(t, req)
	return body
}
