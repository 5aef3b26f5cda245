package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// States of a campaign.
const (
	// CampaignReady waits for somebody to start it.
	CampaignReady = "ready"
	// CampaignScheduled starts by itself when its time has come.
	CampaignScheduled = "scheduled"
	CampaignRunning   = "running"
	CampaignPaused    = "paused"
	// CampaignDone has a result for every contact.
	CampaignDone = "done"
	// CampaignCancelled starts nobody more.
	CampaignCancelled = "cancelled"
)

// States of a contact of a campaign.
const (
	// ContactWaiting has its turn to come.
	ContactWaiting = "waiting"
	// ContactOrdered has its start in the lane, where it is decided.
	ContactOrdered = "ordered"
	// ContactStarted is in the flow, or was.
	ContactStarted = "started"
	// ContactRefused was not started; the reason is that of StartRefused.
	ContactRefused = "refused"
	// ContactFailed is parked: the start takes effect when the contact is redriven.
	ContactFailed = "failed"
)

// ErrCampaignExists says that the name is taken.
var ErrCampaignExists = errors.New("there is a campaign of that name")

// Campaign begins a flow for many contacts.
type Campaign struct {
	Name      string `json:"name"`
	Flow      string `json:"flow"`
	Channel   string `json:"channel"`
	Portfolio string `json:"-"`
	// Template names what is sent in place of what the flow says first; empty for none.
	Template  string  `json:"template"`
	PerSecond float64 `json:"per_second"`
	State     string  `json:"state"`
	// Size counts its contacts, Source says where they come from.
	Size       int        `json:"size"`
	Source     string     `json:"source"`
	StartsAt   *time.Time `json:"starts_at,omitempty"`
	CreatedAt  time.Time  `json:"created_at"`
	StartedAt  *time.Time `json:"started_at,omitempty"`
	FinishedAt *time.Time `json:"finished_at,omitempty"`
}

const campaignColumns = `name, flow, channel, portfolio, template, per_second, state, size, source, starts_at, created_at, started_at, finished_at`

// CampaignContact is one contact of a campaign, as it was given.
type CampaignContact struct {
	Line     int
	Phone    string
	BSUID    string
	Name     string
	Language string
	// Slots is a JSON object, Template an encoded Template with its values; nil for none.
	Slots    []byte
	Template []byte
}

// ContactQuery selects contacts by their newest conversation on a channel.
type ContactQuery struct {
	Flow string
	// Status is that of the conversation; empty for any.
	Status string
	// HeardAfter and HeardBefore bound when the person wrote last.
	HeardAfter, HeardBefore time.Time
}

// CreateCampaign keeps a campaign and its contacts, all or nothing.
func (s *Store) CreateCampaign(ctx context.Context, c Campaign, contacts []CampaignContact) error {
	return s.createCampaign(ctx, c, func(tx pgx.Tx) (int64, error) {
		return tx.CopyFrom(ctx, pgx.Identifier{"campaign_contacts"}, []string{"campaign", "line", "phone", "bsuid", "name", "language", "slots", "template"},
			pgx.CopyFromSlice(len(contacts), func(i int) ([]any, error) {
				k := contacts[i]
				return []any{c.Name, k.Line, k.Phone, k.BSUID, k.Name, k.Language, string(k.Slots), k.Template}, nil
			}))
	})
}

// queryTimeout is how long it may take to select contacts.
const queryTimeout = time.Minute

// CreateCampaignOf keeps a campaign for the contacts that a query finds now, in the order
// in which they wrote last, at most so many.
func (s *Store) CreateCampaignOf(ctx context.Context, c Campaign, template []byte, q ContactQuery, most int) (size int, err error) {
	err = s.createCampaign(ctx, c, func(tx pgx.Tx) (int64, error) {
		if _, err := tx.Exec(ctx, `SELECT set_config('statement_timeout', $1, true)`, milliseconds(queryTimeout)); err != nil {
			return 0, err
		}
		tag, err := tx.Exec(ctx, `
			INSERT INTO campaign_contacts (campaign, line, phone, bsuid, name, language, slots, template)
			SELECT $1, row_number() OVER (ORDER BY l.last_interaction, c.id), c.phone, c.bsuid, '', '', '{}', $9
			  FROM contacts c
			 CROSS JOIN LATERAL (
				SELECT flow, status, last_interaction FROM sessions s WHERE s.contact_id = c.id AND s.channel = $2
				UNION ALL
				SELECT flow, status, last_interaction FROM session_archive a WHERE a.contact_id = c.id AND a.channel = $2
				 ORDER BY last_interaction DESC LIMIT 1) l
			 WHERE c.portfolio = $3 AND (c.phone <> '' OR c.bsuid <> '') AND l.flow = $4 AND ($5 = '' OR l.status = $5)
			   AND l.last_interaction >= $6 AND l.last_interaction < $7
			 ORDER BY l.last_interaction, c.id LIMIT $8`,
			c.Name, c.Channel, c.Portfolio, q.Flow, q.Status, q.HeardAfter, q.HeardBefore, most, template)
		size = int(tag.RowsAffected())
		return tag.RowsAffected(), err
	})
	return size, err
}

func (s *Store) createCampaign(ctx context.Context, c Campaign, fill func(pgx.Tx) (int64, error)) error {
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO campaigns (name, flow, channel, portfolio, template, per_second, state, size, source, starts_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8, $9)`, c.Name, c.Flow, c.Channel, c.Portfolio, c.Template, c.PerSecond, c.State, c.Source, c.StartsAt)
		if err != nil {
			return err
		}
		size, err := fill(tx)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `UPDATE campaigns SET size = $2 WHERE name = $1`, c.Name, size)
		return err
	})
	var pg *pgconn.PgError
	if errors.As(err, &pg) && pg.ConstraintName == "campaigns_pkey" {
		return ErrCampaignExists
	}
	if err != nil {
		return fmt.Errorf("create campaign %s: %w", c.Name, err)
	}
	return nil
}

// Campaigns lists campaigns, the newest first.
func (s *Store) Campaigns(ctx context.Context, limit int) ([]Campaign, error) {
	rows, err := s.pool.Query(ctx, `SELECT `+campaignColumns+` FROM campaigns ORDER BY created_at DESC, name LIMIT $1`, limit)
	return collectCampaigns(rows, err)
}

// Campaign finds a campaign; ok is false if there is none of that name.
func (s *Store) Campaign(ctx context.Context, name string) (c Campaign, ok bool, err error) {
	rows, err := s.pool.Query(ctx, `SELECT `+campaignColumns+` FROM campaigns WHERE name = $1`, name)
	list, err := collectCampaigns(rows, err)
	if err != nil || len(list) == 0 {
		return c, false, err
	}
	return list[0], true, nil
}

func collectCampaigns(rows pgx.Rows, err error) ([]Campaign, error) {
	if err != nil {
		return nil, fmt.Errorf("read campaigns: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Campaign])
	if err != nil {
		return nil, fmt.Errorf("read campaigns: %w", err)
	}
	return nonNil(list), nil
}

// campaignMoves are what an operator can do to a campaign, by the verb.
var campaignMoves = map[string]struct {
	from []string
	to   string
}{
	"start":  {[]string{CampaignReady, CampaignScheduled}, CampaignRunning},
	"pause":  {[]string{CampaignScheduled, CampaignRunning}, CampaignPaused},
	"resume": {[]string{CampaignPaused}, CampaignRunning},
	"cancel": {[]string{CampaignReady, CampaignScheduled, CampaignRunning, CampaignPaused}, CampaignCancelled},
}

// MoveCampaign does what an operator wants: "start", "pause", "resume" or "cancel". moved is
// false if the campaign is in no state in which that can be done.
func (s *Store) MoveCampaign(ctx context.Context, name, verb string) (moved bool, err error) {
	move := campaignMoves[verb]
	tag, err := s.pool.Exec(ctx, `
		UPDATE campaigns SET state = $2, started_at = CASE WHEN $2 = 'running' THEN COALESCE(started_at, now()) ELSE started_at END,
		       finished_at = CASE WHEN $2 = 'cancelled' THEN now() END
		 WHERE name = $1 AND state = ANY($3)`, name, move.to, nonNil(move.from))
	if err != nil {
		return false, fmt.Errorf("%s campaign %s: %w", verb, name, err)
	}
	return tag.RowsAffected() == 1, nil
}

// CampaignProgress says how far a campaign is. What became of messages is that of the
// first of each contact.
type CampaignProgress struct {
	Waiting int `json:"waiting"`
	Ordered int `json:"ordered"`
	Started int `json:"started"`
	Failed  int `json:"failed"`
	// Refused counts by reason.
	Refused     map[string]int `json:"refused"`
	Sent        int            `json:"sent"`
	Delivered   int            `json:"delivered"`
	Read        int            `json:"read"`
	Undelivered int            `json:"undelivered"`
	Replied     int            `json:"replied"`
	OptedOut    int            `json:"opted_out"`
}

// The ranks of receipts are those of receipts.go. Each delivery is a look-up of its own, by
// LATERAL and LIMIT: the planner, which knows little of a campaign that was just made, has
// read all deliveries of a shard for each contact.
const campaignProgressSQL = `
SELECT c.state, c.reason, count(*), count(*) FILTER (WHERE d.state = 'accepted'), count(*) FILTER (WHERE d.receipt_rank >= 3),
       count(*) FILTER (WHERE d.receipt_rank >= 4), count(*) FILTER (WHERE d.state = 'failed' OR d.receipt_rank = 2),
       count(c.replied_at), count(*) FILTER (WHERE c.opted_out)
  FROM campaign_contacts c
  LEFT JOIN LATERAL (SELECT state, receipt_rank FROM deliveries WHERE shard = c.shard AND "offset" = c."offset" LIMIT 1) d ON true
 WHERE c.campaign = $1 GROUP BY c.state, c.reason`

// CampaignProgress counts what became of a campaign's contacts.
func (s *Store) CampaignProgress(ctx context.Context, name string) (p CampaignProgress, err error) {
	p.Refused = map[string]int{}
	rows, err := s.pool.Query(ctx, campaignProgressSQL, name)
	if err != nil {
		return p, fmt.Errorf("count campaign %s: %w", name, err)
	}
	var state, reason string
	var n, sent, delivered, read, undelivered, replied, optedOut int
	_, err = pgx.ForEachRow(rows, []any{&state, &reason, &n, &sent, &delivered, &read, &undelivered, &replied, &optedOut}, func() error {
		switch state {
		case ContactWaiting:
			p.Waiting += n
		case ContactOrdered:
			p.Ordered += n
		case ContactStarted:
			p.Started += n
		case ContactRefused:
			p.Refused[reason] += n
		default:
			p.Failed += n
		}
		p.Sent, p.Delivered, p.Read, p.Undelivered = p.Sent+sent, p.Delivered+delivered, p.Read+read, p.Undelivered+undelivered
		p.Replied, p.OptedOut = p.Replied+replied, p.OptedOut+optedOut
		return nil
	})
	if err != nil {
		return p, fmt.Errorf("count campaign %s: %w", name, err)
	}
	return p, nil
}

// CampaignResult is what became of one contact.
type CampaignResult struct {
	Line      int
	Phone     string
	BSUID     string
	Name      string
	State     string
	Reason    string
	Contact   uuid.NullUUID
	DecidedAt *time.Time
	// Delivery is the state of the first message, Receipt what WhatsApp said last, Class
	// and Code why it failed.
	Delivery  string
	Receipt   string
	Class     string
	Code      int
	RepliedAt *time.Time
	OptedOut  bool
}

// CampaignResults reads the contacts behind a line, in order.
func (s *Store) CampaignResults(ctx context.Context, name string, after, limit int) ([]CampaignResult, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT c.line, c.phone, c.bsuid, c.name, c.state, c.reason, c.contact_id, c.decided_at, COALESCE(d.state, ''), COALESCE(d.receipt, ''),
		       COALESCE(d.error_class, ''), COALESCE(d.error_code, 0), c.replied_at, c.opted_out
		  FROM campaign_contacts c
		  LEFT JOIN LATERAL (SELECT * FROM deliveries WHERE shard = c.shard AND "offset" = c."offset" LIMIT 1) d ON true
		 WHERE c.campaign = $1 AND c.line > $2 ORDER BY c.line LIMIT $3`, name, after, limit)
	if err != nil {
		return nil, fmt.Errorf("read results of campaign %s: %w", name, err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[CampaignResult])
	if err != nil {
		return nil, fmt.Errorf("read results of campaign %s: %w", name, err)
	}
	return list, nil
}
