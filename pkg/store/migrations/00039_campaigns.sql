-- +goose Up
-- +goose StatementBegin
SET lock_timeout = '2s';

-- Scheduled starts: a flow is begun for many contacts, so many a second. The row is the
-- bucket of its rate as well: whoever locks it takes what time has brought.
CREATE TABLE campaigns (
    name        text             PRIMARY KEY,
    flow        text             NOT NULL,
    channel     text             NOT NULL,
    portfolio   text             NOT NULL,
    template    text             NOT NULL,
    per_second  double precision NOT NULL CHECK (per_second > 0),
    state       text             NOT NULL CHECK (state IN ('ready', 'scheduled', 'running', 'paused', 'done', 'cancelled')),
    size        integer          NOT NULL,
    source      text             NOT NULL DEFAULT '',
    starts_at   timestamptz,
    paced_until timestamptz      NOT NULL DEFAULT '-infinity',
    created_at  timestamptz      NOT NULL DEFAULT now(),
    started_at  timestamptz,
    finished_at timestamptz
) WITH (fillfactor = 50);
CREATE INDEX campaigns_open ON campaigns (state) WHERE state IN ('scheduled', 'running');
COMMENT ON COLUMN campaigns.template IS 'the name of the template that is sent in place of what the flow says first; empty for none';
COMMENT ON COLUMN campaigns.source IS 'where the contacts come from: the name of a file, or the query';
COMMENT ON COLUMN campaigns.paced_until IS 'up to when its rate has been used';

-- Who is started by it, and what became of that. What became of the message itself is in
-- deliveries, under shard and offset.
CREATE TABLE campaign_contacts (
    campaign   text        NOT NULL REFERENCES campaigns (name),
    line       integer     NOT NULL,
    phone      text        NOT NULL,
    bsuid      text        NOT NULL,
    name       text        NOT NULL,
    language   text        NOT NULL,
    slots      jsonb       NOT NULL,
    template   bytea,
    state      text        NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'ordered', 'started', 'refused', 'failed')),
    reason     text        NOT NULL DEFAULT '',
    ordered_at timestamptz,
    decided_at timestamptz,
    contact_id uuid,
    session_id bigint,
    shard      smallint,
    "offset"   bigint,
    replied_at timestamptz,
    opted_out  boolean     NOT NULL DEFAULT false,
    PRIMARY KEY (campaign, line)
) WITH (fillfactor = 70);
CREATE INDEX campaign_contacts_open ON campaign_contacts (campaign, state, line) WHERE state IN ('waiting', 'ordered');
CREATE INDEX campaign_contacts_contact ON campaign_contacts (contact_id) WHERE state = 'started';
COMMENT ON COLUMN campaign_contacts.line IS 'of the file, where the first line names the columns; else a count';
COMMENT ON COLUMN campaign_contacts.template IS 'the Template (protobuf) of the campaign, with the values of this contact';
COMMENT ON COLUMN campaign_contacts.ordered_at IS 'when its start was put into the lane of the contact, last';
COMMENT ON COLUMN campaign_contacts.opted_out IS 'the first thing that the person wrote was that they want no more';
-- +goose StatementEnd

-- +goose Down
-- Forward only.
SELECT 1;
