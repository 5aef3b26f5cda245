-- +goose Up
-- +goose StatementBegin
SET lock_timeout = '2s';

-- What the provider has told about accounts, numbers, templates and forms: the newest
-- of each. What it changes in sending stands in send_stops under the owner 'notice'.
CREATE TABLE account_facts (
    account    text        NOT NULL,
    number     text        NOT NULL,
    kind       text        NOT NULL,
    subject    text        NOT NULL,
    value      text        NOT NULL,
    until      timestamptz,
    at         timestamptz NOT NULL,
    PRIMARY KEY (account, number, kind, subject)
);
COMMENT ON COLUMN account_facts.number IS 'the displayed number, digits only; empty for what concerns the whole account';
COMMENT ON COLUMN account_facts.at IS 'when the provider says it was: an older notice that comes later changes nothing';
-- +goose StatementEnd

-- +goose Down
-- Forward only: a schema that holds events is never taken back.
SELECT 1;
