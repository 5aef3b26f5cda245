-- +goose Up
-- +goose StatementBegin
SET lock_timeout = '2s';

-- What an operator wants of a send whose outcome is unknown, until it is claimed.
ALTER TABLE deliveries ADD COLUMN ordered text NOT NULL DEFAULT '' CHECK (ordered IN ('', 'resend'));
CREATE INDEX deliveries_ordered ON deliveries (shard, "offset") WHERE ordered <> '';
COMMENT ON COLUMN deliveries.settled_by IS 'response, receipt or operator: what made state final';

-- Sends that somebody should look at, by time: few of all.
CREATE INDEX deliveries_ambiguous ON deliveries (queued_at DESC, shard, "offset") WHERE state = 'ambiguous';
CREATE INDEX deliveries_failed ON deliveries (queued_at DESC, shard, "offset") WHERE state = 'failed' OR receipt = 'failed';
-- +goose StatementEnd

-- +goose Down
-- Forward only.
SELECT 1;
