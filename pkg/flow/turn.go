package flow

import (
	parleyv1 "github.com/parleyhq/parley/proto/parley/v1"
)

// Turn is one whole turn: it decides with the version that the session is pinned
// to (nil if there is no session), and starts a new session on the live version
// if there is none or if the person asked to begin again. It returns the events
// in order and the state after the last of them.
//
// Each event is stamped with at_ms, version, flow, flow_version, language and
// session_started_at_ms, which describe the session after that event. After a
// restart the events up to SessionCancelled belong to the old session, those
// from SessionStarted on to the new one, whose versions begin at 1 again. The
// caller stamps the rest: shard, offset, session_id, channel, contact_id, and
// the recipient of MessageQueued.
func Turn(live, pinned *Flow, s State, in *parleyv1.Input) (events []*parleyv1.Event, next State) {
	if s.Status == None || s.Status == Cancelled {
		pinned = live
	}
	events = pinned.Decide(s, in)
	next = stamp(s, events, in.GetAtMs())
	if !asksRestart(events) {
		return events, next
	}
	begun := live.begin()
	next = stamp(next, begun, in.GetAtMs())
	return append(events, begun...), next
}

func asksRestart(events []*parleyv1.Event) bool {
	return events[len(events)-1].GetSessionCancelled().GetReason() == ReasonRestart
}

// stamp folds the events into s and writes into each the state after it.
func stamp(s State, events []*parleyv1.Event, atMs int64) State {
	for _, e := range events {
		e.AtMs = atMs // first: Evolve reads it
		s = Evolve(s, e)
		e.Version = s.Version
		e.Flow = s.Flow
		e.FlowVersion = s.FlowVersion
		e.Language = s.Language
		e.SessionStartedAtMs = s.StartedAtMs
	}
	return s
}
