-- +goose Up
-- +goose StatementBegin
SET lock_timeout = '2s';

-- What operators look at: calls that failed, and those that have been tried and wait.
CREATE INDEX calls_state ON calls (state, queued_at DESC) WHERE state <> 'ok';
-- +goose StatementEnd

-- +goose Down
-- Forward only.
SELECT 1;
