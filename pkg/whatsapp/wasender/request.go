package wasender

import (
	"errors"
	"strings"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

var (
	errNoChannel  = errors.New("no channel")
	errNoAddress  = errors.New("neither a phone number nor a LID")
	errUnsendable = errors.New("no content that can be sent")
	errNoLink     = errors.New("file without a link: WASenderApi takes files by their address only")
	errNoSuch     = errors.New("WASenderApi has no templates, forms and reactions")
)

// sendRequest is the body of POST /send-message. Its kind is that of the member
// beside to and text, which is the caption of a file.
// Source: WASenderApi, "Send message"; its n8n node.
type sendRequest struct {
	To       string        `json:"to"`
	Text     string        `json:"text,omitempty"`
	Image    string        `json:"imageUrl,omitempty"`
	Video    string        `json:"videoUrl,omitempty"`
	Document string        `json:"documentUrl,omitempty"`
	Filename string        `json:"fileName,omitempty"`
	Audio    string        `json:"audioUrl,omitempty"`
	Sticker  string        `json:"stickerUrl,omitempty"`
	Contact  *sendContact  `json:"contact,omitempty"`
	Location *sendLocation `json:"location,omitempty"`
}

type sendContact struct {
	Name  string `json:"name"`
	Phone string `json:"phone"`
}

type sendLocation struct {
	Latitude  float64 `json:"latitude"`
	Longitude float64 `json:"longitude"`
	Name      string  `json:"name,omitempty"`
	Address   string  `json:"address,omitempty"`
}

// sendPresence is the body of POST /send-presence-update. Typing goes to the
// person's own address.
// Source: WASenderApi, "Send presence update".
type sendPresence struct {
	JID  string `json:"jid"`
	Type string `json:"type"`
}

// fill says what is sent. WhatsApp's limits are not checked here: the flow was when
// it was published.
func (r *sendRequest) fill(m *parleyv1.MessageQueued) error {
	switch {
	case m.GetText().GetBody() != "":
		r.Text = m.GetText().GetBody()
	case m.GetMedia() != nil:
		r.Text = m.GetMedia().GetCaption()
		return r.attach(m.GetMedia())
	case m.GetButtons() != nil:
		r.Text = buttonsText(m.GetButtons())
		return r.head(m.GetButtons().GetHeader())
	case m.GetList() != nil:
		r.Text = listText(m.GetList())
	case m.GetLink() != nil:
		r.Text = linkText(m.GetLink())
		return r.head(m.GetLink().GetHeader())
	case m.GetShare() != nil: // it has no such button: what is asked for can be sent without
		r.Text = m.GetShare().GetBody()
	case m.GetLocation() != nil:
		p := m.GetLocation()
		r.Location = &sendLocation{Latitude: p.GetLatitude(), Longitude: p.GetLongitude(), Name: p.GetName(), Address: p.GetAddress()}
	case m.GetContact() != nil:
		r.Contact = &sendContact{Name: m.GetContact().GetName(), Phone: m.GetContact().GetPhone()}
	case m.GetForm() != nil || m.GetTemplate() != nil || m.GetReaction() != nil:
		return errNoSuch
	default:
		return errUnsendable
	}
	return nil
}

// head makes a message with a file above it that file, with the text as its caption.
func (r *sendRequest) head(h *parleyv1.Header) error {
	if h.GetMedia() == nil {
		return nil
	}
	return r.attach(h.GetMedia())
}

// attach sends a file by its address, which an upload to WASenderApi gives as its id.
// What shows no caption loses it.
func (r *sendRequest) attach(m *parleyv1.Media) error {
	link := m.GetLink()
	if link == "" {
		link = m.GetId()
	}
	if !strings.HasPrefix(link, "https://") && !strings.HasPrefix(link, "http://") {
		return errNoLink
	}
	switch m.GetKind() {
	case "image":
		r.Image = link
	case "video":
		r.Video = link
	case "document":
		r.Document, r.Filename = link, m.GetFilename()
	case "audio":
		r.Audio, r.Text = link, ""
	case "sticker":
		r.Sticker, r.Text = link, ""
	default:
		return errUnsendable
	}
	return nil
}
