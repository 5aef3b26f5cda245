-- +goose Up
SET lock_timeout = '2s';

ALTER TABLE contact_identities ADD COLUMN via uuid;
COMMENT ON COLUMN contact_identities.via IS 'the contact that had it before the merges: updates still go through its lane';

-- Who was merged before goes on as before: nothing of then is on its way.

-- +goose Down
-- Forward only.
SELECT 1;
