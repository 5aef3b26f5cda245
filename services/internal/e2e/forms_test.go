//go:build e2e

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/pkg/whatsapp/forms"
	"github.com/parleyhq/parley/pkg/whatsapp/meta/fake"
)

// clinic is a flow with a form that asks what comes next.
const clinic = `name: clinic
language: en
entry: [{api: true}, {default: true}]
keywords: {restart: [RESTART]}
steps:
  - name: form
    say: {text: Please book., template: {name: please_book, language: en_US, buttons: [{kind: flow}]}}
    form:
      id: "77"
      title: Book
      fields: {service: text, people: number, time: text}
      save: visit
      partial: draft
      received: {screen: THANKS, data: {note: We have it.}}
      answers:
        - {to: open, show: SERVICE, texts: {hello: Welcome}}
        - {to: SERVICE, if: value.people > 3, show: SERVICE, message: At most three.}
        - {to: SERVICE, show: TIMES, rows: {name: times, table: times, where: {service: value.service}, value: time, empty: Nothing is free.}}
        - {to: back SERVICE, show: SERVICE}
        - {to: TIMES, finish: true}
completed: {say: "{visit.service} at {visit.time} for {visit.people}.", again: Done.}
`

// formPhone is a phone with an open form.
type formPhone struct {
	t      *testing.T
	url    string
	public []byte
	token  string
}

// ask sends an exchange, encrypted anew, and returns what the phone reads.
func (p formPhone) ask(action, screen, data string) (status int, answer string) {
	p.t.Helper()
	plain := fmt.Sprintf(`{"version":"3.0","action":%q,"screen":%q,"data":%s,"flow_token":%q}`, action, screen, data, p.token)
	q, err := forms.Ask(p.public, []byte(plain))
	if err != nil {
		p.t.Fatal(err)
	}
	return p.post(q)
}

func (p formPhone) post(q *forms.Question) (status int, answer string) {
	request, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, p.url, bytes.NewReader(q.Body))
	if err != nil {
		p.t.Error(err)
		return 0, ""
	}
	request.Header.Set("X-Hub-Signature-256", fake.Sign(appSecret, q.Body))
	response, err := client.Do(request)
	if err != nil {
		p.t.Error(err)
		return 0, ""
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		return response.StatusCode, string(body)
	}
	read, err := q.Read(body)
	if err != nil {
		p.t.Errorf("the answer cannot be decrypted: %v", err)
	}
	return response.StatusCode, string(read)
}

// shows asks, and fails unless the answer is exactly this.
func (p formPhone) shows(action, screen, data, want string) {
	p.t.Helper()
	if status, got := p.ask(action, screen, data); got != want {
		p.t.Errorf("%s of %s is answered %d\n%s\nwant\n%s", action, screen, status, got, want)
	}
}

// finishes sends the result of the form, as the chat does.
func (p formPhone) finishes(u *up, who fake.Person, id string) {
	p.t.Helper()
	result := map[string]any{"service": "cut", "people": 2, "time": "11:00", "flow_token": p.token}
	text, err := json.Marshal(result)
	if err != nil {
		p.t.Fatal(err)
	}
	signed(p.t, u.webhook(), fake.Message(who, id, time.Now(), "interactive", map[string]any{
		"type": "nfm_reply", "nfm_reply": map[string]any{"name": "flow", "body": "Sent", "response_json": string(text)},
	}))
}

// opened is the form that was sent, as a message or by a template.
func opened(t *testing.T, u *up, s fake.Send, public []byte) formPhone {
	t.Helper()
	token := regexp.MustCompile(`"flow_token":"(pf1\.[^"]*)"`).FindSubmatch(s.Body)
	if token == nil {
		t.Fatalf("the form was sent as %s", s.Body)
	}
	return formPhone{t: t, url: u.url() + "/flows/" + channel, public: public, token: string(token[1])}
}

// TestUpFormByTemplate is somebody who never wrote: a template opens the form.
func TestUpFormByTemplate(t *testing.T) {
	u, g, public := clinicUp(t)
	body := `{"channel":"` + channel + `","phone":"` + ann.Phone + `"}`
	if got := post(t, u.api()+"/flows/clinic/start", []byte(body), "Content-Type", "application/json"); got/100 != 2 {
		t.Fatalf("the start is answered %d", got)
	}
	p := opened(t, u, g.next(t, ann, "please_book"), public)
	p.shows("INIT", "", "{}", `{"version":"3.0","screen":"SERVICE","data":{"hello":"Welcome"}}`)
	p.shows("data_exchange", "SERVICE", `{"service":"cut","people":2}`,
		`{"version":"3.0","screen":"TIMES","data":{"times":[{"id":"10:00","title":"10:00"},{"id":"11:00","title":"11:00"}]}}`)
	p.finishes(u, ann, "wamid.done")
	g.next(t, ann, "cut at 11:00 for 2.")
}

// TestUpForm is a form from its first screen to its result: with rows of a table, a
// repeated exchange after a crash, one after the table has changed, PostgreSQL away
// while the form is filled in, and a result that comes twice.
func TestUpForm(t *testing.T) {
	dir, times := folder(t), "tables/times.csv"
	if err := os.Mkdir(filepath.Join(dir, "tables"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, dir, "clinic.yaml", clinic)
	write(t, dir, times, "service,time\ncut,10:00\ncut,11:00\n")
	private, public, err := forms.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	u, g, db := newUp(t), newGraph(t), startPostgres(t)
	u.start(t, environment(g.url, "PARLEY_DATABASE_URL="+db.server.DSN(), "PARLEY_FLOWS_DIR="+dir, "PARLEY_DEFAULT_FLOW=clinic",
		"PARLEY_FLOWS_PRIVATE_KEY_FILE="+write(t, dir, "flows.pem", string(private)))...)
	says(t, u, ann, "hi")
	p := opened(t, u, g.next(t, ann, "Please book."), public)
	if status, answer := p.ask("ping", "", "{}"); answer != `{"data":{"status":"active"}}` {
		t.Errorf("ping: %d %s", status, answer)
	}
	const choose, both = `{"service":"cut","people":2}`, `{"version":"3.0","screen":"TIMES","data":{"times":[{"id":"10:00","title":"10:00"},{"id":"11:00","title":"11:00"}]}}`
	p.shows("INIT", "", "{}", `{"version":"3.0","screen":"SERVICE","data":{"hello":"Welcome"}}`)
	p.shows("data_exchange", "SERVICE", `{"service":"cut","people":4}`, `{"version":"3.0","screen":"SERVICE","data":{"error_message":"At most three."}}`)
	p.shows("data_exchange", "SERVICE", choose, both)

	u.kill()
	write(t, dir, times, "service,time\ncut,12:00\n")
	u.start(t)
	p.shows("data_exchange", "SERVICE", choose, both)
	p.shows("BACK", "SERVICE", "{}", `{"version":"3.0","screen":"SERVICE","data":{}}`)
	p.shows("data_exchange", "SERVICE", `{"service":"cut","people":1}`, `{"version":"3.0","screen":"TIMES","data":{"times":[{"id":"12:00","title":"12:00"}]}}`)
	rows := open(t, db.server.DSN())
	p.outage(db, rows)

	// So much came in between that the first answer is forgotten: the table is read again.
	p.shows("data_exchange", "SERVICE", choose, `{"version":"3.0","screen":"TIMES","data":{"times":[{"id":"12:00","title":"12:00"}]}}`)
	const done = `{"version":"3.0","screen":"SUCCESS","data":{"extension_message_response":{"params":{"flow_token":%q,"people":2,"service":"cut","time":"11:00"}}}}`
	p.shows("data_exchange", "TIMES", `{"time":"11:00"}`, fmt.Sprintf(done, p.token))
	p.finishes(u, ann, "wamid.done")
	p.finishes(u, ann, "wamid.done")
	g.next(t, ann, "cut at 11:00 for 2.")
	if status, answer := p.ask("data_exchange", "TIMES", `{"time":"10:00"}`); status != 427 {
		t.Errorf("a form that was finished is answered %d %s", status, answer)
	}
	says(t, u, ann, "hello?")
	g.next(t, ann, "Done.")
	// By now a repetition that was applied a second time would have been counted: the
	// outage's, and four submissions before and two after it.
	if kept := count(t.Context(), t, rows, `SELECT count(*) FROM events WHERE type = 'FormDataKept'`); kept != outageSent+6 {
		t.Errorf("%d exchanges kept data, want %d", kept, outageSent+6)
	}
}

// outageSent is how many exchanges are sent without PostgreSQL.
const outageSent = 20

// outage stops PostgreSQL while the form is filled in: each exchange is answered in
// time, and applied once, later.
func (p formPhone) outage(pg *postgres, db *store.Store) {
	applied := func() int {
		return count(p.t.Context(), p.t, db, `SELECT count(*) FROM events WHERE type = 'FormDataKept'`)
	}
	before := applied()
	pg.stop(p.t)
	var all sync.WaitGroup
	for i := range outageSent {
		all.Go(func() {
			q, err := forms.Ask(p.public, fmt.Appendf(nil, `{"version":"3.0","action":"data_exchange","screen":"TIMES","data":{"time":"10:%02d"},"flow_token":%q}`, i, p.token))
			if err != nil {
				p.t.Error(err)
				return
			}
			began := time.Now()
			for range 2 { // the same bytes twice are one exchange
				if _, answer := p.post(q); answer != `{"version":"3.0","screen":"THANKS","data":{"note":"We have it."}}` {
					p.t.Errorf("without PostgreSQL: %s", answer)
				}
			}
			if took := time.Since(began); took > 8*time.Second {
				p.t.Errorf("two answers took %v", took)
			}
		})
	}
	all.Wait()
	began := time.Now()
	if _, answer := p.ask("BACK", "SERVICE", "{}"); !strings.Contains(answer, "THANKS") || time.Since(began) > time.Second {
		p.t.Errorf("after so many missing answers: %s, %v", answer, time.Since(began))
	}
	pg.start(p.t)
	await(p.t, patience, "all is applied", func() error {
		if n := applied() - before; n != outageSent {
			return fmt.Errorf("%d of %d are", n, outageSent)
		}
		return nil
	})
}
