package wasender

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// CallError says why a call other than a send failed.
type CallError struct {
	Call string // as "connect"
	// Refusal has the class: what is Ambiguous may have been done.
	Refusal *SendError
}

// Error is fit for logs: it holds nothing that WASenderApi wrote.
func (e *CallError) Error() string {
	message := e.Call + ": " + e.Refusal.Class.String() + ": " + e.Refusal.Message
	if e.Refusal.Err != nil {
		return message + ": " + e.Refusal.Err.Error()
	}
	return message
}

// Unwrap is the refusal.
func (e *CallError) Unwrap() error { return e.Refusal }

// worthRepeating reports whether a call may succeed a moment later.
func worthRepeating(err error) bool {
	var e *CallError
	return errors.As(err, &e) && (e.Refusal.Class == Retry || e.Refusal.Class == Ambiguous)
}

var errNoData = errors.New("answer without data")

// ask makes a call and gives the data of its answer, or the answer itself where
// WASenderApi wraps nothing.
func (c *Client) ask(ctx context.Context, k call) (value, error) {
	a, refused := c.do(ctx, k)
	if refused != nil {
		return value{}, &CallError{Call: k.name, Refusal: refused}
	}
	if data := a.body.get("data"); !data.isNone() {
		return data, nil
	}
	return a.body, nil
}

// need is the error of an answer that lacks what it was asked for.
func need(name string, present bool) error {
	if present {
		return nil
	}
	return &CallError{Call: name, Refusal: &SendError{Class: Ambiguous, Message: "not understood", Err: errNoData}}
}

func get(name, path string) call { return call{name: name, method: http.MethodGet, path: path} }

func post(name, path string, body any) call {
	k := call{name: name, method: http.MethodPost, path: path}
	if body != nil {
		k.body, _ = json.Marshal(body) // maps of strings can always be written
	}
	return k
}

func (k call) of(channel string) call {
	k.channel = channel
	return k
}

// MessageInfo is what WASenderApi knows of a message that it was asked to send.
type MessageInfo struct {
	ID     string // WhatsApp's; empty as long as WhatsApp does not have it
	Status string // as of a Receipt; empty if it is not said
}

// MessageInfo finds WhatsApp's id of a message.
func (c *Client) MessageInfo(ctx context.Context, channel string, msgID int64) (MessageInfo, error) {
	data, err := c.ask(ctx, get("message info", "/messages/"+strconv.FormatInt(msgID, 10)+"/info").of(channel))
	if err != nil {
		return MessageInfo{}, err
	}
	f := data.fields()
	info := MessageInfo{ID: f.get("id").text(), Status: statusOf(f.get("status"))}
	if key := f.get("key"); key.isObject() {
		info.ID = key.get("id").text()
	}
	if !validID(info.ID) || info.ID == strconv.FormatInt(msgID, 10) { // its own is no news
		info.ID = ""
	}
	return info, nil
}

// Join finds WhatsApp's id of a message that Send gave a Ref of; empty if WhatsApp
// does not have the message yet.
func (c *Client) Join(ctx context.Context, channel, ref string) (id string, err error) {
	msgID, ok := ParseRef(ref)
	if !ok {
		return ref, nil
	}
	info, err := c.MessageInfo(ctx, channel, msgID)
	return info.ID, err
}

// Resend asks WASenderApi to send a message again that it failed to send.
func (c *Client) Resend(ctx context.Context, channel string, msgID int64) error {
	_, err := c.ask(ctx, post("resend", "/messages/"+strconv.FormatInt(msgID, 10)+"/resend", nil).of(channel))
	return err
}

// MarkRead shows a person that their message was read.
func (c *Client) MarkRead(ctx context.Context, channel, phone, id string) error {
	key := map[string]any{"id": id, "remoteJid": phone + "@s.whatsapp.net", "fromMe": false}
	_, err := c.ask(ctx, post("mark read", "/messages/read", map[string]any{"key": key}).of(channel))
	return err
}

// Status is the state of a channel's session.
func (c *Client) Status(ctx context.Context, channel string) (Status, error) {
	data, err := c.ask(ctx, get("status", "/status").of(channel))
	if err != nil {
		return "", err
	}
	status := sessionStatus(data.get("status").limited(maxIDBytes))
	return status, need("status", status != "")
}

// Session is one of the account's. Its secrets do not print.
type Session struct {
	ID            int64
	Name, Phone   string
	Status        Status
	APIKey        Secret // empty in lists
	WebhookSecret Secret
}

func sessionOf(v value) Session {
	f := v.fields()
	return Session{
		ID: f.get("id").integer(), Name: f.get("name").limited(maxFieldBytes), Phone: f.get("phone_number").limited(maxIDBytes),
		Status: sessionStatus(f.get("status").limited(maxIDBytes)),
		APIKey: Secret(f.get("api_key").limited(maxIDBytes)), WebhookSecret: Secret(f.get("webhook_secret").limited(maxIDBytes)),
	}
}

// Sessions lists the account's sessions.
func (c *Client) Sessions(ctx context.Context) ([]Session, error) {
	data, err := c.ask(ctx, get("list sessions", "/whatsapp-sessions"))
	if err != nil {
		return nil, err
	}
	var list []Session
	for element := range data.elements() {
		list = append(list, sessionOf(element))
	}
	return list, need("list sessions", data.isList())
}

// Session reads one session, with its secrets.
func (c *Client) Session(ctx context.Context, session int64) (Session, error) {
	data, err := c.ask(ctx, get("read session", sessionPath(session, "")))
	if err != nil {
		return Session{}, err
	}
	s := sessionOf(data)
	return s, need("read session", s.ID != 0)
}

func sessionPath(session int64, action string) string {
	return "/whatsapp-sessions/" + strconv.FormatInt(session, 10) + action
}

// Pairing is what a person must do to connect a session, by its Status.
type Pairing struct {
	Status  Status
	QR      Secret // for NeedScan: what the QR code says, not an image
	Passkey Secret // for NeedPasskey
	Expires time.Time
}

// Connect starts a session; method is "qr" or "passkey".
// Source: WASenderApi, "Connect session".
func (c *Client) Connect(ctx context.Context, session int64, method string) (Pairing, error) {
	return c.pairing(ctx, post("connect", sessionPath(session, "/connect"), map[string]string{"linkMethod": method}))
}

// QRCode is the newest QR code of a session. It is good for less than a minute.
func (c *Client) QRCode(ctx context.Context, session int64) (Pairing, error) {
	p, err := c.pairing(ctx, get("read QR code", sessionPath(session, "/qrcode")))
	if err == nil && p.Status == "" {
		p.Status = NeedScan
	}
	return p, err
}

func (c *Client) pairing(ctx context.Context, k call) (Pairing, error) {
	data, err := c.ask(ctx, k)
	if err != nil {
		return Pairing{}, err
	}
	f, passkey := data.fields(), data.get("passkey").fields()
	qr := f.get("qrCode").limited(maxFieldBytes)
	fill(&qr, f.get("qr").limited(maxFieldBytes))
	p := Pairing{
		Status: sessionStatus(f.get("status").limited(maxIDBytes)), QR: Secret(qr), Passkey: Secret(passkey.get("token").limited(maxFieldBytes)),
		Expires: timeOf(passkey.get("expires_at")),
	}
	return p, need(k.name, p.Status != "" || qr != "")
}

// timeOf reads a time as WASenderApi writes it in answers; zero if it is none.
func timeOf(v value) time.Time {
	if ms := millis(v); ms != 0 {
		return time.UnixMilli(ms).UTC()
	}
	for _, layout := range []string{time.RFC3339Nano, time.DateTime} {
		if at, err := time.Parse(layout, v.limited(maxIDBytes)); err == nil {
			return at
		}
	}
	return time.Time{}
}

// Restart restarts a session that is connected.
func (c *Client) Restart(ctx context.Context, session int64) error {
	_, err := c.ask(ctx, post("restart", sessionPath(session, "/restart"), nil))
	return err
}

// Disconnect stops a session.
func (c *Client) Disconnect(ctx context.Context, session int64) error {
	_, err := c.ask(ctx, post("disconnect", sessionPath(session, "/disconnect"), nil))
	return err
}

// MessageLog is one line of a session's log of sends. To and Content are empty
// unless the session logs messages; both are personal data.
type MessageLog struct {
	MsgID       int64
	To, Content string // Content is the JSON of the send
	Status      string // as of a Receipt
	At          time.Time
}

// MessageLogs reads one page of a session's log, from 1; more says that there is
// another. It is how to find out what became of a send whose answer got lost.
// Source: WASenderApi, "Get message logs".
func (c *Client) MessageLogs(ctx context.Context, session int64, page, perPage int) (logs []MessageLog, more bool, err error) {
	query := url.Values{"page": {strconv.Itoa(page)}, "per_page": {strconv.Itoa(perPage)}}
	data, err := c.ask(ctx, get("read message log", sessionPath(session, "/message-logs?"+query.Encode())))
	if err != nil {
		return nil, false, err
	}
	list := data
	if data.isObject() {
		list = data.get("data")
	}
	for element := range list.elements() {
		f := element.fields()
		logs = append(logs, MessageLog{
			MsgID: f.get("id").integer(), To: f.get("to").limited(maxIDBytes), Content: f.get("content").text(),
			Status: statusOf(f.get("status")), At: timeOf(f.get("created_at")),
		})
	}
	more = data.get("last_page").integer() > int64(page)
	return logs, more, need("read message log", list.isList())
}

// Upload gives WASenderApi a file to send; the address is good for a day.
// Source: WASenderApi, "Upload media file".
func (c *Client) Upload(ctx context.Context, channel, mimeType string, file []byte) (link string, err error) {
	k := call{name: "upload", method: http.MethodPost, path: "/upload", channel: channel, body: file, contentType: mimeType}
	return c.publicURL(ctx, k)
}

func (c *Client) publicURL(ctx context.Context, k call) (string, error) {
	data, err := c.ask(ctx, k)
	if err != nil {
		return "", err
	}
	link := data.get("publicUrl").limited(maxFieldBytes)
	return link, need(k.name, strings.HasPrefix(link, "http"))
}
