-- +goose Up
-- +goose StatementBegin
SET lock_timeout = '2s';

-- People are looked for by the beginning of their name. A name may be longer than an
-- index takes, so its first 64 characters stand there.
CREATE INDEX contacts_name ON contacts (lower("left"(name, 64)) text_pattern_ops) WHERE name <> '';
CREATE INDEX contacts_username ON contacts (lower("left"(username, 64)) text_pattern_ops) WHERE username <> '';
CREATE INDEX contact_identities_value ON contact_identities (value) WHERE kind IN ('lid', 'parent_bsuid');

-- contacts_named are the contacts that have this id, or an identity that proves who they
-- are: a phone number, a user id, a parent's, or a LID. Names prove nothing.
CREATE FUNCTION contacts_named(who text, contact uuid) RETURNS SETOF uuid LANGUAGE sql STABLE ROWS 2 AS $$
    SELECT id FROM contacts WHERE id = contact
    UNION SELECT id FROM contacts WHERE phone = who AND phone <> ''
    UNION SELECT id FROM contacts WHERE bsuid = who AND bsuid <> ''
    UNION SELECT contact_id FROM contact_identities WHERE value = who AND kind IN ('lid', 'parent_bsuid')
$$;
-- +goose StatementEnd

-- +goose Down
-- Forward only.
SELECT 1;
