package dispatcher

import (
	"strings"
	"testing"
	"time"

	"github.com/parleyhq/parley/services/internal/platform"
)

func good() Config {
	return Config{
		Common: platform.Common{LogLevel: "info", Shards: 16, Replicas: 1, LeaseTime: 5 * time.Second},
		Graph:  platform.Graph{URL: "http://127.0.0.1:1/v25.0"}, SendRate: 80, SessionRate: 256, PairRate: 10, Grace: 20 * time.Second,
	}
}

func TestProblems(t *testing.T) {
	if err := good().Problems(); err != nil {
		t.Fatal(err)
	}
	for names, change := range map[string]func(*Config){
		"PARLEY_GRAPH_URL":         func(c *Config) { c.Graph.URL = "graph.facebook.com" },
		"PARLEY_META_ACCESS_TOKEN": func(c *Config) { c.Graph.URL = "" },
		"PARLEY_SEND_RATE":         func(c *Config) { c.SendRate = 0 },
		"PARLEY_PAIR_RATE":         func(c *Config) { c.PairRate = -1 },
		"PARLEY_SEND_GRACE":        func(c *Config) { c.Grace = 0 },
		"PARLEY_WASENDER_URL":      func(c *Config) { c.Gateway.URL = "wasenderapi.com" },
		"PARLEY_WASENDER_RATE":     func(c *Config) { c.SessionRate = 0 },
		"PARLEY_SHARDS":            func(c *Config) { c.Shards = 0 },
		"PARLEY_SEND_RATE PARLEY_PAIR_RATE PARLEY_SEND_GRACE PARLEY_LEASE_TIME": func(c *Config) {
			c.SendRate, c.PairRate, c.Grace, c.LeaseTime = 2e6, 2e6, 2*time.Hour, time.Minute
		},
	} {
		c := good()
		change(&c)
		problems := platform.Flatten(c.Problems())
		if len(problems) != len(strings.Fields(names)) {
			t.Errorf("%s: %v", names, problems)
		}
		for _, name := range strings.Fields(names) {
			if !strings.Contains(c.Problems().Error(), name+" is ") {
				t.Errorf("%s is not named: %v", name, problems)
			}
		}
	}
}

func TestLimits(t *testing.T) {
	limits := good().limits()
	if limits.PairEvery != 6*time.Second || limits.PairBurst != 45 || limits.Grace != 20*time.Second {
		t.Errorf("%+v", limits)
	}
}

// A channel without its key, or with two, is told without the keys.
func TestSessionKeys(t *testing.T) {
	for _, keys := range [][]string{{"shop"}, {"shop=hidden", "shop=hidden too"}} {
		c := good()
		c.Gateway.SessionKeys = keys
		if err := c.Problems(); err == nil || !strings.Contains(err.Error(), "PARLEY_WASENDER_TOKEN") || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%q: %v", keys, err)
		}
	}
	c := good()
	c.Graph.URL, c.Gateway.SessionKeys = "", []string{"shop=key"} // nothing goes to Meta
	if err := c.Problems(); err != nil {
		t.Error(err)
	}
}
