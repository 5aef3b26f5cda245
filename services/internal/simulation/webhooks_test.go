package simulation

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"time"

	"github.com/parleyhq/parley/pkg/whatsapp/meta/fake"
)

// update is one thing that a webhook says.
type update struct {
	id      string
	receipt bool
	item    func() fake.Item
}

// webhooks is WhatsApp's side of posting: everything is repeated until it is
// answered 200.
type webhooks struct {
	w *world
	// held are updates that wait to share a POST, by channel and kind.
	held    map[heldKey][]update
	planned int // updates that are still to be posted
	open    int // posts without a 200
	// acked tells when an update was first answered 200, posted when it was
	// first put on the wire.
	acked, posted map[string]moment
	forged        map[string]bool
	clock         int
}

// moment orders what happened outside of Parley.
type moment int

type heldKey struct {
	channel string
	receipt bool
}

type post struct {
	body      []byte
	signature string
	updates   []update
	attempts  int
	forged    bool
}

func newWebhooks(w *world) *webhooks {
	return &webhooks{
		w: w, held: map[heldKey][]update{}, acked: map[string]moment{}, posted: map[string]moment{}, forged: map[string]bool{},
	}
}

func (m *webhooks) moment() moment {
	m.clock++
	return moment(m.clock)
}

// plan posts an update later.
func (m *webhooks) plan(wait time.Duration, channel string, u update) {
	m.planned++
	m.w.after(wait, func() {
		m.planned--
		m.submit(channel, u)
	})
}

// submit posts an update now, or shortly together with others of its kind.
func (m *webhooks) submit(channel string, updates ...update) {
	w := m.w
	key := heldKey{channel, updates[0].receipt}
	m.held[key] = append(m.held[key], updates...)
	if w.fault("batched", w.options.Rates.Batched) && len(m.held[key]) < 5 {
		m.planned++
		w.after(w.between(10*time.Millisecond, 400*time.Millisecond), func() {
			m.planned--
			m.flush(key)
		})
		return
	}
	m.flush(key)
}

func (m *webhooks) flush(key heldKey) {
	updates := m.held[key]
	if len(updates) == 0 {
		return
	}
	m.held[key] = nil
	m.post(key.channel, updates)
	if m.w.fault("duplicate post", m.w.options.Rates.Duplicate) {
		u := updates[m.w.rng.IntN(len(updates))]
		m.planned++
		m.w.after(m.w.between(0, 90*time.Second), func() {
			m.planned--
			m.post(key.channel, []update{u})
		})
	}
}

func (m *webhooks) post(channel string, updates []update) {
	items := make([]fake.Item, len(updates))
	for i, u := range updates {
		items[i] = u.item()
		if _, before := m.posted[u.id]; !before {
			m.posted[u.id] = m.moment()
		}
	}
	body := fake.Payload("waba", channel, items...)
	p := &post{body: body, signature: fake.Sign(appSecret, body), updates: updates}
	m.open++
	m.try(p)
	m.forge(channel)
}

// forge posts what WhatsApp never said.
func (m *webhooks) forge(channel string) {
	w := m.w
	if !w.fault("forged post", w.options.Rates.Forged) {
		return
	}
	id := fmt.Sprintf("wamid.forged%d", len(m.forged))
	m.forged[id] = true
	person := fake.Person{Phone: "4917000000", Name: "Mallory"}
	body := fake.Payload("waba", channel, fake.Text(person, id, w.now, "RESTART"))
	p := &post{body: body, forged: true, signature: fake.Sign("another secret", body)}
	switch w.rng.IntN(3) {
	case 0:
		p.signature = ""
	case 1:
		p.body = append(slices.Clone(body), ' ')
		p.signature = fake.Sign(appSecret, body)
	}
	m.open++
	m.try(p)
}

// try posts to one of the ingress processes.
func (m *webhooks) try(p *post) {
	w := m.w
	p.attempts++
	if p.attempts > 1 {
		w.counts["webhook repeated"]++
	}
	var alive []*process
	for _, process := range w.processes {
		if process.role == "ingress" && process.alive && !process.stopping {
			alive = append(alive, process)
		}
	}
	answered := false
	again := func(status int) {
		if !answered {
			answered = true
			m.answered(p, status)
		}
	}
	w.after(10*time.Second, func() { again(0) })
	if len(alive) == 0 {
		return
	}
	target := alive[w.rng.IntN(len(alive))]
	w.spawn(target, "webhook", func() {
		w.sleep(w.between(time.Millisecond, 10*time.Millisecond))
		req := httptest.NewRequest(http.MethodPost, "/webhooks/meta", bytes.NewReader(p.body))
		if p.signature != "" {
			req.Header.Set("X-Hub-Signature-256", p.signature)
		}
		recorder := httptest.NewRecorder()
		target.ingress.mux.ServeHTTP(recorder, req)
		if w.fault("webhook answer lost", w.options.Rates.AnswerLost) {
			return
		}
		status := recorder.Code
		w.after(w.between(time.Millisecond, 10*time.Millisecond), func() { again(status) })
	})
}

func (m *webhooks) answered(p *post, status int) {
	w := m.w
	w.note("webhook of %d updates answered %d", len(p.updates), status)
	switch {
	case p.forged && status == http.StatusOK:
		w.violate("I2 authentic", "a forged webhook was answered 200")
	case p.forged && status == http.StatusUnauthorized, status == http.StatusOK:
		m.acknowledge(p)
		return
	case status == http.StatusServiceUnavailable:
		w.counts["webhook 503"]++
	case status != 0:
		w.violate("I1 durable", "an authentic webhook was answered %d", status)
	}
	w.after(w.between(500*time.Millisecond, min(time.Duration(p.attempts)*2*time.Second, 20*time.Second)), func() { m.try(p) })
}

func (m *webhooks) acknowledge(p *post) {
	m.open--
	for _, u := range p.updates {
		if _, before := m.acked[u.id]; !before {
			m.acked[u.id] = m.moment()
		}
	}
}

// odd is an authentic update that no flow reacts to.
func (m *webhooks) odd() update {
	w := m.w
	n := w.rng.IntN(1_000_000)
	value := map[string]any{"event": "odd", "n": n}
	raw, err := json.Marshal(map[string]any{"field": "weather", "value": value})
	if err != nil {
		panic(err)
	}
	return update{
		id:   "odd " + string(raw),
		item: func() fake.Item { return fake.Raw("weather", value) },
	}
}
