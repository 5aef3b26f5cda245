package simulation

import (
	"fmt"
	"maps"
	"slices"
	"time"

	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// funnelsAreTheFold is I7: the read models are what one gets by going through
// every session's story with pencil and paper.
func (h *history) funnelsAreTheFold() {
	want := map[string]int64{}
	for _, key := range h.keys() {
		h.countStory(want, key.Channel, h.lines[key])
	}
	h.countMerged(want)
	got := map[string]int64{}
	add := func(name string, n int64) {
		if n != 0 {
			got[name] += n
		}
	}
	for k, n := range h.w.database.steps {
		name := fmt.Sprintf("%s v%d %s %s %s ", k.Flow, k.Version, k.Channel, k.Language, dayOf(k.Day*dayMs))
		add(name+k.Step+" entered", n.Entered)
		add(name+k.Step+" answered", n.Answered)
		add(name+k.Step+" failed", n.Failed)
		add(name+k.Step+" rejections", n.Rejections)
		add(name+k.Step+" departed", n.Departed)
	}
	for k, n := range h.w.database.totals {
		name := fmt.Sprintf("%s v%d %s %s %s ", k.Flow, k.Version, k.Channel, k.Language, dayOf(k.Day*dayMs))
		add(name+"started", n.Started)
		add(name+"completed", n.Completed)
		add(name+"cancelled", n.Cancelled)
	}
	if maps.Equal(got, want) {
		return
	}
	all := maps.Clone(want)
	maps.Copy(all, got)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if got[name] != want[name] {
			h.w.violate("I7 funnels", "%s is %d, the events say %d", name, got[name], want[name])
		}
	}
}

const dayMs = int64(24 * time.Hour / time.Millisecond)

func dayOf(ms int64) string { return time.UnixMilli(ms).UTC().Format(time.DateOnly) }

// countStory counts one person's sessions on one number. It looks only at the
// bodies of the events, and keeps its own notes of where the person stands.
func (h *history) countStory(count map[string]int64, channel string, events []*parleyv1.Event) {
	name, step := "", ""
	failed := map[string]bool{}
	for _, e := range events {
		switch body := e.Body.(type) {
		case *parleyv1.Event_SessionStarted:
			s := body.SessionStarted
			name = fmt.Sprintf("%s v%d %s %s %s ", s.Flow, s.FlowVersion, channel, s.Language, dayOf(e.AtMs))
			step, failed = "", map[string]bool{}
			count[name+"started"]++
		case *parleyv1.Event_SessionAdopted:
			name = fmt.Sprintf("%s v%d %s %s %s ", e.Flow, e.FlowVersion, channel, e.Language, dayOf(e.SessionStartedAtMs))
			step, failed = stoodAt(body.SessionAdopted)
		case *parleyv1.Event_StepEntered:
			step = body.StepEntered.Step
			count[name+step+" entered"]++
		case *parleyv1.Event_AnswerAccepted:
			count[name+step+" answered"]++
			step = ""
		case *parleyv1.Event_AnswerRejected:
			count[name+step+" rejections"]++
			if !failed[step] {
				failed[step] = true
				count[name+step+" failed"]++
			}
		case *parleyv1.Event_SessionCompleted:
			count[name+"completed"]++
		case *parleyv1.Event_SessionCancelled:
			if step != "" {
				count[name+"cancelled"]++
				count[name+step+" departed"]++
			}
		}
	}
}
