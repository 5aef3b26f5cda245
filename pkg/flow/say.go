package flow

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/parleyhq/parley/pkg/flow/when"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// filling gives a text the values of the session, and {value} where a text is
// about an answer that is not kept yet. It is the turn itself: what a turn says
// needs no memory of its own.
type filling turn

// Lookup gives a slot's value. Dates and times come as people read them.
func (v *filling) Lookup(slot string) any {
	t := (*turn)(v)
	base, member, isMember := strings.Cut(slot, ".")
	switch {
	case base == "contact":
		return t.contactName()
	case slot == "value":
		return t.understood
	}
	s := t.flow.slots[base]
	value, ok := t.state.Answers[base]
	switch {
	case s == nil:
		return value
	case !ok:
		value = s.initial
	}
	if !isMember {
		return t.readable(s.kind, value)
	}
	object, _ := value.(map[string]any)
	return t.readable(s.fields()[member], object[member])
}

// Date and Time pass on what Lookup has written already.
func (v *filling) Date(value string) string { return value }
func (v *filling) Time(value string) string { return value }

// noValues fills a text for a comparison, where no slot has a value.
type noValues struct{}

func (noValues) Lookup(string) any        { return nil }
func (noValues) Date(value string) string { return value }
func (noValues) Time(value string) string { return value }

// readable writes dates and times for people; other values stay what they are.
func (t *turn) readable(kind valueType, value any) any {
	if source, isText := value.(string); isText && (kind == dateValue || kind == timeValue) {
		return t.moment(kind, source)
	}
	return value
}

func (t *turn) contactName() string {
	return clip(storable(t.in.GetContact().GetName()), contactNameMax)
}

func (t *turn) moment(kind valueType, source string) string {
	switch kind {
	case dateValue:
		if d, err := when.ParseISODate(source); err == nil {
			return when.FormatDate(d, t.state.Language)
		}
	case timeValue:
		if c, err := when.ParseISOClock(source); err == nil {
			return when.FormatClock(c, t.state.Language)
		}
	}
	return source
}

// text renders a text in the session's language; "" if there is none.
func (t *turn) text(w words) string {
	if w == nil {
		return ""
	}
	return w[t.lang()].Render((*filling)(t))
}

// textWith renders a text about an answer that was understood.
func (t *turn) textWith(w words, value string) string {
	t.understood = value
	return t.text(w)
}

// body is a text that cannot be blank, or WhatsApp refuses the message: one whose
// slots are all empty shows that something is missing.
func (t *turn) body(w words) string {
	if body := t.text(w); strings.TrimSpace(body) != "" {
		return body
	}
	return blank
}

const blank = "…"

// lang is the index of the session's language: itself, without its region, or
// the main one.
func (t *turn) lang() int { return t.flow.languageOf(t.state.Language) }

func (f *Flow) languageOf(tag string) int {
	for tag != "" {
		for i, name := range f.languages {
			if strings.EqualFold(name, tag) {
				return i
			}
		}
		tag, _, _ = cutLast(tag, "-")
	}
	return 0
}

// own is a text of Parley's own.
func (t *turn) own(key string) string { return t.flow.own[t.lang()].text[key] }

// say queues messages.
func (t *turn) say(all []bubble) {
	for _, b := range all {
		if (b.typing || b.reaction != "") && t.messageID() == "" {
			continue // they belong to a message, and this turn has none
		}
		t.fallback, t.quotes = fallbackOf(b), b.reply
		if b.isText() {
			t.emit(textQueued(t.body(b.body), b.preview))
		} else {
			t.queue(t.message(b))
		}
		t.fallback, t.quotes = nil, false
	}
}

// APIInput begins the id of what a system said in a person's place: WhatsApp knows no
// message of that id.
const APIInput = "api/"

// messageID is that of the message whose turn this is; "" if it is a timer's, an
// operator's or a system's. A lookup has the id of the input that asked for it.
func (t *turn) messageID() string {
	if strings.HasPrefix(t.in.GetId(), APIInput) {
		return ""
	}
	if t.in.GetMessage() == nil && (t.in.GetLookupResult() == nil || t.silent) {
		return ""
	}
	return t.in.GetId()
}

func (t *turn) queue(m *parleyv1.MessageQueued) {
	t.emit(&parleyv1.Event{Body: &parleyv1.Event_MessageQueued{MessageQueued: m}})
}

// prompt asks the question of the present step, with its choices below the last
// text.
func (t *turn) prompt(s *step) { t.sayWith(s, s.say) }

// sayWith says messages with the choices of a step below the last text.
func (t *turn) sayWith(s *step, say []bubble) {
	carrier := -1
	for i, b := range say {
		if b.isText() {
			carrier = i
		}
	}
	for i, b := range say {
		if i == carrier && s.expect != nil {
			t.fallback, t.quotes = fallbackOf(b), b.reply
			t.question(s, b)
			t.fallback, t.quotes = nil, false
			continue
		}
		t.say(say[i : i+1])
	}
}

// message renders one message that is no plain text.
func (t *turn) message(b bubble) *parleyv1.MessageQueued {
	m := &parleyv1.MessageQueued{}
	switch {
	case b.link != nil:
		m.Content = &parleyv1.MessageQueued_Link{Link: &parleyv1.Link{
			Header: t.header(b.header), Body: t.body(b.body), Footer: t.text(b.footer), Title: t.body(b.link.title), Url: t.address(b.link.url),
		}}
	case b.media != nil:
		m.Content = &parleyv1.MessageQueued_Media{Media: t.media(b.media)}
	case b.location != nil:
		m.Content = &parleyv1.MessageQueued_Location{Location: &parleyv1.GeoPoint{
			Latitude: b.location.latitude, Longitude: b.location.longitude, Name: t.text(b.location.name), Address: t.text(b.location.address),
		}}
	case b.contact != nil:
		m.Content = &parleyv1.MessageQueued_Contact{Contact: &parleyv1.ContactCard{
			Name: t.body(b.contact.name), Phone: t.text(b.contact.phone), Email: t.text(b.contact.email), Organization: t.text(b.contact.organization),
		}}
	case b.template != nil:
		m.Content = &parleyv1.MessageQueued_Template{Template: t.template(b.template)}
	case b.reaction != "":
		m.Content = &parleyv1.MessageQueued_Reaction{Reaction: &parleyv1.Reaction{MessageId: t.in.GetId(), Emoji: b.reaction}}
	case b.typing:
		m.Content = &parleyv1.MessageQueued_Typing{Typing: &parleyv1.Typing{MessageId: t.in.GetId()}}
	}
	return m
}

func (t *turn) header(h *header) *parleyv1.Header {
	switch {
	case h == nil:
		return nil
	case h.media != nil:
		return &parleyv1.Header{Media: t.media(h.media)}
	}
	if title := t.text(h.text); strings.TrimSpace(title) != "" {
		return &parleyv1.Header{Text: title}
	}
	return nil
}

// address is a link. What slots bring into it and no address can have is escaped.
func (t *turn) address(w words) string {
	var b strings.Builder
	for _, c := range []byte(t.text(w)) {
		if c <= ' ' || c >= 0x7f || strings.IndexByte("\"<>\\^`{|}", c) >= 0 {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return clip(b.String(), addressMax)
}

func (t *turn) media(m *media) *parleyv1.Media {
	said := &parleyv1.Media{Kind: m.kind, Id: m.id, Link: t.address(m.link), Caption: t.text(m.caption), Filename: t.text(m.filename)}
	if m.file != nil {
		said.Sha256, said.MimeType = m.file.SHA256, m.file.Type
		if m.kind == "document" && said.Filename == "" {
			said.Filename = m.file.Name[strings.LastIndexByte(m.file.Name, '/')+1:]
		}
	}
	return said
}

func (t *turn) template(tm *template) *parleyv1.Template {
	m := &parleyv1.Template{Name: tm.name, Language: tm.languages[t.lang()], Header: t.header(tm.header)}
	for _, p := range tm.body {
		m.Body = append(m.Body, &parleyv1.TemplateParameter{Name: p.name, Text: t.parameter(p.text)})
	}
	for _, b := range tm.buttons {
		button := &parleyv1.TemplateButton{Index: uint32(b.index), Kind: b.kind}
		if b.kind != formButton { // what it opens, dress knows
			button.Text = t.parameter(b.text)
		}
		m.Buttons = append(m.Buttons, button)
	}
	return m
}

// parameter is a value for a place of a template: one line without long gaps, and
// never empty, or WhatsApp refuses the message.
func (t *turn) parameter(w words) string {
	return cmp.Or(strings.Join(strings.Fields(t.text(w)), " "), blank)
}
