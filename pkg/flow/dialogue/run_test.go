package dialogue

import (
	"strings"
	"testing"
	"time"
)

func TestFailureShowsWhatDiffers(t *testing.T) {
	d := parse(t, `# A story that is wrong
flow shop
given variant.greeting=a name="Ann Lee"
> hi
< Hello Ann Lee!
...
state many
> [Tea]
< How much?
< Really?
> two
<~ ^A whole
> 2
< Sure?
  [Yes]
values many=3 what="tea"
ends completed
> [Maybe]
> never said
`)[0]
	var got []string
	for _, f := range shop(t).Run(d).Failures {
		got = append(got, f.String())
	}
	want := `7: this does not hold (- expected, + is so)
    - state many
    + state what
8: what the flow says here differs (- expected, + said)
    - < How much?
    - < Really?
    + < How many?
13: what the flow says here differs (- expected, + said)
      < Sure?
    -   [Yes]
    +   [Yes] [No]
16: this does not hold (- expected, + is so)
    - values many=3 what="tea"
    + values many=2 what="tea"
17: this does not hold (- expected, + is so)
    - ends completed
    + ends no
18: there is no [Maybe] to tap: the screen shows [Yes] [No]; write (old) [Maybe] to tap an earlier message`
	if all := strings.Join(got, "\n"); all != want {
		t.Errorf("got\n%s\nwant\n%s", all, want)
	}
}

func TestRewriteKeepsWhatHolds(t *testing.T) {
	source := `# Kept
flow shop
given variant.greeting=a name="Ann Lee"

> hi
# about the greeting
< Hello ...
...
> [Tea]
< How much?
  really
state no   # comment
> 2
`
	want := `# Kept
flow shop
given variant.greeting=a name="Ann Lee"

> hi
# about the greeting
< Hello ...
...
> [Tea]
< How many?
state many
> 2
< Sure?
  [Yes] [No]
`
	got, failures, err := shop(t).Rewrite(source)
	if err != nil || failures != nil || got != want {
		t.Errorf("%v, %v, got\n%s", failures, err, got)
	}
	if _, failures, _ := shop(t).Rewrite("flow shop\n> [Nothing]\n"); len(failures) != 1 {
		t.Errorf("a tap on nothing was rewritten: %v", failures)
	}
}

func TestRunFailsWhereTheDialogueCannotBegin(t *testing.T) {
	for source, want := range map[string]string{
		"flow shops\n> hi":                         `there is no flow "shops"`,
		"flow shop\ngiven zone=Mars/One\n> hi":     "unknown time zone Mars/One",
		"flow shop\ngiven variant.greeting=c\n> x": `test greeting has no variant "c": it has a, b`,
		"flow shop\n> hi\n> cake\n":                `there is no table "sizes"`,
	} {
		failures := shop(t).Run(parse(t, source)[0]).Failures
		if len(failures) == 0 || !strings.Contains(failures[len(failures)-1].Message, want) {
			t.Errorf("%q: %v, want %q", source, failures, want)
		}
	}
}

func TestTranscriptIsADialogueAgain(t *testing.T) {
	w := shop(t)
	for _, d := range parse(t, read(t, "shop.txt")) {
		again, err := Parse(w.Run(d).Transcript)
		if err != nil || len(again) != 1 || len(again[0].acts) != len(d.acts) {
			t.Fatalf("%s: %v", d.Title, err)
		}
		again[0].Given = d.Given
		if r := w.Run(again[0]); r.Failures != nil {
			t.Errorf("%s: %v", d.Title, r.Failures)
		}
	}
}

func TestMeasureNamesWhatIsMissed(t *testing.T) {
	w := shop(t)
	r := w.Run(parse(t, "flow shop\ngiven variant.greeting=a\n> hi\n...\n> tea\n...\n> 1\n...")[0])
	c := Measure(w.Flows[0], r)
	if got := c.String(); got != "shop: 6 of 16 steps, 5 of 23 ways, 0 of 6 keywords" {
		t.Error(got)
	}
	if c.Languages["en"] != (Count{6, 16}) || c.Languages["es"] != (Count{0, 16}) || c.Full() {
		t.Errorf("%+v", c)
	}
	var missed []string
	for _, m := range c.Missed[:4] {
		missed = append(missed, m.String())
	}
	want := "nobody goes from draw to hey (b)\nnobody comes to step hey\nnobody goes from hey to what (next)\nnobody goes from what to size (cake)"
	if got := strings.Join(missed, "\n"); got != want {
		t.Errorf("got\n%s", got)
	}
}

// TestBeginsInTheZoneOfTheFlow: it is ten o'clock where the flow is.
func TestBeginsInTheZoneOfTheFlow(t *testing.T) {
	w := shop(t)
	w.Zone = nil
	for serves, want := range map[string]string{"shop": "2026-01-05T10:00:00+01:00", "": "2026-01-05T10:00:00Z"} {
		w.Serves = serves
		chat, err := w.Open(Given{})
		if err != nil || chat.Now().Format(time.RFC3339) != want {
			t.Errorf("%q begins at %v, want %s (%v)", serves, chat.Now(), want, err)
		}
	}
}

func TestChat(t *testing.T) {
	w := shop(t)
	w.Serves = "shop"
	chat, err := w.Open(Given{Name: "Bo", Zone: "Europe/Madrid"})
	if err != nil {
		t.Fatal(err)
	}
	at := chat.Now()
	lines, err := chat.Say("hi", at)
	if err != nil || len(lines) != 6 || strings.Join(chat.Buttons(), ",") != "Tea,Cake" {
		t.Fatalf("%q, %q, %v", lines, chat.Buttons(), err)
	}
	if lines, err = chat.Say("[1]", at.Add(time.Minute)); err != nil || lines[0] != "< How many?" || !chat.Now().Equal(at.Add(time.Minute)) {
		t.Fatalf("%q, %v", lines, err)
	}
	if at, ok := chat.WakeAt(); !ok || !at.Equal(chat.Now().Add(24*time.Hour-time.Minute)) || chat.State().Step != "many" || len(chat.Events()) == 0 {
		t.Errorf("%+v", chat.State())
	}
	if lines, err = chat.Wait(at.Add(time.Hour)); err != nil || lines != nil {
		t.Errorf("%q, %v", lines, err)
	}
	for line, want := range map[string]string{"[Tea]": "there is no [Tea]", "(song) x": "nobody can send (song)", "(old)": "write (old) [Its title]"} {
		if _, err := chat.Say(line, at); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", line, err)
		}
	}
}
