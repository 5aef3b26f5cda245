package webhook

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// vector is the example of the specification's reference libraries.
const (
	vectorSecret    = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	vectorID        = "msg_p5jXN8AQM9LWM0D4loKWxJek"
	vectorAt        = 1614265330
	vectorBody      = `{"test": 2432232314}`
	vectorSignature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
)

func TestSignatureOfTheReference(t *testing.T) {
	secrets, err := ParseSecrets([]string{vectorSecret})
	if err != nil {
		t.Fatal(err)
	}
	if got := secrets.sign(vectorID, time.Unix(vectorAt, 0), []byte(vectorBody)); got != vectorSignature {
		t.Errorf("%s, want %s", got, vectorSignature)
	}
}

func TestParseSecrets(t *testing.T) {
	for _, wrong := range []string{"", "whsec_", "s3cret", "whsec_c2hvcnQ=", "whsec_" + base64.StdEncoding.EncodeToString(make([]byte, 65))} {
		if _, err := ParseSecrets([]string{vectorSecret, wrong}); err == nil || !strings.Contains(err.Error(), "secret 2") || wrong != "" && wrong != "whsec_" && strings.Contains(err.Error(), wrong) {
			t.Errorf("%q: %v", wrong, err)
		}
	}
}

// verify reads the headers as the specification tells receivers to, and takes any of the
// secrets that it knows.
func verify(r *http.Request, body []byte, now time.Time, secret string) error {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		return err
	}
	seconds, err := strconv.ParseInt(r.Header.Get("webhook-timestamp"), 10, 64)
	if age := now.Sub(time.Unix(seconds, 0)).Abs(); err != nil || age > 5*time.Minute {
		return fmt.Errorf("timestamp: %w, %s away", err, age)
	}
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%d.%s", r.Header.Get("webhook-id"), seconds, body)
	for _, signature := range strings.Fields(r.Header.Get("webhook-signature")) {
		version, text, _ := strings.Cut(signature, ",")
		given, err := base64.StdEncoding.DecodeString(text)
		if err == nil && version == "v1" && hmac.Equal(given, mac.Sum(nil)) {
			return nil
		}
	}
	return errors.New("no signature fits")
}

// TestPost: who knows either secret can check what arrives, and nobody else.
func TestPost(t *testing.T) {
	old, next := vectorSecret, "whsec_"+base64.StdEncoding.EncodeToString([]byte(strings.Repeat("n", 32)))
	other := "whsec_" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("o", 32)))
	status, header := http.StatusNoContent, http.Header{}
	var got *http.Request
	var body []byte
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
		for name := range header {
			w.Header().Set(name, header.Get(name))
		}
		w.WriteHeader(status)
	}))
	defer server.Close()
	secrets, err := ParseSecrets([]string{next, old})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	e := &Endpoint{URL: server.URL + "/?token=hidden", Secrets: secrets, Client: server.Client()}
	if err := e.Post(t.Context(), "evt_1_2", now, []byte(`{"a":1}`)); err != nil {
		t.Fatal(err)
	}
	for secret, fits := range map[string]bool{old: true, next: true, other: false} {
		if err := verify(got, body, now, secret); (err == nil) != fits {
			t.Errorf("%s: %v", secret, err)
		}
	}
	if verify(got, append(body, ' '), now, old) == nil {
		t.Error("another body fits the signature")
	}
	if got.Method != http.MethodPost || got.Header.Get("webhook-id") != "evt_1_2" || got.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%s %v", got.Method, got.Header)
	}
	for _, c := range []struct {
		status int
		after  string
		want   Refusal
		final  bool
	}{
		{http.StatusFound, "", Refusal{Status: 302}, false},
		{http.StatusBadRequest, "", Refusal{Status: 400}, false},
		{http.StatusGone, "", Refusal{Status: 410}, true},
		{http.StatusTooManyRequests, "7", Refusal{429, 7 * time.Second}, false},
		{http.StatusServiceUnavailable, now.Add(time.Hour).UTC().Format(http.TimeFormat), Refusal{503, time.Hour}, false},
		{http.StatusServiceUnavailable, "-5", Refusal{Status: 503}, false},
		{http.StatusServiceUnavailable, "soon", Refusal{Status: 503}, false},
	} {
		status = c.status
		header = http.Header{"Retry-After": {c.after}}
		var refusal *Refusal
		err := e.Post(t.Context(), "evt_1_2", now, nil)
		if !errors.As(err, &refusal) || refusal.Status != c.want.Status || (refusal.After-c.want.After).Abs() > time.Second || refusal.Final() != c.final {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// TestPostReachesNobody: what goes wrong is said without the address.
func TestPostReachesNobody(t *testing.T) {
	server := httptest.NewServer(nil)
	server.Close()
	e := &Endpoint{URL: server.URL + "/?token=hidden", Client: server.Client()}
	ended, end := context.WithDeadline(t.Context(), time.Unix(1, 0))
	defer end()
	for _, ctx := range []context.Context{t.Context(), ended} {
		if err := e.Post(ctx, "evt_1_2", time.Now(), nil); err == nil || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%v", err)
		}
	}
}

// told is every kind of event that is told, with its type. Nobody is told of any other.
var told = map[string]string{
	"session_started": "session.started", "answer_accepted": "session.answered", "session_completed": "session.completed",
	"session_cancelled": "session.cancelled", "session_expired": "session.expired", "session_resumed": "session.resumed",
	"handed_over": "session.handed_over", "given_back": "session.given_back", "opted_out": "contact.opted_out",
	"opted_in": "contact.opted_in", "delivery_failed": "delivery.failed", "lead_assigned": "lead.assigned",
	"lead_queued": "lead.queued", "lead_closed": "lead.closed", "slot_booked": "slot.booked", "booking_moved": "slot.moved",
	"booking_cancelled": "slot.cancelled",
}

// TestEveryKind: each told event says what README.md lists, with all its fields even if
// they are empty, and the same bytes each time.
func TestEveryKind(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	kinds := (&parleyv1.Event{}).ProtoReflect().Descriptor().Oneofs().ByName("body").Fields()
	for i := range kinds.Len() {
		kind := kinds.Get(i)
		e := &parleyv1.Event{Channel: "n1", SessionId: 7, AtMs: 1_763_800_000_000, Flow: "lead", FlowVersion: 2, Language: "en"}
		e.ProtoReflect().Mutable(kind)
		want := told[string(kind.Name())]
		if got := Type(e); got != want {
			t.Errorf("%s is told as %q, want %q", kind.Name(), got, want)
		}
		text, err := Body(e, Contact{Phone: "49151"})
		if want == "" {
			if err == nil {
				t.Errorf("%s: %s", kind.Name(), text)
			}
			continue
		}
		again, _ := Body(e, Contact{Phone: "49151"})
		if err != nil || string(again) != string(text) {
			t.Errorf("%s: %s, then %s, %v", kind.Name(), text, again, err)
		}
		checkListed(t, string(readme), want, text)
	}
}

// TestInputs: calls and payments are told, what is written and done besides is not.
func TestInputs(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for want, in := range map[string]*parleyv1.Input{
		"contact.called":  {Body: &parleyv1.Input_VoiceCall{VoiceCall: &parleyv1.VoiceCall{CallId: "wacid.1", State: "missed"}}},
		"payment.updated": {Body: &parleyv1.Input_Aside{Aside: &parleyv1.Aside{Kind: "payment", State: "captured", Reference: "order-7"}}},
	} {
		e := &parleyv1.Event{Channel: "n1", AtMs: 1_763_800_000_000, Body: &parleyv1.Event_InputReceived{InputReceived: &parleyv1.InputReceived{Input: in}}}
		text, err := Body(e, Contact{Phone: "49151"})
		if err != nil {
			t.Fatalf("%s: %v", want, err)
		}
		checkListed(t, string(readme), want, text)
	}
	for _, in := range []*parleyv1.Input{
		{Body: &parleyv1.Input_Message{Message: &parleyv1.IncomingMessage{Text: "x"}}},
		{Body: &parleyv1.Input_Aside{Aside: &parleyv1.Aside{Kind: "reaction"}}},
		{Body: &parleyv1.Input_PastMessage{PastMessage: &parleyv1.PastMessage{}}},
		{Body: &parleyv1.Input_GroupMessage{GroupMessage: &parleyv1.GroupMessage{}}},
	} {
		if kind := Type(&parleyv1.Event{Body: &parleyv1.Event_InputReceived{InputReceived: &parleyv1.InputReceived{Input: in}}}); kind != "" {
			t.Errorf("%v is told as %s", in, kind)
		}
	}
}

// checkListed compares the fields of a body with the row of README.md's table.
func checkListed(t *testing.T, readme, kind string, text []byte) {
	t.Helper()
	var posted struct {
		Type      string    `json:"type"`
		Timestamp time.Time `json:"timestamp"`
		Data      struct {
			Channel string         `json:"channel"`
			Event   map[string]any `json:"event"`
		} `json:"data"`
	}
	if err := json.Unmarshal(text, &posted); err != nil || posted.Type != kind || posted.Timestamp.UnixMilli() != 1_763_800_000_000 || posted.Data.Channel != "n1" {
		t.Errorf("%s: %s, %v", kind, text, err)
	}
	_, row, found := strings.Cut(readme, "\n| `"+kind+"` |")
	row, _, _ = strings.Cut(row, "\n")
	if !found {
		t.Errorf("README.md does not list %s", kind)
	}
	var listed []string
	for i, word := range strings.Split(row, "`") {
		if i%2 == 1 {
			listed = append(listed, word)
		}
	}
	for field := range posted.Data.Event {
		if !slices.Contains(listed, field) {
			t.Errorf("README.md does not list %s of %s", field, kind)
		}
	}
	for _, field := range listed {
		if _, said := posted.Data.Event[field]; !said {
			t.Errorf("README.md lists %s of %s, which is not told", field, kind)
		}
	}
}

// TestAnswerIsTyped: what a person answered is told as what it is.
func TestAnswerIsTyped(t *testing.T) {
	for want, a := range map[string]*parleyv1.AnswerAccepted{
		`"value":42`: {Value: "42", Json: []byte("42")}, `"value":"42"`: {Value: "42"}, `"value":["a"]`: {Value: "a", Json: []byte(`["a"]`)},
	} {
		text, err := Body(&parleyv1.Event{Body: &parleyv1.Event_AnswerAccepted{AnswerAccepted: a}}, Contact{})
		if err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s, want %s, %v", text, want, err)
		}
	}
}
