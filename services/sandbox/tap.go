package sandbox

import "encoding/json"

// untoldToken is what WhatsApp gives back for a form that was sent without a flow_token.
const untoldToken = "unused"

// offer is something on a message of the business that its person can tap.
type offer struct {
	kind        string // "button", "list", "template_button" or "form", as the type of the answer
	wamid       string // of the message
	id          string // what comes back: an id, a payload, or a form's token
	title       string
	description string // of a row
}

// finder finds what a person taps: the newest offer of that kind and id, on the
// message with this wamid. An empty wamid or id means any.
type finder func(kind, wamid, id string) (offer, bool)

// offered finds what can be tapped on a phone. Old messages stay tappable, as they
// do on WhatsApp.
func (s *Sandbox) offered(phone string) finder {
	return func(kind, wamid, id string) (offer, bool) {
		heard := s.book.heard(phone, 0)
		for i := len(heard) - 1; i >= 0; i-- {
			if wamid != "" && heard[i].WAMID != wamid {
				continue
			}
			for _, o := range offersOf(heard[i]) {
				if o.kind == kind && (id == "" || o.id == id) {
					return o, true
				}
			}
		}
		return offer{}, false
	}
}

// choice is a tap on a button, or on a row of a list.
func (m message) choice(find finder) (draft, string) {
	if m.ID == "" {
		return draft{}, "id of the " + m.Type + " is missing"
	}
	o, fault := m.tapped(find, m.ID, m.Title)
	if fault != "" {
		return draft{}, fault
	}
	chosen := object{"id": o.id, "title": o.title}
	chosen.setIfAny("description", o.description)
	kind := m.Type + "_reply"
	return draft{typ: "interactive", text: o.title, context: o.wamid, content: object{"type": kind, kind: chosen}}, ""
}

// templateButton is a tap on a quick reply. What stands on it only the approved
// template knows: unless the text is given, the payload stands for it.
func (m message) templateButton(find finder) (draft, string) {
	if m.Payload == "" {
		return draft{}, "payload of the template_button is missing"
	}
	o, fault := m.tapped(find, m.Payload, m.Text)
	if fault != "" {
		return draft{}, fault
	}
	return draft{typ: "button", text: o.title, context: o.wamid, content: object{"payload": o.id, "text": o.title}}, ""
}

// tapped is what the message taps. With a title it may be something that no
// message on the phone offers: the sandbox may have forgotten it.
func (m message) tapped(find finder, id, title string) (offer, string) {
	o, ok := find(m.Type, m.Context, id)
	switch {
	case !ok && title == "":
		return offer{}, "no message on this phone offers that " + m.Type + "; to send it all the same, say what stands on it"
	case !ok:
		return offer{wamid: m.Context, id: id, title: title}, ""
	case title != "":
		o.title = title
	}
	return o, ""
}

// form is a form that was filled in.
func (m message) form(find finder) (draft, string) {
	o, ok := find(m.Type, m.Context, m.FlowToken)
	switch {
	case m.Values == nil:
		return draft{}, "values of the form are missing"
	case !ok && m.FlowToken == "":
		return draft{}, "no message on this phone offers that form; to send it all the same, give its flow_token"
	case !ok:
		o = offer{wamid: m.Context, id: m.FlowToken}
	}
	response := object{}
	for name, value := range m.Values {
		response[name] = value
	}
	response["flow_token"] = o.id
	reply := object{"name": "flow", "body": "Sent", "response_json": string(encode(response))}
	return draft{typ: "interactive", text: "Sent", context: o.wamid, content: object{"type": "nfm_reply", "nfm_reply": reply}}, ""
}

// tappable is what can be tapped of the content of an interactive message or a template.
type tappable struct {
	Type   string `json:"type"`
	Action struct {
		Buttons []struct {
			Reply row `json:"reply"`
		} `json:"buttons"`
		Sections []struct {
			Rows []row `json:"rows"`
		} `json:"sections"`
		Parameters token `json:"parameters"`
	} `json:"action"`
	Components []struct {
		SubType    string `json:"sub_type"`
		Parameters []struct {
			Payload string `json:"payload"`
			Action  token  `json:"action"`
		} `json:"parameters"`
	} `json:"components"`
}

type row struct{ ID, Title, Description string }

type token struct {
	FlowToken string `json:"flow_token"`
}

// offersOf lists what a message of the business offers, in its order.
func offersOf(b *Bubble) []offer {
	var t tappable
	if json.Unmarshal(b.Content, &t) != nil {
		return nil // nothing, or a text
	}
	var offers []offer
	switch b.Type {
	case "interactive":
		offers = t.choices()
	case "template":
		offers = t.buttons()
	}
	for i := range offers {
		offers[i].wamid = b.WAMID
	}
	return offers
}

// choices are the buttons, the rows, or the form of an interactive message.
func (t *tappable) choices() (offers []offer) {
	for _, b := range t.Action.Buttons {
		offers = append(offers, offer{kind: "button", id: b.Reply.ID, title: b.Reply.Title})
	}
	for _, s := range t.Action.Sections {
		for _, r := range s.Rows {
			offers = append(offers, offer{kind: "list", id: r.ID, title: r.Title, description: r.Description})
		}
	}
	if t.Type == "flow" {
		offers = append(offers, formOffer(t.Action.Parameters))
	}
	return offers
}

// buttons are those of a template.
func (t *tappable) buttons() (offers []offer) {
	for _, c := range t.Components {
		for _, p := range c.Parameters {
			switch c.SubType {
			case "quick_reply":
				offers = append(offers, offer{kind: "template_button", id: p.Payload, title: p.Payload})
			case "flow":
				offers = append(offers, formOffer(p.Action))
			}
		}
	}
	return offers
}

func formOffer(t token) offer {
	if t.FlowToken == "" {
		t.FlowToken = untoldToken
	}
	return offer{kind: "form", id: t.FlowToken}
}
