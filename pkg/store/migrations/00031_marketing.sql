-- +goose Up
SET lock_timeout = '2s';

ALTER TABLE contacts ADD COLUMN marketing_stopped_at timestamptz;
COMMENT ON COLUMN contacts.marketing_stopped_at IS 'since when the person wants no marketing; answers are sent to them all the same';

-- +goose Down
-- Forward only.
SELECT 1;
