package flow

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// randomFlow writes a definition of all kinds of steps until Lint accepts one.
func randomFlow(t *rapid.T, name string) *Flow {
	source := rapid.Custom(func(t *rapid.T) string { return (&author{T: t}).definition(name) }).Draw(t, name)
	f, problems := Lint([]byte(source))
	if f == nil {
		t.Skip(problems.Errors().Error())
	}
	return f
}

// TestRandomFlows sees to it that most random definitions are accepted: else the
// properties would be about few flows.
func TestRandomFlows(t *testing.T) {
	accepted, refused := 0, map[string]int{}
	for seed := range 300 {
		source := rapid.Custom(func(t *rapid.T) string { return (&author{T: t}).definition("random") }).Example(seed)
		if _, problems := Lint([]byte(source)); len(problems.Errors()) == 0 {
			accepted++
		} else {
			refused[problems.Errors()[0].Message]++
		}
	}
	if accepted < 240 {
		t.Errorf("%d of 300 were accepted; the others: %v", accepted, refused)
	}
}

// author writes a random definition. What it writes is nearly always accepted: all
// slots have a default, jumps back come from questions alone, and a keyword leads
// to every step.
type author struct {
	*rapid.T
	b     strings.Builder
	steps int    // of the part that is being written
	at    int    // the step that is being written
	part  string // "s" or the name of a sub-flow
	subs  int
	tests int
}

func (a *author) pick(label string, words ...string) string {
	return rapid.SampledFrom(words).Draw(a.T, label)
}

func (a *author) one(in int, label string) bool   { return rapid.IntRange(1, in).Draw(a.T, label) == 1 }
func (a *author) line(format string, args ...any) { fmt.Fprintf(&a.b, format+"\n", args...) }

func (a *author) definition(name string) string {
	a.line("name: %s\nlanguage: en\nlanguages: [en, es, pt-BR]\nzone: Europe/Madrid", name)
	a.line("undelivered: %s", a.pick("undelivered", "cancelled", "handover"))
	a.line("expire: {after: 48h, resume: %s}\nquiet_hours: {from: \"22:00\", to: \"07:00\"}", a.pick("resume", "continue", "restart", "ask"))
	a.line("stale_taps: %s\nunexpected: %s", a.pick("stale", "ignore", "repeat", "jump"), a.pick("odd", "ignore", "repeat", "Texts only"))
	a.line("slots:")
	for _, slot := range []string{
		"t0: {type: text, default: x}", "t1: {type: text, default: y}", "n0: {type: number, default: 0}", "n1: {type: number, default: -1.5}",
		"b0: {type: boolean, default: true}", "d0: {type: date, default: 2026-01-31}", "h0: {type: time, default: \"09:00\"}",
	} {
		a.line("  %s", slot)
	}
	a.subs, a.steps = rapid.IntRange(0, 2).Draw(a.T, "sub-flows"), rapid.IntRange(1, 7).Draw(a.T, "steps")
	a.entries()
	a.line("keywords:\n  restart: {en: [RESTART], es: [REINICIAR]}\n  stop: {words: [STOP], say: %q}", "Bye")
	for i := range a.steps {
		a.line("  key%d: {words: [key%d], goto: s%d%s}", i, i, i, a.pick("keyword says", "", ", say: Off"))
	}
	a.line("  help: {words: [HELP], say: %s}\n  agent: {words: [AGENT], handover: sales}\n  spanish: {words: [espanol], language: es}", a.text())
	a.line("  done: {words: [DONE], goto: completed}")
	a.part = "s"
	a.line("steps:")
	for i := range a.steps {
		a.step(i)
	}
	if a.subs > 0 {
		a.line("subflows:")
	}
	for i := range a.subs {
		a.part, a.steps = fmt.Sprintf("sub%d", i), rapid.IntRange(1, 4).Draw(a.T, "sub steps")
		a.line("  %s:", a.part)
		for i := range a.steps {
			a.step(i)
		}
	}
	a.line("completed: {say: %s, again: %s, restart: %s}", a.text(), a.text(), a.pick("restart", "message", "30d", "1s"))
	return a.b.String()
}

func (a *author) entries() {
	if a.one(2, "no entries") {
		return
	}
	a.line("entry:\n  - {keyword: [go, %s], interrupt: %s, step: s0}", a.pick("entry word", "begin", "espanol"), a.pick("interrupts", "true", "false"))
	a.line("  - {api: true}\n  - {default: true, priority: 5}\n  - {payload: PAY, channels: [ch1]}\n  - {ad: \"*\", language: es}\n  - {regex: \"^x(?P<t1>.*)$\", priority: 2}")
}

// text is one in some languages, with places for some slots.
func (a *author) text() string {
	one := func() string {
		words := []string{a.pick("words", "Question?", "¿Qué?", "{{ %s", "…")}
		for range rapid.IntRange(0, 2).Draw(a.T, "places") {
			words = append(words, a.pick("place", "{n0}", "{n1, number}", "{n0, plural, one {# thing} other {# things}}", "{b0, select, true {yes} other {no}}",
				"{d0}", "{h0, time}", "{contact.name}", "{n1, selectordinal, other {#.}}"))
		}
		return fmt.Sprintf("%q", strings.Join(words, " "))
	}
	if a.one(2, "plain") {
		return one()
	}
	return fmt.Sprintf("{en: %s, es: %s}", one(), one())
}

// target is a step below, or an end.
func (a *author) target() string {
	ends := []string{"completed", "cancelled", "handover"}
	if a.part != "s" {
		ends = append(ends, "return", "return")
	}
	for i := a.at + 1; i < a.steps; i++ {
		ends = append(ends, a.name(i), a.name(i))
	}
	return a.pick("target", ends...)
}

// anywhere is any step of the part, or an end: from a question alone.
func (a *author) anywhere() string {
	if a.one(2, "ahead") {
		return a.target()
	}
	return a.name(rapid.IntRange(0, a.steps-1).Draw(a.T, "back"))
}

func (a *author) name(i int) string { return fmt.Sprintf("%s%d", a.part, i) }

func (a *author) expression() string {
	return a.pick("expression", "n0 + 1", "n0 / n1", "n0 * 1e300 * 1e300", "len(t0)", "int(t1)", "days(d0, t1)", "n1 - round(n0 / 3)", "int(n0) % int(n1)")
}

func (a *author) words() string {
	return a.pick("text expression", `t0 + "!"`, `t0 + t1 + t0`, `weekday(t1)`, `add_days(d0, 40)`, `upper(t0)[0:1]`, `contact.name`, `language`, `add_days(t1, 1)`, `today`, `""`)
}

func (a *author) condition() string {
	return a.pick("condition", "n0 > 2", `t0 == "x"`, "b0", `t0 matches t1`, "days(today, d0) > 3", `language == "es" or n1 < n0`, `time_now >= "12:00"`)
}

func (a *author) step(i int) {
	a.at = i
	a.line("  - name: %s", a.name(i))
	if a.one(4, "sets") {
		a.line("    set: {n0: %q, t0: %q, d0: %q}", a.expression(), a.words(), a.pick("date", "today", "add_days(d0, 1)", "t1"))
	}
	if a.one(8, "speaks") {
		a.line("    language: %q", a.pick("tongue", `"es"`, "t0", `"pt-BR"`))
	}
	switch kind := rapid.IntRange(0, 14).Draw(a.T, "kind"); {
	case kind == 0:
		a.says()
		a.line("    branch: [{if: %q, goto: %s}, {if: %q, goto: %s}, {goto: %s}]", a.condition(), a.target(), a.condition(), a.target(), a.target())
	case kind == 1:
		a.tests++
		a.line("    split: {test: test%d, goal: %s, variants: [{name: a, weight: 1, goto: %s}, {name: b, weight: 3, goto: %s}]}",
			a.tests, a.pick("goal", "completed", a.name(0)), a.target(), a.target())
	case kind == 2 && a.part == "s" && a.subs > 0:
		a.says()
		a.line("    run: {subflow: sub%d, with: {t1: %q}, save: {n1: %q}}", rapid.IntRange(0, a.subs-1).Draw(a.T, "sub-flow"), a.words(), a.expression())
	case kind == 3:
		a.says()
		a.line("    goto: %s", a.target())
	case kind == 4:
		a.form()
	case kind == 5:
		a.says()
		a.line("    call:\n      url: \"https://example.org/{t0}\"\n      timeout: %s\n      keep: {t1: a, t0: b.0}", a.pick("call time", "1s", "30s", "1h"))
		a.line("%s      failed: {goto: %s%s}", a.pick("busy", "", "      busy: {en: Still looking., es: Espera.}\n"), a.target(), a.pick("failed says", "", ", say: Sorry"))
		a.line("    goto: %s", a.target())
	default:
		a.question()
	}
}

// says are messages of any kind before something else.
func (a *author) says() {
	switch rapid.IntRange(0, 4).Draw(a.T, "says") {
	case 0:
		a.line("    say: %s", a.text())
	case 1:
		a.line("    say:\n      - typing: true\n      - {reaction: 👍}\n      - {image: {link: \"https://example.org/{t0}\", caption: %s}}", `"{n0}"`)
		a.line("      - {text: %s, link: {title: Open, url: \"https://example.org/?{t1}\"}, header: \"{n0}\", footer: \"{h0}\"}", a.text())
	case 2:
		a.line("    say:\n      - {location: {latitude: 1, longitude: 2, name: \"{t0}\"}}\n      - {contact: {name: \"{contact.name}\", phone: \"+34600111222\"}}")
		a.line("      - {template: {name: ready, language: en, body: [\"{t0}\", \"{contact.name}\"], buttons: [{kind: url, text: \"{t1}\"}]}}")
	case 3:
		a.line("    say: [{image: {link: \"https://example.org\"}, reply: true}, {text: %s, reply: true}]", a.text())
	default:
		a.line("    say: [%s, %s]", a.text(), a.text())
	}
}

func (a *author) form() {
	a.line("    say: {text: %s, header: \"{n0}\"}", a.text())
	a.line("    form: {id: \"1\", title: Open, data: {x: t0, y: n0}, fields: {pain: number, since: date, note: text}, %s attempts: 2, then: %s}",
		a.pick("form keeps", "", fmt.Sprintf("save: f_%s, partial: p_%s,", a.name(a.at), a.name(a.at))), a.anywhere())
	a.follow()
}

// follow says where a question leads.
func (a *author) follow() {
	if a.one(3, "goes") {
		a.line("    goto: %s", a.target())
	}
	if a.one(4, "loop") {
		a.line("    loop: {max: %d, then: %s}", rapid.IntRange(1, 2).Draw(a.T, "max"), a.target())
	}
}

func (a *author) question() {
	text := a.text()
	if a.one(4, "several") {
		text = fmt.Sprintf("[%s, {text: %s}, {image: {id: \"1\"}}]", a.text(), a.text())
	}
	a.line("    say: %s\n    expect:", text)
	kind := a.pick("answer", "text", "number", "email", "phone", "date", "time", "yes_no", "choice", "choice", "choice", "location", "media", "contact")
	a.line("      type: %s", kind)
	a.fieldsOf(kind)
	if a.one(3, "invalid") || kind == "email" {
		a.line("      invalid: %s", a.pick("invalid", a.text(), fmt.Sprintf("{type: %s, other: %s}", a.text(), a.text())))
	}
	if a.one(3, "attempts") {
		a.line("      attempts: %d\n      then: %s", rapid.IntRange(1, 3).Draw(a.T, "failures"), a.anywhere())
	}
	if a.one(5, "check") {
		a.line("      check: [{if: %q, say: %s}]", a.condition(), a.text())
	}
	if a.one(5, "table") && !strings.HasPrefix(kind, "choice") {
		a.line("      table: {name: rows, where: {k: t0, n: n0}, first: {t1: l}}")
	}
	a.follow()
	if a.one(4, "reminds") {
		after := rapid.SampledFrom([]string{"1h", "auto"}).Draw(a.T, "after")
		a.line("    remind: [{after: %s, say: %s}, {after: 30h, say: {template: {name: t, language: en}}}]", after, a.text())
	}
	if a.one(4, "times out") {
		a.line("    timeout: {after: 40h, goto: %s}", a.anywhere())
	}
}

func (a *author) fieldsOf(kind string) {
	slots := map[string]string{
		"text": "t0", "number": "n0", "email": "t1", "phone": "t1", "date": "d0", "time": "h0", "yes_no": "b0", "choice": "t0",
		"location": "place", "media": "file", "contact": "card",
	}
	if a.one(2, "saves") {
		a.line("      save: %s", slots[kind])
	}
	switch kind {
	case "text":
		a.line("      %s", a.pick("text rule", "quiet: 3s", "max: 5", "pattern: \"[a-z]*\"", "min: 2", ""))
	case "number":
		a.line("      %s", a.pick("number rule", "integer: true", "min: 1", "max: 5", ""))
	case "date":
		a.line("      %s", a.pick("date rule", "min: today", "max: \"add_days(d0, 5)\"", "confirm: \"So {value}?\"", "min: t0"))
	case "media":
		a.line("      kinds: [image]\n      max_mb: 1")
	case "yes_no":
		a.line("      %s", a.pick("titles", "yes: Of course", "no: \"{h0}\"", ""))
	case "phone", "location", "contact":
		a.line("      %s", a.pick("button", "share: true", ""))
	case "choice":
		a.choice()
	}
}

func (a *author) choice() {
	show := a.pick("show", "auto", "list", "numbers", "auto")
	a.line("      show: %s", show)
	if a.one(3, "from a table") {
		a.line("      options: {table: rows, where: {k: \"t0 + t1\", n: n0}, value: v, title: l, description: d, empty: {say: %s, goto: %s}}", a.text(), a.target())
		return
	}
	a.line("      options:\n        - {value: first, title: {en: First, es: Primero}, synonyms: {en: [begin]}, goto: %s}", a.anywhere())
	for i := range rapid.SampledFrom([]int{0, 1, 2, 9, 12, 30}).Draw(a.T, "options") {
		a.line("        - o%d", i)
	}
	if a.one(3, "odd titles") {
		a.line("        - {value: odd, title: \"{h0}\", description: \"{n1}\"}\n        - {value: odder, title: \"{h0}\"}")
	}
}
