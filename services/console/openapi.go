package console

import (
	_ "embed"
	"net/http"

	"github.com/goccy/go-yaml"
)

// openAPISource describes the API, to clients and to the tests.
//
//go:embed openapi.yaml
var openAPISource []byte

// openAPI answers the description of the API.
func (a *API) openAPI(w http.ResponseWriter, r *http.Request) {
	document, err := yaml.YAMLToJSON(openAPISource)
	if err != nil {
		a.failed(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(document) // who asked may have gone
}
