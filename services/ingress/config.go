package ingress

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/parleyhq/parley/pkg/bus"
	"github.com/parleyhq/parley/services/internal/platform"
)

// Config is what the ingress service reads from the environment.
type Config struct {
	platform.Common
	Forms platform.FormSecrets
	// FormKeys are the files of the private keys that forms are encrypted for.
	FormKeys    []string `env:"PARLEY_FLOWS_PRIVATE_KEY_FILE"`
	AppSecrets  []string `env:"PARLEY_META_APP_SECRET"`
	VerifyToken string   `env:"PARLEY_META_VERIFY_TOKEN"`
	// SessionSecrets are the webhook secrets of WASenderApi's sessions: channel=secret.
	SessionSecrets []string `env:"PARLEY_WASENDER_SECRET"`
}

// Problems reports what is wrong with the configuration.
func (c Config) Problems() error {
	_, err := platform.PerChannel("PARLEY_WASENDER_SECRET", c.SessionSecrets)
	errs := []error{c.Common.Problems(), c.Forms.Problems(), c.formProblems(), err}
	if len(c.SessionSecrets) > 0 && len(c.AppSecrets) == 0 && c.VerifyToken == "" {
		return errors.Join(errs...) // nothing comes from Meta
	}
	if len(c.AppSecrets) == 0 {
		errs = append(errs, errors.New("PARLEY_META_APP_SECRET is not set: the app secret of your Meta app, or several separated by commas"))
	}
	if slices.ContainsFunc(c.AppSecrets, func(secret string) bool { return strings.TrimSpace(secret) != secret || secret == "" }) {
		errs = append(errs, errors.New("PARLEY_META_APP_SECRET has an entry that is empty or begins or ends with a space: separate secrets by a comma alone"))
	}
	if c.VerifyToken == "" {
		errs = append(errs, errors.New("PARLEY_META_VERIFY_TOKEN is not set: the verify token that you enter with the callback URL"))
	}
	return errors.Join(errs...)
}

// Build makes the service ready to run.
func Build(_ context.Context, c Config, d *platform.Deps) (platform.Service, error) {
	in := bus.NewPublisher(d.NATS, bus.StreamIn, bus.PublisherOptions{})
	status := bus.NewPublisher(d.NATS, bus.StreamStatus, bus.PublisherOptions{})
	sessions, err := platform.PerChannel("PARLEY_WASENDER_SECRET", c.SessionSecrets)
	if err != nil {
		return platform.Service{}, err
	}
	handler := New(Options{
		Secrets: c.AppSecrets, VerifyToken: c.VerifyToken, SessionSecrets: sessions, Shards: d.Shards, Portfolio: d.Channels.Portfolio,
		In: in, Status: status, Signal: d.SignalSession, Now: time.Now, Log: d.Log,
	})
	answers, endpoint, err := c.endpoint(d.NATS)
	if err != nil {
		return platform.Service{}, err
	}
	handler.ServeForms(endpoint, answers)
	return platform.Service{
		Routes: func(mux *http.ServeMux) { handler.Routes(mux) },
		Close:  func() { answers.Close(); in.Close(); status.Close() },
	}, nil
}
