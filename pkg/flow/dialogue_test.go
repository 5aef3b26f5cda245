package flow

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

var rewrite = flag.Bool("rewrite", false, "write what the flows say now into the dialogue files")

// TestDialogues plays the files of testdata. A file is a series of blocks: a
// command, a line of four dashes, and everything that came of the command.
// Blocks are divided by a blank line; lines with # before a command are kept.
//
//	publish lead version=1        makes a version live; sessions keep their own
//	channel serves=lead flows=lead/1,book/2    a router of several live flows
//	contact phone=34600111222 name=Ada language=es opted_out=true   also blocked=true
//	table slots: {"time":"10:00"} {"time":"11:00"}   what lookups find
//	receive id=m1 text="hi"       runs a turn; also type=, tap=, ad=, media=, location=, card=, form=
//	receive reply=size text="L"   answers to the message of a step; session=earlier: of an earlier session
//	echo text="Hello"             the business writes with the phone's own app; echo record
//	other                         goes to the conversation of another contact of the person
//	merge                         makes one of that conversation and this one
//	aside reaction emoji="👍"      something that says nothing
//	tap "Yes"                     taps what was shown last with this title; nth=2 is the one before
//	pass 3s                       time goes on, and timers that are due fire
//	advise step=day after=40m reason=x   what is known of silences there, when the next timers fire
//	late 3s                       time goes on, and no timer fires
//	timer wake=…                  a timer fires that a session wanted once
//	exchange screen=A json=…      an open form sends data
//	called ok json={"id":7}       what comes of the call that the session waits for, or of
//	                              another: ref=
//	start flow=lead               begins a flow by the API
//	table book: {"result":"done"} what comes of an action: one outcome after the other
//	order verb=cancel booking=b1  an operator changes a booking or a lead
//	migrate from=1 to=2 steps=a:b moves the session to another version
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
			played, _ := play(t, source)
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
func play(t *testing.T, source string) (string, *dialogue) {
	t.Helper()
	d := newDialogue()
	var blocks []string
	for block := range strings.SplitSeq(strings.TrimRight(source, "\n"), "\n\n") {
		upper, _, _ := strings.Cut(block, "\n----")
		lines := strings.Split(upper, "\n")
		command := lines[len(lines)-1]
		said := d.run(t, command)
		blocks = append(blocks, strings.TrimRight(upper+"\n----\n"+strings.Join(said, "\n"), "\n"))
	}
	return strings.Join(blocks, "\n\n") + "\n", d
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
