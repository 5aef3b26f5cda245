package meta

import (
	"encoding/json"
	"errors"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

var (
	errHeader   = errors.New("header is neither a text nor an image, a video or a document")
	errShare    = errors.New("what is to be shared is neither the contact nor the location")
	errFormData = errors.New("data of the form is not a JSON object")
)

// formVersion is what flow_message_version must be.
const formVersion = "3"

// sendInteractive is a message that asks for a tap.
type sendInteractive struct {
	Type   string      `json:"type"`
	Header *sendHeader `json:"header,omitempty"`
	Body   sendLine    `json:"body"`
	Footer *sendLine   `json:"footer,omitempty"`
	Action sendAction  `json:"action"`
}

type sendLine struct {
	Text string `json:"text"`
}

type sendHeader struct {
	Type     string     `json:"type"`
	Text     string     `json:"text,omitempty"`
	Image    *sendMedia `json:"image,omitempty"`
	Video    *sendMedia `json:"video,omitempty"`
	Document *sendMedia `json:"document,omitempty"`
}

// sendAction is what can be tapped: Buttons, or the rows of Sections behind a
// Button, or what Name says with its Parameters.
type sendAction struct {
	Buttons    []sendButton  `json:"buttons,omitempty"`
	Button     string        `json:"button,omitempty"`
	Sections   []sendSection `json:"sections,omitempty"`
	Name       string        `json:"name,omitempty"`
	Parameters any           `json:"parameters,omitempty"` // sendLink or sendForm
}

type sendButton struct {
	Type  string    `json:"type"`
	Reply sendReply `json:"reply"`
}

type sendReply struct {
	ID    string `json:"id"`
	Title string `json:"title"`
}

type sendSection struct {
	Title string    `json:"title,omitempty"`
	Rows  []sendRow `json:"rows"`
}

type sendRow struct {
	ID          string `json:"id"`
	Title       string `json:"title"`
	Description string `json:"description,omitempty"`
}

type sendLink struct {
	Title string `json:"display_text"`
	URL   string `json:"url"`
}

type sendForm struct {
	Version string       `json:"flow_message_version"`
	FormID  string       `json:"flow_id"`
	Title   string       `json:"flow_cta"`
	Token   string       `json:"flow_token,omitempty"`
	Mode    string       `json:"mode"`
	Action  string       `json:"flow_action"`
	Payload *sendPayload `json:"flow_action_payload,omitempty"`
}

type sendPayload struct {
	Screen string          `json:"screen"`
	Data   json.RawMessage `json:"data,omitempty"`
}

func buttonsRequest(b *parleyv1.Buttons) (*sendInteractive, error) {
	action := sendAction{}
	for _, button := range b.GetButtons() {
		reply := sendReply{ID: button.GetId(), Title: button.GetTitle()}
		action.Buttons = append(action.Buttons, sendButton{Type: "reply", Reply: reply})
	}
	return interactive("button", b, action)
}

func listRequest(l *parleyv1.List) *sendInteractive {
	list := &sendInteractive{Type: "list", Body: sendLine{l.GetBody()}, Footer: footerRequest(l.GetFooter())}
	if l.GetHeader() != "" {
		list.Header = &sendHeader{Type: "text", Text: l.GetHeader()}
	}
	list.Action.Button = l.GetButton()
	for _, section := range l.GetSections() {
		rows := []sendRow{}
		for _, row := range section.GetRows() {
			rows = append(rows, sendRow{ID: row.GetId(), Title: row.GetTitle(), Description: row.GetDescription()})
		}
		list.Action.Sections = append(list.Action.Sections, sendSection{Title: section.GetTitle(), Rows: rows})
	}
	return list
}

func linkRequest(l *parleyv1.Link) (*sendInteractive, error) {
	return interactive("cta_url", l, sendAction{
		Name: "cta_url", Parameters: sendLink{Title: l.GetTitle(), URL: l.GetUrl()},
	})
}

// shareRequest asks for the person's own number (WIRE.md 2.4) or place.
// Source: Meta, "Location request messages".
func shareRequest(s *parleyv1.ShareRequest) (*sendInteractive, error) {
	asks := &sendInteractive{Body: sendLine{s.GetBody()}}
	switch s.GetWhat() {
	case "contact":
		asks.Type, asks.Action.Name = "request_contact_info", "request_contact_info"
	case "location":
		asks.Type, asks.Action.Name = "location_request_message", "send_location"
	default:
		return nil, errShare
	}
	return asks, nil
}

// formRequest opens the form at its screen, or asks the form's endpoint where to
// open: then Meta wants no payload.
func formRequest(f *parleyv1.Form) (*sendInteractive, error) {
	form := sendForm{
		Version: formVersion, FormID: f.GetFormId(), Title: f.GetTitle(), Token: f.GetToken(),
		Mode: "published", Action: "data_exchange",
	}
	if f.GetScreen() != "" {
		data, err := formData(f.GetData())
		if err != nil {
			return nil, err
		}
		form.Action, form.Payload = "navigate", &sendPayload{Screen: f.GetScreen(), Data: data}
	}
	return interactive("flow", f, sendAction{Name: "flow", Parameters: form})
}

// formData is a JSON object as it was queued; none for an empty one, which Meta refuses.
func formData(data []byte) (json.RawMessage, error) {
	if len(data) == 0 {
		return nil, nil
	}
	object, fault := parse(data)
	if fault != "" || !object.isObject() {
		return nil, errFormData
	}
	for range object.members() {
		return data, nil
	}
	return nil, nil
}

// framed is a message with a body between a header and a footer, as all
// interactive ones are but lists.
type framed interface {
	GetHeader() *parleyv1.Header
	GetBody() string
	GetFooter() string
}

// interactive puts the frame of a message around its action.
func interactive(typ string, m framed, action sendAction) (*sendInteractive, error) {
	header, err := headerRequest(m.GetHeader())
	if err != nil {
		return nil, err
	}
	return &sendInteractive{
		Type: typ, Header: header, Body: sendLine{m.GetBody()}, Footer: footerRequest(m.GetFooter()), Action: action,
	}, nil
}

// headerRequest is a text or a file that has no caption; nil without a header.
func headerRequest(h *parleyv1.Header) (*sendHeader, error) {
	switch {
	case h.GetMedia() != nil:
		header, file := &sendHeader{Type: h.GetMedia().GetKind()}, fileRequest(h.GetMedia())
		switch header.Type {
		case "image":
			header.Image = file
		case "video":
			header.Video = file
		case "document":
			header.Document = file
		default:
			return nil, errHeader
		}
		return header, nil
	case h.GetText() != "":
		return &sendHeader{Type: "text", Text: h.GetText()}, nil
	}
	return nil, nil
}

func footerRequest(text string) *sendLine {
	if text == "" {
		return nil
	}
	return &sendLine{text}
}
