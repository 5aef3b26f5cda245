package forms_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/parleyhq/parley/pkg/whatsapp/forms"
)

func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

func sameJSON(a, b []byte) bool {
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && reflect.DeepEqual(x, y)
}

func TestParseRequest(t *testing.T) {
	for plain, want := range map[string]forms.Request{
		`{"version":"3.0","action":"ping"}`: {Kind: forms.Ping, Version: "3.0", Data: []byte(`{}`)},
		`{"action":"ping","data":null}`:     {Kind: forms.Ping, Data: []byte(`{}`)},
		`{"version":"4.0","action":"INIT","flow_token":"T","flow_token_signature":"a.b.c"}`: {
			Kind: forms.Init, Version: "4.0", Token: "T", TokenSignature: "a.b.c", Data: []byte(`{}`),
		},
		`{"version":"3.0","action":"BACK","screen":"S2","flow_token":"T","data":{}}`: {
			Kind: forms.Back, Version: "3.0", Screen: "S2", Token: "T", Data: []byte(`{}`),
		},
		`{"version":"3.0","action":"data_exchange","screen":"S1","data":{"pain":"7"},"flow_token":"T","new":[1]}`: {
			Kind: forms.Submit, Version: "3.0", Screen: "S1", Token: "T", Data: []byte(`{"pain":"7"}`),
		},
		`{"version":"3.0","action":"data_exchange","flow_token":"any thing","data":{"error":"timeout_error","error_message":"late"}}`: {
			Kind: forms.Notice, Version: "3.0", Token: "any thing", Data: []byte(`{"error":"timeout_error","error_message":"late"}`),
			NoticeKey: "timeout_error", NoticeMessage: "late",
		},
		`{"action":"INIT","data":{"error_key":"public-key-missing"}}`: {
			Kind: forms.Notice, Data: []byte(`{"error_key":"public-key-missing"}`), NoticeKey: "public-key-missing",
		},
		`{"action":"REPORT","data":{"error":"from Ann"}}`: { // before the action is looked at
			Kind: forms.Notice, Data: []byte(`{"error":"from Ann"}`), NoticeKey: "other",
		},
		`{"action":"data_exchange","data":{"error":"","Error":"mine","error_key":7,"error_message":"no"}}`: { // a form's own fields
			Kind: forms.Submit, Data: []byte(`{"error":"","Error":"mine","error_key":7,"error_message":"no"}`),
		},
	} {
		got, err := forms.ParseRequest([]byte(plain))
		if err != nil || !reflect.DeepEqual(*got, want) {
			t.Errorf("%s\n got %+v, %v\nwant %+v", plain, got, err, want)
		}
	}
}

func TestParseRequestRefuses(t *testing.T) {
	for _, plain := range []string{
		"", "{", "[]", "7", "null", `{}`, `{"action":"PING"}`, `{"action":"navigate"}`, `{"action":7}`, `{"version":3,"action":"ping"}`,
		`{"action":"INIT","data":[]}`, `{"action":"INIT","data":"x"}`, `{"action":"INIT","data":7}`, `{"action":"INIT"} x`,
		`{"action":"INIT","screen":"a b"}`, `{"action":"INIT","screen":"a\u0000"}`, `{"action":"INIT","screen":"é"}`,
		`{"action":"INIT","version":"` + strings.Repeat("3", 129) + `"}`, "{\"action\":\"INIT\",\"data\":{\"a\":\"\xff\"}}",
		`{"action":"INIT","data":` + strings.Repeat(`{"a":`, 64) + "1" + strings.Repeat("}", 65),
	} {
		r, err := forms.ParseRequest([]byte(plain))
		if r != nil || !errors.Is(err, forms.ErrRequest) || forms.StatusOf(err) != 400 {
			t.Errorf("%s: %+v, %v", plain, r, err)
		}
	}
	deepest := `{"action":"INIT","data":{"s":"[[{{\"{","a":` + strings.Repeat("[", 62) + strings.Repeat("]", 62) + `}}`
	if _, err := forms.ParseRequest([]byte(deepest)); err != nil {
		t.Errorf("64 levels: %v", err)
	}
}

func TestNoticesAreCut(t *testing.T) {
	r, err := forms.ParseRequest(encode(map[string]any{
		"action": "INIT", "data": map[string]any{"error": "timeout_error", "error_message": "x" + strings.Repeat("é", 4000)},
	}))
	if err != nil || len(r.NoticeMessage) != 1023 || !strings.HasPrefix(r.NoticeMessage, "xéé") {
		t.Errorf("%d bytes, %v", len(r.NoticeMessage), err)
	}
}

func submit(t testing.TB, token, screen, action, data string) string {
	t.Helper()
	r, err := forms.ParseRequest([]byte(`{"action":"` + action + `","screen":"` + screen + `","flow_token":"` + token + `","data":` + data + `}`))
	if err != nil {
		t.Fatal(err)
	}
	return r.RepeatKey()
}

func TestRepeatKey(t *testing.T) {
	same := submit(t, "T", "S", "data_exchange", `{"a":1,"b":{"x":"é<","y":[1,2]}}`)
	for _, data := range []string{
		`{"b":{"y":[1,2],"x":"é<"},"a":1}`, ` { "a" : 1 , "b" : { "x" : "\u00e9\u003c" , "y" : [ 1 , 2 ] } } `,
		`{"a":2,"b":{"x":"é<","y":[1,2]},"a":1}`,
	} {
		if submit(t, "T", "S", "data_exchange", data) != same {
			t.Errorf("%s has another key", data)
		}
	}
	keys := map[string]string{same: "the first"}
	for _, c := range [][4]string{
		{"T", "S", "data_exchange", `{}`},
		{"T", "S", "BACK", `{}`},
		{"TS", "", "data_exchange", `{}`},
		{"", "TS", "data_exchange", `{}`},
		{"T", "S2", "data_exchange", `{}`},
		{"T", "S", "data_exchange", `{"a":1,"b":{"x":"é<","y":[2,1]}}`},
		{"T", "S", "data_exchange", `{"a":"1","b":{"x":"é<","y":[1,2]}}`},
		{"T", "S", "data_exchange", `{"a":9007199254740993}`},
		{"T", "S", "data_exchange", `{"a":9007199254740992}`},
		{"T", "S", "data_exchange", `{"a":null}`},
	} {
		key := submit(t, c[0], c[1], c[2], c[3])
		if other, taken := keys[key]; taken {
			t.Errorf("%v has the key of %s", c, other)
		}
		keys[key] = strings.Join(c[:], " ")
	}
}

// Two requests have the same key just when their data is the same.
func TestRepeatKeyFollowsTheData(t *testing.T) {
	fields := rapid.MapOfN(rapid.StringMatching(`[a-c]`), rapid.SampledFrom([]string{"", "x", "é", "<", "\u2028"}), 0, 3)
	rapid.Check(t, func(rt *rapid.T) {
		a, b := fields.Draw(rt, "a"), fields.Draw(rt, "b")
		keyA, keyB := submit(t, "T", "S", "data_exchange", string(encode(a))), submit(t, "T", "S", "data_exchange", string(encode(b)))
		if (keyA == keyB) != reflect.DeepEqual(a, b) {
			rt.Errorf("%v and %v", a, b)
		}
	})
}

// The largest request, of the most values that fit into it, takes bounded memory.
func TestMemoryOfTheWorstRequest(t *testing.T) {
	const limit = 96 << 20
	for name, element := range map[string]string{"lists": "[],", "objects": "{},", "numbers": "1,", "texts": `"",`, "members": `"a":{},`} {
		begin, end := `{"action":"INIT","data":{"a":[`, "1]}}"
		if name == "members" {
			begin, end = `{"action":"INIT","data":{`, `"a":1}}`
		}
		plain := []byte(begin + strings.Repeat(element, (forms.MaxRequestBytes-len(begin)-len(end))/len(element)) + end)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		r, err := forms.ParseRequest(plain)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		r.RepeatKey()
		runtime.ReadMemStats(&after)
		if taken := after.TotalAlloc - before.TotalAlloc; taken > limit {
			t.Errorf("%s: %d MiB for a request of 1", name, taken>>20)
		} else {
			t.Logf("%s: %d MiB", name, taken>>20)
		}
	}
}

func TestKindsHaveNames(t *testing.T) {
	for kind, want := range map[forms.Kind]string{0: "unknown", forms.Ping: "ping", forms.Notice: "notice", forms.Submit: "submit", 9: "unknown"} {
		if got := kind.String(); got != want {
			t.Errorf("kind %d is %q", kind, got)
		}
	}
}
