-- +goose Up
-- +goose StatementBegin
SET lock_timeout = '2s';

-- What another system is still to be told: one row an event, until it has been taken.
-- What is told is read from the event, so nothing that people wrote is kept here.
CREATE TABLE webhooks (
    shard      smallint    NOT NULL,
    "offset"   bigint      NOT NULL,
    contact_id uuid        NOT NULL,
    type       text        NOT NULL,
    state      text        NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'dead')),
    since      timestamptz NOT NULL DEFAULT now(),
    attempts   integer     NOT NULL DEFAULT 0,
    next_at    timestamptz NOT NULL DEFAULT now(),
    error      text        NOT NULL DEFAULT '',
    PRIMARY KEY (shard, "offset")
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);
COMMENT ON COLUMN webhooks.since IS 'when it was queued, or redriven: a day later it is given up';
COMMENT ON COLUMN webhooks.next_at IS 'when it is tried next; while it is on its way, when it counts as lost';
CREATE INDEX webhooks_due ON webhooks (next_at, shard, "offset") WHERE state = 'queued';
-- Whose turn it is: the oldest of a contact.
CREATE INDEX webhooks_line ON webhooks (contact_id, "offset") WHERE state = 'queued';
-- +goose StatementEnd

-- +goose Down
-- Forward only.
SELECT 1;
