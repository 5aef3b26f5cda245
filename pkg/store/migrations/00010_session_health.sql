-- +goose Up
-- +goose StatementBegin
SET lock_timeout = '2s';

-- How the sessions of WASenderApi are: one row each, written by whoever watches it.
CREATE TABLE session_health (
    channel     text        PRIMARY KEY,
    epoch       bigint      NOT NULL DEFAULT 0,
    owner       text        NOT NULL DEFAULT '',
    lease_until timestamptz NOT NULL DEFAULT '-infinity',
    state       text        NOT NULL DEFAULT 'unknown',
    since       timestamptz,
    seen_at     timestamptz,
    heard_at    timestamptz,
    down_since  timestamptz,
    tries       integer     NOT NULL DEFAULT 0,
    next_try    timestamptz,
    alarm       text        NOT NULL DEFAULT '',
    alarm_since timestamptz,
    memory      jsonb       NOT NULL DEFAULT '{}'
) WITH (fillfactor = 50);
COMMENT ON COLUMN session_health.epoch IS 'the fence: it grows whenever another watcher takes the session';
COMMENT ON COLUMN session_health.seen_at IS 'when WASenderApi last confirmed the state';
COMMENT ON COLUMN session_health.heard_at IS 'when the last webhook of the session came';
COMMENT ON COLUMN session_health.memory IS 'all that the watcher remembers; the columns before are for people';

-- What changed, kept for 90 days.
CREATE TABLE session_history (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    channel text        NOT NULL,
    at      timestamptz NOT NULL DEFAULT now(),
    state   text        NOT NULL,
    alarm   text        NOT NULL,
    what    text        NOT NULL
);
CREATE INDEX session_history_channel ON session_history (channel, id);
CREATE INDEX session_history_at ON session_history (at);
COMMENT ON COLUMN session_history.what IS 'state, alarm, connect, restart, disconnect, missed, caught_up: what happened, without names and codes';

-- The code that links a phone now. It is a secret that lives for a minute: the table
-- is in no write-ahead log, and so in no replica and no physical backup.
CREATE UNLOGGED TABLE session_codes (
    channel    text        PRIMARY KEY,
    code       text        NOT NULL,
    expires_at timestamptz NOT NULL
);
-- +goose StatementEnd

-- +goose Down
-- Forward only.
SELECT 1;
