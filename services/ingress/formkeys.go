package ingress

import (
	"errors"
	"fmt"
	"os"

	"github.com/nats-io/nats.go"

	"github.com/parleyhq/parley/pkg/whatsapp/forms"
)

// endpoint is what forms are checked with, nil if they are not configured.
func (c Config) endpoint(nc *nats.Conn) (*Answers, *forms.Endpoint, error) {
	keys, err := c.formKeys()
	if err != nil || len(keys) == 0 {
		return nil, nil, err
	}
	tokens, err := c.Forms.Tokens()
	if err != nil {
		return nil, nil, err
	}
	answers, err := NewAnswers(nc)
	if err != nil {
		return nil, nil, fmt.Errorf("listen for the answers to forms: %w", err)
	}
	return answers, &forms.Endpoint{Secrets: c.AppSecrets, Keys: keys, Tokens: tokens}, nil
}

// formKeys are the keys of all files, in their order; none without a file.
func (c Config) formKeys() (forms.Keys, error) {
	if len(c.FormKeys) == 0 {
		return nil, nil
	}
	var all []byte
	for _, path := range c.FormKeys {
		content, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("PARLEY_FLOWS_PRIVATE_KEY_FILE: %w", err)
		}
		all = append(append(all, content...), '\n')
	}
	keys, err := forms.ParseKeys(all)
	if err != nil {
		return nil, fmt.Errorf("PARLEY_FLOWS_PRIVATE_KEY_FILE: %w", err)
	}
	return keys, nil
}

// formProblems reports what is missing for forms.
func (c Config) formProblems() error {
	_, err := c.formKeys()
	errs := []error{err}
	if len(c.FormKeys) > 0 && len(c.Forms.Secrets) == 0 {
		errs = append(errs, errors.New("PARLEY_FLOWS_TOKEN_SECRET is not set: forms need it with PARLEY_FLOWS_PRIVATE_KEY_FILE, the same as session and dispatcher"))
	}
	if len(c.FormKeys) > 0 && len(c.AppSecrets) == 0 {
		errs = append(errs, errors.New("PARLEY_META_APP_SECRET is not set: what forms send is signed with it"))
	}
	return errors.Join(errs...)
}
