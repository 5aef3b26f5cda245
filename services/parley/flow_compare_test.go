package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/parleyhq/parley/pkg/flow"
)

const small = `name: small
language: en
entry: [{keyword: [one], channels: [a]}]
steps:
  - name: first
    say: One?
    expect: {type: text, save: one}
  - name: second
    say: Two?
    expect: {type: number, save: two, attempts: 3, then: cancelled}
completed: {say: Bye, restart: message}
`

func parsed(t *testing.T, changes ...string) *flow.Flow {
	t.Helper()
	f, err := flow.Parse([]byte(strings.NewReplacer(changes...).Replace(small)))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestCompare(t *testing.T) {
	for name, c := range map[string]struct {
		changes []string
		want    []string
	}{
		"nothing":        {nil, nil},
		"a comment":      {[]string{"language: en", "language: en # English"}, nil},
		"a text":         {[]string{"One?", "1?"}, []string{"changed first say (en): One? → 1?"}},
		"a rule":         {[]string{"attempts: 3", "attempts: 5"}, nil},
		"an answer":      {[]string{"type: number", "type: date"}, []string{"changed second answer: number → date", "changed two type: number → date"}},
		"a way":          {[]string{"then: cancelled", "then: handover"}, []string{"changed second way after failures: cancelled → handover"}},
		"a slot":         {[]string{"save: two", "save: deux"}, []string{"changed second saves: two → deux", "removed two", "added deux"}},
		"a language":     {[]string{"language: en", "language: en\nlanguages: [en, es]"}, []string{"added es"}},
		"the end's text": {[]string{"Bye", "See you"}, []string{"changed completed.say en: Bye → See you"}},
		"an entry":       {[]string{"channels: [a]", "priority: 7"}, []string{"changed keyword one priority:  → 7", "changed keyword one channels: a → "}},
		"a name": {[]string{"name: second", "name: other"}, []string{
			"removed second", "changed first way: second → other", "added other", "needs second → other",
		}},
		"a name that is mapped": {[]string{"name: second", "name: other", "completed:", "migrate: {second: other}\ncompleted:"}, []string{
			"removed second", "changed first way: second → other", "added other",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			found := compare(parsed(t), parsed(t, c.changes...))
			var got []string
			for _, all := range [][]change{found.Steps, found.Slots, found.Languages, found.Keywords, found.Entries, found.Texts} {
				for _, one := range all {
					if len(one.Fields) == 0 {
						got = append(got, string(one.Kind)+" "+one.Name)
					}
					for _, f := range one.Fields {
						got = append(got, string(one.Kind)+" "+one.Name+" "+f.Field+": "+f.Old+" → "+f.New)
					}
				}
			}
			for _, u := range found.Unmapped {
				got = append(got, "needs "+u.Step+" → "+u.target())
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
			if found.same() != (len(c.want) == 0) {
				t.Errorf("same is %v", found.same())
			}
		})
	}
}

// TestConflicts: entries meet on a channel, unless somebody decided by a priority.
func TestConflicts(t *testing.T) {
	for name, c := range map[string]struct {
		changes []string
		want    string
	}{
		"another word":    {[]string{"[one]", "[two]"}, ""},
		"another channel": {[]string{"channels: [a]", "channels: [b]"}, ""},
		"a priority":      {[]string{"channels: [a]", "channels: [a], priority: 1"}, ""},
		"one channel":     {[]string{"[one]", "[zero, ONE]"}, "keyword one begins other, by its entry on line 3 of other.yaml: remove it from one of the two, or give one a priority"},
		"all channels":    {[]string{", channels: [a]", ""}, "keyword one begins other, by its entry on line 3 of other.yaml: remove it from one of the two, or give one a priority"},
	} {
		t.Run(name, func(t *testing.T) {
			sources := []source{
				{path: "small.yaml", text: []byte(small), flow: parsed(t)},
				{path: "other.yaml", text: []byte(small), flow: parsed(t, append(c.changes, "name: small", "name: other")...)},
			}
			addConflicts(sources)
			got := ""
			for _, s := range sources {
				for _, p := range s.problems {
					got += p.Message
				}
			}
			if got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}
