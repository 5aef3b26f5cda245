package meta

import (
	"encoding/json"
	"errors"
	"strings"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

var (
	errNoChannel = errors.New("no channel")
	errNoAddress = errors.New("neither a phone number nor a BSUID")
	errNoContent = errors.New("no content that can be sent")
)

// request is the body that sends m. WhatsApp's limits are not checked here: the
// flow was when it was published, and Meta refuses what is beyond them.
func (m Outgoing) request() ([]byte, error) {
	if m.Channel == "" {
		return nil, errNoChannel
	}
	if typing := m.Message.GetTyping(); typing != nil {
		return typingRequest(typing)
	}
	request := sendRequest{Product: "whatsapp", RecipientType: "individual", Callback: m.DeliveryID}
	if err := request.address(m.Message); err != nil {
		return nil, err
	}
	if err := request.fill(m.Message); err != nil {
		return nil, err
	}
	if quoted := m.Message.GetReplyTo(); quoted != "" {
		request.Context = &sendContext{quoted}
	}
	return json.Marshal(request)
}

// sendRequest is the body of a send. Of the objects between Type and Callback the
// one that Type names is set.
type sendRequest struct {
	Product       string           `json:"messaging_product"`
	RecipientType string           `json:"recipient_type"`
	To            string           `json:"to,omitempty"`
	Recipient     string           `json:"recipient,omitempty"`
	Type          string           `json:"type"`
	Text          *sendText        `json:"text,omitempty"`
	Image         *sendMedia       `json:"image,omitempty"`
	Video         *sendMedia       `json:"video,omitempty"`
	Audio         *sendMedia       `json:"audio,omitempty"`
	Document      *sendMedia       `json:"document,omitempty"`
	Sticker       *sendMedia       `json:"sticker,omitempty"`
	Interactive   *sendInteractive `json:"interactive,omitempty"`
	Location      *sendLocation    `json:"location,omitempty"`
	Contacts      []sendContact    `json:"contacts,omitempty"`
	Template      *sendTemplate    `json:"template,omitempty"`
	Reaction      *sendReaction    `json:"reaction,omitempty"`
	Context       *sendContext     `json:"context,omitempty"`
	Callback      string           `json:"biz_opaque_callback_data,omitempty"`
}

// address says who it goes to. A BSUID never stands in "to": Meta would accept it,
// and drop the message without a word.
func (r *sendRequest) address(m *parleyv1.MessageQueued) error {
	switch {
	case isPhone(m.GetPhone()):
		r.To = m.GetPhone()
	case validID(m.GetBsuid()):
		r.Recipient = m.GetBsuid()
	default:
		return errNoAddress
	}
	return nil
}

// fill says what is sent.
func (r *sendRequest) fill(m *parleyv1.MessageQueued) (err error) {
	switch {
	case m.GetText().GetBody() != "":
		r.Type, r.Text = "text", &sendText{Body: m.GetText().GetBody(), PreviewURL: m.GetText().GetPreviewUrl()}
	case m.GetMedia() != nil:
		err = r.attach(m.GetMedia())
	case m.GetButtons() != nil:
		r.Type = "interactive"
		r.Interactive, err = buttonsRequest(m.GetButtons())
	case m.GetList() != nil:
		r.Type, r.Interactive = "interactive", listRequest(m.GetList())
	case m.GetLink() != nil:
		r.Type = "interactive"
		r.Interactive, err = linkRequest(m.GetLink())
	case m.GetForm() != nil:
		r.Type = "interactive"
		r.Interactive, err = formRequest(m.GetForm())
	case m.GetShare() != nil:
		r.Type = "interactive"
		r.Interactive, err = shareRequest(m.GetShare())
	case m.GetLocation() != nil:
		r.Type, r.Location = "location", locationRequest(m.GetLocation())
	case m.GetContact() != nil:
		r.Type, r.Contacts = "contacts", []sendContact{contactRequest(m.GetContact())}
	case m.GetTemplate() != nil:
		r.Type = "template"
		r.Template, err = templateRequest(m.GetTemplate())
	case m.GetReaction() != nil:
		r.Type, r.Reaction = "reaction", &sendReaction{m.GetReaction().GetMessageId(), m.GetReaction().GetEmoji()}
	default:
		err = errNoContent
	}
	return err
}

// sendContext names the message that is quoted.
type sendContext struct {
	MessageID string `json:"message_id"`
}

type sendText struct {
	Body       string `json:"body"`
	PreviewURL bool   `json:"preview_url,omitempty"`
}

// sendMedia names a file by what an upload gave or by where it lies, never by both.
type sendMedia struct {
	ID       string `json:"id,omitempty"`
	Link     string `json:"link,omitempty"`
	Caption  string `json:"caption,omitempty"`
	Filename string `json:"filename,omitempty"`
}

// attach sends a file. Meta refuses a caption where WhatsApp shows none.
func (r *sendRequest) attach(m *parleyv1.Media) error {
	file := fileRequest(m)
	r.Type, file.Caption = m.GetKind(), m.GetCaption()
	switch m.GetKind() {
	case "image":
		r.Image = file
	case "video":
		r.Video = file
	case "document":
		r.Document = file
	case "audio":
		r.Audio, file.Caption = file, ""
	case "sticker":
		r.Sticker, file.Caption = file, ""
	default:
		return errNoContent
	}
	return nil
}

// fileRequest is a file without its caption. Only documents show their name.
func fileRequest(m *parleyv1.Media) *sendMedia {
	file := &sendMedia{ID: m.GetId()}
	if file.ID == "" {
		file.Link = m.GetLink()
	}
	if m.GetKind() == "document" {
		file.Filename = m.GetFilename()
	}
	return file
}

type sendLocation struct {
	Latitude  float64 `json:"latitude"`
	Longitude float64 `json:"longitude"`
	Name      string  `json:"name,omitempty"`
	Address   string  `json:"address,omitempty"`
}

func locationRequest(p *parleyv1.GeoPoint) *sendLocation {
	return &sendLocation{Latitude: p.GetLatitude(), Longitude: p.GetLongitude(), Name: p.GetName(), Address: p.GetAddress()}
}

type sendContact struct {
	Name   sendName    `json:"name"`
	Phones []sendPhone `json:"phones,omitempty"`
	Emails []sendEmail `json:"emails,omitempty"`
	Org    *sendOrg    `json:"org,omitempty"`
}

type sendName struct {
	Formatted string `json:"formatted_name"`
	First     string `json:"first_name"`
}

type sendPhone struct {
	Phone string `json:"phone"`
	WaID  string `json:"wa_id,omitempty"`
}

type sendEmail struct {
	Email string `json:"email"`
}

type sendOrg struct {
	Company string `json:"company"`
}

// contactRequest is a card. Meta wants a part of the name besides the whole; the
// whole stands for it, so that nothing is lost when the card is saved. A wa_id is
// what makes the card's button write to the number instead of inviting it.
func contactRequest(c *parleyv1.ContactCard) sendContact {
	card := sendContact{Name: sendName{Formatted: c.GetName(), First: c.GetName()}}
	if phone := c.GetPhone(); phone != "" {
		card.Phones = []sendPhone{{Phone: phone}}
		if digits := strings.TrimPrefix(phone, "+"); isPhone(digits) {
			card.Phones[0].WaID = digits
		}
	}
	if c.GetEmail() != "" {
		card.Emails = []sendEmail{{c.GetEmail()}}
	}
	if c.GetOrganization() != "" {
		card.Org = &sendOrg{c.GetOrganization()}
	}
	return card
}

// sendReaction has an empty emoji to take the reaction back: there it must stand.
type sendReaction struct {
	MessageID string `json:"message_id"`
	Emoji     string `json:"emoji"`
}

// sendTyping shows that an answer is on its way, to whoever wrote the message that
// it marks as read: it has no recipient.
type sendTyping struct {
	Product   string        `json:"messaging_product"`
	Status    string        `json:"status"`
	MessageID string        `json:"message_id"`
	Indicator sendIndicator `json:"typing_indicator"`
}

type sendIndicator struct {
	Type string `json:"type"`
}

func typingRequest(t *parleyv1.Typing) ([]byte, error) {
	if !validID(t.GetMessageId()) {
		return nil, errNoContent
	}
	return json.Marshal(sendTyping{
		Product: "whatsapp", Status: "read", MessageID: t.GetMessageId(), Indicator: sendIndicator{Type: "text"},
	})
}
