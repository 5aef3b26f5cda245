package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/parleyhq/parley/services/console"
	"github.com/parleyhq/parley/services/dispatcher"
	"github.com/parleyhq/parley/services/ingress"
	"github.com/parleyhq/parley/services/internal/platform"
	"github.com/parleyhq/parley/services/projector"
	"github.com/parleyhq/parley/services/session"
)

// Config is the configuration of `parley up`: that of every service, and where
// the data lives.
type Config struct {
	Addr       string `env:"PARLEY_ADDR" envDefault:"127.0.0.1:8080"`
	DataDir    string `env:"PARLEY_DATA_DIR" envDefault:".parley"`
	Ingress    ingress.Config
	Session    session.Config
	Dispatcher dispatcher.Config
	Projector  projector.Config
	Console    console.Config
}

// Common is what all services share.
func (c Config) Common() platform.Common { return c.Session.Common }

// Problems reports what is wrong with the configuration.
func (c Config) Problems() error {
	errs := []error{c.Ingress.Problems(), c.Session.Problems(), c.Dispatcher.Problems()}
	if _, _, err := net.SplitHostPort(c.Addr); err != nil {
		errs = append(errs, fmt.Errorf("PARLEY_ADDR is %q: use host:port, for example 127.0.0.1:8080", c.Addr))
	}
	return distinct(errs)
}

// distinct leaves out what several services say in the same words.
func distinct(errs []error) error {
	var list []error
	var said []string
	for _, err := range platform.Flatten(errors.Join(errs...)) {
		if !slices.Contains(said, err.Error()) {
			said = append(said, err.Error())
			list = append(list, err)
		}
	}
	return errors.Join(list...)
}

// defaults are the values that `parley up` makes up for a laptop, where the
// environment does not say: secrets of its own, kept in the data folder, and
// its own sandbox as WhatsApp.
func defaults(environ []string) ([]string, error) {
	value := func(name string) string {
		for _, pair := range slices.Backward(environ) {
			if v, ok := strings.CutPrefix(pair, name+"="); ok {
				return v
			}
		}
		return ""
	}
	given := func(name string) bool { return value(name) != "" || value(name+"_FILE") != "" }
	dir := value("PARLEY_DATA_DIR")
	if dir == "" {
		dir = ".parley"
	}
	for name, file := range map[string]string{
		"PARLEY_META_APP_SECRET":   "app-secret",
		"PARLEY_META_VERIFY_TOKEN": "verify-token",
	} {
		if given(name) {
			continue
		}
		secret, err := keptSecret(filepath.Join(dir, file))
		if err != nil {
			return nil, fmt.Errorf("%s is not set, and none could be made: %w", name, err)
		}
		environ = append(environ, name+"="+secret)
	}
	if !given("PARLEY_GRAPH_URL") {
		addr := value("PARLEY_ADDR")
		if addr == "" {
			addr = "127.0.0.1:8080"
		}
		environ = append(environ, "PARLEY_GRAPH_URL="+localURL(addr)+"/sandbox/graph/v25.0")
		if !given("PARLEY_META_ACCESS_TOKEN") {
			environ = append(environ, "PARLEY_META_ACCESS_TOKEN=sandbox")
		}
	}
	return environ, nil
}

// keptSecret reads a secret that an earlier start has made, or makes one.
func keptSecret(path string) (string, error) {
	kept, err := os.ReadFile(path)
	if secret := strings.TrimSpace(string(kept)); err == nil && secret != "" {
		return secret, nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", err
	}
	secret := rand.Text()
	return secret, os.WriteFile(path, []byte(secret+"\n"), 0o600)
}

// localURL is how this machine reaches the address that is listened on.
func localURL(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "http://" + addr
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port)
}
