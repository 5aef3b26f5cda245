package flow

import (
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestDescribeKeywords(t *testing.T) {
	got := load(t, "words").Describe().Keywords
	want := []KeywordInfo{
		{Name: "agent", Words: []string{"agent", "agente"}, To: "handover", Pool: "sales"},
		{Name: "english", Words: []string{"english"}, Language: "en"},
		{Name: "help", Words: []string{"ayuda", "help"}},
		{Name: "menu", Words: []string{"menu"}, To: "menu"},
		{Name: "restart", Words: []string{"reiniciar", "restart"}},
		{Name: "spanish", Words: []string{"espanol"}, Language: "es"},
		{Name: "stop", Words: []string{"baja", "stop"}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// TestOverlapsSayTheirPriority: who looks at them must know whether somebody decided.
func TestOverlapsSayTheirPriority(t *testing.T) {
	first := compile(t, strings.Replace(small, "steps:", "entry: [{keyword: book, priority: 2}]\nsteps:", 1))
	second := compile(t, strings.Replace(small, "name: small\n", "name: other\nentry: [{keyword: [book, order]}]\n", 1))
	got := NewRouter("ch1", "", Release{Flow: second}, Release{Flow: first}).Overlaps()
	want := []Overlap{{Flow: "small", Entry: "keyword book", Priority: 2, OtherFlow: "other", OtherEntry: "keyword book, order", Wins: "small"}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// TestTextsAreNamedByTheirPlace: the id of a text is the way to it, and stays when
// other texts come and go.
func TestTextsAreNamedByTheirPlace(t *testing.T) {
	f := load(t, "words")
	var ids []string
	for _, info := range f.Texts() {
		ids = append(ids, info.ID)
	}
	const want = "keywords.restart keywords.stop.words keywords.stop.say keywords.help.words keywords.help.say keywords.menu.words " +
		"keywords.agent.words keywords.spanish.words keywords.english.words keywords.english.say hello.say menu.say sub.in.say completed.say completed.again"
	if got := strings.Join(ids, " "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	files, _ := filepath.Glob("testdata/flows/*.yaml")
	for _, file := range files {
		seen := map[string]bool{}
		for _, info := range compile(t, readFile(t, file)).Texts() {
			if seen[info.ID] || info.Step != "" && !strings.HasPrefix(info.ID, info.Step+".") {
				t.Errorf("%s: text %s of step %q", file, info.ID, info.Step)
			}
			seen[info.ID] = true
		}
	}
}

// TestTextsOfAStepWithTheNameOfAPart: its ids are those of no other text.
func TestTextsOfAStepWithTheNameOfAPart(t *testing.T) {
	f := compile(t, `name: odd
language: en
texts: {"yes": Aye}
steps: [{name: texts, say: Really?, expect: {type: yes_no, "yes": Sure}}]
completed: {say: Bye., again: Done.}
`)
	var ids []string
	for _, info := range f.Texts() {
		ids = append(ids, info.ID)
	}
	if got := strings.Join(ids, " "); got != "texts.yes.2 texts.say texts.yes completed.say completed.again" {
		t.Error(got)
	}
}
