package wasender

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// refPrefix marks an id that is WASenderApi's and not WhatsApp's.
const refPrefix = "wasender:"

// sendPath is where messages are posted. Its limits are its own.
const sendPath = "/send-message"

// Ref is the id that Send gives of a message whose id in WhatsApp is not known yet.
// No receipt has it: Join finds the other.
func Ref(msgID int64) string { return refPrefix + strconv.FormatInt(msgID, 10) }

// ParseRef reads a Ref; ok is false if id is none.
func ParseRef(id string) (msgID int64, ok bool) {
	digits, ok := strings.CutPrefix(id, refPrefix)
	msgID, err := strconv.ParseInt(digits, 10, 64)
	return msgID, ok && err == nil && msgID > 0
}

// Send posts one message. The id is WhatsApp's, under which the receipts come, if
// WASenderApi knew it within Options.JoinWithin; else it is a Ref. Either says that
// WASenderApi took the message. Typing is no message: it has no id, and is done when
// there is no error. The error is always a *SendError. A send ends with its context
// at the latest: give it a deadline.
func (c *Client) Send(ctx context.Context, m Outgoing) (id string, err error) {
	k, refused := c.sendCall(ctx, m)
	if refused != nil {
		return "", refused
	}
	a, refused := c.do(ctx, k)
	if refused != nil {
		return "", refused
	}
	if m.Message.GetTyping() != nil {
		return "", nil
	}
	msgID := a.body.get("data", "msgId").integer()
	if msgID == 0 {
		return "", &SendError{Class: Ambiguous, Status: a.status, Message: "HTTP " + strconv.Itoa(a.status) + " without a message id"}
	}
	if id, ok := c.join(ctx, m.Channel, msgID); ok {
		return id, nil
	}
	return Ref(msgID), nil
}

// sendCall is the request that sends m, or why it cannot be sent.
func (c *Client) sendCall(ctx context.Context, m Outgoing) (call, *SendError) {
	if m.Channel == "" {
		return call{}, cannot(errNoChannel)
	}
	k := call{name: "send", method: http.MethodPost, path: sendPath, channel: m.Channel}
	var request sendRequest
	typing := m.Message.GetTyping() != nil
	if !typing {
		if err := request.fill(m.Message); err != nil {
			return call{}, cannot(err)
		}
	}
	phone, refused := c.phone(ctx, m.Channel, m.Message)
	if refused != nil {
		return call{}, refused
	}
	var body any = &request
	request.To = "+" + phone
	if typing {
		k.path, body = "/send-presence-update", sendPresence{JID: phone + "@s.whatsapp.net", Type: "composing"}
	}
	data, err := json.Marshal(body)
	if err != nil {
		return call{}, cannot(err)
	}
	k.body = data
	return k, nil
}

func cannot(err error) *SendError {
	return &SendError{Class: Permanent, Message: "message cannot be sent", Err: err}
}

// phone is the number that a message goes to. For a person who is known by a LID
// only, WASenderApi is asked: it does not send to LIDs.
func (c *Client) phone(ctx context.Context, channel string, m *parleyv1.MessageQueued) (string, *SendError) {
	if isPhone(m.GetPhone()) {
		return m.GetPhone(), nil
	}
	lid := parseJID(m.GetBsuid()).lid()
	if lid == "" {
		return "", cannot(errNoAddress)
	}
	phone, refused := c.phoneOf(ctx, channel, lid)
	switch {
	case refused != nil:
		if refused.Class == Ambiguous { // the message was not sent, that much is certain
			refused.Class = Retry
		}
		return "", refused
	case phone == "":
		return "", cannot(errNoAddress)
	}
	return phone, nil
}

// phoneOf asks for the phone of a LID; empty if WASenderApi does not know it. The
// shape of the answer is not documented: the first phone in it is taken.
func (c *Client) phoneOf(ctx context.Context, channel, lid string) (string, *SendError) {
	a, refused := c.do(ctx, call{name: "pn-from-lid", method: http.MethodGet, path: "/pn-from-lid/" + lid, channel: channel})
	if refused != nil {
		if refused.Status == http.StatusNotFound && !a.body.isNone() {
			return "", nil
		}
		return "", refused
	}
	data := a.body.get("data")
	if phone := parseJID(data.text()).phone(); phone != "" {
		return phone, nil
	}
	for _, member := range data.fields() {
		if phone := parseJID(member.value.text()).phone(); phone != "" && !member.key.is("lid") {
			return phone, nil
		}
	}
	return "", nil
}

// join waits for WhatsApp's id of a message, with growing pauses.
func (c *Client) join(ctx context.Context, channel string, msgID int64) (id string, ok bool) {
	if c.o.JoinWithin < 0 {
		return "", false
	}
	ctx, cancel := context.WithTimeout(ctx, c.o.JoinWithin)
	defer cancel()
	for pause := c.o.JoinWithin / 16; ; pause *= 2 {
		info, err := c.MessageInfo(ctx, channel, msgID)
		if err == nil && info.ID != "" {
			return info.ID, true
		}
		if err != nil && !worthRepeating(err) {
			return "", false
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return "", false
		case <-timer.C:
		}
	}
}
