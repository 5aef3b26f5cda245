package sandbox

import (
	"net/http"

	"github.com/parleyhq/parley/pkg/whatsapp/faults"
)

// listFaults answers what goes wrong at the moment, and how often it did.
func (s *Sandbox) listFaults(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{"faults": s.faults.List()})
}

// addFault makes something go wrong: for the next messages, or for every so many.
func (s *Sandbox) addFault(w http.ResponseWriter, r *http.Request) {
	var fault faults.Fault
	if !readJSON(w, r, &fault) {
		return
	}
	if (fault.Kind == faults.Drop || fault.Provider == faults.WASender) && s.session == nil {
		refuse(w, http.StatusBadRequest, noSession)
		return
	}
	added, err := s.faults.Add(fault)
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	writeJSON(w, http.StatusCreated, added)
}

// resetFaults lets everything go well again.
func (s *Sandbox) resetFaults(w http.ResponseWriter, _ *http.Request) {
	s.faults.Reset()
	w.WriteHeader(http.StatusNoContent)
}
