package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// AccountFact is the newest that the provider has told about one thing of an account.
type AccountFact struct {
	Account string `json:"account"`
	// Number is the displayed number, digits only; empty for the whole account.
	Number string `json:"number,omitempty"`
	Kind   string `json:"kind"`
	// Subject is a template, a form or the type of a restriction.
	Subject string `json:"subject,omitempty"`
	Value   string `json:"value"`
	// Until is when it ends by itself; nil if it does not.
	Until *time.Time `json:"until,omitempty"`
	At    time.Time  `json:"at"`
}

// The rows are locked in the order of their key.
const putFactsSQL = `
INSERT INTO account_facts AS f (account, number, kind, subject, value, until, at)
SELECT DISTINCT ON (account, number, kind, subject) account, number, kind, subject, value, until, at
  FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::timestamptz[])
       u(account, number, kind, subject, value, until, at)
 ORDER BY account, number, kind, subject, at DESC
ON CONFLICT (account, number, kind, subject) DO UPDATE SET value = excluded.value, until = excluded.until, at = excluded.at
 WHERE f.at <= excluded.at`

// PutAccountFacts keeps the newest of each, whatever the order in which they come.
func (s *Store) PutAccountFacts(ctx context.Context, facts []AccountFact) error {
	n := len(facts)
	accounts, numbers, kinds, subjects, values := make([]string, n), make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	until, at := make([]*time.Time, n), make([]time.Time, n)
	for i, f := range facts {
		accounts[i], numbers[i], kinds[i], subjects[i], values[i], until[i], at[i] = f.Account, f.Number, f.Kind, f.Subject, f.Value, f.Until, f.At
	}
	if _, err := s.pool.Exec(ctx, putFactsSQL, accounts, numbers, kinds, subjects, values, until, at); err != nil {
		return fmt.Errorf("keep what is told about accounts: %w", err)
	}
	return nil
}

// AccountFacts returns all of them, in the order of their key.
func (s *Store) AccountFacts(ctx context.Context) ([]AccountFact, error) {
	rows, err := s.pool.Query(ctx, `SELECT account, number, kind, subject, value, until, at FROM account_facts ORDER BY account, number, kind, subject`)
	if err != nil {
		return nil, fmt.Errorf("read what is told about accounts: %w", err)
	}
	facts, err := pgx.CollectRows(rows, pgx.RowToStructByPos[AccountFact])
	if err != nil {
		return nil, fmt.Errorf("read what is told about accounts: %w", err)
	}
	return nonNil(facts), nil
}
