package wasender

import (
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

func TestChoicesBecomeNumberedText(t *testing.T) {
	for name, c := range map[string]struct {
		message *parleyv1.MessageQueued
		want    string
	}{
		"buttons":  {buttons("p1.r.s.abc", "Red", "p1.r.s.def", "Blue"), "Colour?\n1. Red\n2. Blue"},
		"yes no":   {buttons("p1.r.s.yes", "Yes", "p1.r.s.no", "No"), "Colour?\n• Yes\n• No"},
		"confirm":  {buttons("p1.r.s.yes-1x2", "Yes", "p1.r.s.no-1x2", "No"), "Colour?\n• Yes\n• No"},
		"sub-flow": {buttons("p1.r.call.s.abc", "Red", "p1.r.call.s.no", "No"), "Colour?\n1. Red\n• No"},
		"foreign":  {buttons("yes", "Yes", "page-2", "No", "", "Perhaps"), "Colour?\n1. Yes\n2. No\n3. Perhaps"},
		"framed": {&parleyv1.MessageQueued{Content: &parleyv1.MessageQueued_Buttons{Buttons: &parleyv1.Buttons{
			Header: &parleyv1.Header{Text: "Paint"}, Body: "Colour?", Footer: "Thanks", Buttons: []*parleyv1.Button{{Id: "a", Title: "Red"}},
		}}}, "Paint\n\nColour?\n1. Red\n\nThanks"},
		"list": {&parleyv1.MessageQueued{Content: &parleyv1.MessageQueued_List{List: &parleyv1.List{
			Body: "When?", Button: "Choose", Sections: []*parleyv1.Section{
				{Title: "Soon", Rows: []*parleyv1.Row{{Id: "p1.r.s.a", Title: "Today"}, {Id: "p1.r.s.b", Title: "Tomorrow", Description: "from 9"}}},
				{Rows: []*parleyv1.Row{{Id: "p1.r.s.c", Title: "Later"}, {Id: "p1.r.s.page-1", Title: "More", Description: "2/3"}}},
			},
		}}}, "When?\n1. Today\n2. Tomorrow (from 9)\n3. Later\n• More (2/3)"},
		"link": {&parleyv1.MessageQueued{Content: &parleyv1.MessageQueued_Link{Link: &parleyv1.Link{
			Body: "Pay here", Title: "Pay", Url: "https://pay.example", Footer: "Thanks",
		}}}, "Pay here\nPay: https://pay.example\n\nThanks"},
		"empty": {buttons(), "Colour?"},
	} {
		var r sendRequest
		if err := r.fill(c.message); err != nil || r.Text != c.want {
			t.Errorf("%s: %q, %v", name, r.Text, err)
		}
	}
}

// buttons asks for a colour, with buttons of ids and titles.
func buttons(pairs ...string) *parleyv1.MessageQueued {
	b := &parleyv1.Buttons{Body: "Colour?"}
	for i := 0; i < len(pairs); i += 2 {
		b.Buttons = append(b.Buttons, &parleyv1.Button{Id: pairs[i], Title: pairs[i+1]})
	}
	return &parleyv1.MessageQueued{Content: &parleyv1.MessageQueued_Buttons{Buttons: b}}
}

// The n-th choice has the number n, whatever stands around it.
func TestNumbersCountChoices(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		titles := rapid.SliceOfN(rapid.StringMatching(`[A-Za-z0-9 .]{1,20}`), 1, 10).Draw(r, "titles")
		var choices []choice
		for _, title := range titles {
			choices = append(choices, choice{id: "p1.ref.step.abc", title: title})
		}
		lines := strings.Split(numbered("", "?", "", choices), "\n")[1:]
		for i, title := range titles {
			if lines[i] != strconv.Itoa(i+1)+". "+title {
				r.Errorf("line %d is %q", i, lines[i])
			}
		}
	})
}

func TestParseVCardTakesAnything(t *testing.T) {
	for card, want := range map[string]*parleyv1.ContactCard{
		"": {}, "FN": {}, ":": {}, "FN:": {},
		"N:Doe;Jane;Q;Dr.;Jr.":                   {Name: "Dr. Jane Q Doe Jr."},
		"FN:A\r\n B":                             {Name: "AB"},
		"tel:tel:+15550001\nEMAIL;type=WORK:a@b": {Phone: "+15550001", Email: "a@b"},
		`ORG:A\;B;C`:                             {Organization: "A;B"},
		"FN:" + strings.Repeat("x", 5000):        {},
	} {
		if got := parseVCard(card); got.String() != want.String() {
			t.Errorf("%.40q: %v, want %v", card, got, want)
		}
	}
}

func FuzzVCard(f *testing.F) {
	f.Add("BEGIN:VCARD\r\nFN:A\r\nitem1.TEL;waid=1:+1\r\nORG:A\\;B;C\r\nEND:VCARD")
	f.Fuzz(func(t *testing.T, card string) {
		if c := parseVCard(card); len(c.GetName()) > 2*maxFieldBytes || len(c.GetPhone()) > maxFieldBytes {
			t.Error("too long")
		}
	})
}
