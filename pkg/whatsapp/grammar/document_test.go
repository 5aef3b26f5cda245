package grammar_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/parleyhq/parley/pkg/whatsapp/grammar"
)

// What a document says a value is, is one: of containers in its index and of others, of
// texts with brackets in them, wherever they are.
func TestDocumentFindsEnds(t *testing.T) {
	small := ` { "a]" : [ "\"}" , 1.5e3,true ] , "b": {} } `
	large := "[" + strings.Repeat(small+",", 9) + `"` + strings.Repeat("x]", 200) + `"]`
	document := `{"outer":[` + large + `,{"deep":` + strings.Repeat("[", 12) + large + strings.Repeat("]", 12) + `}], "last" : 7 }` + "\n"
	doc, err := grammar.Read([]byte(document), 64)
	if err != nil {
		t.Fatal(err)
	}
	if whole := document[doc.Start():doc.ValueEnd(doc.Start())]; whole != strings.TrimSpace(document) {
		t.Errorf("the whole is %q", whole)
	}
	values, inText := 0, false
	for at := 0; at < len(document); at++ {
		switch c := document[at]; {
		case inText && c == '\\':
			at++
		case c == '"':
			inText = !inText
		}
		if starts := strings.IndexByte("{[t", document[at]) >= 0; inText && document[at] != '"' || !inText && !starts {
			continue
		}
		if values++; !json.Valid([]byte(document[at:doc.ValueEnd(at)])) {
			t.Fatalf("at %d: %q", at, document[at:doc.ValueEnd(at)])
		}
	}
	if values < 100 {
		t.Errorf("only %d values", values)
	}
}

func TestReadRefusesWhatCheckRefuses(t *testing.T) {
	for _, document := range documents {
		if doc, err := grammar.Read([]byte(document), 64); (err == nil) != json.Valid([]byte(document)) || (doc == nil) != (err != nil) {
			t.Errorf("%q: %v", document, err)
		}
	}
}
