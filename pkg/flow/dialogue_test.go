package flow

import (
	"cmp"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

var rewrite = flag.Bool("rewrite", false, "write what the flows say now into the dialogue files")

// TestDialogues plays the files of testdata. A file is a series of blocks: a
// command, a line of four dashes, and everything that came of the command.
// Blocks are divided by a blank line; lines with # before a command are kept.
//
//	publish lead version=1    makes a version live; sessions keep their own
//	receive id=m1 text="hi"   runs a turn (type=text unless type is given)
//
// After a change run the test with -rewrite and read the diff.
func TestDialogues(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no dialogues: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			source := readFile(t, file)
			played := play(t, source)
			if played == source {
				return
			}
			if !*rewrite {
				t.Fatalf("%s differs; -rewrite and read the diff. Now it plays:\n%s", file, played)
			}
			if err := os.WriteFile(file, []byte(played), 0o644); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// play returns the dialogue with the lower halves of its blocks as they are now.
func play(t *testing.T, source string) string {
	t.Helper()
	d := dialogue{versions: map[string]*Flow{}}
	var blocks []string
	for block := range strings.SplitSeq(strings.TrimRight(source, "\n"), "\n\n") {
		upper, _, _ := strings.Cut(block, "\n----")
		lines := strings.Split(upper, "\n")
		command := lines[len(lines)-1]
		blocks = append(blocks, upper+"\n----\n"+strings.Join(d.run(t, command), "\n"))
	}
	return strings.Join(blocks, "\n\n") + "\n"
}

// dialogue is one contact's story.
type dialogue struct {
	versions map[string]*Flow // by "name/version"
	live     *Flow
	state    State
	history  [][]byte // every event so far, marshalled
}

func (d *dialogue) run(t *testing.T, command string) []string {
	t.Helper()
	words := fieldsOf(t, command)
	switch words[""] {
	case "publish":
		return d.publish(t, words)
	case "receive":
		return d.receive(t, words)
	}
	t.Fatalf("unknown command %q", command)
	return nil
}

func (d *dialogue) publish(t *testing.T, words map[string]string) []string {
	t.Helper()
	version, err := strconv.ParseUint(words["version"], 10, 32)
	if err != nil {
		t.Fatalf("publish: %v", err)
	}
	d.live = load(t, words["argument"]).WithVersion(uint32(version))
	d.versions[label(d.live.Name(), d.live.Version())] = d.live
	return []string{"live    " + label(d.live.Name(), d.live.Version()) + " " + strings.Join(d.live.Steps(), " ")}
}

// receive runs a turn the way the session service does: state and events are
// marshalled between turns, and only the pinned version is handed in.
func (d *dialogue) receive(t *testing.T, words map[string]string) []string {
	t.Helper()
	in := message(words["id"], cmp.Or(words["type"], "text"), words["text"])
	in.AtMs = int64(1000 * (len(d.history) + 1))
	events, next := Turn(d.live, d.versions[label(d.state.Flow, d.state.FlowVersion)], d.state, in)
	said := make([]string, 0, len(events)+1)
	for _, e := range events {
		said = append(said, lineOf(e))
		d.history = append(d.history, marshal(t, e))
	}
	d.state = replay(t, d.history)
	if !reflect.DeepEqual(d.state, next) {
		t.Fatalf("the events fold to\n%+v\nbut Turn returned\n%+v", d.state, next)
	}
	return append(said, stateLine(d.state))
}

// replay folds a history from nothing.
func replay(t *testing.T, history [][]byte) State {
	t.Helper()
	var s State
	for _, data := range history {
		e := new(parleyv1.Event)
		if err := proto.Unmarshal(data, e); err != nil {
			t.Fatalf("unmarshal event: %v", err)
		}
		s = Evolve(s, e)
	}
	return s
}

func marshal(t *testing.T, e *parleyv1.Event) []byte {
	t.Helper()
	data, err := proto.Marshal(e)
	if err != nil {
		t.Fatalf("marshal event: %v", err)
	}
	return data
}

func stateLine(s State) string {
	var answers []string
	for _, slot := range slices.Sorted(maps.Keys(s.Answers)) {
		answers = append(answers, fmt.Sprintf("%s=%q", slot, s.Answers[slot]))
	}
	return fmt.Sprintf("state   %s failures=%d answers={%s}", s.CurrentState(), s.Failures, strings.Join(answers, " "))
}

func lineOf(e *parleyv1.Event) string {
	switch b := e.GetBody().(type) {
	case *parleyv1.Event_SessionStarted:
		return "event   SessionStarted " + label(b.SessionStarted.Flow, b.SessionStarted.FlowVersion) + " " + b.SessionStarted.Language
	case *parleyv1.Event_InputReceived:
		return "event   InputReceived " + b.InputReceived.Input.Id + " " + b.InputReceived.Input.GetMessage().GetType()
	case *parleyv1.Event_StepEntered:
		return "event   StepEntered " + b.StepEntered.Step
	case *parleyv1.Event_AnswerAccepted:
		return fmt.Sprintf("event   AnswerAccepted %s %s=%q", b.AnswerAccepted.Step, b.AnswerAccepted.Slot, b.AnswerAccepted.Value)
	case *parleyv1.Event_AnswerRejected:
		return fmt.Sprintf("event   AnswerRejected %s %s failures=%d", b.AnswerRejected.Step, b.AnswerRejected.Reason, b.AnswerRejected.Failures)
	case *parleyv1.Event_MessageQueued:
		return fmt.Sprintf("say     %q", b.MessageQueued.GetText().GetBody())
	case *parleyv1.Event_SessionCompleted:
		return "event   SessionCompleted"
	case *parleyv1.Event_SessionCancelled:
		return fmt.Sprintf("event   SessionCancelled %s step=%s", b.SessionCancelled.Reason, b.SessionCancelled.Step)
	}
	return fmt.Sprintf("event   %T", e.GetBody())
}

func label(flow string, version uint32) string { return fmt.Sprintf("%s/%d", flow, version) }

// fieldsOf splits a command: the verb is under "", a word without "=" under
// "argument", and a value in double quotes is a Go string.
func fieldsOf(t *testing.T, command string) map[string]string {
	t.Helper()
	verb, rest, _ := strings.Cut(command, " ")
	words := map[string]string{"": verb}
	for rest = strings.TrimSpace(rest); rest != ""; rest = strings.TrimSpace(rest) {
		key, after, assigned := strings.Cut(rest, "=")
		if word, other, _ := strings.Cut(rest, " "); !assigned || len(word) < len(key) {
			words["argument"], rest = word, other
			continue
		}
		value, err := strconv.QuotedPrefix(after)
		if err != nil {
			value, _, _ = strings.Cut(after, " ")
			words[key] = value
		} else if words[key], err = strconv.Unquote(value); err != nil {
			t.Fatalf("%s: %v", command, err)
		}
		rest = after[len(value):]
	}
	return words
}

// load compiles the demo flow or one of testdata/flows.
func load(t testing.TB, name string) *Flow {
	t.Helper()
	path := filepath.Join("testdata", "flows", name+".yaml")
	if name == "lead" {
		path = filepath.Join("..", "..", "deploy", "flows", "lead.yaml")
	}
	return compile(t, readFile(t, path))
}

func readFile(t testing.TB, path string) string {
	t.Helper()
	source, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(source)
}

func compile(t testing.TB, source string) *Flow {
	t.Helper()
	f, err := Parse([]byte(source))
	if err != nil {
		t.Fatalf("parse:\n%v", err)
	}
	return f
}

// message is an input of a person.
func message(id, kind, text string) *parleyv1.Input {
	return &parleyv1.Input{Id: id, AtMs: 1000, Body: &parleyv1.Input_Message{
		Message: &parleyv1.IncomingMessage{Type: kind, Text: text},
	}}
}
