package dialogue

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/parleyhq/parley/pkg/flow"
)

// ends are the ways in which a session stops waiting for the person; "no" says
// that it has not.
var ends = []string{"completed", "cancelled", "human", no}

const no = "no"

// now is the check as it holds now: the same fields, with what is the case.
func (k check) now(c *Chat) fields {
	switch s := c.State(); k.verb {
	case "state":
		return word(cmp.Or(s.CurrentState(), "none"))
	case "language":
		return word(cmp.Or(s.Language, "none"))
	case "ends":
		return k.ending(c, s)
	case "human":
		pool, reason := c.handover()
		if s.Status != flow.Human {
			return word(no)
		}
		if len(k.args) == 0 {
			return nil
		}
		return word(cmp.Or(pool, reason))
	case "variant":
		return k.variants(s)
	case "goal":
		return k.goal(s)
	default:
		return k.values(s)
	}
}

func word(text string) fields { return fields{{key: text}} }

func (k check) ending(c *Chat, s flow.State) fields {
	now := word(no)
	switch s.Status {
	case flow.Completed:
		now = word("completed")
	case flow.Cancelled:
		now = word("cancelled")
	case flow.Human:
		now = word("human")
	}
	if len(k.args) < 2 {
		return now
	}
	reason := ""
	for _, e := range c.events {
		reason = cmp.Or(e.GetSessionCancelled().GetReason(), e.GetHandedOver().GetReason(), reason)
	}
	return append(now, field{key: cmp.Or(reason, "none")})
}

// handover is the pool and the reason of the last one.
func (c *Chat) handover() (pool, reason string) {
	for _, e := range c.events {
		if h := e.GetHandedOver(); h != nil {
			pool, reason = h.GetPool(), h.GetReason()
		}
	}
	return pool, reason
}

func (k check) variants(s flow.State) fields {
	now := make(fields, len(k.args))
	for i, f := range k.args {
		now[i] = field{key: f.key, value: s.Progress.Variants[f.key], set: true}
	}
	return now
}

// goal names the goals that were reached if the wanted one was not.
func (k check) goal(s flow.State) fields {
	if s.Progress.Goals[k.args[0].key] {
		return k.args
	}
	reached := slices.Sorted(maps.Keys(s.Progress.Goals))
	return word(cmp.Or(strings.Join(reached, ","), "none"))
}

// values are the session's under the same names; all if there are no names.
func (k check) values(s flow.State) fields {
	if len(k.args) == 0 {
		var all fields
		for _, name := range slices.Sorted(maps.Keys(s.Answers)) {
			all = append(all, fieldFor(name, s.Answers[name]))
		}
		return all
	}
	now := make(fields, len(k.args))
	for i, f := range k.args {
		value := member(s.Answers, f.key)
		if now[i] = f; string(encode(value)) != string(encode(f.json())) {
			now[i] = fieldFor(f.key, value)
		}
	}
	return now
}

// member finds "triage.pain" in the answers.
func member(answers map[string]any, name string) any {
	name, rest, nested := strings.Cut(name, ".")
	value := answers[name]
	if !nested {
		return value
	}
	object, _ := value.(map[string]any)
	return member(object, rest)
}

// line is the check as a file has it.
func (k check) text(args fields) string { return strings.TrimRight(k.verb+" "+args.String(), " ") }
