-- +goose Up
COMMENT ON COLUMN deliveries.settled_by IS 'response, receipt, log (of WASenderApi) or operator: what made state final';

-- +goose Down
-- Forward only.
SELECT 1;
