package forms_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"

	"github.com/parleyhq/parley/pkg/whatsapp/forms"
)

// FuzzReceive posts any body: what is wrong with it is one of few things, and what
// is right can be answered.
func FuzzReceive(f *testing.F) {
	good := encrypt(`{"version":"3.0","action":"ping"}`)
	f.Add(good.body(f))
	f.Add([]byte(`{"encrypted_flow_data":"AA==","encrypted_aes_key":"AA==","initial_vector":"EBESExQVFhcYGRobHB0eHw=="}`))
	f.Add([]byte(`{"initial_vector":null}`))
	endpoint := newEndpoint(f, present().keys...)
	f.Fuzz(func(t *testing.T, body []byte) {
		x, err := receive(endpoint, body)
		if err == nil {
			if _, err := x.Seal(forms.Active()); err != nil {
				t.Error(err)
			}
		} else if x != nil || !errors.Is(err, forms.ErrDecrypt) && !errors.Is(err, forms.ErrTooLarge) {
			t.Errorf("%v, %v", x, err)
		}
		if len(body) < 1<<12 { // and as the data of a request that is encrypted well
			e := good
			e.plain = body
			x, err := receive(endpoint, e.body(t))
			if (x == nil) != errors.Is(err, forms.ErrRequest) || x == nil == (err == nil) || errors.Is(err, forms.ErrDecrypt) {
				t.Errorf("%q: %v, %v", body, x, err)
			}
		}
	})
}

func FuzzParseRequest(f *testing.F) {
	f.Add([]byte(`{"version":"3.0","action":"ping"}`))
	f.Add([]byte(`{"version":"3.0","action":"data_exchange","screen":"S","flow_token":"T","data":{"a":[1,"\u00e9",null,{"b":1e400}]}}`))
	f.Add([]byte(`{"action":"INIT","data":{"error":"timeout_error","error_message":"x"}}`))
	f.Add([]byte(`{"action":"BACK","data":{"error_key":"\ud800"}} `))
	f.Fuzz(func(t *testing.T, plain []byte) {
		r, err := forms.ParseRequest(plain)
		if err != nil {
			if r != nil || !errors.Is(err, forms.ErrRequest) || len(err.Error()) > 100 {
				t.Errorf("%+v, %v", r, err)
			}
			return
		}
		if r.Kind < forms.Ping || r.Kind > forms.Submit || !json.Valid(r.Data) || (r.Kind == forms.Notice) != (r.NoticeKey != "") {
			t.Errorf("%+v", r)
		}
		again, err := forms.ParseRequest(append([]byte(" \n"), plain...))
		if err != nil || again.RepeatKey() != r.RepeatKey() {
			t.Errorf("a space changes the key: %v", err)
		}
		var spelled bytes.Buffer
		if err := json.Indent(&spelled, r.Data, " ", "\t"); err != nil {
			t.Fatal(err)
		}
		other := *r
		other.Data = spelled.Bytes()
		if other.RepeatKey() != r.RepeatKey() {
			t.Error("indenting the data changes the key")
		}
		if _, err := forms.Show("S", r.Data); err != nil {
			t.Errorf("its data cannot be shown again: %v", err)
		}
	})
}

func FuzzParseToken(f *testing.F) {
	f.Add(newToken(f))
	f.Add("unused")
	f.Add("pf1.")
	f.Add("p1.0123456789.ask.form")
	tokens := newTokens(f, hidden)
	f.Fuzz(func(t *testing.T, text string) {
		token, err := tokens.Parse(text)
		if err == nil { // nobody but New makes one
			if again, err := tokens.New(token); err != nil || again != text {
				t.Errorf("%q opens, and is not ours: %+v", text, token)
			}
			return
		}
		if token != (forms.Token{}) || !errors.Is(err, forms.ErrTokenUnused) && !errors.Is(err, forms.ErrTokenForeign) && !errors.Is(err, forms.ErrTokenForged) {
			t.Errorf("%+v, %v", token, err)
		}
		made, err := tokens.New(forms.Token{LaneKey: text})
		if err != nil {
			return // too long
		}
		if back, err := tokens.Parse(made); err != nil || back.LaneKey != text {
			t.Errorf("%+v, %v", back, err)
		}
	})
}
