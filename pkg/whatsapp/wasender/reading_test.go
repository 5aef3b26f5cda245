package wasender

import (
	"fmt"
	"regexp"
	"testing"

	"github.com/parleyhq/parley/pkg/flow"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

const askingFlow = `
name: asking
language: en
steps:
  - name: colour
    say: Which colour?
    expect: {type: choice, options: [red, blue, green], save: colour}
  - name: day
    say: Which day?
    expect: {type: choice, options: [n1, n2, n3, n4, n5, n6, n7, n8, n9, n10, n11, n12], save: day}
  - name: sure
    say: Are you sure?
    expect: {type: yes_no, save: sure}
completed:
  say: Thanks.
  again: Send RESTART.
keywords:
  restart: [RESTART]
`

// asking is a conversation of somebody who reads texts and types.
type asking struct {
	flow  *flow.Flow
	state flow.State
	turns int
	text  string // what was sent last
}

// say types a line, and gives the answer that it was taken for.
func (a *asking) say(t *testing.T, line string) (accepted string) {
	t.Helper()
	a.turns++
	in := &parleyv1.Input{
		Id: fmt.Sprintf("m%d", a.turns), AtMs: int64(1776000000000 + a.turns*1000), Channel: "shop",
		Contact: &parleyv1.ContactInfo{Phone: "15550002222"},
		Body:    &parleyv1.Input_Message{Message: &parleyv1.IncomingMessage{Type: "text", Text: line}},
	}
	events, next := flow.Turn(a.flow, a.flow, a.state, in)
	a.state = next
	for _, e := range events {
		if answer := e.GetAnswerAccepted(); answer != nil {
			accepted = answer.GetValue()
		}
		if m := e.GetMessageQueued(); m != nil {
			var r sendRequest
			if err := r.fill(m); err != nil {
				t.Fatal(err)
			}
			a.text = r.Text
		}
	}
	return accepted
}

var linePattern = regexp.MustCompile(`(?m)^(?:(\d+)\.|•) (\w+)`)

// A flow must understand the line that its choices become: each by its number, and
// what has none by its first word.
func TestFlowsReadTheNumbers(t *testing.T) {
	f, err := flow.Parse([]byte(askingFlow))
	if err != nil {
		t.Fatal(err)
	}
	for pick := range 3 {
		a := &asking{flow: f}
		a.say(t, "hi")
		answerWith(t, a, pick)
		if lines := linePattern.FindAllStringSubmatch(a.text, -1); len(lines) != 10 || lines[9][1] != "" {
			t.Fatalf("the first page is %q", a.text)
		}
		a.say(t, "More")
		answerWith(t, a, pick)
		if accepted := a.say(t, linePattern.FindStringSubmatch(a.text)[2]); accepted == "" {
			t.Errorf("a yes is not understood: %q", a.text)
		}
	}
}

// answerWith answers with the number of a line, which must be taken for its title.
func answerWith(t *testing.T, a *asking, pick int) {
	t.Helper()
	line := linePattern.FindAllStringSubmatch(a.text, -1)[pick]
	if accepted := a.say(t, line[1]); accepted != line[2] || line[1] == "" {
		t.Errorf("%q was taken for %q, want %q", line[1], accepted, line[2])
	}
}
