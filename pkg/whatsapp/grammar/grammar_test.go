package grammar_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/parleyhq/parley/pkg/whatsapp/grammar"
)

var documents = []string{
	``, ` `, `{}`, `[]`, `{"a":[1,-2.50e+3,0.1E-2,true,false,null,"b\u00e9\"\\\/\b\f\n\r\t"]}`, " \n[ { \"a\" : { } , \"\" : [ ] } ,\t1 ]\r", "\"\xff\xfe\"",
	`{`, `[`, `"`, `"\`, `"\u12"`, `"\u12g4"`, `"\x"`, "\"\n\"", "\"\x00\"", `[1,]`, `[,1]`, `[1 2]`, `{"a"}`, `{"a":}`, `{"a":1,}`, `{1:2}`, `{"a":1]`, `[1}`,
	`01`, `-`, `-01`, `1.`, `.5`, `1e`, `1e+`, `+1`, `1.5e5.5`, `0x1`, `-0`, `0e0`, `1E400`, `nul`, `nulls`, `True`, `truefalse`, `1 1`, `{}{}`, "\u00a0{}", "\ufeff{}", "{}\x00", `NaN`,
}

func TestCheck(t *testing.T) {
	for _, document := range documents {
		if err := grammar.Check([]byte(document), 64, nil); (err == nil) != json.Valid([]byte(document)) {
			t.Errorf("%q: %v", document, err)
		}
	}
}

func TestCheckDepth(t *testing.T) {
	for levels, want := range map[int]error{64: nil, 65: grammar.ErrTooDeep, 1_000_000: grammar.ErrTooDeep} {
		lists, objects := strings.Repeat("[", levels)+strings.Repeat("]", levels), strings.Repeat(`{"a":`, levels)+"1"+strings.Repeat("}", levels)
		for _, document := range []string{lists, objects} {
			if err := grammar.Check([]byte(document), 64, nil); !errors.Is(err, want) {
				t.Errorf("%d levels: %v", levels, err)
			}
		}
	}
}

func TestCheckTellsWhereContainersAre(t *testing.T) {
	document, got := `{"a":[{}, "]"]}`, []string(nil)
	err := grammar.Check([]byte(document), 64, func(depth, start, end int) { got = append(got, strings.Repeat(">", depth)+document[start:end]) })
	if want := `>>{} >[{}, "]"] ` + document; err != nil || strings.Join(got, " ") != want {
		t.Errorf("%v, %q", err, got)
	}
}

// FuzzCheck compares with encoding/json.
func FuzzCheck(f *testing.F) {
	for _, document := range documents {
		f.Add([]byte(document))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := grammar.Check(data, 64, nil); (err == nil) != json.Valid(data) && !errors.Is(err, grammar.ErrTooDeep) {
			t.Error(err)
		}
	})
}
