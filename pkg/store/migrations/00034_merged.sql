-- +goose Up
-- +goose StatementBegin
SET lock_timeout = '2s';

ALTER TABLE contacts ADD COLUMN merged_into uuid, ADD COLUMN taken_over_at timestamptz;
COMMENT ON COLUMN contacts.merged_into IS 'the contact that this one turned out to be: it has all identities, and goes on';
COMMENT ON COLUMN contacts.taken_over_at IS 'when that contact took over the conversations, bookings and leads';
CREATE INDEX contacts_merged ON contacts (merged_into) WHERE merged_into IS NOT NULL;
CREATE INDEX leads_contact ON leads (contact_id) WHERE state <> 'closed';

-- contact_now is the contact that a contact turned out to be, in the end.
CREATE FUNCTION contact_now(contact uuid) RETURNS uuid LANGUAGE sql STABLE AS $$
    WITH RECURSIVE way AS (
        SELECT c.id, c.merged_into FROM contacts c WHERE c.id = contact
        UNION
        SELECT c.id, c.merged_into FROM way JOIN contacts c ON c.id = way.merged_into)
    SELECT COALESCE((SELECT id FROM way WHERE merged_into IS NULL), contact)
$$;
-- contacts_of are all contacts that one person has been.
CREATE FUNCTION contacts_of(contact uuid) RETURNS SETOF uuid LANGUAGE sql STABLE AS $$
    WITH RECURSIVE same AS (
        SELECT contact_now(contact) AS id
        UNION
        SELECT c.id FROM same JOIN contacts c ON c.merged_into = same.id)
    SELECT id FROM same
$$;
-- +goose StatementEnd

-- +goose Down
-- Forward only.
SELECT 1;
