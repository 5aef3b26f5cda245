package backtest

import (
	"cmp"
	"errors"
	"maps"

	"github.com/parleyhq/parley/pkg/flow"
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// errUnknownRows says that a version looks up what nobody looked up then.
var errUnknownRows = errors.New("looks up rows that were not recorded")

// rows are what a conversation saw of tables.
type rows struct {
	seen []seen
	turn int // that is being played
	// wanted is the table of the lookup that nothing is known about.
	wanted string
}

type seen struct {
	turn  int
	asked *parleyv1.LookupAsked
	rows  [][]byte
	// given says that it has answered a lookup of its own turn.
	given bool
}

func rowsOf(all []heard) rows {
	var r rows
	for turn, h := range all {
		var asked *parleyv1.LookupAsked
		for _, e := range h.events {
			switch body := e.GetBody().(type) {
			case *parleyv1.Event_LookupAsked:
				asked = body.LookupAsked
			case *parleyv1.Event_LookupAnswered:
				r.seen = append(r.seen, seen{turn: turn, asked: asked, rows: body.LookupAnswered.GetRows()})
			}
		}
	}
	return r
}

// find answers with what the conversation saw of the same lookup: in the same turn,
// one after the other, else in the last one before it, else in the first one after.
func (r *rows) find(l flow.Lookup) ([][]byte, error) {
	var best *seen
	for i := range r.seen {
		s := &r.seen[i]
		if s.turn == r.turn && !s.given && s.answers(l) {
			s.given, best = true, s
			break
		}
		if !s.answers(l) || best != nil && best.turn > r.turn {
			continue
		}
		if best == nil || s.turn <= r.turn {
			best = s
		}
	}
	if best == nil {
		r.wanted = cmp.Or(l.Table, l.Verb)
		return nil, errUnknownRows
	}
	return best.rows[:min(len(best.rows), int(l.Limit))], nil
}

// answers reports whether what was seen tells all that a lookup asks for.
func (s *seen) answers(l flow.Lookup) bool {
	all := l.Limit <= s.asked.GetLimit() || len(s.rows) < int(s.asked.GetLimit())
	return all && s.asked.GetTable() == l.Table && s.asked.GetVerb() == l.Verb && maps.Equal(s.asked.GetWhere(), l.Where)
}
