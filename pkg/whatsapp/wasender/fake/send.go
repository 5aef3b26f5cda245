package fake

import (
	"context"
	"encoding/json"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/parleyhq/parley/pkg/whatsapp/faults"
)

// firstMsgID is where WASenderApi's own ids begin.
const firstMsgID = 100_000

var (
	addressPattern  = regexp.MustCompile(`^(\+[0-9]{6,15}|@[a-z0-9._]{3,}|[0-9-]+@g\.us|[0-9]+@newsletter)$`)
	presencePattern = regexp.MustCompile(`^[0-9]{6,15}@s\.whatsapp\.net$`)
)

// request is the body of a send or of a presence update.
type request struct {
	To       string `json:"to"`
	JID      string `json:"jid"`
	Type     string `json:"type"`
	Text     string `json:"text"`
	Image    string `json:"imageUrl"`
	Video    string `json:"videoUrl"`
	Document string `json:"documentUrl"`
	Audio    string `json:"audioUrl"`
	Sticker  string `json:"stickerUrl"`
	Contact  *struct {
		Name  string `json:"name"`
		Phone string `json:"phone"`
	} `json:"contact"`
	Location *struct {
		Latitude  *float64 `json:"latitude"`
		Longitude *float64 `json:"longitude"`
	} `json:"location"`
}

// kind is what is sent; empty if it is nothing or several things.
func (q *request) kind() (kind, link string) {
	for name, address := range map[string]string{
		"image": q.Image, "video": q.Video, "document": q.Document, "audio": q.Audio, "sticker": q.Sticker,
	} {
		if address == "" {
			continue
		}
		if kind != "" {
			return "", ""
		}
		kind, link = name, address
	}
	switch {
	case kind != "":
	case q.Contact != nil && q.Contact.Name != "" && q.Contact.Phone != "":
		kind = "contact"
	case q.Location != nil && q.Location.Latitude != nil && q.Location.Longitude != nil:
		kind = "location"
	case q.Text != "":
		kind = "text"
	}
	return kind, link
}

// wrong is what WASenderApi would refuse about a request; nil if nothing.
func (q *request) wrong(path string) map[string][]string {
	if path == "/send-presence-update" {
		if !presencePattern.MatchString(q.JID) || q.Type != "composing" {
			return map[string][]string{"jid": {"The jid or the type is invalid."}}
		}
		return nil
	}
	kind, link := q.kind()
	switch {
	case !addressPattern.MatchString(q.To):
		return map[string][]string{"to": {"The to field is invalid: " + q.To}}
	case kind == "" || link != "" && !strings.HasPrefix(link, "http"):
		return map[string][]string{"text": {"The text field is required."}}
	}
	return nil
}

// send checks a request and its session, asks OnSend, and accepts.
func (s *Server) send(ctx context.Context, session int64, path string, body []byte) Answer {
	var q request
	if json.Unmarshal(body, &q) != nil {
		return Refusal(http.StatusBadRequest, "Invalid JSON.", nil)
	}
	if wrong := q.wrong(path); wrong != nil {
		return Refusal(http.StatusUnprocessableEntity, "The given data was invalid.", wrong)
	}
	send := Send{Session: session, To: q.To, Text: q.Text, Body: body}
	send.Kind, send.Link = q.kind()
	if path == "/send-presence-update" {
		send.To, send.Kind = q.JID, "typing"
	}
	refusal, rate := s.admit(session, send.Kind)
	if refusal != nil {
		return *refusal
	}
	answer := s.accept(ctx, send, s.decide(ctx, send))
	if answer.Header == nil {
		answer.Header = rate
	}
	return answer
}

// decide asks OnSend, on top of a fault if one is turned on.
func (s *Server) decide(ctx context.Context, send Send) (answer Answer) {
	if s.OnSend != nil {
		answer = s.OnSend(ctx, send)
	}
	fault, any := s.Faults.Send(faults.WASender)
	if !any {
		return answer
	}
	switch fault.Kind {
	case faults.Refuse:
		answer = Refusal(fault.Status, "Switched on.", nil)
		if fault.Status == http.StatusTooManyRequests && fault.RetryAfter > 0 {
			answer = TooMany(fault.RetryAfter)
		}
	case faults.Cut:
		answer.Hangup = true
	case faults.Lost:
		answer.Lost, answer.Wait = true, fault.Delay()
	case faults.Slow:
		answer.Wait = fault.Delay()
	case faults.Garbage:
		answer.Garbage = true
	case faults.Drop:
		answer.Drop = true
	}
	return answer
}

// admit refuses what the session cannot send now. Of a limit the fake writes the
// reset in one of the two documented forms by turns.
func (s *Server) admit(session int64, kind string) (*Answer, http.Header) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.session(session)
	if !strings.EqualFold(found.Status, "connected") {
		refusal := NotConnected()
		return &refusal, nil
	}
	if kind == "typing" || found.PerMinute == 0 {
		return nil, nil
	}
	if s.sent == nil {
		s.sent = map[int64][]time.Time{}
	}
	now, kept := s.now(), []time.Time{}
	for _, at := range s.sent[session] {
		if now.Sub(at) < time.Minute {
			kept = append(kept, at)
		}
	}
	left := found.PerMinute - len(kept)
	reset := strconv.Itoa(60)
	if left%2 == 0 {
		reset = strconv.FormatInt(now.Add(time.Minute).Unix(), 10)
	}
	header := http.Header{"X-Ratelimit-Limit": {strconv.Itoa(found.PerMinute)}, "X-Ratelimit-Remaining": {strconv.Itoa(max(left-1, 0))}, "X-Ratelimit-Reset": {reset}}
	if left <= 0 {
		refusal := TooMany(60)
		refusal.Header = header
		return &refusal, nil
	}
	s.sent[session] = append(kept, now)
	return nil, header
}

// accept does what the answer of OnSend says.
func (s *Server) accept(ctx context.Context, send Send, answer Answer) Answer {
	if answer.Drop {
		s.SetStatus(send.Session, "disconnected")
		return NotConnected()
	}
	defer pause(ctx, answer.Wait)
	if answer.Hangup || answer.Body != nil || answer.Status != 0 {
		return answer
	}
	if send.Kind == "typing" {
		answer.Body = good(map[string]any{"jid": send.To, "type": "composing"}).Body
		return answer
	}
	send, id := s.log(send)
	if s.OnAccepted != nil {
		s.OnAccepted(ctx, send, id)
	}
	answer.Body = good(map[string]any{"msgId": send.MsgID, "jid": send.To, "status": "in_progress"}).Body
	if answer.Garbage {
		answer.Body = []byte("<html>")
	}
	return answer
}

// log keeps a message that is accepted, and gives it its ids.
func (s *Server) log(send Send) (logged Send, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.messages == nil {
		s.messages = map[int64]*message{}
	}
	send.MsgID, id = firstMsgID+int64(len(s.messages)), NewID()
	s.messages[send.MsgID] = &message{session: send.Session, send: send, id: id, status: "in_progress", at: s.now()}
	return send, id
}

// pause waits, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
