-- +goose Up
-- +goose StatementBegin
SET lock_timeout = '2s';

-- A column with a constant default is added without touching a row, and every
-- row of before reads as what it meant then. What takes time is the new key of
-- sessions, about a second for a million. The order of the tables is the one in
-- which the statements of services that still run lock them.
ALTER TABLE contacts
    ADD COLUMN language     text NOT NULL DEFAULT '',
    ADD COLUMN opted_out_at timestamptz;
COMMENT ON COLUMN contacts.language IS 'what the person chose, in any session; empty if never';
COMMENT ON COLUMN contacts.opted_out_at IS 'since when the person wants to hear nothing more';

ALTER TABLE sessions ADD COLUMN progress jsonb NOT NULL DEFAULT '{}';
-- By contact first: a batch looks up all sessions of its contacts. By channel first,
-- it read this index from end to end.
ALTER TABLE sessions DROP CONSTRAINT sessions_pkey, ADD PRIMARY KEY (contact_id, channel);
COMMENT ON COLUMN sessions.progress IS 'what only the engine reads';
COMMENT ON COLUMN sessions.status IS 'active; completed: answers on; cancelled; human: a person of the business has taken over';

ALTER TABLE flow_versions
    ADD COLUMN published_by text NOT NULL DEFAULT '',
    ADD COLUMN note         text NOT NULL DEFAULT '';
COMMENT ON COLUMN flow_versions.published_by IS 'empty: the start of a service';

ALTER TABLE flows
    ADD COLUMN canary_version integer,
    ADD COLUMN canary_weight  smallint NOT NULL DEFAULT 0,
    ADD CONSTRAINT flows_canary CHECK (canary_weight BETWEEN 0 AND 99 AND (canary_version IS NULL) = (canary_weight = 0));
COMMENT ON COLUMN flows.canary_weight IS 'percent of new sessions that get canary_version instead of live_version';

-- Who made what live and when. Append-only: a row is what held from then on.
CREATE TABLE flow_releases (
    flow           text        NOT NULL,
    id             bigint      GENERATED ALWAYS AS IDENTITY,
    version        integer     NOT NULL,
    canary_version integer,
    canary_weight  smallint    NOT NULL,
    released_by    text        NOT NULL,
    note           text        NOT NULL,
    released_at    timestamptz NOT NULL,
    PRIMARY KEY (flow, id)
);
COMMENT ON COLUMN flow_releases.released_by IS 'empty: the start of a service';
INSERT INTO flow_releases (flow, version, canary_weight, released_by, note, released_at)
SELECT v.flow, v.version, 0, '', '', v.published_at
  FROM flows f JOIN flow_versions v ON v.flow = f.name AND v.version = f.live_version;

-- When a session wants to be woken; at most one timer a session. Timers come and
-- go by the minute, and moving one changes an indexed column: no update can stay
-- on its page (HOT), so room for it would be wasted, and what helps is to sweep
-- early, before the beginning of the index is all dead entries.
CREATE TABLE timers (
    channel     text        NOT NULL,
    contact_id  uuid        NOT NULL,
    shard       smallint    NOT NULL,
    session_ref text        NOT NULL,
    wake_at     timestamptz NOT NULL,
    PRIMARY KEY (contact_id, channel)
) WITH (fillfactor = 100, autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX timers_due ON timers (shard, wake_at);

-- Tables that flows look things up in. Every value is a text.
CREATE TABLE tables (
    name       text        PRIMARY KEY,
    columns    text[]      NOT NULL,
    row_count  integer     NOT NULL,
    digest     text        NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE TABLE table_rows (
    table_name text    NOT NULL,
    position   integer NOT NULL,
    data       jsonb   NOT NULL,
    PRIMARY KEY (table_name, position)
);
-- Written as a whole and rarely, read within a turn: without fastupdate, whose
-- list of pending entries every look-up would have to read.
CREATE INDEX table_rows_data ON table_rows USING gin (data jsonb_path_ops) WITH (fastupdate = off);
-- +goose StatementEnd

-- +goose Down
-- Forward only: a schema that holds events is never taken back.
SELECT 1;
