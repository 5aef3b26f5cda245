package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/parleyhq/parley/pkg/flow/hours"
	"github.com/parleyhq/parley/pkg/flow/leads"
)

// QueueMax is how many of the leads that wait are read to decide whose turn it is.
const QueueMax = 2000

// LeadID names the lead that an input makes in a pool: made again, it is the same one.
func LeadID(channel, inputID, pool string) uuid.UUID { return digest("lead", channel, inputID, pool) }

const leadColumns = `l.id::text, l.contact_id::text, l.state, l.agent, l.skills, l.tried, l.queued_at, l.assigned_at`

func scanLead(row pgx.CollectableRow) (*leads.Lead, error) {
	l := leads.Lead{Stored: true}
	var assigned *time.Time
	err := row.Scan(&l.ID, &l.Contact, &l.State, &l.Agent, &l.Skills, &l.Tried, &l.QueuedAt, &assigned)
	if assigned != nil {
		l.AssignedAt = *assigned
	}
	return &l, err
}

// PoolOfLead says which pool a lead is in; empty if there is no such lead.
func (s *Store) PoolOfLead(ctx context.Context, lead string) (pool string, err error) {
	id, err := uuid.Parse(lead)
	if err != nil {
		return "", nil //nolint:nilerr // what is no id is no lead
	}
	err = s.pool.QueryRow(ctx, `SELECT pool FROM leads WHERE id = $1`, id).Scan(&pool)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return "", fmt.Errorf("find lead: %w", err)
	}
	return pool, nil
}

// LoadPool reads a pool with its agents, its queue, and the open leads of one person;
// nil if there is no such pool.
func (s *Store) LoadPool(ctx context.Context, name string, contact uuid.UUID) (*leads.Pool, error) {
	p := &leads.Pool{Leads: map[string]*leads.Lead{}, Changed: map[string]bool{}}
	batch := &pgx.Batch{}
	batch.Queue(`SELECT name, version, react_seconds FROM pools WHERE name = $1`, name).QueryRow(func(row pgx.Row) error {
		var seconds int
		err := row.Scan(&p.Name, &p.Version, &seconds)
		p.React = time.Duration(seconds) * time.Second
		return err
	})
	batch.Queue(`SELECT id, name, weight, capacity, skills, hours, zone, is_on, open, assigned FROM agents
		WHERE pool = $1 AND NOT removed ORDER BY id`, name).Query(func(rows pgx.Rows) (err error) {
		p.Agents, err = pgx.CollectRows(rows, scanAgent)
		return err
	})
	batch.Queue(`SELECT `+leadColumns+` FROM leads l WHERE l.pool = $1 AND l.state = 'queued' ORDER BY l.queued_at, l.id LIMIT $2`, name, QueueMax).
		Query(func(rows pgx.Rows) (err error) { p.Queue, err = pgx.CollectRows(rows, scanLead); return err })
	var own []*leads.Lead
	batch.Queue(`SELECT `+leadColumns+` FROM leads l WHERE l.pool = $1 AND l.contact_id = $2 AND l.state <> 'closed'`, name, contact).
		Query(func(rows pgx.Rows) (err error) { own, err = pgx.CollectRows(rows, scanLead); return err })
	err := s.pool.SendBatch(ctx, batch).Close()
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("load pool: %w", err)
	}
	for _, l := range p.Queue {
		p.Leads[l.ID] = l
	}
	Know(p, own...)
	return p, nil
}

// Know adds leads to a pool that it does not know yet. One that waits, but behind all
// that were read, has its place at the end.
func Know(p *leads.Pool, list ...*leads.Lead) {
	for _, l := range list {
		if p.Leads[l.ID] != nil {
			continue
		}
		if p.Leads[l.ID] = l; l.State == leads.Queued {
			p.Queue = append(p.Queue, l)
		}
	}
}

// PoolsOfContact are the pools in which a person has an open lead.
func (s *Store) PoolsOfContact(ctx context.Context, contact uuid.UUID) ([]string, error) {
	rows, err := s.pool.Query(ctx, `SELECT DISTINCT l.pool FROM leads l WHERE l.contact_id = $1 AND l.state <> 'closed' ORDER BY l.pool`, contact)
	if err != nil {
		return nil, fmt.Errorf("find pools: %w", err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("find pools: %w", err)
	}
	return names, nil
}

// OpenLeads reads the open leads of a person in a pool that is known already.
func (s *Store) OpenLeads(ctx context.Context, pool string, contact uuid.UUID) ([]*leads.Lead, error) {
	rows, err := s.pool.Query(ctx, `SELECT `+leadColumns+` FROM leads l WHERE l.pool = $1 AND l.contact_id = $2 AND l.state <> 'closed'`, pool, contact)
	if err != nil {
		return nil, fmt.Errorf("load leads: %w", err)
	}
	list, err := pgx.CollectRows(rows, scanLead)
	if err != nil {
		return nil, fmt.Errorf("load leads: %w", err)
	}
	return list, nil
}

func scanAgent(row pgx.CollectableRow) (*leads.Agent, error) {
	var a leads.Agent
	var week []byte
	var zone string
	if err := row.Scan(&a.ID, &a.Name, &a.Weight, &a.Capacity, &a.Skills, &week, &zone, &a.On, &a.Open, &a.Assigned); err != nil {
		return nil, err
	}
	var days map[string]string
	err := json.Unmarshal(week, &days)
	if err == nil {
		a.Week, err = hours.ParseWeek(days)
	}
	if err == nil {
		a.Zone, err = time.LoadLocation(zone)
	}
	if err != nil {
		return nil, fmt.Errorf("hours of agent %s: %w", a.ID, err)
	}
	return &a, nil
}

// LeadChanges are what a batch of turns does to pools.
type LeadChanges struct {
	Pools []*leads.Pool
	// Channels are those of new leads, by id.
	Channels map[string]string
}

// queue adds the statements: the pools first, locked in the order of their names.
func (c LeadChanges) queue(tx *resourceBatch) {
	var names []string
	var versions []int64
	var agents []agentRow
	var changed, made []leadRow
	for _, p := range c.Pools {
		names, versions = append(names, p.Name), append(versions, p.Version)
		for _, a := range p.Agents {
			agents = append(agents, agentRow{p.Name, a.ID, a.Open, a.Assigned})
		}
		for id := range p.Changed {
			row := rowOfLead(p.Name, p.Leads[id], c.Channels[id])
			if p.Leads[id].Stored {
				changed = append(changed, row)
			} else {
				made = append(made, row)
			}
		}
	}
	tx.mustChange(len(names), `
		WITH locked AS (
			SELECT p.name FROM unnest($1::text[], $2::bigint[]) u(name, version) JOIN pools p USING (name, version) ORDER BY p.name FOR NO KEY UPDATE OF p)
		UPDATE pools p SET version = p.version + 1, updated_at = now() FROM locked l WHERE p.name = l.name`, names, versions)
	tx.mustChange(len(agents), `
		UPDATE agents a SET open = u.open, assigned = u.assigned
		  FROM jsonb_to_recordset($1::jsonb) u(pool text, id text, open int, assigned bigint) WHERE a.pool = u.pool AND a.id = u.id`, jsonRows(agents))
	tx.mustChange(len(changed), `
		UPDATE leads l SET state = u.state, contact_id = u.contact_id, agent = u.agent, tried = u.tried, assigned_at = u.assigned_at,
		       closed_at = CASE WHEN u.state = 'closed' THEN now() END
		  FROM jsonb_to_recordset($1::jsonb) u(id uuid, contact_id uuid, state text, agent text, tried text[], assigned_at timestamptz) WHERE l.id = u.id`, jsonRows(changed))
	tx.mustChange(len(made), `
		INSERT INTO leads (id, pool, contact_id, channel, state, agent, skills, tried, queued_at, assigned_at, closed_at)
		SELECT u.*, CASE WHEN u.state = 'closed' THEN now() END
		  FROM jsonb_to_recordset($1::jsonb) u(id uuid, pool text, contact_id uuid, channel text, state text, agent text, skills text[], tried text[],
		       queued_at timestamptz, assigned_at timestamptz)`, jsonRows(made))
}

// agentRow and leadRow are rows as their statements read them.
type agentRow struct {
	Pool     string `json:"pool"`
	ID       string `json:"id"`
	Open     int    `json:"open"`
	Assigned int64  `json:"assigned"`
}

type leadRow struct {
	ID         string     `json:"id"`
	Pool       string     `json:"pool"`
	Contact    string     `json:"contact_id"`
	Channel    string     `json:"channel"`
	State      string     `json:"state"`
	Agent      string     `json:"agent"`
	Skills     []string   `json:"skills"`
	Tried      []string   `json:"tried"`
	QueuedAt   time.Time  `json:"queued_at"`
	AssignedAt *time.Time `json:"assigned_at"`
}

func rowOfLead(pool string, l *leads.Lead, channel string) leadRow {
	row := leadRow{
		ID: l.ID, Pool: pool, Contact: l.Contact, Channel: channel, State: string(l.State), Agent: l.Agent,
		Skills: nonNil(l.Skills), Tried: nonNil(l.Tried), QueuedAt: l.QueuedAt,
	}
	if !l.AssignedAt.IsZero() {
		row.AssignedAt = &l.AssignedAt
	}
	return row
}
