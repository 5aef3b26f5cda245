package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/parleyhq/parley/pkg/flow"
)

// ruleEntry is the rule of pkg/flow for entries that hide each other.
const ruleEntry = "entry"

// addConflicts adds to each file what only shows beside the others: entries that
// another flow takes, and names that are there twice.
func addConflicts(sources []source) {
	byName := map[string]*source{}
	var releases []flow.Release
	for i := range sources {
		s := &sources[i]
		if s.flow == nil {
			continue
		}
		if first := byName[s.flow.Name()]; first != nil {
			s.add(nameTwice(s, first))
			continue
		}
		byName[s.flow.Name()] = s
		releases = append(releases, flow.Release{Flow: s.flow})
	}
	for _, o := range overlaps(releases) {
		loser, entry := byName[o.OtherFlow], entryOf(byName[o.OtherFlow].flow, o.OtherEntry)
		winner, other := byName[o.Flow], entryOf(byName[o.Flow].flow, o.Entry)
		if o.Priority == o.OtherPriority { // else somebody has decided
			loser.add(hidden(loser, entry, winner, other))
		}
	}
}

// add adds a problem in the order of the lines.
func (s *source) add(p flow.Problem) {
	s.problems = append(s.problems, p)
	slices.SortStableFunc(s.problems, func(a, b flow.Problem) int { return cmp.Compare(a.Line, b.Line) })
}

func nameTwice(s, first *source) flow.Problem {
	return flow.Problem{
		Rule: "name", Line: 1, Column: 1,
		Message: fmt.Sprintf("flow %q is also in %s: give each flow its own name", s.flow.Name(), first.path),
	}
}

func hidden(loser *source, entry flow.EntryInfo, winner *source, other flow.EntryInfo) flow.Problem {
	column, excerpt := excerptOf(loser.text, entry.Line)
	return flow.Problem{
		Rule: ruleEntry, Warning: true, Line: entry.Line, Column: column,
		Message: fmt.Sprintf("%s begins %s, by its entry on line %d of %s: remove it from one of the two, or give one a priority",
			shared(entry, other), winner.flow.Name(), other.Line, winner.path),
		Excerpt: excerpt,
	}
}

// shared says what fits both entries: of keywords, the words.
func shared(a, b flow.EntryInfo) string {
	mine, isKeyword := strings.CutPrefix(a.Label, "keyword ")
	theirs, _ := strings.CutPrefix(b.Label, "keyword ")
	if !isKeyword {
		return a.Label
	}
	other := strings.Split(theirs, ", ")
	both := slices.DeleteFunc(strings.Split(mine, ", "), func(word string) bool { return !slices.Contains(other, word) })
	return "keyword " + strings.Join(both, ", ")
}

// excerptOf shows a line as the linter does, with a caret under where its text
// begins.
func excerptOf(text []byte, line int) (column int, excerpt string) {
	lines := strings.Split(string(text), "\n")
	if line < 1 || line > len(lines) {
		return 1, ""
	}
	shown := strings.TrimRight(lines[line-1], "\r ")
	indent := len(shown) - len(strings.TrimLeft(shown, " -"))
	number := fmt.Sprintf("%4d | ", line)
	return indent + 1, fmt.Sprintf("%s%s\n%*s^", number, shown, len(number)+indent, "")
}

// overlaps finds the entries that meet on any channel.
func overlaps(releases []flow.Release) []flow.Overlap {
	var all []flow.Overlap
	for _, channel := range channelsOf(releases) {
		for _, o := range flow.NewRouter(channel, "", releases...).Overlaps() {
			if !slices.Contains(all, o) {
				all = append(all, o)
			}
		}
	}
	return all
}

// channelsOf lists the channels that entries name, and one that none names.
func channelsOf(releases []flow.Release) []string {
	channels := []string{""}
	for _, r := range releases {
		for _, e := range r.Flow.Describe().Entries {
			channels = append(channels, e.Channels...)
		}
	}
	slices.Sort(channels)
	return slices.Compact(channels)
}

func entryOf(f *flow.Flow, label string) flow.EntryInfo {
	for _, e := range f.Describe().Entries {
		if e.Label == label {
			return e
		}
	}
	return flow.EntryInfo{Line: 1}
}
