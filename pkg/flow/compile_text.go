package flow

import (
	"slices"
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

// proper is a name or an address: it may be another in each language, but most often
// is the same in all.
func (c *compiler) proper(in item, limit int) words {
	if in.absent() {
		return nil
	}
	return c.compiled(in, c.translations(in), limit, nil)
}

// textWith reads a text that may also use the given values, which are no slots.
func (c *compiler) textWith(in item, limit int, values ...string) words {
	if in.absent() {
		return nil
	}
	given := c.translations(in)
	c.untranslated(in, given)
	return c.compiled(in, given, limit, values)
}

// compiled compiles a text for every language.
func (c *compiler) compiled(in item, given map[int]written, limit int, values []string) words {
	if len(given) == 0 {
		return nil
	}
	c.noteText(in, given, TextInfo{CharactersMax: limit})
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
func (c *compiler) noteText(in item, given map[int]written, info TextInfo) {
	info.ID = in.path()
	if c.present >= 0 {
		info.Step = c.flow.steps[c.present].name
		info.ID = info.Step + "." + strings.TrimPrefix(strings.TrimPrefix(info.ID, c.path+"."), "expect.")
	}
	if c.textIDs[info.ID]++; c.textIDs[info.ID] > 1 { // a step called "texts", and the like
		info.ID += "." + strconv.Itoa(c.textIDs[info.ID])
	}
	info.Line, info.Column, info.Plain = in.at.line, in.at.column, !in.isMapping()
	info.Texts = make(map[string]string, len(given))
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
	return given
}

// untranslated warns of languages that a text lacks. A text without words needs no
// translation, and a region falls back to its language.
func (c *compiler) untranslated(in item, given map[int]written) {
	var missing []string
	for i, name := range c.flow.languages {
		source, ok := c.translated(given, i)
		own, _ := c.chain(given, i)
		if ok && !own && hasWords(source.value) {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		c.warn(in.at, ruleTranslation, "%s is not translated into %s: it will be said in %s", in.key, strings.Join(missing, ", "), c.flow.languages[0])
	}
}

// hasWords reports whether a text says anything in a language: more than values,
// numbers, signs, and addresses of pages and mail.
func hasWords(source string) bool {
	return slices.ContainsFunc(strings.Fields(withoutPlaces(source)), func(word string) bool {
		isAddress := strings.Contains(word, "://") || strings.Contains(word, "@") && strings.Contains(word, ".")
		return !isAddress && strings.ContainsFunc(word, unicode.IsLetter)
	})
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
	if in.absent() {
		return nil
	}
	var all []written
	given := map[int]written{}
	add := func(lang int, in item) {
		words := c.wordsOf(in)
		all = append(all, words...)
		if lang >= 0 {
			given[lang] = lines(words)
		}
	}
	if in.isMapping() {
		for _, p := range c.pairs(in, "languages and words") {
			add(c.declaredLanguage(p.key), p.value)
		}
	} else {
		add(0, in)
	}
	if given[0].value != "" { // else there is nothing to translate from
		c.noteText(in, given, TextInfo{Words: true})
	}
	return all
}

// wordsOf reads one word, or a list of them.
func (c *compiler) wordsOf(in item) []written {
	if !in.isList() {
		return []written{c.scalar(in)}
	}
	list := c.list(in)
	words := make([]written, len(list))
	for i, in := range list {
		words[i] = c.scalar(in)
	}
	return words
}

// lines has a word on each line.
func lines(words []written) written {
	values := make([]string, len(words))
	for i, word := range words {
		values[i] = word.value
	}
	return written{value: strings.Join(values, "\n")}
}
