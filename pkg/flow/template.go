package flow

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// template is a text with places for the values of slots. Values are put in as
// they are: a placeholder inside of a value is not looked at.
type template []part

// part is either a piece of text or the name of a slot.
type part struct{ literal, slot string }

func (p part) characters() int { return utf8.RuneCountInString(p.literal) }

var (
	slotPattern = regexp.MustCompile(`^([a-z][a-z0-9_]*)\}`)
	// doublePattern finds {{slot}}, the habit of other tools. Without it, such a
	// text would compile and people would read "{slot}}".
	doublePattern = regexp.MustCompile(`^\{([a-z][a-z0-9_]*)\}\}`)

	errUnclosed = errors.New(`"{" opens a slot, such as {name}: close it with "}", or write "{{" for a brace`)
)

// parseTemplate splits a text at its placeholders: {slot} is the value of a
// slot, {{ is a brace. A closing brace outside of a placeholder is text.
func parseTemplate(source string) (template, error) {
	var t template
	for rest := source; rest != ""; {
		literal, after, opened := strings.Cut(rest, "{")
		if literal != "" {
			t = append(t, part{literal: literal})
		}
		if !opened {
			break
		}
		if double := doublePattern.FindStringSubmatch(after); double != nil {
			return nil, fmt.Errorf("write {%s} with single braces", double[1])
		}
		slot := slotPattern.FindStringSubmatch(after)
		switch {
		case strings.HasPrefix(after, "{"):
			t, rest = append(t, part{literal: "{"}), after[1:]
		case slot != nil:
			t, rest = append(t, part{slot: slot[1]}), after[len(slot[0]):]
		default:
			return nil, errUnclosed
		}
	}
	return t, nil
}

// render fills the slots.
func (t template) render(answers map[string]string) string {
	var b strings.Builder
	for _, p := range t {
		b.WriteString(p.literal)
		if p.slot != "" {
			b.WriteString(answers[p.slot])
		}
	}
	return b.String()
}
