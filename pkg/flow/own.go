package flow

import (
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// ownWords is what Parley says itself in one language, and understands as yes,
// no and more.
type ownWords struct {
	text map[string]string // by key of ownKeys
	yes  []string          // folded
	no   []string
	more []string
}

// ownKeys are the names under which a flow can give these texts itself.
var ownKeys = []string{"yes", "no", "more", "choose", "confirm_date", "confirm_time", "ask_date", "ask_time", "resume", "go_on", "start_over"}

// ownLimits are the lengths of what stands on a button or a row; the others are
// bodies.
var ownLimits = map[string]int{"yes": buttonMax, "no": buttonMax, "more": titleMax, "choose": buttonMax, "go_on": buttonMax, "start_over": buttonMax}

// Signs that mean yes and no in every language.
var (
	yesSigns = []string{"👍", "✅", "✔"}
	noSigns  = []string{"👎", "❌"}
)

// builtIn are the languages that Parley speaks by itself.
var builtIn = map[string]ownWords{
	"en": {
		text: map[string]string{
			"yes": "Yes", "no": "No", "more": "More", "choose": "Choose",
			"confirm_date": "{value}. Is that right?", "confirm_time": "{value}. Is that right?",
			"ask_date": "Please write the day like 14 March or tomorrow.", "ask_time": "Please write the time like 15:30 or 3 pm.",
			"resume": "Welcome back. Shall we go on where we were?", "go_on": "Go on", "start_over": "Start over",
		},
		yes: []string{"yes", "y", "yep", "yeah", "yes please", "sure", "ok", "okay", "right", "correct", "that's right"},
		no:  []string{"no", "n", "nope", "no thanks", "wrong", "not right", "incorrect"}, more: []string{"more"},
	},
	"es": {
		text: map[string]string{
			"yes": "Sí", "no": "No", "more": "Más", "choose": "Elegir",
			"confirm_date": "{value}. ¿Es correcto?", "confirm_time": "{value}. ¿Es correcto?",
			"ask_date": "Escribe el día así: 14 de marzo, o mañana.", "ask_time": "Escribe la hora así: 15:30.",
			"resume": "Hola de nuevo. ¿Seguimos donde lo dejamos?", "go_on": "Seguir", "start_over": "Empezar de nuevo",
		},
		yes: []string{"si", "s", "si por favor", "claro", "vale", "ok", "correcto", "de acuerdo", "bueno"},
		no:  []string{"no", "n", "no gracias", "incorrecto", "mal"}, more: []string{"mas"},
	},
	"pt": {
		text: map[string]string{
			"yes": "Sim", "no": "Não", "more": "Mais", "choose": "Escolher",
			"confirm_date": "{value}. Está certo?", "confirm_time": "{value}. Está certo?",
			"ask_date": "Escreva o dia assim: 14 de março, ou amanhã.", "ask_time": "Escreva a hora assim: 15:30.",
			"resume": "Olá de novo. Continuamos de onde paramos?", "go_on": "Continuar", "start_over": "Começar de novo",
		},
		yes: []string{"sim", "s", "sim por favor", "claro", "ok", "certo", "correto", "isso"},
		no:  []string{"nao", "n", "nao obrigado", "nao obrigada", "errado"}, more: []string{"mais"},
	},
	"fr": {
		text: map[string]string{
			"yes": "Oui", "no": "Non", "more": "Plus", "choose": "Choisir",
			"confirm_date": "{value}. C’est bien ça ?", "confirm_time": "{value}. C’est bien ça ?",
			"ask_date": "Écrivez le jour ainsi : 14 mars, ou demain.", "ask_time": "Écrivez l’heure ainsi : 15:30.",
			"resume": "Rebonjour. On reprend où nous en étions ?", "go_on": "Reprendre", "start_over": "Recommencer",
		},
		yes: []string{"oui", "o", "oui merci", "d'accord", "ok", "exact", "c'est ca"},
		no:  []string{"non", "n", "non merci", "faux"}, more: []string{"plus"},
	},
	"de": {
		text: map[string]string{
			"yes": "Ja", "no": "Nein", "more": "Mehr", "choose": "Auswählen",
			"confirm_date": "{value}. Ist das richtig?", "confirm_time": "{value}. Ist das richtig?",
			"ask_date": "Bitte den Tag so schreiben: 14. März, oder morgen.", "ask_time": "Bitte die Uhrzeit so schreiben: 15:30.",
			"resume": "Willkommen zurück. Machen wir da weiter, wo wir waren?", "go_on": "Weiter", "start_over": "Neu anfangen",
		},
		yes: []string{"ja", "j", "ja bitte", "ok", "richtig", "stimmt", "genau", "gerne"},
		no:  []string{"nein", "n", "nein danke", "falsch"}, more: []string{"mehr"},
	},
}

// ownTexts reads what the flow says instead of the built-in texts, and compiles
// them for every language. A language that has none says what the main one says.
func (c *compiler) ownTexts(in item) {
	given := map[string]map[int]written{}
	for _, p := range c.pairs(in, "names and texts") {
		if !slices.Contains(ownKeys, p.key.value) {
			c.report(p.key.at, ruleField, "unknown field %q: %s", p.key.value, suggestion(p.key.value, ownKeys))
			continue
		}
		given[p.key.value] = c.translations(p.value)
		c.untranslated(p.value, given[p.key.value])
		if len(given[p.key.value]) > 0 {
			c.noteText(p.value, given[p.key.value], TextInfo{CharactersMax: ownLimits[p.key.value]})
		}
		c.checkOwn(p.key.value, given[p.key.value])
	}
	for i, name := range c.flow.languages {
		c.flow.own = append(c.flow.own, c.ownOf(i, name, given))
	}
}

// checkOwn checks a text of Parley's own for what Parley does with it.
func (c *compiler) checkOwn(key string, texts map[int]written) {
	limit, isLabel := ownLimits[key]
	for _, t := range texts {
		switch n := utf8.RuneCountInString(t.value); {
		case isLabel && n > limit:
			c.report(t.at, ruleLimit, "%s has %d characters, WhatsApp's limit is %d: shorten it", t.key, n, limit)
		case isLabel && fold(t.value) == "":
			c.report(t.at, ruleText, "%s has no letter or digit: nobody could type it", t.key)
		case !isLabel && n > bodyMax-dateMax:
			c.report(t.at, ruleLimit, "%s has %d characters, the limit is %d: shorten it", t.key, n, bodyMax-dateMax)
		case strings.HasPrefix(key, "confirm_") && !strings.Contains(t.value, "{value}"):
			c.report(t.at, ruleText, "%s does not say what was understood: write {value} where it goes", t.key)
		}
	}
}

func (c *compiler) ownOf(lang int, name string, given map[string]map[int]written) ownWords {
	base, _, _ := strings.Cut(name, "-")
	main, _, _ := strings.Cut(c.flow.languages[0], "-")
	known, ok := builtIn[base]
	if !ok {
		if known, ok = builtIn[main]; !ok {
			known = builtIn["en"]
		}
	}
	own := ownWords{
		text: maps.Clone(known.text), yes: slices.Concat(known.yes, yesSigns), no: slices.Concat(known.no, noSigns), more: slices.Clone(known.more),
	}
	for key, texts := range given {
		if source, ok := c.translated(texts, lang); ok {
			own.text[key] = source.value
		}
	}
	own.yes = append(own.yes, fold(own.text["yes"]))
	own.no = append(own.no, fold(own.text["no"]))
	own.more = append(own.more, fold(own.text["more"]))
	return own
}
