-- +goose Up
-- +goose StatementBegin
SET lock_timeout = '2s';

-- Sends of WASenderApi whose id in WhatsApp is still to be asked for (LateIDs): few,
-- and for a moment each.
CREATE INDEX deliveries_late ON deliveries (queued_at) WHERE wamid LIKE 'wasender:%';
-- +goose StatementEnd

-- +goose Down
-- Forward only.
SELECT 1;
