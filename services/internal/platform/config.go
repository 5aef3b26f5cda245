package platform

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"
)

// Common is the configuration that all services share.
type Common struct {
	DatabaseURL string        `env:"PARLEY_DATABASE_URL"`
	NATSURL     string        `env:"PARLEY_NATS_URL"`
	LogLevel    string        `env:"PARLEY_LOG_LEVEL" envDefault:"info"`
	Shards      int           `env:"PARLEY_SHARDS" envDefault:"16"`
	Replicas    int           `env:"PARLEY_STREAM_REPLICAS" envDefault:"1"`
	LeaseTime   time.Duration `env:"PARLEY_LEASE_TIME" envDefault:"5s"`
	// Channels is the file that says which flow and portfolio a number has.
	ChannelsFile string `env:"PARLEY_CHANNELS_FILE"`
	DefaultFlow  string `env:"PARLEY_DEFAULT_FLOW" envDefault:"lead"`
}

// Problems reports what is wrong with the values, as far as no connection is
// needed to see it.
func (c Common) Problems() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	check(c.Shards >= 1 && c.Shards <= 1024, "PARLEY_SHARDS is %d: use 1 to 1024 (16 suits most)", c.Shards)
	check(c.Replicas == 1 || c.Replicas == 3 || c.Replicas == 5, "PARLEY_STREAM_REPLICAS is %d: use 1, or 3 or 5 in a NATS cluster", c.Replicas)
	check(c.LeaseTime >= time.Second && c.LeaseTime <= 10*time.Second, "PARLEY_LEASE_TIME is %s: use 1s to 10s", c.LeaseTime)
	switch c.LogLevel {
	case "trace", "debug", "info", "warn", "error", "disabled":
	default:
		check(false, "PARLEY_LOG_LEVEL is %q: use trace, debug, info, warn, error or disabled", c.LogLevel)
	}
	check(c.DatabaseURL == "" || strings.Contains(c.DatabaseURL, "://") || strings.Contains(c.DatabaseURL, "="),
		"PARLEY_DATABASE_URL is not a PostgreSQL URL: use postgres://user:password@host/database")
	check(c.NATSURL == "" || strings.Contains(c.NATSURL, "://"), "PARLEY_NATS_URL is not a NATS URL: use nats://host:4222")
	return errors.Join(errs...)
}

// checker is a configuration that can judge its own values.
type checker interface{ Problems() error }

// Load reads a configuration from the environment and reports every problem at
// once. Each variable NAME may instead be given as NAME_FILE, the path of a
// file that holds its value, as secrets are mounted.
func Load[C checker](environ []string) (C, error) {
	var config C
	values, err := variables(environ)
	errs := []error{err}
	if err := env.ParseWithOptions(&config, env.Options{Environment: values}); err != nil {
		errs = append(errs, problems(err)...)
	}
	errs = append(errs, config.Problems())
	return config, errors.Join(errs...)
}

// variables resolves NAME_FILE to NAME for the variables of Parley.
func variables(environ []string) (map[string]string, error) {
	values := map[string]string{}
	for _, pair := range environ {
		if name, value, ok := strings.Cut(pair, "="); ok {
			values[name] = value
		}
	}
	var errs []error
	for name, path := range values {
		base, isFile := strings.CutSuffix(name, "_FILE")
		if !isFile || !strings.HasPrefix(name, "PARLEY_") || name == "PARLEY_CHANNELS_FILE" || strings.HasSuffix(name, "_KEY_FILE") || path == "" {
			continue
		}
		if values[base] != "" {
			errs = append(errs, fmt.Errorf("%s and %s are both set: keep one", base, name))
			continue
		}
		content, err := os.ReadFile(path)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
			continue
		}
		values[base] = strings.TrimSpace(string(content))
	}
	return values, errors.Join(errs...)
}

// problems takes the library's collected error apart.
func problems(err error) []error {
	var all env.AggregateError
	if errors.As(err, &all) {
		return all.Errors
	}
	return []error{err}
}
