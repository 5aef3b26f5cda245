package fake

import (
	"encoding/json"
	"strings"
)

// request holds what the fake reads of a send request: of every type that
// WhatsApp has, what its limits are about.
type request struct {
	Product     string          `json:"messaging_product"`
	Status      string          `json:"status"`
	MessageID   string          `json:"message_id"`
	Typing      *typeOnly       `json:"typing_indicator"`
	To          string          `json:"to"`
	Recipient   string          `json:"recipient"`
	Type        string          `json:"type"`
	Callback    string          `json:"biz_opaque_callback_data"`
	Text        line            `json:"text"`
	Image       *file           `json:"image"`
	Video       *file           `json:"video"`
	Audio       *file           `json:"audio"`
	Document    *file           `json:"document"`
	Sticker     *file           `json:"sticker"`
	Interactive *interactive    `json:"interactive"`
	Location    *coordinates    `json:"location"`
	Contacts    []addressCard   `json:"contacts"`
	Template    *template       `json:"template"`
	Reaction    *reactionObject `json:"reaction"`
	Context     *struct {
		MessageID string `json:"message_id"`
	} `json:"context"`
}

type typeOnly struct {
	Type string `json:"type"`
}

// line is a text, which is called "body" in a text message.
type line struct {
	Body string `json:"body"`
	Text string `json:"text"`
}

type file struct {
	ID      string `json:"id"`
	Link    string `json:"link"`
	Caption string `json:"caption"`
}

type interactive struct {
	Type   string  `json:"type"`
	Header *header `json:"header"`
	Body   line    `json:"body"`
	Footer *line   `json:"footer"`
	Action struct {
		Name       string        `json:"name"`
		Button     string        `json:"button"`
		Buttons    []replyButton `json:"buttons"`
		Sections   []section     `json:"sections"`
		Parameters parameters    `json:"parameters"`
	} `json:"action"`
}

// header is one of an interactive message, or the parameter of a template's.
type header struct {
	Type     string `json:"type"`
	Text     string `json:"text"`
	Image    *file  `json:"image"`
	Video    *file  `json:"video"`
	Document *file  `json:"document"`
}

type replyButton struct {
	Type  string `json:"type"`
	Reply struct {
		ID    string `json:"id"`
		Title string `json:"title"`
	} `json:"reply"`
}

type section struct {
	Title string `json:"title"`
	Rows  []struct {
		ID          string `json:"id"`
		Title       string `json:"title"`
		Description string `json:"description"`
	} `json:"rows"`
}

// parameters are those of a link or of a form.
type parameters struct {
	DisplayText string `json:"display_text"`
	URL         string `json:"url"`

	Version string `json:"flow_message_version"`
	FlowID  string `json:"flow_id"`
	Name    string `json:"flow_name"`
	CTA     string `json:"flow_cta"`
	Mode    string `json:"mode"`
	Action  string `json:"flow_action"`
	Payload *struct {
		Screen string          `json:"screen"`
		Data   json.RawMessage `json:"data"`
	} `json:"flow_action_payload"`
}

type coordinates struct {
	Latitude  *float64 `json:"latitude"`
	Longitude *float64 `json:"longitude"`
	Name      string   `json:"name"`
	Address   string   `json:"address"`
}

type addressCard struct {
	Name struct {
		Formatted string `json:"formatted_name"`
		First     string `json:"first_name"`
		Last      string `json:"last_name"`
	} `json:"name"`
}

type template struct {
	Name     string `json:"name"`
	Language struct {
		Code string `json:"code"`
	} `json:"language"`
	Components []component `json:"components"`
}

type component struct {
	Type       string      `json:"type"`
	SubType    string      `json:"sub_type"`
	Index      *string     `json:"index"`
	Parameters []parameter `json:"parameters"`
}

// parameter is a text or a file, as in a header, or what a button has.
type parameter struct {
	header
	Name    string `json:"parameter_name"`
	Payload string `json:"payload"`
	Action  *struct {
		FlowToken string `json:"flow_token"`
	} `json:"action"`
}

type reactionObject struct {
	MessageID string  `json:"message_id"`
	Emoji     *string `json:"emoji"`
}

// send is what OnSend gets to know of a request without a fault.
func (q *request) send(channel string, body []byte) Send {
	s := Send{Channel: channel, Type: q.Type, Callback: q.Callback, Body: body, MessageID: q.MessageID}
	switch {
	case q.Typing != nil:
		s.Type = "typing"
		return s
	case q.Status != "":
		s.Type = "read"
		return s
	case q.To != "":
		s.To = q.To
	default:
		s.Recipient = q.Recipient
	}
	s.Text = q.visible()
	if q.Context != nil {
		s.ReplyTo = q.Context.MessageID
	}
	switch q.Type {
	case "":
		s.Type = "text"
	case "reaction":
		s.MessageID = q.Reaction.MessageID
	}
	return s
}

// visible is what a person gets to read of the message.
func (q *request) visible() string {
	switch q.Type {
	case "", "text":
		return q.Text.Body
	case "interactive":
		return q.Interactive.Body.Text
	case "location":
		return strings.TrimSpace(q.Location.Name + "\n" + q.Location.Address)
	case "contacts":
		return q.Contacts[0].Name.Formatted
	case "reaction":
		return *q.Reaction.Emoji
	case "template":
		return q.Template.visible()
	}
	return q.files()[q.Type].Caption
}

// files holds the file of each type of message that is one.
func (q *request) files() map[string]*file {
	return map[string]*file{
		"image": q.Image, "video": q.Video, "audio": q.Audio, "document": q.Document, "sticker": q.Sticker,
	}
}

func (t *template) visible() string {
	words := []string{t.Name}
	for _, c := range t.Components {
		if c.Type == "body" {
			for _, p := range c.Parameters {
				words = append(words, p.Text)
			}
		}
	}
	return strings.Join(words, " ")
}
