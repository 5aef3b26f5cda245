-- +goose Up
SET lock_timeout = '2s';

-- Who has an identity now. The key refuses two owners: whoever comes second reads
-- again, and sees the first.
CREATE TABLE contact_identities (
    portfolio  text NOT NULL,
    kind       text NOT NULL CHECK (kind IN ('bsuid', 'parent_bsuid', 'lid', 'phone')),
    value      text NOT NULL,
    contact_id uuid NOT NULL,
    PRIMARY KEY (portfolio, kind, value)
);
CREATE INDEX contact_identities_contact ON contact_identities (contact_id);
COMMENT ON TABLE contact_identities IS 'a username is none: it can be given up and taken by somebody else';

-- Of contacts that share an identity the one with a user id has it, else the newest.
INSERT INTO contact_identities (portfolio, kind, value, contact_id)
SELECT c.portfolio, i.kind, i.value, c.id
  FROM contacts c
 CROSS JOIN LATERAL (VALUES
       (CASE WHEN c.bsuid LIKE '%@lid' THEN 'lid' ELSE 'bsuid' END, c.bsuid),
       ('parent_bsuid', c.parent_bsuid),
       ('phone', c.phone)) i(kind, value)
 WHERE i.value <> ''
 ORDER BY c.bsuid = '', c.created_at DESC
ON CONFLICT DO NOTHING;

-- +goose Down
-- Forward only.
SELECT 1;
