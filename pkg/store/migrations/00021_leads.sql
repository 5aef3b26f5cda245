-- +goose Up
-- +goose StatementBegin
SET lock_timeout = '2s';

-- Groups of agents. version changes with every change to the pool, its agents and its
-- leads: who decided by an older one decides again.
CREATE TABLE pools (
    name          text        PRIMARY KEY,
    react_seconds integer     NOT NULL DEFAULT 0 CHECK (react_seconds >= 0),
    version       bigint      NOT NULL DEFAULT 1,
    updated_at    timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);
COMMENT ON COLUMN pools.react_seconds IS 'how long an agent has to take a lead before it goes to another; 0 is any time';

CREATE TABLE agents (
    pool     text    NOT NULL REFERENCES pools (name),
    id       text    NOT NULL,
    name     text    NOT NULL DEFAULT '',
    weight   integer NOT NULL DEFAULT 1 CHECK (weight > 0),
    capacity integer NOT NULL DEFAULT 0 CHECK (capacity >= 0),
    skills   text[]  NOT NULL DEFAULT '{}',
    hours    jsonb   NOT NULL DEFAULT '{}',
    zone     text    NOT NULL DEFAULT 'UTC',
    is_on    boolean NOT NULL DEFAULT false,
    open     integer NOT NULL DEFAULT 0 CHECK (open >= 0),
    assigned bigint  NOT NULL DEFAULT 0,
    removed  boolean NOT NULL DEFAULT false,
    PRIMARY KEY (pool, id)
) WITH (fillfactor = 50);
COMMENT ON COLUMN agents.capacity IS 'open leads at a time; 0 is any number';
COMMENT ON COLUMN agents.open IS 'leads that are assigned or taken: as many as there are rows in leads';

CREATE TABLE leads (
    id          uuid        PRIMARY KEY,
    pool        text        NOT NULL REFERENCES pools (name),
    contact_id  uuid        NOT NULL,
    channel     text        NOT NULL,
    state       text        NOT NULL CHECK (state IN ('queued', 'assigned', 'taken', 'closed')),
    agent       text        NOT NULL DEFAULT '',
    skills      text[]      NOT NULL DEFAULT '{}',
    tried       text[]      NOT NULL DEFAULT '{}',
    queued_at   timestamptz NOT NULL,
    assigned_at timestamptz,
    closed_at   timestamptz,
    CHECK ((state IN ('assigned', 'taken')) = (agent <> ''))
) WITH (fillfactor = 70);
CREATE UNIQUE INDEX leads_once ON leads (pool, contact_id) WHERE state <> 'closed';
CREATE INDEX leads_queue ON leads (pool, queued_at, id) WHERE state = 'queued';
CREATE INDEX leads_assigned ON leads (pool, agent) WHERE state IN ('assigned', 'taken');
CREATE INDEX leads_latest ON leads (pool, queued_at);
-- +goose StatementEnd

-- +goose Down
-- Forward only.
SELECT 1;
