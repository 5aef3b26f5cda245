-- +goose Up
-- +goose StatementBegin
SET lock_timeout = '2s';

-- How soon a message goes where many wait. Constant defaults touch no row: what was
-- queued before reads as a reply.
ALTER TABLE deliveries
    ADD COLUMN priority smallint NOT NULL DEFAULT 0,
    ADD COLUMN campaign text     NOT NULL DEFAULT '';
COMMENT ON COLUMN deliveries.priority IS '0 a reply, 1 a reminder, 2 bulk';
COMMENT ON COLUMN deliveries.campaign IS 'campaigns of one number take turns; empty for what belongs to none';
-- +goose StatementEnd

-- +goose Down
-- Forward only.
SELECT 1;
