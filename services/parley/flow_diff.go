package main

import (
	"fmt"
	"strings"

	"github.com/alecthomas/kong"
)

type flowDiff struct {
	Old    string `arg:"" help:"The flow file as it was."`
	New    string `arg:"" help:"The flow file as it is now."`
	Output string `short:"o" enum:"table,json" default:"table" help:"How to print: ${enum}."`
}

// Help shows examples below the usage.
func (flowDiff) Help() string {
	return `Says what is different for people: steps, texts, answers, ways, slots, languages, keywords, entries. A step that is gone needs a
place in migrate for those who stand on it.

Examples:
  parley flow diff booking.old.yaml booking.yaml
  git show HEAD:booking.yaml > /tmp/old.yaml; parley flow diff /tmp/old.yaml booking.yaml

Exit codes: 0 compared, 1 a removed step needs a migration map or a file has errors, 2 wrong usage.`
}

// Run compares.
func (c flowDiff) Run(line *kong.Context) error {
	to := newOutput(line)
	before, err := readFlow(to, c.Old)
	if err != nil {
		return err
	}
	after, err := readFlow(to, c.New)
	if err != nil {
		return err
	}
	found := compare(before.flow, after.flow)
	if c.Output == "json" {
		if err := to.json(found); err != nil {
			return err
		}
	} else {
		c.print(to, found)
	}
	return c.verdict(found)
}

func (c flowDiff) verdict(found changes) error {
	if len(found.Unmapped) == 0 {
		return nil
	}
	pairs := make([]string, len(found.Unmapped))
	for i, u := range found.Unmapped {
		pairs[i] = u.Step + ": " + u.target()
	}
	return fmt.Errorf("%s went away on which people may stand: add to %s: migrate: {%s}",
		counted(len(found.Unmapped), "step"), c.New, strings.Join(pairs, ", "))
}

// target is the step to map to, as far as it can be told.
func (u unmapped) target() string {
	if u.Perhaps == "" {
		return "STEP"
	}
	return u.Perhaps
}

func (c flowDiff) print(to output, found changes) {
	if found.same() {
		what := "the same file"
		if found.OldDigest != found.NewDigest {
			what = "the same steps, texts, slots, languages, keywords and entries; rules, comments or the layout of the file may differ"
		}
		to.printf("%s %s\n", to.paint(bold, found.Flow), what)
		return
	}
	to.printf("%s %s → %s\n", to.paint(bold, found.Flow), found.OldDigest[:12], found.NewDigest[:12])
	for _, section := range []struct {
		name string
		all  []change
	}{
		{"steps", found.Steps},
		{"slots", found.Slots},
		{"languages", found.Languages},
		{"keywords", found.Keywords},
		{"entries", found.Entries},
		{"other texts", found.Texts},
	} {
		if len(section.all) > 0 {
			to.printf("\n%s\n", to.paint(bold, section.name))
		}
		for _, one := range section.all {
			to.change(one, found.Unmapped)
		}
	}
}

func (o output) change(c change, needed []unmapped) {
	note := ""
	for _, u := range needed {
		if u.Step == c.Name && c.Kind == removed {
			note = o.paint(yellow, "   needs a place in migrate")
		}
	}
	switch c.Kind {
	case added:
		o.printf("  %s\n", o.paint(green, "+ "+c.Name))
	case removed:
		o.printf("  %s%s\n", o.paint(red, "- "+c.Name), note)
	default:
		o.printf("  %s\n", o.paint(yellow, "~ "+c.Name))
	}
	for _, f := range c.Fields {
		o.field(f)
	}
}

func (o output) field(f fieldChange) {
	if f.Field != "" {
		o.printf("      %s\n", o.paint(dim, f.Field))
	}
	for _, line := range strings.Split(f.Old, "\n") {
		if f.Old != "" {
			o.printf("        %s\n", o.paint(red, "- "+line))
		}
	}
	for _, line := range strings.Split(f.New, "\n") {
		if f.New != "" {
			o.printf("        %s\n", o.paint(green, "+ "+line))
		}
	}
}
