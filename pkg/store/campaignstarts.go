package store

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

const (
	// campaignBurst is how much time a campaign may catch up on: a tick that comes a little
	// late brings what it would have, an outage is not made up for. So the fullest second
	// has 15 % more than the rate at most, and the average is the rate at most.
	campaignBurst = 150 * time.Millisecond
	// orderedMost bounds how many starts of a campaign can be undecided: if the lanes are
	// behind, no more are put there.
	orderedMost = 1000
	// orderedFor is how long a start may be undecided before it counts as lost, and is
	// put into its lane once more.
	orderedFor = 30 * time.Second
)

// CampaignStart is one contact whose turn it is.
type CampaignStart struct {
	Campaign, Flow, Channel, Portfolio string
	Contact                            CampaignContact
}

// claimStartsSQL takes from each running campaign what its rate allows: paced_until is up
// to when that was used. A replica that finds another one at a campaign leaves it alone; a
// contact that was claimed since this statement began is not claimed again.
//
// A rate such as 3/s has no length in microseconds: hence the thousandth.
const claimStartsSQL = `
WITH due AS (
	SELECT name, per_second, GREATEST(paced_until, now() - GREATEST($1 * interval '1 second', interval '1 second' / per_second)) AS since
	  FROM campaigns WHERE state = 'running' FOR UPDATE SKIP LOCKED),
allowed AS (
	SELECT d.*, LEAST(floor(extract(epoch FROM now() - d.since)::float8 * d.per_second + 0.001),
	                  $2 - (SELECT count(*) FROM campaign_contacts o WHERE o.campaign = d.name AND o.state = 'ordered'))::int AS n FROM due d),
next AS (
	SELECT a.name, w.line FROM allowed a CROSS JOIN LATERAL (
		SELECT line FROM campaign_contacts w WHERE w.campaign = a.name AND w.state = 'waiting' ORDER BY line LIMIT GREATEST(a.n, 0)) w),
paced AS (
	UPDATE campaigns c SET paced_until = a.since + t.taken * interval '1 second' / c.per_second
	  FROM allowed a JOIN (SELECT name, count(*) AS taken FROM next GROUP BY name) t USING (name) WHERE c.name = a.name)
UPDATE campaign_contacts w SET state = 'ordered', ordered_at = now()
  FROM next n JOIN campaigns c ON c.name = n.name
 WHERE w.campaign = n.name AND w.line = n.line AND w.state = 'waiting'
RETURNING ` + startColumns

const startColumns = `c.name, c.flow, c.channel, c.portfolio, w.line, w.phone, w.bsuid, w.name, w.language, w.slots, w.template`

// lostStartsSQL takes those that were put into their lane, or ought to have been, and are
// undecided since.
const lostStartsSQL = `
WITH lost AS (
	SELECT o.campaign, o.line FROM campaigns c JOIN campaign_contacts o ON o.campaign = c.name AND o.state = 'ordered'
	 WHERE c.state = 'running' AND o.ordered_at < now() - $1 * interval '1 second' ORDER BY o.campaign, o.line LIMIT $2 FOR UPDATE OF o SKIP LOCKED)
UPDATE campaign_contacts w SET ordered_at = now()
  FROM lost l JOIN campaigns c ON c.name = l.campaign
 WHERE w.campaign = l.campaign AND w.line = l.line
RETURNING ` + startColumns

// TakeStarts begins the campaigns whose time has come, ends those that have a result for
// everybody, and claims the starts that are due now. They are to be put into their lanes;
// what is lost before is claimed again after orderedFor. Any number of replicas may ask
// at any time. running says whether a campaign runs.
func (s *Store) TakeStarts(ctx context.Context) (starts []CampaignStart, running bool, err error) {
	collect := func(rows pgx.Rows) error {
		more, err := pgx.CollectRows(rows, scanStart)
		starts = append(starts, more...)
		return err
	}
	batch := &pgx.Batch{}
	batch.Queue(`UPDATE campaigns SET state = 'running', started_at = now() WHERE state = 'scheduled' AND starts_at <= now()`)
	batch.Queue(lostStartsSQL, orderedFor.Seconds(), orderedMost).Query(collect)
	batch.Queue(claimStartsSQL, campaignBurst.Seconds(), orderedMost).Query(collect)
	batch.Queue(`UPDATE campaigns c SET state = 'done', finished_at = now() WHERE c.state = 'running'
		AND NOT EXISTS (SELECT FROM campaign_contacts o WHERE o.campaign = c.name AND o.state IN ('waiting', 'ordered'))`)
	batch.Queue(`SELECT EXISTS (SELECT FROM campaigns WHERE state = 'running')`).QueryRow(func(row pgx.Row) error { return row.Scan(&running) })
	if err := s.pool.SendBatch(ctx, batch).Close(); err != nil {
		return nil, false, fmt.Errorf("take starts of campaigns: %w", err)
	}
	return starts, running, nil
}

func scanStart(row pgx.CollectableRow) (c CampaignStart, err error) {
	k := &c.Contact
	err = row.Scan(&c.Campaign, &c.Flow, &c.Channel, &c.Portfolio, &k.Line, &k.Phone, &k.BSUID, &k.Name, &k.Language, &k.Slots, &k.Template)
	return c, err
}

// CampaignMember is a person in a campaign.
type CampaignMember struct {
	Campaign string
	Contact  uuid.UUID
}

// StartedMembers returns which of some contacts some campaigns have started.
func (s *Store) StartedMembers(ctx context.Context, campaigns []string, contacts []uuid.UUID) (map[CampaignMember]bool, error) {
	rows, err := s.pool.Query(ctx, `SELECT campaign, contact_id FROM campaign_contacts
		WHERE state = 'started' AND contact_id = ANY($1) AND campaign = ANY($2)`, contacts, campaigns)
	if err != nil {
		return nil, fmt.Errorf("read who was started: %w", err)
	}
	started := map[CampaignMember]bool{}
	var m CampaignMember
	if _, err := pgx.ForEachRow(rows, []any{&m.Campaign, &m.Contact}, func() error { started[m] = true; return nil }); err != nil {
		return nil, fmt.Errorf("read who was started: %w", err)
	}
	return started, nil
}

// CampaignChanges are what a batch of turns decided about contacts of campaigns.
type CampaignChanges struct {
	Results []StartResult
	Replies []CampaignReply
}

// StartResult is what became of a start.
type StartResult struct {
	Campaign string
	Line     int
	Contact  uuid.UUID
	State    string
	Reason   string
	// Session and Message are set if it was started: Message is the first that the flow
	// said, and its offset 0 if it said none.
	Session uint64
	Message DeliveryKey
}

// CampaignReply says that a person wrote for the first time since they were started.
type CampaignReply struct {
	Campaign string
	Line     int
	At       time.Time
	OptedOut bool
}

func (c CampaignChanges) queue(b *resourceBatch) {
	n := len(c.Results)
	names, lines, contacts, states, reasons := make([]string, n), make([]int, n), make([]uuid.UUID, n), make([]string, n), make([]string, n)
	sessions, shards, offsets := make([]int64, n), make([]int, n), make([]int64, n)
	for i, r := range c.Results {
		names[i], lines[i], contacts[i], states[i], reasons[i] = r.Campaign, r.Line, r.Contact, r.State, r.Reason
		sessions[i], shards[i], offsets[i] = int64(r.Session), r.Message.Shard, int64(r.Message.Offset)
	}
	if n > 0 {
		b.batch.Queue(`
			UPDATE campaign_contacts c SET state = u.state, reason = u.reason, decided_at = now(), contact_id = u.contact,
			       session_id = NULLIF(u.session, 0), shard = CASE WHEN u."offset" > 0 THEN u.shard END, "offset" = NULLIF(u."offset", 0)
			  FROM unnest($1::text[], $2::int[], $3::uuid[], $4::text[], $5::text[], $6::bigint[], $7::int[], $8::bigint[])
			       u(campaign, line, contact, state, reason, session, shard, "offset")
			 WHERE c.campaign = u.campaign AND c.line = u.line AND c.state <> 'started'`,
			names, lines, contacts, states, reasons, sessions, shards, offsets)
	}
	n = len(c.Replies)
	names, lines = make([]string, n), make([]int, n)
	at, optedOut := make([]time.Time, n), make([]bool, n)
	for i, r := range c.Replies {
		names[i], lines[i], at[i], optedOut[i] = r.Campaign, r.Line, r.At, r.OptedOut
	}
	if n > 0 {
		b.batch.Queue(`
			UPDATE campaign_contacts c SET replied_at = u.at, opted_out = u.opted_out
			  FROM unnest($1::text[], $2::int[], $3::timestamptz[], $4::bool[]) u(campaign, line, at, opted_out)
			 WHERE c.campaign = u.campaign AND c.line = u.line AND c.replied_at IS NULL`, names, lines, at, optedOut)
	}
}
