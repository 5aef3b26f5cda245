package dispatcher

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/parleyhq/parley/pkg/egress"
	"github.com/parleyhq/parley/pkg/lifecycle"
	"github.com/parleyhq/parley/pkg/store"
	"github.com/parleyhq/parley/pkg/webhook"
	"github.com/parleyhq/parley/services/internal/platform"
)

// Outside is what is said of systems of the business: where calls of flows may go, and
// who is told what happened.
type Outside struct {
	// Allow are the hosts and networks that may be called besides public ones.
	Allow []string `env:"PARLEY_CALL_ALLOW"`
	// WebhookURL is who is told; without one nobody is.
	WebhookURL string `env:"PARLEY_WEBHOOK_URL"`
	// WebhookSecrets sign what is posted, each whsec_ and base64. All of them sign.
	WebhookSecrets []string `env:"PARLEY_WEBHOOK_SECRET"`
}

// Problems reports what is wrong with the configuration.
func (o Outside) Problems() error {
	_, err := o.Endpoint()
	return err
}

// client goes where calls and webhooks may go.
func (o Outside) client() (*http.Client, error) {
	allowed, err := egress.ParseAllowed(o.Allow)
	return allowed.Client(), err
}

// Endpoint is who is told; nil if nobody is.
func (o Outside) Endpoint() (*webhook.Endpoint, error) {
	allowed, err := egress.ParseAllowed(o.Allow)
	if o.WebhookURL == "" {
		return nil, err
	}
	errs := []error{err}
	if err := allowed.Check(o.WebhookURL); err != nil {
		errs = append(errs, fmt.Errorf("PARLEY_WEBHOOK_URL: %w", err))
	}
	secrets, err := webhook.ParseSecrets(o.WebhookSecrets)
	if err == nil && len(secrets) == 0 {
		err = errors.New("not set: `echo whsec_$(openssl rand -base64 32)` makes one, which the receiver checks signatures with")
	}
	if err != nil {
		errs = append(errs, fmt.Errorf("PARLEY_WEBHOOK_SECRET: %w", err))
	}
	return &webhook.Endpoint{URL: o.WebhookURL, Secrets: secrets, Client: allowed.Client()}, errors.Join(errs...)
}

// webhooks are the lane that queues what is told, and who tells it; none if nobody is
// told. Who is told again after a time without is told from now on.
func (o Outside) webhooks(ctx context.Context, d *platform.Deps) ([]lifecycle.Part, error) {
	endpoint, err := o.Endpoint()
	if err != nil {
		return nil, err
	}
	if endpoint == nil {
		return nil, d.Store.Unfollow(ctx, store.ServiceWebhooks)
	}
	if err := d.Store.FollowFromNow(ctx, store.ServiceWebhooks); err != nil {
		return nil, err
	}
	courier := NewCourier(d.Store, endpoint.Post, time.Now, rand.Float64, d.Log)
	queue := d.Lane(store.ServiceWebhooks, d.Events(store.ServiceWebhooks), NewWebhooks(d.Store, courier.Wake, d.Log), platform.GatherInsight, nil)
	return []lifecycle.Part{{Name: "webhook queue", Run: queue.Run}, {Name: "webhooks", Run: courier.Run}}, nil
}
