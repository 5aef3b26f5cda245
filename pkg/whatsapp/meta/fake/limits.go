package fake

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// WhatsApp's limits, in characters unless they count something. Source: Meta,
// "Cloud API, Messages".
const (
	maxText        = 4096
	maxCaption     = 1024
	maxBody        = 1024 // of an interactive message
	maxListBody    = 4096
	maxHeader      = 60
	maxFooter      = 60
	maxButtons     = 3
	maxButtonID    = 256
	maxButtonTitle = 20
	maxSections    = 10
	maxRows        = 10 // of all sections together
	maxRowID       = 200
	maxRowTitle    = 24 // and of a section
	maxDescription = 72
	maxFormTitle   = 30
)

// Codes of the Graph API.
const (
	codeInvalid = 100    // "Invalid parameter": one is missing, mostly
	codeValue   = 131009 // "Parameter value is not valid"
)

var bsuidPattern = regexp.MustCompile(`^[A-Z]{2}\.(ENT\.)?[A-Za-z0-9]{1,128}$`)

// fault is what Meta would refuse a request for.
type fault struct {
	code    int
	details string
}

// first is the first fault that is one.
func first(faults ...*fault) *fault {
	for _, f := range faults {
		if f != nil {
			return f
		}
	}
	return nil
}

// unless is a fault of a value, unless it is good.
func unless(good bool, format string, args ...any) *fault {
	if good {
		return nil
	}
	return &fault{codeValue, fmt.Sprintf(format, args...)}
}

func required(param, value string) *fault {
	if value != "" {
		return nil
	}
	return &fault{codeInvalid, "The parameter " + param + " is required."}
}

// atMost bounds a text that may be empty.
func atMost(param, value string, characters int) *fault {
	return unless(utf8.RuneCountInString(value) <= characters, "%s must be at most %d characters long.", param, characters)
}

// within bounds a text that must not be empty.
func within(param, value string, characters int) *fault {
	return first(required(param, value), atMost(param, value, characters))
}

// fault says what Meta would refuse about the request; nil if nothing.
func (q *request) fault() *fault {
	switch {
	case q.Product != "whatsapp":
		return required("messaging_product", "")
	case q.Status != "" || q.Typing != nil:
		return q.readFault()
	case q.To == "" && q.Recipient == "":
		return required("to", "")
	case q.To == "" && !bsuidPattern.MatchString(q.Recipient):
		return &fault{codeInvalid, "Param recipient must be a valid business-scoped user ID"}
	}
	return first(q.contextFault(), q.contentFault())
}

// contextFault is about the message that is quoted.
func (q *request) contextFault() *fault {
	if q.Context == nil {
		return nil
	}
	return first(required("context['message_id']", q.Context.MessageID), unless(q.Type != "reaction", "a reaction has no context"))
}

func (q *request) readFault() *fault {
	return first(
		unless(q.Status == "read", "status must be read"),
		required("message_id", q.MessageID),
		unless(q.Typing == nil || q.Typing.Type == "text", "typing_indicator['type'] must be text"),
	)
}

func (q *request) contentFault() *fault {
	switch q.Type {
	case "", "text":
		return q.textFault()
	case "image", "video", "document", "audio", "sticker":
		return mediaFault(q.Type, q.files()[q.Type])
	case "interactive":
		return q.Interactive.fault()
	case "location":
		return q.Location.fault()
	case "contacts":
		return contactsFault(q.Contacts)
	case "template":
		return q.Template.fault()
	case "reaction":
		return q.Reaction.fault()
	}
	return &fault{codeInvalid, "Param type must be one of {AUDIO, CONTACTS, DOCUMENT, IMAGE, INTERACTIVE, LOCATION, REACTION, STICKER, TEMPLATE, TEXT, VIDEO}"}
}

// textFault has the code 100 also for what is too long, unlike all other texts.
func (q *request) textFault() *fault {
	f := within("text['body']", q.Text.Body, maxText)
	if f != nil {
		f.code = codeInvalid
	}
	return f
}

// mediaFault is about a message that is a file.
func mediaFault(kind string, f *file) *fault {
	if f == nil {
		return required(kind, "")
	}
	if kind == "audio" || kind == "sticker" {
		return first(f.fault(kind), unless(f.Caption == "", "%s cannot have a caption", kind))
	}
	return first(f.fault(kind), atMost(kind+"['caption']", f.Caption, maxCaption))
}

func (f *file) fault(param string) *fault {
	return first(
		unless((f.ID == "") != (f.Link == ""), "%s needs an id or a link, and not both", param),
		unless(f.Link == "" || isURL(f.Link), "%s['link'] is not a valid URI", param),
	)
}

func isURL(s string) bool { return strings.HasPrefix(s, "https://") || strings.HasPrefix(s, "http://") }

func (c *coordinates) fault() *fault {
	switch {
	case c == nil:
		return required("location", "")
	case c.Latitude == nil || c.Longitude == nil:
		return required("location['latitude'] and location['longitude']", "")
	}
	return first(
		unless(*c.Latitude >= -90 && *c.Latitude <= 90, "location['latitude'] is out of range"),
		unless(*c.Longitude >= -180 && *c.Longitude <= 180, "location['longitude'] is out of range"),
	)
}

func contactsFault(cards []addressCard) *fault {
	if len(cards) == 0 {
		return required("contacts", "")
	}
	var f *fault
	for _, c := range cards {
		f = first(
			f,
			required("contacts['name']['formatted_name']", c.Name.Formatted),
			unless(c.Name.First+c.Name.Last != "", "contacts['name'] needs a part besides formatted_name"),
		)
	}
	return f
}

func (r *reactionObject) fault() *fault {
	switch {
	case r == nil:
		return required("reaction", "")
	case r.Emoji == nil: // an empty one takes the reaction back
		return required("reaction['emoji']", "")
	}
	return required("reaction['message_id']", r.MessageID)
}

func (t *template) fault() *fault {
	if t == nil {
		return required("template", "")
	}
	f := first(required("template['name']", t.Name), required("template['language']['code']", t.Language.Code))
	for _, c := range t.Components {
		f = first(f, c.fault())
	}
	return f
}

func (c *component) fault() *fault {
	f := unless(len(c.Parameters) > 0, "A component needs parameters")
	for _, p := range c.Parameters {
		f = first(f, c.parameterFault(&p))
	}
	switch c.Type {
	case "header":
		return first(f, unless(len(c.Parameters) == 1, "A header has one parameter"))
	case "body":
		return f
	case "button":
		return first(f, c.indexFault())
	}
	return unless(false, "component type must be one of {header, body, button}")
}

func (c *component) indexFault() *fault {
	if c.Index == nil {
		return required("index", "")
	}
	index, err := strconv.Atoi(*c.Index)
	return unless(err == nil && index >= 0 && index <= 9, "index must be 0 to 9")
}

func (c *component) parameterFault(p *parameter) *fault {
	switch c.Type {
	case "header":
		return p.header.fault("header parameter")
	case "body":
		return first(unless(p.Type == "text", "body parameters must be texts"), required("parameter['text']", p.Text))
	}
	wanted := map[string]string{"quick_reply": "payload", "url": "text", "flow": "action"}[c.SubType]
	f := unless(wanted != "" && p.Type == wanted, "a button of sub_type %s cannot have a parameter of type %s", c.SubType, p.Type)
	switch wanted {
	case "payload":
		return first(f, required("parameter['payload']", p.Payload))
	case "text":
		return first(f, required("parameter['text']", p.Text))
	}
	return f
}
