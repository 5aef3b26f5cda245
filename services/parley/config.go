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
	return errors.Join(c.Ingress.Problems(), c.Session.Problems(), c.Dispatcher.Problems())
}

// defaultAddr is where everything is found if PARLEY_ADDR does not say.
const defaultAddr = "127.0.0.1:8080"

// load reads the configuration of `parley up`. A secret is only made when
// nothing is wrong: a start that fails leaves nothing behind.
func load(environ []string) (Config, error) {
	if config, err := loadWith(environ, func(string) (string, error) { return "a secret that is to be made", nil }); err != nil {
		return config, err
	}
	return loadWith(environ, keptSecret)
}

func loadWith(environ []string, secret func(path string) (string, error)) (Config, error) {
	environ, err := defaults(environ, secret)
	if err != nil {
		return Config{}, err
	}
	return platform.Load[Config](environ)
}

// defaults are the values that `parley up` makes up for a laptop, where the
// environment does not say: secrets of its own, kept in the data folder, and
// its own sandbox as WhatsApp. The sandbox's session of WASenderApi is there only
// where the environment names no session at all.
func defaults(environ []string, secret func(path string) (string, error)) ([]string, error) {
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
		"PARLEY_META_APP_SECRET":    "app-secret",
		"PARLEY_META_VERIFY_TOKEN":  "verify-token",
		"PARLEY_FLOWS_TOKEN_SECRET": "form-secret",
	} {
		if given(name) {
			continue
		}
		made, err := secret(filepath.Join(dir, file))
		if err != nil {
			return nil, fmt.Errorf("%s is not set, and none could be made: %w", name, err)
		}
		environ = append(environ, name+"="+made)
	}
	addr := value("PARLEY_ADDR")
	if addr == "" {
		addr = defaultAddr
		environ = append(environ, "PARLEY_ADDR="+addr)
	}
	if given("PARLEY_GRAPH_URL") {
		return environ, nil
	}
	environ = append(environ, "PARLEY_GRAPH_URL="+localURL(addr)+"/sandbox/graph/v25.0")
	if !given("PARLEY_META_ACCESS_TOKEN") {
		environ = append(environ, "PARLEY_META_ACCESS_TOKEN=sandbox")
	}
	if slices.ContainsFunc([]string{"PARLEY_WASENDER_URL", "PARLEY_WASENDER_TOKEN", "PARLEY_WASENDER_SECRET", "PARLEY_WASENDER_ACCOUNT_TOKEN"}, given) {
		return environ, nil
	}
	made, err := secret(filepath.Join(dir, "session-secret"))
	if err != nil {
		return nil, fmt.Errorf("no secret could be made for the sandbox's session of WASenderApi: %w", err)
	}
	return append(environ, "PARLEY_WASENDER_URL="+localURL(addr)+sandboxGateway, "PARLEY_WASENDER_ACCOUNT_TOKEN=account-"+made,
		"PARLEY_WASENDER_TOKEN="+sandboxSession+"=key-"+made, "PARLEY_WASENDER_SECRET="+sandboxSession+"="+made), nil
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
