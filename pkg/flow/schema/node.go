package schema

import (
	"bytes"
	"encoding/json"
)

// node is one schema, with its keywords in the order in which people read them.
type node struct {
	Dialect           string          `json:"$schema,omitempty"`
	ID                string          `json:"$id,omitempty"`
	Ref               string          `json:"$ref,omitempty"`
	Title             string          `json:"title,omitempty"`
	Description       string          `json:"description,omitempty"`
	Type              any             `json:"type,omitempty"` // a name, or several
	Const             any             `json:"const,omitempty"`
	Enum              []string        `json:"enum,omitempty"`
	Default           any             `json:"default,omitempty"`
	Pattern           string          `json:"pattern,omitempty"`
	Format            string          `json:"format,omitempty"`
	MinLength         int             `json:"minLength,omitempty"`
	MaxLength         int             `json:"maxLength,omitempty"`
	Minimum           *float64        `json:"minimum,omitempty"`
	Maximum           *float64        `json:"maximum,omitempty"`
	Items             *node           `json:"items,omitempty"`
	MinItems          int             `json:"minItems,omitempty"`
	MaxItems          int             `json:"maxItems,omitempty"`
	Properties        ordered         `json:"properties,omitempty"`
	PatternProperties ordered         `json:"patternProperties,omitempty"`
	PropertyNames     *node           `json:"propertyNames,omitempty"`
	Additional        any             `json:"additionalProperties,omitempty"` // false, or a *node
	MinProperties     int             `json:"minProperties,omitempty"`
	Required          []string        `json:"required,omitempty"`
	DependentSchemas  ordered         `json:"dependentSchemas,omitempty"`
	DependentRequired json.RawMessage `json:"dependentRequired,omitempty"`
	Not               *node           `json:"not,omitempty"`
	OneOf             []*node         `json:"oneOf,omitempty"`
	AnyOf             []*node         `json:"anyOf,omitempty"`
	Examples          []any           `json:"examples,omitempty"`
	Defs              ordered         `json:"$defs,omitempty"`
}

// named is a schema under a name.
type named struct {
	name string
	is   *node
}

// ordered is a JSON object that keeps its order: editors offer fields in it.
type ordered []named

// MarshalJSON writes the object.
func (o ordered) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, entry := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		key, err := json.Marshal(entry.name)
		if err != nil {
			return nil, err
		}
		value, err := marshal(entry.is)
		if err != nil {
			return nil, err
		}
		b.Write(key)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// marshal writes JSON with < and > as they are: people read descriptions.
func marshal(value any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(value)
	return bytes.TrimSpace(b.Bytes()), err
}

// The small schemas that others are made of.

func ref(name string) *node { return &node{Ref: "#/$defs/" + name} }

func text(examples ...any) *node { return &node{Type: "string", MinLength: 1, Examples: examples} }

func word(words ...string) *node { return &node{Type: "string", Enum: words} }

func truth() *node { return &node{Type: "boolean"} }

func number() *node { return &node{Type: "number"} }

func count(low, high float64) *node {
	return &node{Type: "integer", Minimum: &low, Maximum: &high}
}

// scalar is a value that is read as it is written.
func scalar(examples ...any) *node {
	return &node{Type: []string{"string", "number", "boolean"}, Examples: examples}
}

func list(of *node) *node { return &node{Type: "array", Items: of, MinItems: 1} }

// mapping has free keys.
func mapping(of *node, examples ...any) *node {
	return &node{Type: "object", Additional: of, MinProperties: 1, Examples: examples}
}

func anyOf(of ...*node) *node { return &node{AnyOf: of} }

// has holds for an object with all the fields.
func has(fields ...string) *node { return &node{Required: fields} }

// like gives a schema examples.
func (n *node) like(examples ...any) *node { n.Examples = append(n.Examples, examples...); return n }

// otherwise gives a schema its default.
func (n *node) otherwise(value any) *node { n.Default = value; return n }
