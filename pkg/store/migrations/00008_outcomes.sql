-- +goose Up
-- +goose StatementBegin
SET lock_timeout = '2s';

-- Messages that will not arrive, until their session has been told (Untold): few, and
-- for a moment each.
ALTER TABLE deliveries ADD COLUMN untold boolean NOT NULL DEFAULT false;
CREATE INDEX deliveries_untold ON deliveries (shard, "offset") WHERE untold;
COMMENT ON COLUMN deliveries.untold IS 'failed, and its session has not been told yet';

ALTER TABLE orphan_receipts ADD COLUMN error_code integer NOT NULL DEFAULT 0;
-- +goose StatementEnd

-- +goose Down
-- Forward only.
SELECT 1;
