package flow

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// FuzzParse: any file is either a flow that works, or problems that say where.
func FuzzParse(f *testing.F) {
	f.Add([]byte(small))
	flows, _ := filepath.Glob("testdata/flows/*.yaml")
	for _, file := range flows {
		f.Add([]byte(readFile(f, file)))
	}
	f.Add([]byte("steps: [{name: a, say: {}, expect: [x]}, *a, ? b]"))
	f.Add([]byte("a: \"\\xff\\0\"\n---\n<<: &x {}\n"))
	f.Fuzz(func(t *testing.T, source []byte) {
		flow, problems := Lint(source)
		if flow == nil {
			checkProblems(t, problems.Errors())
			return
		}
		checkProblems(t, problems)
		if flow.Name() == "" || len(flow.Steps()) == 0 {
			t.Fatalf("an empty flow of %q", source)
		}
		flow.Describe()
		var s State
		for _, said := range []string{"hi", "a@b.de", "2", "yes", "4 december", "yes", "restart", "x"} {
			s, _ = checkTurn(t, flow, flow, s, message("m", "text", said), [][]byte{[]byte(`{"time":"10:00","label":"10 h"}`)})
		}
	})
}

func checkProblems(t *testing.T, err error) {
	var problems Problems
	if !errors.As(err, &problems) {
		t.Fatalf("error without problems: %v", err)
	}
	for _, p := range problems {
		if p.Line < 1 || p.Column < 1 || p.Message == "" || p.Rule == "" {
			t.Fatalf("problem without a place: %+v", p)
		}
	}
}

// FuzzTurn: a conversation with a flow of many features, whose messages are the
// lines of a text. A line that begins with "tap " taps that id, one with "form "
// is the result of a form.
func FuzzTurn(f *testing.F) {
	names := []string{"lead", "answers", "control", "words", "choices", "slots", "triage", "notes", "stale", "speak"}
	var flows []*Flow
	for i, name := range names {
		flows = append(flows, load(f, name).WithVersion(1))
		f.Add("hi\nAda\nada@example.org\n2\nthanks\nRESTART", "text", byte(i))
	}
	f.Add("\nrestart\n{name}\n%s\x00", "interactive", byte(0))
	f.Add("a\ntap p1.80b6c76c8d.buttons.yes\nform {}", "image", byte(4))
	f.Fuzz(func(t *testing.T, lines, kind string, which byte) {
		// The strings of an input are valid UTF-8: they were read from JSON.
		lines, kind = strings.ToValidUTF8(lines, "\ufffd"), strings.ToValidUTF8(kind, "")
		flow := flows[int(which)%len(flows)]
		var s State
		for line := range strings.SplitSeq(lines, "\n") {
			in := message("m", kind, line)
			if id, ok := strings.CutPrefix(line, "tap "); ok {
				in.GetMessage().Tap = id
			}
			if data, ok := strings.CutPrefix(line, "form "); ok {
				in.GetMessage().Content = &parleyv1.IncomingMessage_Form{Form: &parleyv1.FormResult{Json: []byte(data)}}
			}
			s, _ = checkTurn(t, flow, flow, s, in, [][]byte{[]byte(lines), []byte(`{"time":"10:00","label":"10 h","name":"Ada"}`)})
		}
	})
}

// expressionFlow is a flow that computes an expression in each place that has one.
const expressionFlow = `name: e
language: en
slots: {t: {type: text, default: x}, n: {type: number, default: 3}, b: {type: boolean, default: true}, d: {type: date, default: 2026-01-31}}
steps:
  - name: place
    say: Where?
    expect: {type: location, save: place}
  - name: compute
    set: {out: EXPRESSION}
    say: "{out}"
  - name: end
    say: End?
    expect: {type: text}
completed: {say: Bye., again: Done.}
`

// FuzzExpression: an expression is refused, or gives a value whatever the slots hold.
func FuzzExpression(f *testing.F) {
	for _, source := range []string{
		"n / 0", `t + t`, "int(t)", "days(t, d)", "t[5]", "t[0:1]", `t matches "("`, "place.latitude", "contact", "nil", "1..10000000", "$env.t",
		"len(1..1000)", "n ?? 1", "b ? 1 : \"a\"", "let x = n; x + x", "{a: 1}.a", "[1,2][9]", "n ** 1000", "string(place)", "add_days(d, 99999999999)",
		"round(n * 1e308 * 10)", "contact.phone contains t", "weekday(\"\")", "not b", "#", "t | upper", "-n", "min(n, t)", "t in [t]", "int(1e300)",
	} {
		f.Add(source, "é\x00")
	}
	f.Fuzz(func(t *testing.T, source, value string) {
		if strings.ContainsAny(source, "\n\r") {
			return
		}
		quoted := "'" + strings.ReplaceAll(source, "'", "''") + "'"
		flow, _ := Lint([]byte(strings.Replace(expressionFlow, "EXPRESSION", quoted, 1)))
		if flow == nil {
			return
		}
		_, s := Turn(flow, nil, State{}, message("a", "text", "hi"))
		s.Answers = map[string]any{"t": storable(strings.ToValidUTF8(value, "")), "n": float64(len(value)), "d": "2026-02-28"}
		in := message("b", "location", "")
		in.GetMessage().Content = &parleyv1.IncomingMessage_Location{Location: &parleyv1.GeoPoint{Latitude: 1, Name: strings.ToValidUTF8(value, "")}}
		checkTurn(t, flow, flow, restore(t, s), in, nil)
	})
}

// FuzzAnswer: whatever people type is understood or not, without a panic; and what
// was understood is understood again.
func FuzzAnswer(f *testing.F) {
	for _, said := range []string{"1,234.5", "1.234,5", "-0", "٣", "1 234", "+34 600 111 222", "tel:600;ext=5", "yes", "Sí", "👍", "4/12", "3 pm", "..", "1e5", "- 5", "0,123"} {
		f.Add(said, "es")
		f.Add(said, "en")
	}
	f.Fuzz(func(t *testing.T, said, tongue string) {
		said = storable(said) // as answerOf gives it
		if n, ok := parseNumber(said, tongue); ok {
			if again, ok := parseNumber(plain(n), "en"); !ok || again != n {
				t.Fatalf("%q is %v, and that is %v, %t", said, n, again, ok)
			}
		}
		if e164, ok := parsePhone(said, "ES"); ok {
			if again, ok := parsePhone(e164, ""); !ok || again != e164 {
				t.Fatalf("%q is %s, and that is %s, %t", said, e164, again, ok)
			}
		}
		if once := fold(said); fold(once) != once {
			t.Fatalf("%q is folded to %q, and that to %q", said, once, fold(once))
		}
		isEmail(said)
		regionOf(said)
	})
}
