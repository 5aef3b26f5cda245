package sandbox

import "net/http"

// noSession is what is said where there is none.
const noSession = "the sandbox has no session of WASenderApi: it has one unless PARLEY_WASENDER_* names sessions of your own"

// readSession answers how the session is, if there is one.
func (s *Sandbox) readSession(w http.ResponseWriter, _ *http.Request) {
	var v SessionView
	if s.session != nil {
		v = s.session.view()
	}
	writeJSON(w, http.StatusOK, v)
}

// changeSession does to the session what WhatsApp, or whoever has the phone, can do.
func (s *Sandbox) changeSession(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Do string `json:"do"`
	}
	if s.session == nil {
		refuse(w, http.StatusNotFound, noSession)
		return
	}
	if !readJSON(w, r, &body) {
		return
	}
	is := s.session.view().Status
	switch {
	case body.Do == "drop" && is == connected:
		s.session.api.Become(sessionID, "disconnected")
	case body.Do == "log_out" && is != "logged_out":
		s.session.api.Become(sessionID, "logged_out")
	case body.Do == "scan" && is == "need_scan":
		s.session.api.Scan(sessionID)
	case body.Do == "drop" || body.Do == "log_out" || body.Do == "scan":
		refuse(w, http.StatusConflict, "a session that is "+is+" cannot do that: drop needs connected, scan needs need_scan, log_out a phone that is linked")
		return
	default:
		refuse(w, http.StatusBadRequest, `do must be "drop", "log_out" or "scan"`)
		return
	}
	s.session.look()
	writeJSON(w, http.StatusOK, s.session.view())
}
