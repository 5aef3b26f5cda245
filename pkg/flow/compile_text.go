package flow

import (
	"strconv"
	"strings"
	"unicode"

	"github.com/parleyhq/parley/pkg/flow/text"
)

// WhatsApp's limits, in characters (Cloud API, messages). A text counts with its
// slots filled.
const (
	// TextCharactersMax is the length of the longest text message.
	TextCharactersMax = 4096
	bodyMax           = 1024 // of a message with buttons, a link or a form
	captionMax        = 1024
	headerMax         = 60
	footerMax         = 60
	buttonMax         = 20 // title of a button, label of a list or link
	titleMax          = 24 // of a row
	descriptionMax    = 72
	formTitleMax      = 30
	buttonsMax        = 3
	rowsMax           = 10
	addressMax        = 2000
	numbersMax        = 16 // choices of a numbered text, with the line to turn the page
	numberTitleMax    = 72
)

// words is a text in every language of the flow, by the index of the language;
// what is not translated is filled by the fallback chain. Nil means no text.
type words []text.Text

// in returns the text for a language.
func (w words) in(language int) localized { return localized{w[language]} }

// localized is a text in one language.
type localized struct{ text.Text }

// longest is the number of characters that the text can have.
func (l localized) longest(slot func(string) int) int { return l.CharactersMax(slot) }

// static is the text as far as it does not depend on slots.
func (l localized) static() string { return l.Render(noValues{}) }

// words reads a text: a string, or one for each language. With a limit it is
// checked that the text fits whatever people answer.
func (c *compiler) words(in item, limit int) words { return c.textWith(in, limit) }

// label is a short text with a limit, which may be absent.
func (c *compiler) label(in item, limit int) words { return c.textWith(in, limit) }

// textWith reads a text that may also use the given values, which are no slots.
func (c *compiler) textWith(in item, limit int, values ...string) words {
	if in.absent() {
		return nil
	}
	given := c.translations(in)
	if len(given) == 0 {
		return nil
	}
	c.noteText(in, given, limit)
	w := make(words, len(c.flow.languages))
	for i := range w {
		source, ok := c.translated(given, i)
		if !ok {
			c.report(in.at, ruleTranslation, "%s has no text in %s, which every other language falls back to: add it", in.key, c.flow.languages[0])
			return nil
		}
		w[i] = c.parseText(source, i)
		c.usesOf(w[i], source, values)
		c.fits(w[i], source, i, limit)
	}
	return w
}

// noteText keeps a text for translators.
func (c *compiler) noteText(in item, given map[int]written, limit int) {
	part := "flow"
	switch {
	case c.present == atEnd:
		part = "completed"
	case c.present >= 0:
		part = c.flow.steps[c.present].name
	}
	id := part + "." + strings.Trim(strings.TrimPrefix(in.key, "an entry of "), `"`)
	if c.textIDs[id]++; c.textIDs[id] > 1 {
		id += "." + strconv.Itoa(c.textIDs[id])
	}
	info := TextInfo{ID: id, Line: in.at.line, Column: in.at.column, Texts: map[string]string{}, Plain: !in.isMapping(), CharactersMax: limit}
	for lang, source := range given {
		info.Texts[c.flow.languages[lang]] = source.value
	}
	c.flow.texts = append(c.flow.texts, info)
}

// literal is a text without places, the same in every language.
func (c *compiler) literal(value string) words {
	w := make(words, len(c.flow.languages))
	for i := range w {
		w[i], _ = text.Parse(strings.ReplaceAll(value, "{", "{{"), c.flow.tags[i])
	}
	return w
}

// translations returns the texts by the index of their language. A plain string
// is a text of the main language.
func (c *compiler) translations(in item) map[int]written {
	given := map[int]written{}
	if !in.isMapping() {
		t := c.text(in)
		if t.value != "" {
			given[0] = t
			c.untranslated(in, given)
		}
		return given
	}
	for _, p := range c.pairs(in, "languages and texts") {
		lang := c.declaredLanguage(p.key)
		t := c.text(p.value)
		if lang >= 0 && t.value != "" {
			given[lang] = t
		}
	}
	c.untranslated(in, given)
	return given
}

// untranslated warns of languages that a text lacks. A text without letters needs
// no translation, and a region falls back to its language.
func (c *compiler) untranslated(in item, given map[int]written) {
	var missing []string
	for i, name := range c.flow.languages {
		source, ok := c.translated(given, i)
		own, _ := c.chain(given, i)
		if ok && !own && strings.ContainsFunc(withoutPlaces(source.value), unicode.IsLetter) {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		c.warn(in.at, ruleTranslation, "%s is not translated into %s: it will be said in %s", in.key, strings.Join(missing, ", "), c.flow.languages[0])
	}
}

// withoutPlaces drops what stands in braces.
func withoutPlaces(source string) string {
	var b strings.Builder
	depth := 0
	for _, r := range source {
		switch {
		case r == '{':
			depth++
		case r == '}':
			depth--
		case depth <= 0:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// translated follows the fallback chain of a language.
func (c *compiler) translated(given map[int]written, lang int) (written, bool) {
	if own, i := c.chain(given, lang); own {
		return given[i], true
	}
	source, ok := given[0]
	return source, ok
}

// chain finds the text in the language itself or without its region.
func (c *compiler) chain(given map[int]written, lang int) (own bool, index int) {
	for tag := c.flow.languages[lang]; tag != ""; {
		if i := c.languageIndex(tag); i >= 0 {
			if _, ok := given[i]; ok {
				return true, i
			}
		}
		tag, _, _ = cutLast(tag, "-")
	}
	return false, 0
}

// cutLast cuts around the last separator; before is empty if there is none.
func cutLast(s, separator string) (before, after string, found bool) {
	i := strings.LastIndex(s, separator)
	if i < 0 {
		return "", s, false
	}
	return s[:i], s[i+len(separator):], true
}

func (c *compiler) parseText(source written, lang int) text.Text {
	t, err := text.Parse(source.value, c.flow.tags[lang])
	if err != nil {
		c.report(source.at, ruleText, "%s: %s", source.key, err)
		return text.Text{}
	}
	if missing := t.MissingPlurals(); len(missing) > 0 {
		c.warn(source.at, rulePlural, "%s: %s also has the plural form %s: without it other is said", source.key, c.flow.languages[lang], strings.Join(missing, ", "))
	}
	return t
}

// usesOf notes the slots of a text, to be checked when all steps are known.
func (c *compiler) usesOf(t text.Text, source written, values []string) {
	c.later(func() {
		for _, u := range t.Uses() {
			c.textUse(u, source.at, values)
		}
	})
}

// fits checks the length of a text once it is known how long values can be.
func (c *compiler) fits(t text.Text, source written, lang, limit int) {
	if limit == 0 {
		return
	}
	c.later(func() {
		if n := t.CharactersMax(c.longest); n > limit {
			in := ""
			if len(c.flow.languages) > 1 {
				in = " in " + c.flow.languages[lang]
			}
			c.report(source.at, ruleLimit, "%s can have %d characters%s, WhatsApp's limit is %d: shorten it, or give the answers in it a max", source.key, n, in, limit)
		}
	})
}

// longest is the number of characters of a slot's longest value.
func (c *compiler) longest(name string) int {
	base, member, isMember := strings.Cut(name, ".")
	s := c.flow.slots[base]
	switch {
	case base == "contact":
		return contactNameMax
	case base == "value":
		return dateMax // only a date or a time is said back
	case s == nil:
		return AnswerCharactersMax
	case isMember:
		return longestField(s.kind, member, s.fields()[member])
	}
	return s.longest
}

// fieldLongest are the fields that are shorter than any text.
var fieldLongest = map[valueType]map[string]int{
	locationValue: {"name": placeMax, "address": placeMax},
	mediaValue:    {"kind": timeMax, "filename": filenameMax},
	contactValue:  {"name": placeMax, "phone": numberMax, "email": EmailBytesMax},
}

func longestField(of valueType, name string, kind valueType) int {
	if n := fieldLongest[of][name]; n > 0 {
		return n
	}
	return longestOf(kind)
}

// longestOf is the number of characters of the longest value of a type.
func longestOf(kind valueType) int {
	switch kind {
	case numberValue:
		return numberMax
	case booleanValue, timeValue:
		return timeMax
	case dateValue:
		return dateMax
	}
	return AnswerCharactersMax
}

// wordList reads words in one or several languages, as keywords and synonyms are.
func (c *compiler) wordList(in item) []written {
	var all []written
	switch {
	case in.absent():
	case in.isMapping():
		for _, p := range c.pairs(in, "languages and words") {
			c.declaredLanguage(p.key)
			all = append(all, c.wordList(p.value)...)
		}
	case in.isList():
		for _, in := range c.list(in) {
			all = append(all, c.scalar(in))
		}
	default:
		all = append(all, c.scalar(in))
	}
	return all
}
