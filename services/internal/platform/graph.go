package platform

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"

	"github.com/parleyhq/parley/pkg/whatsapp/meta"
)

// metaGraphURL is where Meta is if nothing else is said (WIRE.md 3).
const metaGraphURL = "https://graph.facebook.com/v25.0"

// Graph is where Meta's Graph API is, and who asks it.
type Graph struct {
	URL   string `env:"PARLEY_GRAPH_URL"`
	Token string `env:"PARLEY_META_ACCESS_TOKEN"`
}

// Problems reports what is wrong with the values.
func (g Graph) Problems() error { return CheckURL("PARLEY_GRAPH_URL", g.URL, metaGraphURL) }

// Client speaks with it. Without a token Meta itself refuses everything; others than
// Meta may not ask for one.
func (g Graph) Client() *meta.Client {
	return meta.NewClient(cmp.Or(g.URL, metaGraphURL), cmp.Or(g.Token, "none"), &http.Client{Transport: meta.NewTransport()})
}

// CheckURL says what is wrong with a variable that holds a URL, or nothing.
func CheckURL(variable, address, example string) error {
	if u, err := url.Parse(address); address != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
		return fmt.Errorf("%s is %q: use a URL such as %s", variable, address, example)
	}
	return nil
}
