-- +goose Up
SET lock_timeout = '2s';
CREATE INDEX orphan_receipts_seen ON orphan_receipts (seen_at);

-- +goose Down
-- Forward only.
SELECT 1;
