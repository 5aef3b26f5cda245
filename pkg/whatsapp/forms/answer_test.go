package forms_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/parleyhq/parley/pkg/whatsapp/forms"
)

func TestAnswers(t *testing.T) {
	shown, err1 := forms.Show("S2", []byte(`{"name":"Ann"}`))
	empty, err2 := forms.Show("S2", nil)
	wrong, err3 := forms.ShowMessage("S1", []byte(`{"name":"Ann","error_message":"old"}`), "too short")
	finished, err4 := forms.Finish("T", []byte(`{"pain":7,"flow_token":"another's"}`))
	bare, err5 := forms.Finish("T", nil)
	for _, err := range []error{err1, err2, err3, err4, err5} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for want, answer := range map[string]forms.Answer{
		`{"data":{"status":"active"}}`:                                                      forms.Active(),
		`{"data":{"acknowledged":true}}`:                                                    forms.Acknowledged(),
		`{"error_msg":"This form is closed."}`:                                              forms.Gone("This form is closed."),
		`{"version":"3.0","screen":"S2","data":{"name":"Ann"}}`:                             shown,
		`{"version":"3.0","screen":"S2","data":{}}`:                                         empty,
		`{"version":"3.0","screen":"S1","data":{"error_message":"too short","name":"Ann"}}`: wrong,
		`{"version":"3.0","screen":"SUCCESS","data":{"extension_message_response":{"params":{"flow_token":"T","pain":7}}}}`: finished,
		`{"version":"3.0","screen":"SUCCESS","data":{"extension_message_response":{"params":{"flow_token":"T"}}}}`:          bare,
	} {
		got, err := answer.Encode("3.0")
		if err != nil || string(got) != want {
			t.Errorf("got %s, %v, want %s", got, err, want)
		}
		var kept forms.Answer // as a cache does
		if err := json.Unmarshal(encode(answer), &kept); err != nil {
			t.Fatal(err)
		}
		if again, err := kept.Encode("3.0"); err != nil || string(again) != want {
			t.Errorf("kept: %s, %v, want %s", again, err, want)
		}
	}
	if got, err := shown.Encode(""); err != nil || string(got) != `{"screen":"S2","data":{"name":"Ann"}}` {
		t.Errorf("without a version: %s, %v", got, err)
	}
}

func TestAnswersRefuse(t *testing.T) {
	for _, screen := range []string{"", "SUCCESS", "a b", "é", strings.Repeat("S", 129)} {
		if a, err := forms.Show(screen, nil); err == nil {
			t.Errorf("screen %q: %+v", screen, a)
		}
	}
	for _, data := range []string{"[]", "null", "7", `"x"`, "{", `{"secret":}`} {
		_, err1 := forms.Show("S", []byte(data))
		_, err2 := forms.ShowMessage("S", []byte(data), "m")
		_, err3 := forms.Finish("T", []byte(data))
		for _, err := range []error{err1, err2, err3} {
			if err == nil || strings.Contains(err.Error(), "secret") {
				t.Errorf("data %q: %v", data, err)
			}
		}
	}
	if a, err := forms.Finish("", nil); err == nil {
		t.Errorf("without a token: %+v", a)
	}
	if _, err := (forms.Answer{Screen: "S", Data: json.RawMessage("{")}).Encode("3.0"); err == nil {
		t.Error("an answer that is no JSON")
	}
	long, err := forms.Show("S", encode(map[string]string{"a": strings.Repeat("x", forms.MaxAnswerBytes)}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := long.Encode("3.0"); err == nil {
		t.Error("an answer that is too long")
	}
}
