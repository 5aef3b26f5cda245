-- +goose Up
-- +goose StatementBegin
SET lock_timeout = '2s';

-- Calls of systems of the business: queued with the turn that waits for them, made by
-- whoever of the dispatchers comes first. due_at is also until when who makes it has it
-- to itself.
CREATE TABLE calls (
    shard       smallint    NOT NULL,
    "offset"    bigint      NOT NULL,
    channel     text        NOT NULL,
    contact_id  uuid        NOT NULL,
    session_id  bigint      NOT NULL,
    flow        text        NOT NULL,
    step        text        NOT NULL,
    request     bytea       NOT NULL,
    state       text        NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'ok', 'failed')),
    attempts    integer     NOT NULL DEFAULT 0,
    status      integer     NOT NULL DEFAULT 0,
    reason      text        NOT NULL DEFAULT '',
    queued_at   timestamptz NOT NULL,
    due_at      timestamptz NOT NULL,
    finished_at timestamptz,
    PRIMARY KEY (shard, "offset")
);
CREATE INDEX calls_due ON calls (due_at) WHERE state = 'queued';
CREATE INDEX calls_contact ON calls (contact_id, queued_at);
COMMENT ON COLUMN calls.request IS 'the event body CallQueued; secrets stand in it by name only';
-- +goose StatementEnd

-- +goose Down
-- Forward only.
SELECT 1;
