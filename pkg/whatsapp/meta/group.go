package meta

import (
	"cmp"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// groupOf is the group in which something was written; empty if it was between two.
func groupOf(m value) string { return idOf(m.get("group_id")) }

// DecodeGroupMessage reads what was written or done in a group, out of a KIND_MESSAGE or
// KIND_ECHO envelope; nil if it was in none.
func DecodeGroupMessage(e *parleyv1.Envelope) *parleyv1.GroupMessage {
	raw, err := update(e)
	if err != nil || groupOf(raw) == "" {
		return nil
	}
	g := &parleyv1.GroupMessage{Group: groupOf(raw), Ours: e.GetKind() == parleyv1.Kind_KIND_ECHO, Aside: asideOf(raw)}
	if g.Aside == nil {
		g.Message = messageOf(raw)
	}
	return g
}

// groupFacts reads what became of groups: each of the group_* fields has a list of them.
// The subject is what, so that there are as few facts as there are things that happen.
// Who is in the groups stays in the raw notice.
func groupFacts(content value) (facts []*parleyv1.AccountFact) {
	for g := range content.get("groups").elements() {
		what := limited(g.get("type"), maxTypeBytes)
		if what == "" {
			continue
		}
		if g.get("errors").first() != (value{}) {
			what += " failed"
		}
		facts = append(facts, fact(NoticeGroup, what, cmp.Or(groupOf(g), "unknown"))...)
	}
	return facts
}
