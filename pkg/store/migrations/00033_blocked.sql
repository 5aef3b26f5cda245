-- +goose Up
SET lock_timeout = '2s';

ALTER TABLE contacts ADD COLUMN blocked_at timestamptz;
COMMENT ON COLUMN contacts.blocked_at IS 'since when the business wants to hear nothing of the person; what they write is recorded all the same';

-- +goose Down
-- Forward only.
SELECT 1;
