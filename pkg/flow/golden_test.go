package flow

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// TestGoldenEvents folds an event of every kind that was ever stored. A line of the
// file is the kind, the stored bytes, and the state that they give, folded into
// the state of goldenBefore. Lines are never changed: with -rewrite those of new
// kinds are added, taken from the dialogues.
func TestGoldenEvents(t *testing.T) {
	const path = "testdata/golden/events.txt"
	data, err := os.ReadFile(path)
	if err != nil && !*rewrite {
		t.Fatal(err)
	}
	have := map[string]bool{}
	for line := range strings.Lines(string(data)) {
		kind, stored, state := goldenLine(t, line)
		have[kind] = true
		if got := foldGolden(t, kind, stored); got != state {
			t.Errorf("%s gives\n%s\nand gave once\n%s", kind, got, state)
		}
	}
	var missing []string
	kinds := new(parleyv1.Event).ProtoReflect().Descriptor().Oneofs().ByName("body").Fields()
	for i := range kinds.Len() {
		if kind := string(kinds.Get(i).Name()); !have[kind] && !slices.Contains([]string{"account_noticed", "contact_merged", "start_refused"}, kind) { // which no session has
			missing = append(missing, kind)
		}
	}
	switch {
	case len(missing) == 0:
	case !*rewrite:
		t.Errorf("no event of %v: -rewrite adds one", missing)
	default:
		addGolden(t, path, string(data), missing)
	}
}

func goldenLine(t *testing.T, line string) (kind string, stored []byte, state string) {
	t.Helper()
	parts := strings.SplitN(strings.TrimSuffix(line, "\n"), " ", 3)
	if len(parts) != 3 {
		t.Fatalf("no golden line: %s", line)
	}
	stored, err := base64.StdEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatalf("%s: %v", parts[0], err)
	}
	return parts[0], stored, parts[2]
}

func foldGolden(t *testing.T, kind string, stored []byte) string {
	t.Helper()
	e := new(parleyv1.Event)
	if err := proto.Unmarshal(stored, e); err != nil {
		t.Fatalf("%s cannot be read any more: %v", kind, err)
	}
	if got := kindOf(e); got != kind {
		t.Errorf("%s is read as %s", kind, got)
	}
	state, err := json.Marshal(Evolve(goldenBefore(), e))
	if err != nil {
		t.Fatal(err)
	}
	return string(state)
}

func kindOf(e *parleyv1.Event) string {
	m := e.ProtoReflect()
	field := m.WhichOneof(m.Descriptor().Oneofs().ByName("body"))
	if field == nil {
		return ""
	}
	return string(field.Name())
}

// goldenBefore is a session in the middle of everything.
func goldenBefore() State {
	s := active()
	s.Progress = Progress{
		Ref: "0123456789", Calls: []string{"part"}, Loops: map[string]uint32{"second": 1}, Variants: map[string]string{"a": "b"},
		Page: 1, Offered: []Choice{{Title: "Ten", Value: "10"}}, Pending: &Pending{Text: "x", Value: "y"},
		Fragments: []string{"f"}, WakeAtMs: 5, UntilMs: 9, Form: map[string]any{"pain": 1.5},
	}
	return s
}

func addGolden(t *testing.T, path, lines string, missing []string) {
	t.Helper()
	found := map[string][]byte{}
	files, _ := filepath.Glob("testdata/*.txt")
	for _, file := range files {
		_, d := play(t, readFile(t, file))
		for _, data := range d.history {
			e := new(parleyv1.Event)
			if err := proto.Unmarshal(data, e); err != nil {
				t.Fatal(err)
			}
			if kind := kindOf(e); len(data) > len(found[kind]) { // the one that says most
				found[kind] = data
			}
		}
	}
	for _, kind := range missing {
		if found[kind] == nil {
			t.Errorf("no dialogue has an event %s", kind)
			continue
		}
		lines += kind + " " + base64.StdEncoding.EncodeToString(found[kind]) + " " + foldGolden(t, kind, found[kind]) + "\n"
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(lines), 0o644); err != nil {
		t.Fatal(err)
	}
}
