package wasender

import parleyv1 "github.com/parleyhq/parley/proto/parley/v1"

// offered is the state of a call that has just begun to ring.
const offered = "offer"

// callStates are the states of a call, in Parley's words. Whether two talked, WhatsApp Web
// does not say.
// Source: WhatsApp Web's call events; WASenderApi's n8n node.
var callStates = map[string]string{
	offered: "ringing", "ringing": "ringing", "accept": "accepted", "reject": "rejected", "timeout": "missed", "terminate": "ended",
}

// callerFields are where the address of who calls stands, the best first.
var callerFields = []string{"callerPn", "cleanedCallerPn", "from", "chatId", "callerLid"}

// call keeps a step of a phone call in the lane of who calls.
func (s *splitter) call(v value) {
	f := v.fields()
	id, state := f.get("id").text(), stateOf(f)
	caller := identityOf(addresses(f, callerFields))
	switch {
	case !validID(id) || !validID(state):
		s.unreadable(v.raw(), "call without an id or a state")
	case laneKey(caller) == "":
		s.account(v)
	default:
		s.add(parleyv1.Kind_KIND_VOICE_CALL, id+"/"+state, caller, f.get("date"), v.raw())
	}
}

func stateOf(f fields) string {
	state := f.get("status").limited(maxKindBytes)
	fill(&state, offered)
	return state
}

// DecodeVoiceCall reads a KIND_VOICE_CALL envelope.
func DecodeVoiceCall(e *parleyv1.Envelope) (*parleyv1.VoiceCall, error) {
	raw, fault := parse(e.GetRaw())
	if fault != "" || !raw.isObject() {
		return nil, errNoObject
	}
	f := raw.fields()
	call := &parleyv1.VoiceCall{CallId: f.get("id").limited(maxIDBytes), State: callStates[stateOf(f)], Video: f.get("isVideo").isTrue()}
	fill(&call.State, stateOf(f))
	return call, nil
}
