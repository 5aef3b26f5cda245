package fake

import (
	"bytes"
	"encoding/json"
)

func (i *interactive) fault() *fault {
	if i == nil {
		return required("interactive", "")
	}
	most := maxBody
	if i.Type == "list" {
		most = maxListBody
	}
	return first(i.frameFault(most), i.actionFault())
}

func (i *interactive) frameFault(mostBody int) *fault {
	f := within("interactive['body']['text']", i.Body.Text, mostBody)
	if f == nil && i.Header != nil {
		f = first(
			i.Header.fault("interactive['header']"),
			unless(i.Type != "list" || i.Header.Type == "text", "The header of a list must be a text"),
			atMost("interactive['header']['text']", i.Header.Text, maxHeader),
		)
	}
	if f == nil && i.Footer != nil {
		f = within("interactive['footer']['text']", i.Footer.Text, maxFooter)
	}
	return f
}

// fault is about a header with a text or a file without caption.
func (h *header) fault(param string) *fault {
	files := map[string]*file{"image": h.Image, "video": h.Video, "document": h.Document}
	f, isFile := files[h.Type]
	switch {
	case h.Type == "text":
		return required(param+"['text']", h.Text)
	case !isFile:
		return unless(false, "%s['type'] must be one of {text, image, video, document}", param)
	case f == nil:
		return required(param+"['"+h.Type+"']", "")
	}
	return first(f.fault(param), unless(f.Caption == "", "%s cannot have a caption", param))
}

func (i *interactive) actionFault() *fault {
	p := &i.Action.Parameters
	switch i.Type {
	case "button":
		return buttonsFault(i.Action.Buttons)
	case "list":
		return first(within("interactive['action']['button']", i.Action.Button, maxButtonTitle), sectionsFault(i.Action.Sections))
	case "cta_url":
		return first(i.named(), within("display_text", p.DisplayText, maxButtonTitle), unless(isURL(p.URL), "url is not a valid URI"))
	case "flow":
		return first(i.named(), p.formFault())
	case "request_contact_info":
		return first(i.named(), i.bareFault())
	case "location_request_message":
		return first(unless(i.Action.Name == "send_location", "interactive['action']['name'] must be send_location"), i.bareFault())
	}
	return unless(false, "interactive['type'] must be one of {button, list, cta_url, flow, request_contact_info, location_request_message}")
}

// bareFault is about messages that have a body only.
func (i *interactive) bareFault() *fault {
	return unless(i.Header == nil && i.Footer == nil, "%s can have neither header nor footer", i.Type)
}

func (i *interactive) named() *fault {
	return unless(i.Action.Name == i.Type, "interactive['action']['name'] must be %s", i.Type)
}

func buttonsFault(buttons []replyButton) *fault {
	f := unless(len(buttons) >= 1 && len(buttons) <= maxButtons, "Invalid buttons count. Min allowed buttons: 1, Max allowed buttons: %d", maxButtons)
	ids, titles := map[string]bool{}, map[string]bool{}
	for _, b := range buttons {
		f = first(
			f,
			unless(b.Type == "reply", "Button type must be reply"),
			within("Button id", b.Reply.ID, maxButtonID),
			within("Button title", b.Reply.Title, maxButtonTitle),
			unless(!ids[b.Reply.ID], "Duplicate button id"),
			unless(!titles[b.Reply.Title], "Duplicate button title"),
		)
		ids[b.Reply.ID], titles[b.Reply.Title] = true, true
	}
	return f
}

func sectionsFault(sections []section) *fault {
	f := unless(len(sections) >= 1 && len(sections) <= maxSections, "Invalid sections count. Min allowed: 1, Max allowed: %d", maxSections)
	ids := map[string]bool{}
	rows := 0
	for _, s := range sections {
		rows += len(s.Rows)
		f = first(
			f,
			unless(len(s.Rows) > 0, "A section needs a row"),
			unless(len(sections) == 1 || s.Title != "", "Section title is required if there are several sections"),
			atMost("Section title", s.Title, maxRowTitle),
		)
		for _, r := range s.Rows {
			f = first(
				f,
				within("Row id", r.ID, maxRowID),
				within("Row title", r.Title, maxRowTitle),
				atMost("Row description", r.Description, maxDescription),
				unless(!ids[r.ID], "Duplicate row id"),
			)
			ids[r.ID] = true
		}
	}
	return first(f, unless(rows <= maxRows, "Total row count exceed max allowed count: %d", maxRows))
}

func (p *parameters) formFault() *fault {
	return first(
		unless(p.Version == "3", "flow_message_version must be 3"),
		unless((p.FlowID == "") != (p.Name == ""), "A form needs a flow_id or a flow_name, and not both"),
		within("flow_cta", p.CTA, maxFormTitle),
		unless(p.Mode == "" || p.Mode == "published" || p.Mode == "draft", "mode must be one of {draft, published}"),
		p.openingFault(),
	)
}

// openingFault is about where a form opens, and with what.
func (p *parameters) openingFault() *fault {
	switch p.Action {
	case "data_exchange":
		return unless(p.Payload == nil, "flow_action_payload cannot stand beside data_exchange")
	case "", "navigate":
	default:
		return unless(false, "flow_action must be one of {navigate, data_exchange}")
	}
	if p.Payload == nil { // Meta opens the first screen then
		return nil
	}
	var members map[string]json.RawMessage
	data := bytes.TrimSpace(p.Payload.Data)
	return first(
		required("flow_action_payload['screen']", p.Payload.Screen),
		unless(data == nil || json.Unmarshal(data, &members) == nil && len(members) > 0, "flow_action_payload['data'] must be an object with members"),
	)
}
