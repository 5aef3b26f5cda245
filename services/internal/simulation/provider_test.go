package simulation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"path"
	"strings"
	"time"

	"github.com/parleyhq/parley/pkg/whatsapp/meta/fake"
)

// provider is WhatsApp's side of sending: the Graph API, and the receipts.
type provider struct {
	w       *world
	accepts []accept
	// receipts are those that will ever be posted.
	receipts []receipt
}

// accept is a message that the provider has taken.
type accept struct {
	at         time.Time
	delivery   string // what came as biz_opaque_callback_data
	attempt    int
	channel    string
	to         string
	body       string
	wamid      string
	happenedAt int // place in the order of all accepts
}

// receipt is what a webhook will say of an accepted message.
type receipt struct {
	id, wamid, status, delivery string
	bare                        bool // without the callback
}

type sendBody struct {
	To        string `json:"to"`
	Recipient string `json:"recipient"`
	Text      struct {
		Body string `json:"body"`
	} `json:"text"`
	Callback string `json:"biz_opaque_callback_data"`
}

var errReset = errors.New("read: connection reset by peer")

// sendTimeout is the dispatcher's.
const sendTimeout = 15 * time.Second

// RoundTrip carries one request over the network and back, in virtual time.
func (v *provider) RoundTrip(req *http.Request) (*http.Response, error) {
	w, r := v.w, v.w.options.Rates
	trace := httptrace.ContextClientTrace(req.Context())
	trace.GetConn("graph.test")
	if w.fault("send refused", r.SendRefused) {
		w.sleep(w.between(0, 2*time.Second))
		return nil, errors.New("dial: connection refused")
	}
	trace.GotConn(httptrace.GotConnInfo{})
	body := sendBody{}
	if err := json.NewDecoder(req.Body).Decode(&body); err != nil {
		panic(err)
	}
	there, back := w.between(5*time.Millisecond, 80*time.Millisecond), w.between(5*time.Millisecond, time.Second)
	answer := &answer{}
	if !w.fault("send cut before the provider", r.SendCutBefore) {
		attempt, channel := w.current.attempt, path.Base(path.Dir(req.URL.Path))
		// What is on the network arrives, even if the sender dies meanwhile.
		w.after(there, func() { v.arrive(answer, channel, body, attempt) })
	} else {
		answer.err = errReset
	}
	w.sleep(there + back)
	if answer.slow > 0 {
		w.sleep(min(answer.slow, sendTimeout-there-back))
		if answer.slow > sendTimeout-there-back {
			return nil, context.DeadlineExceeded
		}
	}
	if answer.err != nil {
		return nil, answer.err
	}
	return &http.Response{
		StatusCode: answer.status, Header: answer.header, Request: req,
		Body: io.NopCloser(strings.NewReader(answer.body)),
	}, nil
}

// answer is what the sender will see.
type answer struct {
	status int
	header http.Header
	body   string
	slow   time.Duration
	err    error
}

func (a *answer) graphError(status, code int) {
	a.status = status
	a.body = fmt.Sprintf(`{"error":{"message":"refused","code":%d}}`, code)
}

// arrive decides what becomes of a request.
func (v *provider) arrive(a *answer, channel string, body sendBody, attempt int) {
	w, r := v.w, v.w.options.Rates
	switch {
	case w.fault("send 429", r.SendBusy):
		a.graphError(http.StatusTooManyRequests, 130429)
		return
	case w.fault("send pair rate", r.SendPair):
		a.graphError(http.StatusBadRequest, 131056)
		return
	case w.fault("send 400", r.SendPermanent):
		a.graphError(http.StatusBadRequest, 100)
		return
	case w.fault("send 503 with a code", r.SendRetry):
		a.graphError(http.StatusServiceUnavailable, 131016)
		return
	case w.fault("send 500 not accepted", r.SendBroken/2):
		a.status = http.StatusInternalServerError
		return
	}
	wamid := v.accept(channel, body, attempt)
	a.status = http.StatusOK
	a.body = fmt.Sprintf(`{"messages":[{"id":%q}]}`, wamid)
	switch {
	case w.fault("send accepted, then cut", r.SendCut):
		a.err = errReset
	case w.fault("send accepted, then 500", r.SendBroken/2):
		a.status, a.body = http.StatusBadGateway, "<html>"
	case w.fault("send accepted, garbage answered", r.SendGarbage):
		a.body = "<html>"
	case w.fault("send slow", r.SendSlow):
		a.slow = w.between(time.Second, 25*time.Second)
	}
}

func (v *provider) accept(channel string, body sendBody, attempt int) (wamid string) {
	n := len(v.accepts) + 1
	wamid = fmt.Sprintf("wamid.out%d", n)
	v.accepts = append(v.accepts, accept{
		at: v.w.now, delivery: body.Callback, attempt: attempt, channel: channel, to: body.To + body.Recipient,
		body: body.Text.Body, wamid: wamid, happenedAt: n,
	})
	v.w.note("provider accepts %s of %s, attempt %d", wamid, body.Callback, attempt)
	v.report(channel, body, wamid)
	return wamid
}

// report plans the receipts of a message: some of them, in any order.
func (v *provider) report(channel string, body sendBody, wamid string) {
	w, r := v.w, v.w.options.Rates
	person := fake.Person{Phone: body.To, BSUID: body.Recipient}
	statuses := []string{"sent", "delivered", "read"}[:1+w.rng.IntN(3)]
	if w.fault("receipt failed", r.ReceiptFailed) {
		statuses = []string{"sent", "failed"}
	}
	if w.fault("receipts lost", r.ReceiptLost) {
		return
	}
	for _, status := range statuses {
		callback := body.Callback
		if w.fault("receipt without callback", r.ReceiptBare) {
			callback = ""
		}
		wait := w.between(100*time.Millisecond, 8*time.Second)
		if w.fault("receipt early", r.ReceiptEarly) {
			wait = w.between(0, 5*time.Millisecond)
		}
		times := 1
		if w.fault("receipt twice", r.ReceiptTwice) {
			times = 2
		}
		v.receipts = append(v.receipts, receipt{
			id: wamid + "/" + status, wamid: wamid, status: status, delivery: body.Callback, bare: callback == "",
		})
		for range times {
			w.meta.plan(wait, channel, update{
				id: wamid + "/" + status, receipt: true,
				item: func() fake.Item { return fake.Receipt(person, wamid, status, w.now, callback) },
			})
			wait += w.between(0, 5*time.Second)
		}
	}
}
