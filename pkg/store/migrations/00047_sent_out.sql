-- +goose Up
-- +goose StatementBegin
SET lock_timeout = '2s';

ALTER TABLE contacts ADD COLUMN last_event bigint, ADD COLUMN sent_out_at timestamptz;
COMMENT ON COLUMN contacts.last_event IS 'the head of the shard when the contact turned out to be another one: its messages are not behind it';
COMMENT ON COLUMN contacts.sent_out_at IS 'when nothing of such a contact waited to be sent any more: until then the other one is not sent to';

-- What was merged before is sent as before.
UPDATE contacts SET sent_out_at = now() WHERE merged_into IS NOT NULL;
CREATE INDEX contacts_unsent ON contacts (merged_into) WHERE merged_into IS NOT NULL AND sent_out_at IS NULL;
-- +goose StatementEnd

-- +goose Down
-- Forward only.
SELECT 1;
