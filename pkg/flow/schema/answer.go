package schema

// answerParts are what can be asked.
func answerParts() []part {
	return []part{expectPart(), checkPart(), tablePart(), optionPart(), optionsPart(), freePart(), emptyPart(), invalidPart(), formPart(), receivedPart(), replyPart(), rowsPart()}
}

func expectPart() part {
	return part{
		name: "expect", doc: "The answer that the step waits for.", required: []string{"type"},
		fields: []field{
			{"type", word(answerTypes()...), "What the answer must be."},
			{"save", ref("name"), "The slot that keeps the answer. Without it the answer is weighed, but not kept."},
			{"min", ref("bound"), "The least: a number, characters of a text, or for dates and times an expression or a fixed one."},
			{"max", ref("bound"), "The most: a number, characters of a text, or for dates and times an expression or a fixed one."},
			{"integer", truth().otherwise(false), "A whole number."},
			{"pattern", text("[A-Z]{2}[0-9]{4}"), "A regular expression (RE2) for the whole text."},
			{"region", text("ES"), "The country of national numbers, for people without a known phone."},
			{"kinds", list(word("image", "video", "audio", "document", "sticker")), "Which files are taken; without it any."},
			{"max_mb", count(1, 100), "The size of the largest file, in MB."},
			{"check", list(ref("check")), "Rules of your own, in order."},
			{"table", ref("table"), "The answer is taken only if the table of allowed values has such a row."},
			{"invalid", ref("invalid"), "What is said to a wrong answer: one text, or one for each rule. Without it the question is said again."},
			{"attempts", count(1, 100), "After so many failures the session goes where then says."},
			{"then", ref("target").like("human"), "Where the session goes after too many failures: a step that says so, or cancelled, completed, handover."},
			{"quiet", ref("duration").like("3s"), "A text is weighed when the person has been quiet for that long: fragments become one answer."},
			{"wait", ref("duration").like("20s"), "The longest time to gather fragments; without it ten times quiet."},
			{"confirm", ref("words").like("{value}. Is that right?"), "Asks whether a date or time was understood; {value} is what was understood, in full."},
			{"options", anyOf(list(anyOf(scalar(), ref("option"))), ref("options")), "What can be chosen: a list, or a table."},
			{"show", word("auto", "buttons", "list", "numbers").otherwise("auto"), "How the choices look. auto: up to three short ones are buttons, up to ten a list, more are paged."},
			{"button", ref("words"), "The label of the list: at most 20 characters."},
			{"yes", ref("words"), "The title of yes: at most 20 characters."},
			{"no", ref("words"), "The title of no: at most 20 characters."},
			{"share", truth().otherwise(false), "Below the text stands WhatsApp's button to share one's own number, or place."},
		},
		also: func(n *node) {
			n.DependentSchemas = typedFields()
			n.DependentRequired = []byte(`{"attempts":["then"],"then":["attempts"],"wait":["quiet"]}`)
			n.AnyOf = []*node{{Not: ofType("choice")}, has("options")}
		},
	}
}

func answerTypes() []string {
	return []string{"text", "number", "email", "phone", "date", "time", "yes_no", "choice", "location", "media", "contact"}
}

// typed are the fields that only some types of answers have.
var typed = []struct {
	field string
	types []string
}{
	{"min", []string{"text", "number", "date", "time"}},
	{"max", []string{"text", "number", "date", "time"}},
	{"integer", []string{"number"}},
	{"pattern", []string{"text"}},
	{"region", []string{"phone"}},
	{"kinds", []string{"media"}},
	{"max_mb", []string{"media"}},
	{"quiet", []string{"text"}},
	{"wait", []string{"text"}},
	{"confirm", []string{"date", "time"}},
	{"options", []string{"choice"}},
	{"show", []string{"choice"}},
	{"button", []string{"choice"}},
	{"yes", []string{"yes_no"}},
	{"no", []string{"yes_no"}},
	{"share", []string{"phone", "contact", "location"}},
}

func typedFields() ordered {
	var all ordered
	for _, t := range typed {
		all = append(all, named{t.field, ofType(t.types...)})
	}
	return all
}

// ofType holds for an answer of one of the types.
func ofType(types ...string) *node {
	return &node{Properties: ordered{{"type", &node{Enum: types}}}}
}

func checkPart() part {
	return part{
		name: "check", doc: "A rule of your own.", required: []string{"if", "say"},
		fields: []field{
			{"if", ref("expression").like(`guests <= 8 or day != today`), "The condition that the answer must meet; value is the answer."},
			{"say", ref("say"), "What is said to an answer that does not meet it."},
		},
	}
}

func tablePart() part {
	return part{
		name: "table", doc: "A table of allowed values.", required: []string{"name", "where"},
		fields: []field{
			{"name", ref("name"), "The name of the table."},
			{"where", ref("filters").like(map[string]string{"number": "value"}), "What a row must have: column to expression; value is the answer."},
			{"first", mapping(text()), "Keeps columns of the first such row: slot to column."},
		},
	}
}

func optionPart() part {
	return part{
		name: "option", doc: "One choice.", required: []string{"value"},
		fields: []field{
			{"value", scalar("cut"), "What is kept if it is chosen."},
			{"title", ref("words").like("Haircut"), "What people see: at most 24 characters, 20 on a button. Without it the value."},
			{"description", ref("words"), "Below the title, in a list: at most 72 characters."},
			{"synonyms", ref("words_to_type"), "What else people may type for it."},
			{"goto", ref("target"), "The step that comes next if it is chosen."},
		},
	}
}

func optionsPart() part {
	return part{
		name: "options", doc: "Choices from a table, or free slots: read when the question is asked, and again when it is answered.", required: []string{"empty"},
		fields: []field{
			{"table", ref("name"), "The name of the table."},
			{"free", ref("free"), "Instead of a table: the slots of a service that are free."},
			{"where", ref("filters").like(map[string]string{"weekday": "weekday(day)"}), "What a row must have: column to expression."},
			{"value", text("id"), "The column that is kept."},
			{"title", text("name"), "The column that people see; without it that of value."},
			{"description", text(), "The column below the title; of slots it is the calendar."},
			{"keep", mapping(text("time"), map[string]string{"hour": "time"}), "Keeps columns of what is chosen: slot to column. A free slot has slot, service, calendar, day and time."},
			{"empty", ref("empty"), "What happens if there is nothing to choose."},
		},
		also: func(n *node) {
			n.OneOf = []*node{
				{Title: "rows of a table", Required: []string{"table", "value"}, Not: has("free")},
				{Title: "free slots", Required: []string{"free"}, Not: &node{AnyOf: eachOf("table", "where", "value", "title")}},
			}
		},
	}
}

func emptyPart() part {
	return part{
		name: "empty", doc: "What happens if there is nothing to choose.", required: []string{"say", "goto"},
		fields: []field{
			{"say", ref("say"), "What is said."},
			{"goto", ref("target"), "The step that comes next."},
		},
	}
}

func invalidPart() part {
	doc := map[string]string{
		"type": "Another kind of message was due, or the text was blank.", "length": "The text is too short or too long.",
		"email": "It is no e-mail address.", "number": "It is no number.", "phone": "It is no phone number.", "date": "It is no date.",
		"time": "It is no time.", "ambiguous": "It has two readings.", "range": "It is less than min or more than max.",
		"pattern": "It does not match the pattern.", "choice": "It is none of the choices.", "kind": "It is another kind of file.",
		"size": "The file is too large.", "table": "The table has no such row.", "form": "The form came back with a field missing or wrong.",
		"yes_no": "It is neither yes nor no.", "other": "All other failures.",
	}
	p := part{name: "invalid_rules", doc: "A text for each rule that an answer can break."}
	for _, rule := range []string{
		"type", "length", "email", "number", "phone", "date", "time", "ambiguous", "range", "pattern", "choice", "kind", "size", "table",
		"form", "yes_no", "other",
	} {
		p.fields = append(p.fields, field{rule, ref("say"), doc[rule]})
	}
	return p
}

func formPart() part {
	return part{
		name: "form", doc: "A WhatsApp form (a Flow of Meta's), sent with the step's say.", required: []string{"id", "title", "fields"},
		fields: []field{
			{"id", scalar("1234567890"), "WhatsApp's id of the published form."},
			{"screen", scalar("DETAILS"), "The screen on which it opens."},
			{"title", ref("words").like("Open the form"), "The label of the button that opens it: at most 30 characters."},
			{"data", ref("assignments"), "What the screen is given: name to expression."},
			{"fields", mapping(word("text", "number", "boolean", "date", "time"), map[string]string{"pain": "number", "note": "text"}), "What comes back: name to type."},
			{"save", ref("name").like("triage"), "The slot that keeps the result: {triage.pain} in texts, triage.pain in expressions."},
			{"partial", ref("name"), "The slot that keeps what an unfinished form sent so far."},
			{"received", anyOf(scalar("THANKS"), ref("received")), "The screen that is shown when no answer is in time; what was sent is applied later."},
			{"answers", list(ref("reply")), "What the open form is shown next. The first that fits an exchange counts."},
			{"invalid", ref("invalid"), "What is said to a result with a field missing or of a wrong type."},
			{"attempts", count(1, 100), "After so many failures the session goes where then says."},
			{"then", ref("target"), "Where the session goes after too many failures."},
		},
		also: func(n *node) { n.DependentRequired = []byte(`{"attempts":["then"],"then":["attempts"]}`) },
	}
}

func receivedPart() part {
	return part{
		name: "received", doc: "A screen that needs nobody: it travels with the form, at most 160 bytes.", required: []string{"screen"},
		fields: []field{
			{"screen", scalar("THANKS"), "The screen."},
			{"data", mapping(scalar("We have it."), map[string]string{"note": "We have it."}), "What it is given, as it is written: name to text."},
		},
	}
}

func replyPart() part {
	return part{
		name: "reply", doc: "What one exchange of an open form is answered.", required: []string{"to"},
		fields: []field{
			{"to", scalar("open", "DETAILS", "back DETAILS"), "What is answered: open (the form asks for its first screen), a screen that was filled in, or back and the screen that somebody went back to."},
			{"if", ref("expression").like("value.pain > 10"), "The answer counts only if this holds; value has the form's fields as sent so far."},
			{"show", scalar("TIMES"), "The screen that comes next."},
			{"finish", truth(), "Closes the form. Its result holds what it sent, and data."},
			{"message", ref("words").like("At most ten, please."), "What is shown at the bottom of the screen."},
			{"data", ref("assignments"), "What the screen is given: name to expression."},
			{"texts", mapping(ref("words"), map[string]string{"hint": "For you, {name}"}), "Texts that the screen is given: name to text."},
			{"rows", ref("rows"), "A list that the screen is given: rows of a table, or free slots."},
		},
		also: func(n *node) { n.OneOf = []*node{{Required: []string{"show"}}, {Required: []string{"finish"}}} },
	}
}

func rowsPart() part {
	return part{
		name: "rows", doc: "A list for a screen, each with id, title and description.", required: []string{"name"},
		fields: []field{
			{"name", scalar("times"), "The name under which the screen gets the list."},
			{"table", ref("name"), "The name of the table."},
			{"free", ref("free"), "Instead of a table: the slots of a service that are free."},
			{"where", ref("filters").like(map[string]string{"weekday": "weekday(value.day)"}), "What a row must have: column to expression."},
			{"value", text("id"), "The column that comes back as the choice."},
			{"title", text("name"), "The column that people see; without it that of value."},
			{"description", text(), "The column below the title."},
			{"limit", count(1, 100), "At most so many."},
			{"empty", ref("words").like("Nothing is free then."), "What is shown at the bottom of the screen if there is no row."},
		},
		also: func(n *node) {
			n.OneOf = []*node{
				{Title: "rows of a table", Required: []string{"table", "value"}, Not: has("free")},
				{Title: "free slots", Required: []string{"free"}, Not: &node{AnyOf: eachOf("table", "where", "value", "title")}},
			}
		},
	}
}
