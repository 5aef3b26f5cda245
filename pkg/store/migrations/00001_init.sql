-- +goose Up
-- +goose StatementBegin
SET lock_timeout = '2s';

-- Ownership, checkpoint and event head of every shard, one row per (service, shard).
-- fillfactor 10: the row changes with every batch and must stay on its page (HOT).
CREATE TABLE leases (
    service     text        NOT NULL,
    shard       smallint    NOT NULL,
    epoch       bigint      NOT NULL DEFAULT 0,
    owner       text        NOT NULL DEFAULT '',
    lease_until timestamptz NOT NULL DEFAULT '-infinity',
    checkpoint  bigint      NOT NULL DEFAULT 0,
    checkpoint_at timestamptz NOT NULL DEFAULT '-infinity',
    head        bigint      NOT NULL DEFAULT 0,
    PRIMARY KEY (service, shard)
) WITH (fillfactor = 10);
COMMENT ON COLUMN leases.checkpoint IS 'last position applied: a stream sequence, or an event offset for services that follow events';
COMMENT ON COLUMN leases.checkpoint_at IS 'when the message at the checkpoint was stored: tells a stream that lost its end from the one that was read';
COMMENT ON COLUMN leases.head IS 'offset of the last event appended to the shard (service session only)';

-- Who is alive: the fair share of shards is computed from it.
CREATE TABLE replicas (
    service text        NOT NULL,
    owner   text        NOT NULL,
    seen_at timestamptz NOT NULL,
    PRIMARY KEY (service, owner)
);

CREATE TABLE flows (
    name         text PRIMARY KEY,
    live_version integer NOT NULL
);

-- Published versions never change.
CREATE TABLE flow_versions (
    flow         text        NOT NULL,
    version      integer     NOT NULL,
    digest       text        NOT NULL,
    definition   text        NOT NULL,
    published_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (flow, version),
    UNIQUE (flow, digest)
);

-- id is derived from (portfolio, lane_key), so a new contact needs no look-up.
CREATE TABLE contacts (
    id           uuid PRIMARY KEY,
    portfolio    text        NOT NULL,
    lane_key     text        NOT NULL,
    shard        smallint    NOT NULL,
    phone        text        NOT NULL DEFAULT '',
    bsuid        text        NOT NULL DEFAULT '',
    parent_bsuid text        NOT NULL DEFAULT '',
    username     text        NOT NULL DEFAULT '',
    name         text        NOT NULL DEFAULT '',
    parked_at    timestamptz,
    created_at   timestamptz NOT NULL
);
CREATE INDEX contacts_phone ON contacts (phone) WHERE phone <> '';
CREATE INDEX contacts_bsuid ON contacts (bsuid) WHERE bsuid <> '';

-- The hot table: one row per (channel, contact), the fold of the session's events.
-- No index on anything that changes each turn.
CREATE TABLE sessions (
    channel          text        NOT NULL,
    contact_id       uuid        NOT NULL,
    session_id       bigint      NOT NULL,
    shard            smallint    NOT NULL,
    flow             text        NOT NULL,
    flow_version     integer     NOT NULL,
    status           text        NOT NULL,
    current_state    text        NOT NULL,
    flow_data        jsonb       NOT NULL,
    language         text        NOT NULL,
    failure_count    integer     NOT NULL,
    version          integer     NOT NULL,
    started_at       timestamptz NOT NULL,
    last_interaction timestamptz NOT NULL,
    PRIMARY KEY (channel, contact_id)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02);

-- Append-only, numbered without gaps per shard in commit order. Old months are
-- dropped, not deleted; the default partition makes sure that no insert can fail
-- for want of one.
CREATE TABLE events (
    shard      smallint    NOT NULL,
    "offset"   bigint      NOT NULL,
    session_id bigint      NOT NULL,
    version    integer     NOT NULL,
    type       text        NOT NULL,
    at         timestamptz NOT NULL,
    data       bytea       NOT NULL,
    PRIMARY KEY (shard, "offset", at)
) PARTITION BY RANGE (at);
CREATE TABLE events_default PARTITION OF events DEFAULT;

-- Provider message ids whose effect is committed. id is a 128-bit digest of
-- channel and message id.
CREATE TABLE inbox (
    id uuid PRIMARY KEY,
    at timestamptz NOT NULL
);
CREATE INDEX inbox_at ON inbox USING brin (at);

CREATE TABLE deliveries (
    shard           smallint    NOT NULL,
    "offset"        bigint      NOT NULL,
    channel         text        NOT NULL,
    contact_id      uuid        NOT NULL,
    session_id      bigint      NOT NULL,
    content         bytea       NOT NULL,
    state           text        NOT NULL CHECK (state IN ('queued', 'sending', 'ambiguous', 'accepted', 'failed')),
    attempts        integer     NOT NULL DEFAULT 0,
    wamid           text,
    receipt         text        NOT NULL DEFAULT '',
    receipt_rank    smallint    NOT NULL DEFAULT 0,
    receipt_at      timestamptz,
    error_class     text        NOT NULL DEFAULT '',
    error_code      integer     NOT NULL DEFAULT 0,
    ambiguous_count integer     NOT NULL DEFAULT 0,
    ambiguous_cause text        NOT NULL DEFAULT '',
    settled_by      text        NOT NULL DEFAULT '',
    queued_at       timestamptz NOT NULL,
    sending_at      timestamptz,
    settled_at      timestamptz,
    PRIMARY KEY (shard, "offset")
) WITH (fillfactor = 60);
COMMENT ON COLUMN deliveries.settled_by IS 'response or receipt: what made state final';
CREATE INDEX deliveries_wamid ON deliveries (wamid) WHERE wamid IS NOT NULL;
CREATE INDEX deliveries_open ON deliveries (shard, "offset") WHERE state IN ('queued', 'sending', 'ambiguous');

-- Receipts that came before the message they belong to could be found.
CREATE TABLE orphan_receipts (
    channel text        NOT NULL,
    wamid   text        NOT NULL,
    receipt text        NOT NULL,
    rank    smallint    NOT NULL,
    at      timestamptz NOT NULL,
    seen_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (wamid, receipt)
);

CREATE TABLE dead_letters (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind       text        NOT NULL,
    service    text        NOT NULL,
    shard      smallint    NOT NULL,
    position   bigint      NOT NULL,
    channel    text        NOT NULL DEFAULT '',
    contact_id uuid,
    data       bytea       NOT NULL,
    reason     text        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    redriven_at timestamptz
);
-- With the content in the key: positions are used again by a stream that was wiped.
CREATE UNIQUE INDEX dead_letters_once ON dead_letters (service, shard, position, kind, sha256(data));
CREATE INDEX dead_letters_parked ON dead_letters (contact_id, shard, position) WHERE kind = 'parked' AND redriven_at IS NULL;
COMMENT ON COLUMN dead_letters.kind IS 'parked: waits in order for a redrive; unreadable: authentic but not decodable; unhandled: kept, no flow reacts to it';

CREATE VIEW whatsapp_sessions AS
SELECT COALESCE(NULLIF(c.phone, ''), c.bsuid) AS phone_number,
       s.current_state,
       s.last_interaction,
       s.flow_data,
       s.status = 'active' AS is_active,
       s.language
  FROM sessions s
  JOIN contacts c ON c.id = s.contact_id;

CREATE SCHEMA insight;

-- Counters per shard: no two writers ever meet in a row. Read the view.
CREATE TABLE insight.funnel_step_counts (
    flow         text     NOT NULL,
    flow_version integer  NOT NULL,
    channel      text     NOT NULL,
    language     text     NOT NULL,
    day          date     NOT NULL,
    step         text     NOT NULL,
    shard        smallint NOT NULL,
    position     integer  NOT NULL,
    entered      bigint   NOT NULL DEFAULT 0,
    answered     bigint   NOT NULL DEFAULT 0,
    failed       bigint   NOT NULL DEFAULT 0,
    rejections   bigint   NOT NULL DEFAULT 0,
    departed     bigint   NOT NULL DEFAULT 0,
    PRIMARY KEY (flow, flow_version, channel, language, day, step, shard)
) WITH (fillfactor = 50);
COMMENT ON COLUMN insight.funnel_step_counts.day IS 'UTC day on which the session started (its cohort)';
COMMENT ON COLUMN insight.funnel_step_counts.failed IS 'sessions that failed validation at this step at least once';
COMMENT ON COLUMN insight.funnel_step_counts.departed IS 'sessions that left the step without an accepted answer';

CREATE VIEW insight.funnel_steps AS
SELECT flow, flow_version, channel, language, day, step,
       min(position)   AS position,
       sum(entered)    AS entered,
       sum(answered)   AS answered,
       sum(failed)     AS failed,
       sum(rejections) AS rejections,
       sum(departed)   AS departed,
       sum(entered) - sum(answered) - sum(departed) AS waiting
  FROM insight.funnel_step_counts
 GROUP BY flow, flow_version, channel, language, day, step;

CREATE TABLE insight.flow_total_counts (
    flow         text     NOT NULL,
    flow_version integer  NOT NULL,
    channel      text     NOT NULL,
    language     text     NOT NULL,
    day          date     NOT NULL,
    shard        smallint NOT NULL,
    started      bigint   NOT NULL DEFAULT 0,
    completed    bigint   NOT NULL DEFAULT 0,
    cancelled    bigint   NOT NULL DEFAULT 0,
    PRIMARY KEY (flow, flow_version, channel, language, day, shard)
) WITH (fillfactor = 50);
COMMENT ON COLUMN insight.flow_total_counts.cancelled IS 'sessions that ended before their flow did';

CREATE VIEW insight.flow_totals AS
SELECT flow, flow_version, channel, language, day,
       sum(started)   AS started,
       sum(completed) AS completed,
       sum(cancelled) AS cancelled
  FROM insight.flow_total_counts
 GROUP BY flow, flow_version, channel, language, day;
-- +goose StatementEnd

-- +goose StatementBegin
-- ensure_event_partitions creates the monthly partitions from this month to
-- `ahead` months from now. A month whose rows already sit in the default
-- partition stays there. Months are those of UTC in whatever zone the caller's
-- clock is: with summer time, adding a month would otherwise leave gaps.
CREATE FUNCTION ensure_event_partitions(ahead integer) RETURNS void LANGUAGE plpgsql SET timezone = 'UTC' AS $$
DECLARE
    month timestamptz;
    name  text;
BEGIN
    FOR i IN 0..ahead LOOP
        month := date_trunc('month', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' + make_interval(months => i);
        name := 'events_' || to_char(month AT TIME ZONE 'UTC', 'YYYYMM');
        CONTINUE WHEN to_regclass(name) IS NOT NULL;
        BEGIN
            EXECUTE format('CREATE TABLE %I PARTITION OF events FOR VALUES FROM (%L) TO (%L)',
                name, month, month + interval '1 month');
        EXCEPTION
            WHEN check_violation THEN NULL;
            WHEN duplicate_table THEN NULL;
        END;
    END LOOP;
END $$;
-- +goose StatementEnd

SELECT ensure_event_partitions(3);

-- +goose Down
-- Forward only: a schema that holds events is never taken back.
SELECT 1;
