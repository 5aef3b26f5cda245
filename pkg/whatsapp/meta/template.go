package meta

import (
	"encoding/json"
	"errors"
	"strconv"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

var errButtonKind = errors.New("button of a template is neither a quick reply nor an address nor a form")

// sendTemplate is a message that Meta has approved, with what is to be put in.
type sendTemplate struct {
	Name       string          `json:"name"`
	Language   sendLanguage    `json:"language"`
	Components []sendComponent `json:"components,omitempty"`
}

type sendLanguage struct {
	Code string `json:"code"`
}

// sendComponent holds the parameters of one part of a template. Only a button has
// a SubType and an Index, which Meta writes as a string.
type sendComponent struct {
	Type       string          `json:"type"`
	SubType    string          `json:"sub_type,omitempty"`
	Index      string          `json:"index,omitempty"`
	Parameters []sendParameter `json:"parameters"`
}

// sendParameter has a Name in templates with named parameters. Of the fields below
// it the one that Type names is set.
type sendParameter struct {
	Type     string          `json:"type"`
	Name     string          `json:"parameter_name,omitempty"`
	Text     string          `json:"text,omitempty"`
	Payload  string          `json:"payload,omitempty"`
	Image    *sendMedia      `json:"image,omitempty"`
	Video    *sendMedia      `json:"video,omitempty"`
	Document *sendMedia      `json:"document,omitempty"`
	Action   *sendFormAction `json:"action,omitempty"`
}

// sendFormAction opens the form that was approved with the template, at its first screen.
type sendFormAction struct {
	Token string          `json:"flow_token,omitempty"`
	Data  json.RawMessage `json:"flow_action_data,omitempty"`
}

func templateRequest(t *parleyv1.Template) (*sendTemplate, error) {
	template := &sendTemplate{Name: t.GetName(), Language: sendLanguage{t.GetLanguage()}}
	header, err := headerRequest(t.GetHeader())
	if err != nil {
		return nil, err
	}
	if header != nil { // it and a parameter look alike
		template.add(sendComponent{Type: "header", Parameters: []sendParameter{{
			Type: header.Type, Text: header.Text, Image: header.Image, Video: header.Video, Document: header.Document,
		}}})
	}
	if len(t.GetBody()) > 0 {
		template.add(bodyRequest(t.GetBody()))
	}
	for _, b := range t.GetButtons() {
		button, err := buttonRequest(b)
		if err != nil {
			return nil, err
		}
		template.add(button)
	}
	return template, nil
}

func (t *sendTemplate) add(c sendComponent) { t.Components = append(t.Components, c) }

func bodyRequest(list []*parleyv1.TemplateParameter) sendComponent {
	body := sendComponent{Type: "body"}
	for _, p := range list {
		body.Parameters = append(body.Parameters, sendParameter{Type: "text", Name: p.GetName(), Text: p.GetText()})
	}
	return body
}

func buttonRequest(b *parleyv1.TemplateButton) (sendComponent, error) {
	var parameter sendParameter
	switch b.GetKind() {
	case "quick_reply":
		parameter = sendParameter{Type: "payload", Payload: b.GetText()}
	case "url":
		parameter = sendParameter{Type: "text", Text: b.GetText()}
	case "flow":
		data, err := formData(b.GetForm().GetData())
		if err != nil {
			return sendComponent{}, err
		}
		parameter = sendParameter{Type: "action", Action: &sendFormAction{Token: b.GetForm().GetToken(), Data: data}}
	default:
		return sendComponent{}, errButtonKind
	}
	return sendComponent{
		Type: "button", SubType: b.GetKind(), Index: strconv.FormatUint(uint64(b.GetIndex()), 10),
		Parameters: []sendParameter{parameter},
	}, nil
}
