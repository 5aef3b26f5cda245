package schema

// messageParts are what can be said.
func messageParts() []part {
	return []part{
		messagePart(), mediaPart(), filePart(), linkPart(), locationPart(), contactPart(), templatePart(), parameterPart(), templateButtonPart(), textsPart(),
	}
}

func messagePart() part {
	return part{
		name: "message", doc: "One message. It is one thing: a text, a file, a location, a contact card, a template or a reaction.",
		fields: []field{
			{"text", ref("words"), "The text. The choices of the step's answer go below the last text of its say."},
			{"header", ref("header"), "Above the text, with buttons, a list, a link or a form: a text of at most 60 characters, or an image, video or document."},
			{"footer", ref("words"), "Small, below the text, with buttons, a list, a link or a form: at most 60 characters."},
			{"link", ref("link"), "A button below the text that opens a page."},
			{"image", ref("media"), "An image."},
			{"video", ref("media"), "A video."},
			{"audio", ref("media"), "A voice message or another sound; it has no caption."},
			{"document", ref("media"), "A file, such as a PDF."},
			{"sticker", ref("media"), "A sticker; it has no caption."},
			{"location", ref("location"), "A place on the map."},
			{"contact", ref("contact"), "A contact card."},
			{"template", ref("template"), "An approved template: it may be sent after the 24 hours in which other messages may. Beside another message it is what is sent instead of it then."},
			{"reaction", text("👍"), "An emoji on the person's last message."},
			{"typing", truth(), "Shows that somebody is typing."},
			{"reply", truth().otherwise(false), "Quotes the person's last message above this one."},
			{"preview", truth().otherwise(false), "Shows a preview of the first link in the text."},
		},
		also: func(n *node) {
			others := []string{"text", "image", "video", "audio", "document", "sticker", "location", "contact", "reaction", "typing"}
			n.OneOf = append(eachOf(others...), &node{Required: []string{"template"}, Not: &node{AnyOf: eachOf(others...)}})
			for _, alone := range n.OneOf[len(others)-2 : len(others)] { // what stands for a moment has no template
				alone.Not = has("template")
			}
			n.DependentSchemas = ordered{{"link", has("text")}, {"header", has("text")}, {"footer", has("text")}}
		},
	}
}

func mediaPart() part {
	return part{
		name: "media", doc: "A file: one beside the flow, or by its id or its address.",
		fields: []field{
			{"file", text("menu.jpg"), "The name of a file in the flow's folder. It is published with the flow, and uploaded when it is sent first."},
			{"id", scalar("1013859600285441"), "WhatsApp's id of the uploaded file."},
			{"link", ref("words").like("https://example.org/menu.jpg"), "The address of the file; it may have slots."},
			{"caption", ref("words"), "The text below it: at most 1,024 characters."},
			{"filename", ref("words").like("menu.pdf"), "The name of a document."},
		},
		also: func(n *node) { n.OneOf = eachOf("file", "id", "link") },
	}
}

func filePart() part {
	return part{
		name: "file", doc: "What is in a file beside the flow.", required: []string{"sha256", "type", "size"},
		fields: []field{
			{"sha256", text("4e07408562bedb8b60ce05c1decfe3ad16b72230967de01f640b7e4729b49fce"), "Its digest."},
			{"type", text("image/jpeg"), "Its type."},
			{"size", count(0, 1<<30), "Its size in bytes."},
		},
	}
}

func linkPart() part {
	return part{
		name: "link", doc: "A button that opens a page.", required: []string{"title", "url"},
		fields: []field{
			{"title", ref("words").like("Open"), "The label of the button: at most 20 characters."},
			{"url", ref("words").like("https://example.org"), "The address of the page; it may have slots."},
		},
	}
}

func locationPart() part {
	north, east := number(), number()
	north.Minimum, north.Maximum = bounds(-90, 90)
	east.Minimum, east.Maximum = bounds(-180, 180)
	return part{
		name: "location", doc: "A place on the map.", required: []string{"latitude", "longitude"},
		fields: []field{
			{"latitude", north.like(41.38), "Degrees north."},
			{"longitude", east.like(2.17), "Degrees east."},
			{"name", ref("words"), "The name of the place."},
			{"address", ref("words"), "Its address, as it is shown."},
		},
	}
}

func bounds(low, high float64) (*float64, *float64) { return &low, &high }

func contactPart() part {
	return part{
		name: "contact", doc: "A contact card.", required: []string{"name"},
		fields: []field{
			{"name", ref("words").like("Ann Lee"), "The name on the card."},
			{"phone", ref("words").like("+34600111222"), "The phone number, with country code."},
			{"email", ref("words"), "The e-mail address."},
			{"organization", ref("words"), "The company."},
		},
	}
}

func templatePart() part {
	return part{
		name: "template", doc: "An approved template of the WhatsApp Business account.", required: []string{"name", "language"},
		fields: []field{
			{"name", text("order_ready"), "Its name."},
			{"language", anyOf(text("en_US"), languages(text())).like(map[string]string{"en": "en_US", "es": "es"}), "WhatsApp's code of its language, or one for each language of the flow."},
			{"header", ref("header"), "What goes into its header."},
			{"body", list(anyOf(ref("words"), ref("parameter"))).like([]string{"{name}"}), "What goes into the places of its body, in order or by name."},
			{"buttons", list(ref("template_button")), "What goes into its buttons."},
		},
	}
}

func parameterPart() part {
	return part{
		name: "parameter", doc: "What goes into one place of a template, by name.", required: []string{"text"},
		fields: []field{
			{"name", text(), "The name of the place in the template."},
			{"text", ref("words"), "What is written there."},
		},
	}
}

func templateButtonPart() part {
	return part{
		name: "template_button", doc: "The parameter of a template's button.", required: []string{"kind"},
		fields: []field{
			{"index", count(0, 9).otherwise(0), "Which button, from 0."},
			{"kind", word("quick_reply", "url", "flow"), "What the button is."},
			{"text", ref("words"), "Its payload, or the end of its address. A button that opens a form has none."},
		},
		also: func(n *node) {
			form := &node{Properties: ordered{{"kind", &node{Const: "flow"}}}, Not: has("text")}
			n.OneOf = []*node{form, {Properties: ordered{{"kind", word("quick_reply", "url")}}, Required: []string{"text"}}}
		},
	}
}

func textsPart() part {
	return part{
		name: "texts", doc: "Words that Parley says itself. Built in for en, es, pt, fr and de.",
		fields: []field{
			{"yes", ref("words"), "The button for yes."},
			{"no", ref("words"), "The button for no."},
			{"more", ref("words"), "The row that shows the next page of a long list."},
			{"choose", ref("words"), "The label of a list."},
			{"confirm_date", ref("words").like("{value}. Is that right?"), "Asks whether a date was understood; {value} is the date in full."},
			{"confirm_time", ref("words").like("{value}. Is that right?"), "Asks whether a time was understood; {value} is the time in full."},
			{"ask_date", ref("words").like("Please write the day like 14 March."), "Said to what is no date, where the step has no text of its own for it."},
			{"ask_time", ref("words").like("Please write the time like 15:30."), "Said to what is no time, where the step has no text of its own for it."},
			{"resume", ref("words"), "Asks who comes back to an expired session whether to go on."},
			{"go_on", ref("words").like("Go on"), "The button to go on, at most 20 characters."},
			{"start_over", ref("words").like("Start over"), "The button to begin anew, at most 20 characters."},
		},
	}
}
