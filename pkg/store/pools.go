package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/parleyhq/parley/pkg/flow/hours"
)

// PoolInfo is a pool as lists show it.
type PoolInfo struct {
	Name string `json:"name"`
	// ReactSeconds is how long an agent has to take a lead before another gets it.
	ReactSeconds int         `json:"react_seconds"`
	Queued       int         `json:"queued"`
	Agents       []AgentInfo `json:"agents"`
}

// AgentInfo is an agent as lists show it, and as an operator writes it.
type AgentInfo struct {
	Pool     string            `json:"pool"`
	ID       string            `json:"id"`
	Name     string            `json:"name"`
	Weight   int               `json:"weight"`
	Capacity int               `json:"capacity"`
	Skills   []string          `json:"skills"`
	Hours    map[string]string `json:"hours"`
	Zone     string            `json:"zone"`
	On       bool              `json:"on"`
	Open     int               `json:"open"`
	Assigned int64             `json:"assigned"`
}

// Check says what is wrong with an agent.
func (a AgentInfo) Check() error {
	if a.ID == "" || a.Weight < 1 || a.Capacity < 0 {
		return fmt.Errorf("agent %q: it needs an id, a weight from 1, a capacity from 0", a.ID)
	}
	if _, err := hours.ParseWeek(a.Hours); err != nil {
		return fmt.Errorf("agent %s: hours: %w", a.ID, err)
	}
	if _, err := time.LoadLocation(a.Zone); err != nil || a.Zone == "Local" {
		return fmt.Errorf("agent %s: %q is no time zone: write one such as Europe/Madrid", a.ID, a.Zone)
	}
	return nil
}

// SavePool makes a pool, or changes how long its agents have to react.
func (s *Store) SavePool(ctx context.Context, name string, reactSeconds int) error {
	_, err := s.pool.Exec(ctx, `INSERT INTO pools AS p (name, react_seconds) VALUES ($1, $2)
		ON CONFLICT (name) DO UPDATE SET react_seconds = excluded.react_seconds, version = p.version + 1, updated_at = now()`, name, reactSeconds)
	if err != nil {
		return fmt.Errorf("save pool %s: %w", name, err)
	}
	return nil
}

// changePool runs a change of a pool's agents; whoever decided by what was decides again.
// ok is false if there is no such pool, or the change met no row.
func (s *Store) changePool(ctx context.Context, pool string, change func(pgx.Tx) (int64, error)) (ok bool, err error) {
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `UPDATE pools SET version = version + 1, updated_at = now() WHERE name = $1`, pool)
		if err != nil || tag.RowsAffected() == 0 {
			return err
		}
		n, err := change(tx)
		ok = n > 0
		return err
	})
	if err != nil {
		return false, fmt.Errorf("change pool %s: %w", pool, err)
	}
	return ok, nil
}

// SaveAgent makes an agent or changes one; the leads that they have stay theirs. ok is
// false if there is no such pool.
func (s *Store) SaveAgent(ctx context.Context, a AgentInfo) (ok bool, err error) {
	week, err := json.Marshal(a.Hours)
	if err != nil {
		return false, err
	}
	if a.Hours == nil {
		week = []byte(`{}`)
	}
	return s.changePool(ctx, a.Pool, func(tx pgx.Tx) (int64, error) {
		tag, err := tx.Exec(ctx, `INSERT INTO agents (pool, id, name, weight, capacity, skills, hours, zone, is_on) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
			ON CONFLICT (pool, id) DO UPDATE SET name = excluded.name, weight = excluded.weight, capacity = excluded.capacity, skills = excluded.skills,
			       hours = excluded.hours, zone = excluded.zone, is_on = excluded.is_on, removed = false,
			       open = (SELECT count(*) FROM leads l WHERE l.pool = excluded.pool AND l.agent = excluded.id AND l.state IN ('assigned', 'taken'))`,
			a.Pool, a.ID, a.Name, a.Weight, a.Capacity, nonNil(a.Skills), week, a.Zone, a.On)
		return tag.RowsAffected(), err
	})
}

// SwitchAgent turns an agent on or off; ok is false if there is none.
func (s *Store) SwitchAgent(ctx context.Context, pool, id string, on bool) (ok bool, err error) {
	return s.changePool(ctx, pool, func(tx pgx.Tx) (int64, error) {
		tag, err := tx.Exec(ctx, `UPDATE agents SET is_on = $3 WHERE pool = $1 AND id = $2 AND NOT removed`, pool, id, on)
		return tag.RowsAffected(), err
	})
}

// RemoveAgent takes an agent out of a pool. Leads that they have not taken go to others.
func (s *Store) RemoveAgent(ctx context.Context, pool, id string) (ok bool, err error) {
	return s.changePool(ctx, pool, func(tx pgx.Tx) (int64, error) {
		tag, err := tx.Exec(ctx, `UPDATE agents SET is_on = false, removed = true WHERE pool = $1 AND id = $2 AND NOT removed`, pool, id)
		return tag.RowsAffected(), err
	})
}

// Pools lists the pools with their agents.
func (s *Store) Pools(ctx context.Context) ([]PoolInfo, error) {
	rows, err := s.pool.Query(ctx, `SELECT p.name, p.react_seconds, (SELECT count(*) FROM leads l WHERE l.pool = p.name AND l.state = 'queued') FROM pools p ORDER BY p.name`)
	if err != nil {
		return nil, fmt.Errorf("list pools: %w", err)
	}
	pools, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (p PoolInfo, err error) {
		p.Agents = []AgentInfo{}
		return p, row.Scan(&p.Name, &p.ReactSeconds, &p.Queued)
	})
	if err != nil {
		return nil, fmt.Errorf("list pools: %w", err)
	}
	for i := range pools {
		if pools[i].Agents, err = s.agents(ctx, pools[i].Name); err != nil {
			return nil, err
		}
	}
	return nonNil(pools), nil
}

func (s *Store) agents(ctx context.Context, pool string) ([]AgentInfo, error) {
	rows, err := s.pool.Query(ctx, `SELECT pool, id, name, weight, capacity, skills, hours, zone, is_on, open, assigned FROM agents
		WHERE pool = $1 AND NOT removed ORDER BY id`, pool)
	if err != nil {
		return nil, fmt.Errorf("list agents: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[AgentInfo])
	if err != nil {
		return nil, fmt.Errorf("list agents: %w", err)
	}
	return nonNil(list), nil
}

// LeadInfo is a lead as lists show it.
type LeadInfo struct {
	ID         string     `json:"id"`
	Pool       string     `json:"pool"`
	State      string     `json:"state"`
	Agent      string     `json:"agent"`
	Skills     []string   `json:"skills"`
	Contact    string     `json:"contact"`
	Phone      string     `json:"phone,omitempty"`
	Name       string     `json:"name,omitempty"`
	Channel    string     `json:"channel"`
	QueuedAt   time.Time  `json:"queued_at"`
	AssignedAt *time.Time `json:"assigned_at,omitempty"`
	ClosedAt   *time.Time `json:"closed_at,omitempty"`
	// Portfolio and LaneKey are where orders about it go.
	Portfolio string `json:"-"`
	LaneKey   string `json:"-"`
}

const leadInfoSQL = `SELECT l.id::text, l.pool, l.state, l.agent, l.skills, l.contact_id::text, COALESCE(c.phone, ''), COALESCE(c.name, ''), l.channel,
       l.queued_at, l.assigned_at, l.closed_at, COALESCE(c.portfolio, ''), COALESCE(c.lane_key, '')
  FROM leads l LEFT JOIN contacts c ON c.id = l.contact_id `

// LeadFilter says which leads a list has; what is empty is any.
type LeadFilter struct {
	Pool, State, Agent string
	Limit              int
}

// Leads lists leads, the latest first.
func (s *Store) Leads(ctx context.Context, f LeadFilter) ([]LeadInfo, error) {
	return s.leadInfos(s.pool.Query(ctx, leadInfoSQL+`
		WHERE ($1 = '' OR l.pool = $1) AND ($2 = '' OR l.state = $2) AND ($3 = '' OR l.agent = $3)
		ORDER BY l.queued_at DESC, l.id LIMIT $4`, f.Pool, f.State, f.Agent, f.Limit))
}

// Lead reads one lead; ok is false if there is none.
func (s *Store) Lead(ctx context.Context, id uuid.UUID) (l LeadInfo, ok bool, err error) {
	list, err := s.leadInfos(s.pool.Query(ctx, leadInfoSQL+`WHERE l.id = $1`, id))
	if err != nil || len(list) == 0 {
		return l, false, err
	}
	return list[0], true, nil
}

func (s *Store) leadInfos(rows pgx.Rows, err error) ([]LeadInfo, error) {
	if err != nil {
		return nil, fmt.Errorf("list leads: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[LeadInfo])
	if err != nil {
		return nil, fmt.Errorf("list leads: %w", err)
	}
	return nonNil(list), nil
}

// DueLead is a lead that is to go to somebody else, or to its first agent, and why.
type DueLead struct {
	Lead, Agent, Reason string
	Since               time.Time
	Channel             string
	Portfolio, LaneKey  string
}

// LostLeads are the leads of some shards' contacts that their agent does not take in
// time, or will not, being away.
func (s *Store) LostLeads(ctx context.Context, shards []int, at time.Time, limit int) ([]DueLead, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT l.id::text, l.agent, CASE WHEN COALESCE(a.is_on, false) THEN 'silent' ELSE 'absent' END, l.assigned_at, l.channel, c.portfolio, c.lane_key
		  FROM pools p JOIN leads l ON l.pool = p.name JOIN contacts c ON c.id = l.contact_id LEFT JOIN agents a ON a.pool = l.pool AND a.id = l.agent
		 WHERE l.state = 'assigned' AND c.shard = ANY ($1) AND c.parked_at IS NULL
		   AND (NOT COALESCE(a.is_on, false) OR p.react_seconds > 0 AND l.assigned_at + make_interval(secs => p.react_seconds) <= $2)
		 ORDER BY l.assigned_at LIMIT $3`, shards, at, limit)
	if err != nil {
		return nil, fmt.Errorf("read lost leads: %w", err)
	}
	due, err := pgx.CollectRows(rows, pgx.RowToStructByPos[DueLead])
	if err != nil {
		return nil, fmt.Errorf("read lost leads: %w", err)
	}
	return due, nil
}

// QueuedPools names the pools in which leads wait.
func (s *Store) QueuedPools(ctx context.Context) ([]string, error) {
	rows, err := s.pool.Query(ctx, `SELECT name FROM pools p WHERE EXISTS (SELECT FROM leads l WHERE l.pool = p.name AND l.state = 'queued') ORDER BY name`)
	if err != nil {
		return nil, fmt.Errorf("read queues: %w", err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("read queues: %w", err)
	}
	return names, nil
}

// LanesOfLeads says where the orders for leads go, of those whose contacts belong to
// some shards.
func (s *Store) LanesOfLeads(ctx context.Context, ids []string, shards []int) ([]DueLead, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT l.id::text, '', 'queue', l.queued_at, l.channel, c.portfolio, c.lane_key FROM leads l JOIN contacts c ON c.id = l.contact_id
		 WHERE l.id = ANY ($1::uuid[]) AND c.shard = ANY ($2) AND c.parked_at IS NULL ORDER BY l.queued_at, l.id`, ids, shards)
	if err != nil {
		return nil, fmt.Errorf("read queue: %w", err)
	}
	due, err := pgx.CollectRows(rows, pgx.RowToStructByPos[DueLead])
	if err != nil {
		return nil, fmt.Errorf("read queue: %w", err)
	}
	return due, nil
}

// MissingResources are those of some services that have no slots, and those of some
// pools that do not exist.
func (s *Store) MissingResources(ctx context.Context, services, pools []string) (noSlots, noPools []string, err error) {
	err = s.pool.QueryRow(ctx, `SELECT
		ARRAY (SELECT n FROM unnest($1::text[]) n WHERE NOT EXISTS (SELECT FROM slots WHERE service = n)),
		ARRAY (SELECT n FROM unnest($2::text[]) n WHERE NOT EXISTS (SELECT FROM pools WHERE name = n))`, nonNil(services), nonNil(pools)).Scan(&noSlots, &noPools)
	if err != nil {
		return nil, nil, fmt.Errorf("look for services and pools: %w", err)
	}
	return noSlots, noPools, nil
}
