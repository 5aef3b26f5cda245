package forms

import (
	"encoding/json"
	"errors"
	"fmt"
)

const (
	// MaxAnswerBytes bounds an answer before it is encrypted. Meta names no limit;
	// phones get it over slow networks, within ten seconds.
	MaxAnswerBytes = 1 << 20
	// screenSuccess is no screen: it closes the form.
	screenSuccess = "SUCCESS"
)

var (
	errScreen   = errors.New("answer: the screen has no name that a screen can have")
	errNoToken  = errors.New("answer: a form is finished with its token")
	errTooLong  = fmt.Errorf("answer: longer than %d bytes", MaxAnswerBytes)
	errAnswered = errors.New("answer: the request has one already")
)

// Answer is what a phone does next. It is plain data: it can be kept as JSON, and
// given again when the request comes again. Source: Meta, "Implementing Endpoints
// for Flows".
type Answer struct {
	Screen string          `json:"screen,omitempty"`
	Data   json.RawMessage `json:"data,omitempty"`
	// ErrorMessage goes with ErrToken, and alone: the phone shows it and closes the form.
	ErrorMessage string `json:"error_msg,omitempty"`
}

// Active answers a Ping.
func Active() Answer { return Answer{Data: json.RawMessage(`{"status":"active"}`)} }

// Acknowledged answers a Notice.
func Acknowledged() Answer { return Answer{Data: json.RawMessage(`{"acknowledged":true}`)} }

// Gone tells a person why the form is over. Meta's page shows it plain, as Encode
// writes it with the type application/json; Meta's sample server encrypts it, as
// Seal does. Which one phones read is not known.
func Gone(message string) Answer { return Answer{ErrorMessage: message} }

// Show opens a screen with its data, a JSON object; nil for none.
func Show(screen string, data []byte) (Answer, error) {
	return show(screen, data, nil)
}

// ShowMessage opens a screen, usually the one that was sent, with a message at its
// bottom: what has to be filled in differently.
func ShowMessage(screen string, data []byte, message string) (Answer, error) {
	return show(screen, data, map[string]any{"error_message": message})
}

func show(screen string, data []byte, extra map[string]any) (Answer, error) {
	if screen == "" || screen == screenSuccess || !isName(screen, maxNameBytes) {
		return Answer{}, errScreen
	}
	merged, err := merge(data, extra)
	if err != nil {
		return Answer{}, err
	}
	return Answer{Screen: screen, Data: merged}, nil
}

// Finish closes the form. The result that then comes as a message holds the params,
// a JSON object, and the token, which must be as it came.
func Finish(token string, params []byte) (Answer, error) {
	if token == "" {
		return Answer{}, errNoToken
	}
	merged, err := merge(params, map[string]any{"flow_token": token})
	if err != nil {
		return Answer{}, err
	}
	data, err := json.Marshal(map[string]any{"extension_message_response": map[string]any{"params": merged}})
	if err != nil {
		return Answer{}, fmt.Errorf("answer: %w", err)
	}
	return Answer{Screen: screenSuccess, Data: data}, nil
}

// merge adds members to a JSON object.
func merge(object []byte, extra map[string]any) (json.RawMessage, error) {
	members := map[string]any{}
	if len(object) > 0 {
		var given map[string]json.RawMessage
		if err := json.Unmarshal(object, &given); err != nil || given == nil {
			return nil, errors.New("answer: data is no JSON object") // err would quote it
		}
		for name, value := range given {
			members[name] = value
		}
	}
	for name, value := range extra {
		members[name] = value
	}
	merged, err := json.Marshal(members)
	if err != nil {
		return nil, fmt.Errorf("answer: %w", err)
	}
	return merged, nil
}

// Encode writes an answer, not encrypted. Screens carry the version of the request;
// Meta's examples of other answers have none.
func (a Answer) Encode(version string) ([]byte, error) {
	wire := struct {
		Version string `json:"version,omitempty"`
		Answer
	}{Answer: a}
	if a.Screen != "" {
		wire.Version = version
	}
	plain, err := json.Marshal(wire)
	if err != nil {
		return nil, fmt.Errorf("answer: %w", err)
	}
	if len(plain) > MaxAnswerBytes {
		return nil, errTooLong
	}
	return plain, nil
}
