package platform

import (
	"fmt"

	"github.com/parleyhq/parley/pkg/whatsapp/forms"
)

// FormSecrets are the secrets of the flow_tokens: those who send forms and those who
// are asked by them share them. New tokens are made with the first; the others are
// still read.
type FormSecrets struct {
	Secrets []string `env:"PARLEY_FLOWS_TOKEN_SECRET"`
}

// Problems reports what is wrong with the secrets.
func (f FormSecrets) Problems() error {
	_, err := f.Tokens()
	return err
}

// Tokens makes and reads flow_tokens; nil without a secret.
func (f FormSecrets) Tokens() (*forms.Tokens, error) {
	if len(f.Secrets) == 0 {
		return nil, nil //nolint:nilnil // forms without an endpoint are fine
	}
	tokens, err := forms.NewTokens(f.Secrets...)
	if err != nil {
		return nil, fmt.Errorf("PARLEY_FLOWS_TOKEN_SECRET: %w", err)
	}
	return tokens, nil
}
