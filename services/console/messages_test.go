package console

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/parleyhq/parley/pkg/store"
)

// says writes n messages of a day into the log, one a second.
func (s *site) says(n int, body func(i int) string) {
	s.t.Helper()
	if err := s.store.EnsureLeases(s.t.Context(), store.ServiceMessages, 1); err != nil {
		s.t.Fatal(err)
	}
	leases, err := s.store.Acquire(s.t.Context(), store.ServiceMessages, "me", time.Minute, 1, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	list := make([]store.Message, n)
	for i := range list {
		list[i] = store.Message{
			Offset: uint64(i + 1), At: start.Add(time.Duration(i) * time.Second), Direction: store.DirectionIn, Channel: "n1",
			Contact: store.ContactID("n1", "ann"), Kind: "text", Body: body(i), Content: json.RawMessage(`{}`),
			Raw: json.RawMessage(fmt.Sprintf(`{"n": %d}`, i)),
		}
	}
	s.logs(leases[0], list)
}

func (s *site) logs(lease store.Lease, list []store.Message) {
	s.t.Helper()
	f := store.Fence{Epoch: lease.Epoch, To: uint64(len(list)), At: start}
	if held, err := s.store.AddMessages(s.t.Context(), []store.Fence{f}, list); err != nil || len(held) != 1 {
		s.t.Fatal(held, err)
	}
}

type messagePage struct {
	Messages []store.Message
	Next     string
}

// The newest come first if they are asked for, page by page, once each.
func TestMessagesLatest(t *testing.T) {
	s := newSite(t, "")
	s.says(5, func(i int) string { return fmt.Sprint(i) })
	for _, who := range []string{"", "&contact=" + store.ContactID("n1", "ann").String()} {
		var bodies []string
		for after, pages := "", 0; pages < 5; pages++ {
			var page messagePage
			s.ask(http.MethodGet, "/api/v1/messages?order=latest&limit=2"+who+after, http.StatusOK, &page)
			for _, m := range page.Messages {
				bodies = append(bodies, m.Body)
			}
			if page.Next == "" {
				break
			}
			after = "&after=" + page.Next
		}
		want := "4 3 2 1 0"
		if got := strings.Join(bodies, " "); got != want && who == "" {
			t.Errorf("of everybody: %s", got)
		}
	}
	s.refused("/api/v1/messages?order=backwards", http.StatusBadRequest)
}

// The log is read page by page; the pages together are all of it, once.
func TestMessagePages(t *testing.T) {
	s := newSite(t, "")
	var none messagePage
	s.ask(http.MethodGet, "/api/v1/messages", http.StatusOK, &none)
	if none.Messages == nil || len(none.Messages) > 0 || none.Next != "" {
		t.Errorf("%+v", none)
	}
	s.says(25, func(i int) string { return fmt.Sprint(i) })
	var bodies []string
	path := "/api/v1/messages?from=2026-11-22&to=2026-11-23&limit=10"
	for after, pages := "", 0; pages < 5; pages++ {
		var page messagePage
		s.ask(http.MethodGet, path+after, http.StatusOK, &page)
		for _, m := range page.Messages {
			bodies = append(bodies, m.Body)
		}
		if page.Next == "" {
			break
		}
		after = "&after=" + page.Next
	}
	if got := strings.Join(bodies, " "); got != "0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24" {
		t.Errorf("pages hold %s", got)
	}
	for path, says := range map[string]string{
		"?from=yesterday": "from=", "?to=2026-13-01": "to=", "?after=x": "after=", "?after=1.2.3x": "after=", "?format=xml": "json, jsonl or csv",
	} {
		if got := s.refused("/api/v1/messages"+path, http.StatusBadRequest); !strings.Contains(got, says) {
			t.Errorf("%s: %s", path, got)
		}
	}
}

func (s *site) export(path, contentType string) string {
	s.t.Helper()
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	if w.Code != http.StatusOK || w.Header().Get("Content-Type") != contentType {
		s.t.Fatalf("%s answered %d, %v", path, w.Code, w.Header())
	}
	return w.Body.String()
}

// An export holds all pages; no text in it is a formula.
func TestMessageExport(t *testing.T) {
	s := newSite(t, "")
	const n = 2*exportPage + 7
	if rows, err := csv.NewReader(strings.NewReader(s.export("/api/v1/messages?format=csv", "text/csv; charset=utf-8"))).ReadAll(); err != nil || len(rows) != 1 {
		t.Errorf("an empty table: %v, %v", rows, err)
	}
	s.says(n, func(i int) string { return []string{"a \"quoted\", text\nof two lines", "=1+1", "plain"}[i%3] })
	rows, err := csv.NewReader(strings.NewReader(s.export("/api/v1/messages?format=csv", "text/csv; charset=utf-8"))).ReadAll()
	if err != nil || len(rows) != n+1 || rows[0][9] != "body" || rows[1][9] != "a \"quoted\", text\nof two lines" || rows[2][9] != "'=1+1" || rows[3][9] != "plain" {
		t.Errorf("%d rows, %v: %q", len(rows), err, rows[:4])
	}
	lines := strings.Split(strings.TrimSpace(s.export("/api/v1/messages?format=jsonl", "application/jsonl")), "\n")
	for i, line := range lines {
		var m store.Message
		if err := json.Unmarshal([]byte(line), &m); err != nil || m.Offset != uint64(i+1) {
			t.Fatalf("line %d: %s: %v", i, line, err)
		}
	}
	if len(lines) != n {
		t.Errorf("%d lines, want %d", len(lines), n)
	}
}

// What the provider sent is shown to who asks for it, everywhere; a page is smaller then.
func TestRawMessages(t *testing.T) {
	s := newSite(t, "")
	s.says(rawPage+5, func(int) string { return "x" })
	var page messagePage
	s.ask(http.MethodGet, "/api/v1/messages?limit=1000", http.StatusOK, &page)
	if len(page.Messages) != rawPage+5 || page.Messages[1].Raw != nil {
		t.Errorf("%d messages, %s", len(page.Messages), page.Messages[1].Raw)
	}
	for _, who := range []string{"", "&contact=" + store.ContactID("n1", "ann").String()} {
		s.ask(http.MethodGet, "/api/v1/messages?raw=1&limit=1000"+who, http.StatusOK, &page)
		if who == "" && (len(page.Messages) != rawPage || string(page.Messages[1].Raw) != `{"n":1}`) {
			t.Errorf("%d messages, %s", len(page.Messages), page.Messages[1].Raw)
		}
	}
	rows, err := csv.NewReader(strings.NewReader(s.export("/api/v1/messages?format=csv&raw=1", "text/csv; charset=utf-8"))).ReadAll()
	if err != nil || len(rows) != rawPage+6 || rows[0][12] != "raw" || rows[rawPage+5][12] != fmt.Sprintf(`{"n": %d}`, rawPage+4) {
		t.Errorf("%v: %d rows, %v", err, len(rows), rows[0])
	}
	if lines := s.export("/api/v1/messages?format=jsonl&raw=1", "application/jsonl"); strings.Count(lines, `"raw":{"n":`) != rawPage+5 {
		t.Errorf("%s", lines)
	}
	if got := s.refused("/api/v1/messages?raw=yes", http.StatusBadRequest); !strings.Contains(got, "raw=") {
		t.Error(got)
	}
}
