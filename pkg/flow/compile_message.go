package flow

import (
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/parleyhq/parley/pkg/flow/text"
)

// mediaKinds are the kinds of files that WhatsApp has.
var mediaKinds = []string{"image", "video", "audio", "document", "sticker"}

// The fields of a message.
var (
	bubbleFields = []string{
		"text", "header", "footer", "link", "image", "video", "audio", "document", "sticker", "location", "contact", "template",
		"reaction", "typing", "preview", "reply",
	}
	mediaFields     = []string{"file", "id", "link", "caption", "filename"}
	linkFields      = []string{"title", "url"}
	locationFields  = []string{"latitude", "longitude", "name", "address"}
	contactFields   = []string{"name", "phone", "email", "organization"}
	templateFields  = []string{"name", "language", "header", "body", "buttons"}
	parameterFields = []string{"name", "text"}
	templateButtons = []string{"index", "kind", "text"}
)

// bubblesMax is the number of messages that one step can say.
const bubblesMax = 10

// bubble is one message to be said: one of its parts is set.
type bubble struct {
	body    words // a text, or the body of buttons, a list, a link or a form
	header  *header
	footer  words
	preview bool
	reply   bool // quotes the person's last message
	link    *link

	media    *media
	location *location
	contact  *card
	template *template
	reaction string
	typing   bool
}

// isText reports whether the message is a text and nothing else.
func (b bubble) isText() bool { return b.body != nil && b.link == nil }

type header struct {
	text  words
	media *media
}

type media struct {
	kind, id string
	file     *File // beside the flow
	link     words
	caption  words
	filename words
}

type link struct{ title, url words }

type location struct {
	latitude, longitude float64
	name, address       words
}

type card struct{ name, phone, email, organization words }

type template struct {
	name      string
	languages []string // by the index of the language
	header    *header
	body      []parameter
	buttons   []templateButton
}

type parameter struct {
	name string
	text words
}

type templateButton struct {
	index int
	kind  string
	text  words
}

// bubbles reads what is said: a text, a message, or a list of messages. e is the
// answer whose choices go with the last text; nil where there are none.
func (c *compiler) bubbles(in item, e *expectation) []bubble {
	if in.absent() {
		return nil
	}
	list := []item{in}
	if in.isList() {
		list = c.list(in)
	}
	if len(list) > bubblesMax {
		c.report(in.at, ruleLimit, "%d messages at once, the limit is %d: split the step", len(list), bubblesMax)
	}
	all := make([]bubble, len(list))
	carrier := -1
	for i, in := range list {
		if isText(c, in) {
			carrier = i
		}
	}
	for i, in := range list {
		all[i] = c.bubble(in, e, i == carrier)
	}
	if e != nil && e != anyChoices && (e.interactive() || e.kind == choiceAnswer) && carrier < 0 {
		c.report(in.at, ruleMissing, "the choices need a text to stand below: add one to say")
	}
	return all
}

// isText tells a text, plain or by language, from a message with fields.
func isText(c *compiler, in item) bool {
	return !in.isMapping() || in.hasKey("text") && !in.hasKey("link") || !c.isMessage(in)
}

// isMessage tells a message with fields from a text by language.
func (c *compiler) isMessage(in item) bool {
	quiet := reader{lines: c.lines}
	return slices.ContainsFunc(quiet.pairs(in, ""), func(p pair) bool { return slices.Contains(bubbleFields, p.key.value) })
}

// bubble reads one message. Choices go with it if it carries them.
func (c *compiler) bubble(in item, e *expectation, carries bool) bubble {
	limit := TextCharactersMax
	carries = carries && e != nil && e.interactive()
	if carries {
		limit = bodyMax
	}
	if !in.isMapping() || !c.isMessage(in) {
		return bubble{body: c.words(in, limit)}
	}
	all := c.fields(in, bubbleFields...)
	b := bubble{footer: c.label(all.of["footer"], footerMax), preview: c.boolean(all.of["preview"]), reply: c.boolean(all.of["reply"])}
	b.header = c.header(all.of["header"])
	if b.header != nil && b.header.media != nil && carries && e.kind == choiceAnswer {
		c.later(func() {
			if c.mayBeList(e) {
				c.report(all.of["header"].at, ruleLimit, "WhatsApp shows only a text above a list, and these choices can be one: give the header a text, or send the file in a message before")
			}
		})
	}
	if in, ok := all.of["link"]; ok {
		limit = bodyMax
		b.link = c.link(in)
		c.required(all, "text", "the text above the link")
	}
	b.body = c.words(all.of["text"], limit)
	if (b.header != nil || b.footer != nil) && b.link == nil && (!carries || e == anyChoices || e.share) {
		c.report(in.at, ruleField, "only a message with buttons, a list, a link or a form has header and footer: remove them")
	}
	c.other(&b, all)
	if in := all.of["reply"]; b.reply && (b.reaction != "" || b.typing) {
		c.report(in.at, ruleField, "a reaction and typing quote nothing: remove reply")
	}
	if b.template.opensForm() && !(carries && e.kind == formAnswer && b.body != nil) {
		c.report(all.of["template"].at, ruleField, "the template opens a form, and this message is none: put it beside the text that the step's form stands below")
	}
	return b
}

// other reads the messages that are no texts; one in a bubble.
func (c *compiler) other(b *bubble, all fields) {
	var found []string
	for _, key := range bubbleFields {
		in, ok := all.of[key]
		if !ok || slices.Contains([]string{"header", "footer", "link", "preview", "reply"}, key) {
			continue
		}
		if key == "template" && len(found) == 1 { // for when the window is closed: bubbleFields has it behind what it can stand for
			c.otherOf(b, key, in)
			continue
		}
		if found = append(found, key); len(found) == 2 {
			c.report(in.at, ruleField, "one message has %s and %s: write two, as a list", found[0], key)
			return
		}
		c.otherOf(b, key, in)
	}
	if len(found) == 0 && all.of != nil {
		c.report(all.at, ruleMissing, "the message is empty: add text, image, template or another field")
	}
}

func (c *compiler) otherOf(b *bubble, key string, in item) {
	switch key {
	case "location":
		b.location = c.location(in)
	case "contact":
		b.contact = c.card(in)
	case "template":
		b.template = c.template(in)
	case "reaction":
		b.reaction = c.emoji(c.text(in))
	case "typing":
		if b.typing = c.boolean(in); !b.typing && !in.absent() {
			c.report(in.at, ruleValue, "%s is there or not: write true, or remove it", in.key)
		}
	case "text":
	default:
		b.media = c.media(in, key)
	}
}

// emoji reads one. What is none is known by its letters, or by its length.
func (c *compiler) emoji(t written) string {
	isWritten := func(r rune) bool {
		return r < 0x80 && r != '#' && r != '*' && !unicode.IsDigit(r) || unicode.IsLetter(r)
	}
	if t.value != "" && (strings.ContainsFunc(t.value, isWritten) || utf8.RuneCountInString(t.value) > emojiMax) {
		c.report(t.at, ruleValue, "%q is no emoji: write one, such as 👍", t.value)
	}
	return t.value
}

// emojiMax is the number of characters of the longest emoji: a family, a flag of a
// part of a country.
const emojiMax = 12

func (c *compiler) header(in item) *header {
	switch {
	case in.absent():
		return nil
	case !in.isMapping() || !c.isMessage(in):
		return &header{text: c.label(in, headerMax)}
	}
	kinds := []string{"image", "video", "document"}
	all := c.fields(in, kinds...)
	var h *header
	for _, kind := range kinds {
		in, ok := all.of[kind]
		if !ok {
			continue
		}
		if h != nil {
			c.report(in.at, ruleField, "a header is one file: remove %s or the other", kind)
			break
		}
		h = &header{media: c.media(in, kind)}
		if h.media.caption != nil {
			c.report(in.at, ruleField, "a header has no caption: put it into text")
		}
	}
	return h
}

func (c *compiler) media(in item, kind string) *media {
	all := c.fields(in, mediaFields...)
	m := &media{
		kind: kind, id: c.scalar(all.of["id"]).value, link: c.proper(all.of["link"], addressMax),
		caption: c.label(all.of["caption"], captionMax), filename: c.label(all.of["filename"], filenameMax),
	}
	if len(all.of) > 0 && !onlyOne(all, "file", "id", "link") {
		c.report(all.at, ruleMissing, "a file has a file, an id or a link: give one of them")
	}
	m.file = c.file(all.of["file"], kind)
	if (kind == "audio" || kind == "sticker") && m.caption != nil {
		c.report(all.of["caption"].at, ruleField, "WhatsApp shows no caption with %s: say it in a message of its own", kind)
	}
	if m.filename != nil && kind != "document" {
		c.report(all.of["filename"].at, ruleField, "only a document has a filename: remove it")
	}
	c.webAddress(all.of["link"])
	return m
}

// onlyOne reports whether exactly one of some fields is there.
func onlyOne(all fields, names ...string) bool {
	n := 0
	for _, name := range names {
		if _, ok := all.of[name]; ok {
			n++
		}
	}
	return n == 1
}

// webAddress checks what a link begins with; the rest may come from slots.
func (c *compiler) webAddress(in item) {
	if in.isMapping() {
		quiet := reader{lines: c.lines}
		for _, p := range quiet.pairs(in, "") {
			c.webAddress(p.value)
		}
		return
	}
	quiet := reader{lines: c.lines}
	if t := quiet.text(in); t.value != "" && !strings.HasPrefix(t.value, "https://") && !strings.HasPrefix(t.value, "http://") {
		c.report(in.at, ruleValue, "%s must begin with https://", in.key)
	}
}

func (c *compiler) link(in item) *link {
	all := c.fields(in, linkFields...)
	l := &link{
		title: c.label(c.required(all, "title", "the label of the button"), buttonMax),
		url:   c.proper(c.required(all, "url", "the address of the page"), addressMax),
	}
	c.webAddress(all.of["url"])
	return l
}

func (c *compiler) location(in item) *location {
	all := c.fields(in, locationFields...)
	l := &location{name: c.label(all.of["name"], 1000), address: c.proper(all.of["address"], 1000)}
	var haveLatitude, haveLongitude bool
	l.latitude, haveLatitude = c.number(c.required(all, "latitude", "degrees north"))
	l.longitude, haveLongitude = c.number(c.required(all, "longitude", "degrees east"))
	if haveLatitude && haveLongitude && (l.latitude < -90 || l.latitude > 90 || l.longitude < -180 || l.longitude > 180) {
		c.report(all.at, ruleValue, "this is nowhere on earth: latitude is -90 to 90, longitude -180 to 180")
	}
	return l
}

func (c *compiler) card(in item) *card {
	all := c.fields(in, contactFields...)
	return &card{
		name:  c.proper(c.required(all, "name", "the name on the card"), 200),
		phone: c.proper(all.of["phone"], 100), email: c.proper(all.of["email"], 254), organization: c.proper(all.of["organization"], 200),
	}
}

func (c *compiler) template(in item) *template {
	all := c.fields(in, templateFields...)
	t := &template{name: c.text(c.required(all, "name", "the name of the approved template")).value}
	t.languages = c.templateLanguages(c.required(all, "language", "its language, such as en_US, or a map from the flow's languages"))
	t.header = c.header(all.of["header"])
	for _, in := range c.listIfAny(all.of["body"]) {
		t.body = append(t.body, c.parameter(in))
	}
	for i, in := range c.listIfAny(all.of["buttons"]) {
		all := c.fields(in, templateButtons...)
		if index, ok := all.of["index"]; ok {
			i = c.count(index, 0, 9)
		}
		t.buttons = append(t.buttons, c.templateButton(all, i))
	}
	return t
}

// formButton is the kind of a template's button that opens a form.
const formButton = "flow"

func (c *compiler) templateButton(all fields, index int) templateButton {
	b := templateButton{index: index, kind: c.word(c.required(all, "kind", "quick_reply, url or flow"), "quick_reply", "url", formButton)}
	if b.kind != formButton {
		b.text = c.label(c.required(all, "text", "the button's parameter"), 2000)
	} else if in, given := all.of["text"]; given {
		c.report(in.at, ruleField, "Parley itself says which form of whom the button opens: remove text")
	}
	return b
}

// opensForm reports whether a template has a button that opens a form.
func (t *template) opensForm() bool {
	return t != nil && slices.ContainsFunc(t.buttons, func(b templateButton) bool { return b.kind == formButton })
}

// templateLanguages are WhatsApp's codes of a template, by the flow's language.
func (c *compiler) templateLanguages(in item) []string {
	codes := make([]string, len(c.flow.languages))
	if !in.isMapping() {
		code := c.text(in).value
		for i := range codes {
			codes[i] = code
		}
		return codes
	}
	for _, p := range c.pairs(in, "languages and codes") {
		if i := c.declaredLanguage(p.key); i >= 0 {
			codes[i] = c.text(p.value).value
		}
	}
	for i, code := range codes {
		if code == "" {
			c.report(in.at, ruleTranslation, "the template has no code for %s: add it", c.flow.languages[i])
		}
	}
	return codes
}

func (c *compiler) parameter(in item) parameter {
	if in.isMapping() && in.hasKey("text") {
		all := c.fields(in, parameterFields...)
		return parameter{name: c.text(all.of["name"]).value, text: c.label(all.of["text"], bodyMax)}
	}
	return parameter{text: c.label(in, bodyMax)}
}

// textUse checks one place of a text: that it names something that fits.
func (c *compiler) textUse(u text.Use, at place, values []string) {
	if slices.Contains(values, u.Slot) {
		return
	}
	kind, known := c.typeOf(u.Slot)
	switch {
	case u.Slot == "contact.name":
		return
	case !known:
		c.report(at, ruleSlot, "no step saves {%s}: save it in a step before, or remove it%s", u.Slot, c.nearSlot(u.Slot))
		return
	}
	if want := wantedBy(u.Kind); want != "" && want != kind {
		c.report(at, ruleType, "{%s} is a %s, and it is used as a %s here: use another slot", u.Slot, kind, want)
	} else if fields := c.membersOf(u.Slot); want == "" && fields != nil {
		c.report(at, ruleType, "{%s} is a %s: name one of its fields, such as {%s.%s}", u.Slot, kind, u.Slot, slices.Min(slices.Collect(maps.Keys(fields))))
	}
	base, _, _ := strings.Cut(u.Slot, ".")
	c.use(base, at)
}

// wantedBy is the type that a kind of place needs; "" is any.
func wantedBy(kind text.Kind) valueType {
	switch kind {
	case text.Number, text.Plural, text.Ordinal:
		return numberValue
	case text.Date:
		return dateValue
	case text.Time:
		return timeValue
	}
	return ""
}

// typeOf is the type of a slot or of a field of one.
func (c *compiler) typeOf(name string) (kind valueType, known bool) {
	base, member, isMember := strings.Cut(name, ".")
	s := c.flow.slots[base]
	if s == nil {
		return "", false
	}
	if !isMember {
		return s.kind, true
	}
	kind, known = c.membersOf(base)[member]
	return kind, known
}

// membersOf are the fields of a slot; nil if it has none.
func (c *compiler) membersOf(name string) map[string]valueType {
	if s := c.flow.slots[name]; s != nil {
		return s.fields()
	}
	return nil
}

// fields are those of a slot's values: a form's are its own.
func (s *slot) fields() map[string]valueType {
	if s.kind == formValue {
		return s.members
	}
	return memberTypes[s.kind]
}

func (c *compiler) nearSlot(name string) string {
	for _, slot := range append(slices.Sorted(maps.Keys(c.flow.slots)), "contact.name") {
		if distance(name, slot) <= 1+len(slot)/5 {
			return " (did you mean {" + slot + "}?)"
		}
	}
	return ""
}

// use notes that a slot must have a value here.
func (c *compiler) use(slot string, at place) {
	if s := c.flow.slots[slot]; s != nil {
		s.read = true
		c.uses = append(c.uses, use{slot: slot, at: at, step: c.present, phase: c.phase, have: c.have})
	}
}
