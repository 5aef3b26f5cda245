package platform

import (
	"errors"
	"fmt"
	"net"
	"os"
	"reflect"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"
)

// Common is the configuration that all services share.
type Common struct {
	// Addr is where the process listens, host:port.
	Addr        string        `env:"PARLEY_ADDR"`
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
	if c.Addr != "" {
		_, _, err := net.SplitHostPort(c.Addr)
		check(err == nil, "PARLEY_ADDR is %q: use host:port, for example 127.0.0.1:8080", c.Addr)
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
	unread := map[string]bool{}
	for _, failed := range parseErrors(env.ParseWithOptions(&config, env.Options{Environment: values})) {
		name := variableOf(reflect.TypeFor[C](), failed.Name)
		unread[name] = true
		errs = append(errs, fmt.Errorf("%s is %q: not %s", name, values[name], wanted(failed.Type)))
	}
	for _, problem := range Flatten(config.Problems()) {
		// What a value means is no question where it could not even be read.
		if name, _, _ := strings.Cut(problem.Error(), " "); !unread[name] {
			errs = append(errs, problem)
		}
	}
	return config, distinct(errs)
}

// parseErrors takes the library's collected error apart.
func parseErrors(err error) []env.ParseError {
	var list []env.ParseError
	var all env.AggregateError
	if errors.As(err, &all) {
		for _, each := range all.Errors {
			var failed env.ParseError
			if errors.As(each, &failed) {
				list = append(list, failed)
			}
		}
	}
	return list
}

// variableOf finds the variable that fills a field of a configuration, however
// deep the field lies.
func variableOf(config reflect.Type, field string) string {
	for i := range config.NumField() {
		f := config.Field(i)
		if name := f.Tag.Get("env"); name != "" && f.Name == field {
			return name
		}
		if f.Type.Kind() == reflect.Struct {
			if name := variableOf(f.Type, field); name != "" {
				return name
			}
		}
	}
	return ""
}

// wanted says in words what a value of the type looks like.
func wanted(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Int:
		return "a whole number"
	case reflect.Float64:
		return "a number"
	case reflect.Int64:
		return "a duration such as 5s"
	}
	return "a " + t.String()
}

// distinct leaves out what several services say in the same words.
func distinct(errs []error) error {
	var list []error
	said := map[string]bool{}
	for _, err := range Flatten(errors.Join(errs...)) {
		if !said[err.Error()] {
			said[err.Error()] = true
			list = append(list, err)
		}
	}
	return errors.Join(list...)
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
