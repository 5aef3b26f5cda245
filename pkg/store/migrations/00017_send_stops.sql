-- +goose Up
-- +goose StatementBegin
SET lock_timeout = '2s';

-- What each replica of the dispatcher does not send to now, and why: the others read
-- it, whoever starts next reads it, and people do.
CREATE TABLE send_stops (
    owner   text        NOT NULL,
    scope   text        NOT NULL,
    name    text        NOT NULL,
    subject text        NOT NULL,
    class   text        NOT NULL,
    code    integer     NOT NULL,
    since   timestamptz NOT NULL,
    until   timestamptz NOT NULL,
    PRIMARY KEY (owner, scope, name, subject)
);
COMMENT ON COLUMN send_stops.scope IS 'number, account or app: what name is of';
COMMENT ON COLUMN send_stops.subject IS 'empty: nothing is sent; else only what uses this template or form is not';
-- +goose StatementEnd

-- +goose Down
-- Forward only.
SELECT 1;
