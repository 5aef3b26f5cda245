package schema

import (
	"bytes"
	"encoding/json"
)

const (
	dialect = "https://json-schema.org/draft/2020-12/schema"
	// id is how a schema calls itself; editors read the file beside the flow.
	id = "https://parleyhq.github.io/parley/flow.schema.json"

	tagPattern      = `^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$`
	namePattern     = `^[a-z][a-z0-9_]*$`
	durationPattern = `^[0-9]+(ms|s|m|h|d)$`
)

// JSON is the schema of flow files, indented, with a newline at its end.
func JSON() []byte {
	all := parts()
	root := all[0].node()
	root.Dialect, root.ID, root.Title = dialect, id, "Parley flow"
	for _, p := range all[1:] {
		root.Defs = append(root.Defs, named{p.name, p.node()})
	}
	root.Defs = append(root.Defs, shared()...)
	packed, err := marshal(root)
	if err != nil {
		panic("schema: " + err.Error()) // values of this package, which no input changes
	}
	var b bytes.Buffer
	_ = json.Indent(&b, packed, "", "  ") // packed is JSON: it was just written
	b.WriteByte('\n')
	return b.Bytes()
}

// node is the schema of a part.
func (p part) node() *node {
	n := &node{Description: p.doc, Type: "object", Required: p.required, Additional: false}
	for _, f := range p.fields {
		is := *f.is
		is.Description = f.doc
		n.Properties = append(n.Properties, named{f.name, &is})
	}
	if p.also != nil {
		p.also(n)
	}
	return n
}

// shared are the values that many fields have.
func shared() ordered {
	name := &node{Type: "string", Pattern: namePattern, MaxLength: 64, Description: "A name: a to z, 0 to 9 and _, beginning with a letter."}
	tag := &node{Type: "string", Pattern: tagPattern, Description: "A language tag (BCP 47), such as en or pt-BR."}
	target := &node{Type: "string", MinLength: 1, Description: "The name of a step, or completed, cancelled, handover; in a sub-flow also return."}
	duration := &node{Type: "string", Pattern: durationPattern, Description: "A duration: 500ms, 3s, 20m, 24h or 30d."}
	expression := scalar("age >= 18", `plan in ["gold", "silver"]`)
	expression.Description = "An expression (expr-lang.org) over slots, today, time_now, language, contact.name, contact.phone and channel."
	typedWords := anyOf(scalar(), list(scalar()), languages(anyOf(scalar(), list(scalar()))))
	typedWords.Description = "Words that people type: a list, or a list for each language."
	words := anyOf(text("Hello {name}"), languages(text()))
	words.Description = "A text: one string, or one for each language. {slot} is the slot's value."
	return ordered{
		{"name", name},
		{"tag", tag},
		{"target", target},
		{"duration", duration},
		{"silence", anyOf(&node{Const: "never"}, ref("duration")).like("24h", "never")},
		{"expression", expression},
		{"words_to_type", typedWords},
		{"words", words},
		{"say", say()},
		{"header", header()},
		{"handover", handover()},
		{"standard_keyword", anyOf(ref("words_to_type"), ref("keyword_action"))},
		{"bound", anyOf(number(), ref("expression")).like(1, "today", "09:00")},
		{"assignments", mapping(ref("expression"))},
		{"filters", mapping(ref("expression"))},
		{"invalid", anyOf(ref("say"), ref("invalid_rules"))},
	}
}

// languages is one value for each language.
func languages(of *node) *node {
	return &node{
		Type: "object", PatternProperties: ordered{{tagPattern, of}}, Additional: false, MinProperties: 1,
		Examples: []any{map[string]string{"en": "Hello", "es": "Hola"}},
	}
}

func say() *node {
	one := []*node{ref("words"), ref("message")}
	several := list(anyOf(one...))
	several.MaxItems = 10
	return &node{Description: "A text, one message, or a list of messages, which arrive in order.", AnyOf: append(one, several)}
}

func header() *node {
	var file ordered
	for _, kind := range []string{"image", "video", "document"} {
		file = append(file, named{kind, ref("media")})
	}
	return anyOf(ref("words"), &node{Type: "object", Properties: file, Additional: false, MinProperties: 1})
}

func handover() *node {
	return &node{Description: "true, or the name of a pool of people.", AnyOf: []*node{{Const: true}, ref("name")}}
}
