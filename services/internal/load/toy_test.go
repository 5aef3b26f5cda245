package load

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/parleyhq/parley/pkg/whatsapp/meta/fake"
)

const secret = "toy secret"

// toy is a Parley in one map: it takes webhooks, knows the dialogue, and replies
// through the Graph API. Its hooks are where it can be made to fail.
type toy struct {
	t        *testing.T
	server   *httptest.Server
	graphURL string

	// refuse says whether to answer POST n with 503 after it took effect.
	refuse func(n int) bool
	// take says whether message n, answered 200, is worked on at all.
	take func(n int) bool
	// send says what to send instead of reply n; more is set if the person's
	// next message is waiting already.
	send func(n int, reply toyReply, more bool) []toyReply
	// forgetful makes it answer duplicates again.
	forgetful bool

	mu                       sync.Mutex
	posts, messages, replies int
	seen                     map[string]bool
	people                   map[string]*toyPerson
	working                  sync.WaitGroup
}

type toyPerson struct {
	queue   []toyMessage
	working bool
	answers []string
	greeted bool
}

type toyMessage struct {
	ID      string `json:"id"`
	From    string `json:"from"`
	BSUID   string `json:"from_user_id"`
	Type    string `json:"type"`
	channel string
	Text    struct {
		Body string `json:"body"`
	} `json:"text"`
}

type toyReply struct{ channel, to, recipient, text, callback string }

type toyWebhook struct {
	Entry []struct {
		Changes []struct {
			Value struct {
				Metadata struct {
					Channel string `json:"phone_number_id"`
				} `json:"metadata"`
				Messages []toyMessage `json:"messages"`
			} `json:"value"`
		} `json:"changes"`
	} `json:"entry"`
}

func newToy(t *testing.T) *toy {
	y := &toy{t: t, seen: map[string]bool{}, people: map[string]*toyPerson{}}
	y.server = httptest.NewServer(y)
	t.Cleanup(func() {
		y.server.Close()
		y.working.Wait()
	})
	return y
}

// ServeHTTP takes a webhook.
func (y *toy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil || r.Header.Get("X-Hub-Signature-256") != fake.Sign(secret, body) {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	var hook toyWebhook
	if err := json.Unmarshal(body, &hook); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	y.mu.Lock()
	defer y.mu.Unlock()
	y.posts++
	for _, entry := range hook.Entry {
		for _, change := range entry.Changes {
			for _, m := range change.Value.Messages {
				m.channel = change.Value.Metadata.Channel
				y.receive(m)
			}
		}
	}
	if y.refuse != nil && y.refuse(y.posts) {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
}

func (y *toy) receive(m toyMessage) {
	if y.seen[m.ID] && !y.forgetful {
		return
	}
	y.seen[m.ID] = true
	y.messages++
	if y.take != nil && !y.take(y.messages) {
		return
	}
	p := y.people[m.From+m.BSUID]
	if p == nil {
		p = &toyPerson{}
		y.people[m.From+m.BSUID] = p
	}
	p.queue = append(p.queue, m)
	if !p.working {
		p.working = true
		y.working.Go(func() { y.work(p) })
	}
}

// work answers a person's messages in order until none is left.
func (y *toy) work(p *toyPerson) {
	for {
		y.mu.Lock()
		if len(p.queue) == 0 {
			p.working = false
			y.mu.Unlock()
			return
		}
		m := p.queue[0]
		p.queue = p.queue[1:]
		y.replies++
		n, more := y.replies, len(p.queue) > 0
		reply := toyReply{channel: m.channel, to: m.From, text: p.answer(m), callback: fmt.Sprint("delivery-", n)}
		y.mu.Unlock()
		if reply.to == "" {
			reply.recipient = m.BSUID
		}
		replies := []toyReply{reply}
		if y.send != nil {
			replies = y.send(n, reply, more)
		}
		for _, r := range replies {
			y.post(r)
		}
	}
}

// answer is the dialogue as a list of answers, unlike the checker's machine of steps.
func (p *toyPerson) answer(m toyMessage) string {
	text := strings.TrimSpace(m.Text.Body)
	if !p.greeted || strings.EqualFold(text, "restart") {
		p.greeted, p.answers = true, nil
		return "Welcome! What is your name?"
	}
	invalid := ""
	if len(p.answers) == 1 && (!strings.Contains(text, "@mail.example.com") || strings.Contains(text, " ")) {
		invalid = "That email looks invalid. Please try again."
	}
	if m.Type == "text" && invalid == "" && len(p.answers) < 3 {
		p.answers = append(p.answers, text)
	}
	switch {
	case m.Type == "text" && invalid != "":
		return invalid
	case len(p.answers) == 0:
		return "Welcome! What is your name?"
	case len(p.answers) == 1:
		return "Hi " + p.answers[0] + ", what is your email?"
	case len(p.answers) == 2 && m.Type == "text":
		return "Thank you! Your information is saved."
	}
	return "Send 'RESTART' to begin again."
}

// post sends through the fake Graph API. A run that is over may have closed it.
func (y *toy) post(r toyReply) {
	body, err := json.Marshal(map[string]any{
		"messaging_product": "whatsapp", "to": r.to, "recipient": r.recipient, "type": "text",
		"text": map[string]string{"body": r.text}, "biz_opaque_callback_data": r.callback,
	})
	if err != nil {
		y.t.Errorf("encode a reply: %v", err)
		return
	}
	request, err := http.NewRequest(http.MethodPost, y.graphURL+"/v25.0/"+r.channel+"/messages", bytes.NewReader(body))
	if err != nil {
		y.t.Errorf("make a request: %v", err)
		return
	}
	request.Header.Set("Authorization", "Bearer token")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		y.t.Errorf("send a reply: %v", err)
		return
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil || response.StatusCode != http.StatusOK {
		y.t.Errorf("send a reply: status %d, %v", response.StatusCode, err)
	}
}
