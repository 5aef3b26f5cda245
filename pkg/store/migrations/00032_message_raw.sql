-- +goose Up
SET lock_timeout = '2s';

ALTER TABLE messages ADD COLUMN raw bytea NOT NULL DEFAULT '';
COMMENT ON COLUMN messages.raw IS 'the update as the provider sent it, byte for byte; empty for what we sent, and for what came before this column';

-- +goose Down
-- Forward only.
SELECT 1;
