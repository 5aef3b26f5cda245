package platform

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// sample is a service's configuration with a secret of its own.
type sample struct {
	Common
	Secrets []string `env:"PARLEY_SAMPLE_SECRET"`
}

// load reads a configuration from "NAME=value" pairs.
func load(pairs ...string) (sample, error) { return Load[sample](pairs) }

func file(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLoadDefaults(t *testing.T) {
	for _, environ := range [][]string{nil, {"PARLEY_SHARDS=", "PARLEY_LOG_LEVEL=", "PARLEY_LEASE_TIME=", "not a pair", "HOME=/root"}} {
		c, err := load(environ...)
		if err != nil {
			t.Fatalf("%v: %v", environ, err)
		}
		want := Common{LogLevel: "info", Shards: 16, Replicas: 1, LeaseTime: 5 * time.Second, DefaultFlow: "lead"}
		if c.Common != want || c.Secrets != nil {
			t.Errorf("%v: %+v", environ, c)
		}
	}
}

func TestLoadValues(t *testing.T) {
	c, err := load("PARLEY_DATABASE_URL=postgres://a:b@c/d?x=y=z", "PARLEY_NATS_URL=nats://a:1,nats://b:2", "PARLEY_LOG_LEVEL=debug",
		"PARLEY_SHARDS=32", "PARLEY_STREAM_REPLICAS=3", "PARLEY_LEASE_TIME=2500ms", "PARLEY_CHANNELS_FILE=channels.yaml",
		"PARLEY_DEFAULT_FLOW=shop", "PARLEY_SAMPLE_SECRET=one,two")
	want := Common{
		DatabaseURL: "postgres://a:b@c/d?x=y=z", NATSURL: "nats://a:1,nats://b:2", LogLevel: "debug", Shards: 32, Replicas: 3,
		LeaseTime: 2500 * time.Millisecond, ChannelsFile: "channels.yaml", DefaultFlow: "shop",
	}
	if err != nil || c.Common != want || strings.Join(c.Secrets, "|") != "one|two" {
		t.Errorf("%+v, %v", c, err)
	}
}

// Every problem is reported at once, each in words that name its variable.
func TestLoadAllProblems(t *testing.T) {
	_, err := load("PARLEY_SHARDS=2000", "PARLEY_STREAM_REPLICAS=2", "PARLEY_LEASE_TIME=1h", "PARLEY_LOG_LEVEL=loud",
		"PARLEY_DATABASE_URL=nonsense", "PARLEY_NATS_URL=nonsense", "PARLEY_SAMPLE_SECRET_FILE=/no/such/file")
	problems := Flatten(err)
	if len(problems) != 7 {
		t.Errorf("%d problems: %v", len(problems), problems)
	}
	for _, name := range []string{
		"PARLEY_SHARDS", "PARLEY_STREAM_REPLICAS", "PARLEY_LEASE_TIME", "PARLEY_LOG_LEVEL", "PARLEY_DATABASE_URL", "PARLEY_NATS_URL", "PARLEY_SAMPLE_SECRET_FILE",
	} {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("%s is not named: %v", name, err)
		}
	}
}

// A value of the wrong kind is reported under the name that its owner knows.
func TestLoadWrongKinds(t *testing.T) {
	for _, pair := range []string{"PARLEY_SHARDS=many", "PARLEY_LEASE_TIME=5", "PARLEY_STREAM_REPLICAS=1.5"} {
		name, _, _ := strings.Cut(pair, "=")
		_, err := load(pair)
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", pair, err)
		}
	}
}

func TestLoadFiles(t *testing.T) {
	c, err := load("PARLEY_SAMPLE_SECRET_FILE="+file(t, " one,two\n\n"), "PARLEY_SHARDS_FILE="+file(t, "8\n"), "PARLEY_NATS_URL_FILE=", "OTHER_FILE=/no/such/file")
	if err != nil || strings.Join(c.Secrets, "|") != "one|two" || c.Shards != 8 {
		t.Errorf("%+v, %v", c, err)
	}
	_, err = load("PARLEY_SAMPLE_SECRET=canary", "PARLEY_SAMPLE_SECRET_FILE="+file(t, "canary"))
	if err == nil || !strings.Contains(err.Error(), "PARLEY_SAMPLE_SECRET and PARLEY_SAMPLE_SECRET_FILE are both set") {
		t.Errorf("both set: %v", err)
	}
	if err != nil && strings.Contains(err.Error(), "canary") {
		t.Errorf("a secret stands in the error: %v", err)
	}
	// These two are paths, not values.
	c, err = load("PARLEY_CHANNELS_FILE=/no/such/file", "PARLEY_FLOWS_PRIVATE_KEY_FILE=/no/such/file")
	if err != nil || c.ChannelsFile != "/no/such/file" {
		t.Errorf("%+v, %v", c, err)
	}
}

// A database URL carries a password.
func TestProblemsKeepSecrets(t *testing.T) {
	_, err := load("PARLEY_DATABASE_URL=canary-password", "PARLEY_NATS_URL=canary-password")
	if err == nil || strings.Contains(err.Error(), "canary") {
		t.Errorf("%v", err)
	}
}

func TestLimits(t *testing.T) {
	for pair, good := range map[string]bool{
		"PARLEY_SHARDS=0": false, "PARLEY_SHARDS=1": true, "PARLEY_SHARDS=1024": true, "PARLEY_SHARDS=1025": false, "PARLEY_SHARDS=-1": false,
		"PARLEY_LEASE_TIME=999ms": false, "PARLEY_LEASE_TIME=1s": true, "PARLEY_LEASE_TIME=10s": true, "PARLEY_LEASE_TIME=10001ms": false,
		"PARLEY_STREAM_REPLICAS=5": true, "PARLEY_STREAM_REPLICAS=4": false, "PARLEY_STREAM_REPLICAS=0": false,
		"PARLEY_LOG_LEVEL=disabled": true, "PARLEY_LOG_LEVEL=INFO": false,
		"PARLEY_DATABASE_URL=host=a dbname=b": true, "PARLEY_NATS_URL=127.0.0.1:4222": false,
	} {
		if _, err := load(pair); (err == nil) != good {
			t.Errorf("%s: %v", pair, err)
		}
	}
}
