package schema_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/parleyhq/parley/pkg/flow"
	"github.com/parleyhq/parley/pkg/flow/schema"
)

var rewrite = flag.Bool("rewrite", false, "write deploy/flows/flow.schema.json")

const deployed = "../../../deploy/flows"

func TestCommittedSchemaIsThisOne(t *testing.T) {
	path := filepath.Join(deployed, "flow.schema.json")
	if *rewrite {
		if err := os.WriteFile(path, schema.JSON(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	committed, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(committed, schema.JSON()) {
		t.Fatalf("%s differs: run go test ./pkg/flow/schema -rewrite (%v)", path, err)
	}
}

// TestAgreesWithTheCompiler compares the fields, so that a field that one of the
// two learns is not forgotten in the other.
func TestAgreesWithTheCompiler(t *testing.T) {
	root := decoded(t, schema.JSON()).(map[string]any)
	defs := root["$defs"].(map[string]any)
	defs["flow"] = root
	renamed := map[string]string{"keyword": "keyword_action", "invalid": "invalid_rules"}
	for part, fields := range flow.Fields() {
		var got []string
		switch field, isTyped := strings.CutPrefix(part, "expect."); {
		case isTyped:
			got = enum(defs, "expect", "dependentSchemas", field, "properties", "type", "enum")
		case part == "answer":
			got = enum(defs, "expect", "properties", "type", "enum")
		case part == "kinds":
			got = enum(defs, "expect", "properties", "kinds", "items", "enum")
		default:
			name := part
			if renamed[part] != "" {
				name = renamed[part]
			}
			got = slices.Sorted(maps.Keys(at(defs, name, "properties").(map[string]any)))
		}
		slices.Sort(got)
		if want := slices.Sorted(slices.Values(fields)); !slices.Equal(got, want) {
			t.Errorf("%s: the schema has %v, the compiler %v", part, got, want)
		}
	}
}

func TestExplainsEveryField(t *testing.T) {
	var look func(path string, value any)
	look = func(path string, value any) {
		object, _ := value.(map[string]any)
		properties, _ := object["properties"].(map[string]any)
		if object["additionalProperties"] == false && object["description"] != nil {
			for name, property := range properties {
				if property.(map[string]any)["description"] == nil {
					t.Errorf("%s.%s has no description", path, name)
				}
			}
		}
		for name, inner := range object {
			look(path+"."+name, inner)
		}
	}
	look("", decoded(t, schema.JSON()))
}

func TestTakesFlowsThatCompile(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join(deployed, "*.yaml"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no flows in %s: %v", deployed, err)
	}
	compiled := compile(t)
	for _, path := range append(paths, "testdata/rich.yaml") {
		source, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := flow.Parse(source); err != nil {
			t.Logf("%s does not compile: %v", path, err)
			continue
		}
		if err := compiled.Validate(fromYAML(t, source)); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// TestRefuses changes one thing of the rich flow at a time, so that it is wrong.
func TestRefuses(t *testing.T) {
	source, err := os.ReadFile("testdata/rich.yaml")
	if err != nil {
		t.Fatal(err)
	}
	compiled := compile(t)
	for name, change := range map[string][2]string{
		"unknown field":                {"zone:", "zoen:"},
		"unknown field of a step":      {"loop: {max: 5, then: human}", "lop: {max: 5}"},
		"missing name":                 {"name: table\n", ""},
		"a name with a capital":        {"name: table\n", "name: Table\n"},
		"unknown type":                 {"type: yes_no, save: sure", "type: yesno, save: sure"},
		"a field of another type":      {"type: yes_no, save: sure", "type: yes_no, save: sure, integer: true"},
		"a choice without options":     {"type: yes_no, save: sure", "type: choice, save: sure"},
		"two kinds of step":            {"handover: sales\n\nsub", "handover: sales\n    end: completed\n\nsub"},
		"a step that does nothing":     {"run: {subflow: who}", "loop: {max: 3}"},
		"a question without say":       {"say: {en: \"At what time?\", es: \"¿A qué hora?\"}\n", "\n"},
		"an entry that is two":         {"{ad: \"*\", step", "{ad: \"*\", payload: X, step"},
		"an entry that is none":        {"{default: true}", "{priority: 3}"},
		"a keyword without action":     {"menu: {words: [MENU], goto: menu}", "menu: [MENU]"},
		"a language that is no tag":    {"spanish: {words: [español], language: es}", "spanish: {words: [español], language: Spanish}"},
		"attempts without then":        {"      attempts: 3\n      then: cancelled\n", "      attempts: 3\n"},
		"a file by two addresses":      {"link: \"https://example.org/house.jpg\"", "link: \"https://example.org/house.jpg\", id: 5"},
		"a header without text":        {"- typing: true", "- {typing: true, header: Hi}"},
		"a test with one variant":      {"        - {name: without, weight: 50, goto: hour}\n", ""},
		"a restart that is no time":    {"restart: 30d", "restart: soon"},
		"an unknown rule of invalid":   {"invalid: {range:", "invalid: {rangs:"},
		"no again":                     {"again: {en: \"Write", "agian: {en: \"Write"},
		"a number where text is due":   {"say: {en: \"Your name?\"", "say: {en: 5"},
		"a split that says goto":       {"      goal: completed\n", "      goal: completed\n    goto: hour\n"},
		"an end that is none":          {"end: completed", "end: finished"},
		"a form without fields":        {"fields: {reason: text, people: number}\n", "\n"},
		"a form's field of no type":    {"{reason: text, people: number}", "{reason: string, people: number}"},
		"a policy that does not exist": {"zone: Europe/Madrid", "stale_taps: forget"},
	} {
		t.Run(name, func(t *testing.T) {
			broken := strings.Replace(string(source), change[0], change[1], 1)
			if broken == string(source) {
				t.Fatalf("the rich flow has no %q", change[0])
			}
			if compiled.Validate(fromYAML(t, []byte(broken))) == nil {
				t.Error("the schema takes it")
			}
			if _, err := flow.Parse([]byte(broken)); err == nil {
				t.Error("the compiler takes it: the example is not broken")
			}
		})
	}
}

func compile(t *testing.T) *jsonschema.Schema {
	t.Helper()
	compiler := jsonschema.NewCompiler()
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema.JSON()))
	if err != nil {
		t.Fatal(err)
	}
	if err := compiler.AddResource("flow.schema.json", document); err != nil {
		t.Fatal(err)
	}
	compiled, err := compiler.Compile("flow.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return compiled
}

func fromYAML(t *testing.T, source []byte) any {
	t.Helper()
	data, err := yaml.YAMLToJSON(source)
	if err != nil {
		t.Fatal(err)
	}
	return decoded(t, data)
}

func decoded(t *testing.T, data []byte) any {
	t.Helper()
	var value any
	if err := json.Unmarshal(data, &value); err != nil {
		t.Fatal(err)
	}
	return value
}

func at(value any, path ...string) any {
	for _, name := range path {
		value = value.(map[string]any)[name]
	}
	return value
}

func enum(value any, path ...string) []string {
	var words []string
	for _, word := range at(value, path...).([]any) {
		words = append(words, word.(string))
	}
	return words
}
