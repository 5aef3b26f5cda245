package schema

// part is one kind of mapping of a flow file: a step, an answer, a message. Its
// name is that in flow.Fields.
type part struct {
	name string
	doc  string
	// required are the fields that must be there.
	required []string
	fields   []field
	// also are further conditions on the whole.
	also func(*node)
}

// field is one field of a part, with what editors show on hover.
type field struct {
	name string
	is   *node
	doc  string
}

// parts is the whole language, in the order of the manual.
func parts() []part {
	all := []part{flowPart(), completedPart(), expirePart(), quietHoursPart(), handBackPart(), slotPart(), entryPart(), keywordPart()}
	all = append(all, messageParts()...)
	all = append(all, stepParts()...)
	return append(all, answerParts()...)
}

func flowPart() part {
	return part{
		name: "flow", doc: "A conversation: what is asked, in which order, what counts as an answer, and what is said.",
		required: []string{"name", "language", "steps", "completed"},
		fields: []field{
			{"name", ref("name").like("booking"), "Name of the flow."},
			{"language", ref("tag").like("en", "pt-BR"), "The language of its plain texts. The last of every fallback chain."},
			{"languages", list(ref("tag")).like([]string{"en", "es"}), "All languages that the flow speaks. Without it: language alone."},
			{"countries", mapping(ref("tag"), map[string]string{"MX": "es"}), "In which language people of a phone's country begin. Without it: by the most likely language of the country."},
			{"zone", text("Europe/Madrid").otherwise("UTC"), "Time zone of today and tomorrow, by its IANA name."},
			{"entry", list(ref("entry")), "What starts the flow. A flow without entry serves the channels that name it."},
			{"slots", mapping(ref("slot"), map[string]any{"score": map[string]any{"type": "number", "default": 0}}), "Places for values that no answer fills, or that need a value from the start."},
			{"keywords", keywords(), "Words that work at any step. restart and stop may have the words alone; others say what they do."},
			{"steps", list(ref("step")), "The steps, in order."},
			{"subflows", mapping(list(ref("step"))), "Parts that are run from several places, by name: lists of steps."},
			{"completed", ref("completed"), "What happens at the end."},
			{"unexpected", anyOf(word("repeat", "ignore"), ref("say")).otherwise("repeat"), "A photo where a number is due: repeat the question, ignore it, or say this text instead."},
			{"stale_taps", word("ignore", "repeat", "jump").otherwise("repeat"), "A button of an earlier step was tapped: ignore it, repeat the present question, or jump back to that step and take it as its answer."},
			{"undelivered", ref("target"), "Where the session goes if a message of ours does not arrive; without it that is only recorded. At most once until the person writes again."},
			{"texts", ref("texts"), "Words that Parley says itself, for languages that it does not know, or in your own style."},
			{"expire", anyOf(ref("silence"), ref("expire")).otherwise("24h"), "How long a person may be silent before the session is put aside; never is for ever. Who comes back goes on where they were."},
			{"quiet_hours", ref("quiet_hours"), "When nobody is reminded, in the time of the person's country."},
			{"handover", ref("hand_back"), "When the bot takes a conversation back that was handed over. Without it a human has it until they give it back."},
			{"migrate", mapping(ref("target"), map[string]string{"old_step": "new_step"}), "Where people go who stand on a step that this version no longer has: old step to new step."},
			{"files", mapping(ref("file")), "What is in the files that the flow names. Parley's tools write it when they publish: leave it out."},
		},
	}
}

func expirePart() part {
	return part{
		name: "expire", doc: "The end of a silence.",
		fields: []field{
			{"after", ref("silence").otherwise("24h"), "How long a person may be silent."},
			{"resume", word("continue", "restart", "ask").otherwise("continue"), "What who comes back finds: the question with all their answers, a new beginning, or two buttons to choose."},
		},
	}
}

func quietHoursPart() part {
	return part{
		name: "quiet_hours", doc: "When nobody is reminded.", required: []string{"from", "to"},
		fields: []field{
			{"from", text("21:00"), "When they begin."},
			{"to", text("08:00"), "When they end."},
		},
	}
}

func handBackPart() part {
	return part{
		name: "hand_back", doc: "When the bot takes a conversation back.", required: []string{"give_back_after", "to"},
		fields: []field{
			{"give_back_after", ref("duration").like("12h"), "How long no human has written."},
			{"to", ref("target"), "Where the bot goes on."},
		},
	}
}

func completedPart() part {
	return part{
		name: "completed", doc: "What happens at the end.", required: []string{"say"},
		fields: []field{
			{"say", ref("say"), "What is said at the end."},
			{"again", ref("say"), "What is said to messages after the end. Required unless restart is message."},
			{"restart", anyOf(&node{Const: "message"}, ref("duration")).like("message", "30d"), "message: any message begins again. A duration: any message that much later does."},
		},
		also: func(n *node) {
			n.AnyOf = []*node{has("again"), {Required: []string{"restart"}, Properties: ordered{{"restart", &node{Const: "message"}}}}}
		},
	}
}

func slotPart() part {
	return part{
		name: "slot", doc: "A place for a value.", required: []string{"type"},
		fields: []field{
			{"type", word("text", "number", "boolean", "date", "time", "location", "media", "contact", "form"), "What the slot holds. A date is 2026-12-04, a time 15:30."},
			{"default", scalar(0, "basic"), "The value from the start. With it, texts and expressions can use the slot everywhere."},
		},
	}
}

func entryPart() part {
	return part{
		name: "entry", doc: "One thing that starts the flow: a keyword, a regex, an ad, a button's payload, the API, or whatever fits nothing else.",
		fields: []field{
			{"keyword", ref("words_to_type").like([]string{"book"}), "The message is one of these words, in any case, with or without accents."},
			{"regex", text("^order (?P<order>[0-9]+)$"), "The message matches this regular expression (RE2). Named groups become text slots; declare them with a default."},
			{"ad", scalar("120211", "*"), `The person comes from the advertisement with this id; "*" is any.`},
			{"payload", scalar("BOOK"), "The person tapped a template's button with this payload."},
			{"api", &node{Const: true}, "The flow may be started through the API."},
			{"default", &node{Const: true}, "The flow begins when nothing else fits."},
			{"step", ref("target"), "Where to begin; without it at the first step."},
			{"channels", list(scalar()), "Ids of the channels on which the entry works; without it on all."},
			{"priority", count(-1000, 1000).otherwise(0), "Higher comes first. At equal priority: payload, ad, keyword, regex, default."},
			{"language", ref("tag"), "The language in which the session begins."},
			{"interrupt", truth().otherwise(false), "Also ends a running session of another flow."},
		},
		also: func(n *node) { n.OneOf = eachOf("keyword", "regex", "ad", "payload", "api", "default") },
	}
}

func keywordPart() part {
	return part{
		name: "keyword_action", doc: "Words with what they do.", required: []string{"words"},
		fields: []field{
			{"words", ref("words_to_type").like([]string{"MENU"}), "The words, in any case, with or without accents."},
			{"say", ref("say"), "Says this and repeats the question. For stop: confirms the opt-out."},
			{"goto", ref("target"), "Jumps to a step; the answers stay."},
			{"handover", ref("handover"), "A human takes over."},
			{"language", ref("tag"), "The session goes on in this language."},
		},
	}
}

func keywords() *node {
	n := mapping(ref("keyword_action"), map[string]any{"restart": []string{"RESTART"}})
	n.Properties = ordered{
		{"restart", &node{Ref: ref("standard_keyword").Ref, Description: "Begins again, on the newest version."}},
		{"stop", &node{Ref: ref("standard_keyword").Ref, Description: "Opt-out: the session ends, and the contact hears nothing more until they opt in again."}},
	}
	return n
}

// eachOf lists alternatives, of which an object has exactly one.
func eachOf(fields ...string) []*node {
	all := make([]*node, len(fields))
	for i, name := range fields {
		all[i] = has(name)
	}
	return all
}
