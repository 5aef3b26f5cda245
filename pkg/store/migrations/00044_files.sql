-- +goose Up
-- +goose StatementBegin
SET lock_timeout = '2s';

-- Files that lie beside flows, by what is in them: versions name them by it and never
-- change. None is removed, as no version is.
CREATE TABLE files (
    sha256    text        NOT NULL PRIMARY KEY,
    mime_type text        NOT NULL,
    content   bytea       NOT NULL,
    added_at  timestamptz NOT NULL DEFAULT now()
);
ALTER TABLE files ALTER COLUMN content SET STORAGE EXTERNAL; -- pictures are compressed already

-- What a provider calls a file that was uploaded for a channel, and how long it has it.
CREATE TABLE uploads (
    channel     text        NOT NULL,
    sha256      text        NOT NULL,
    media_id    text        NOT NULL DEFAULT '',
    expires_at  timestamptz NOT NULL DEFAULT '-infinity',
    claim_until timestamptz NOT NULL,
    PRIMARY KEY (channel, sha256)
);
COMMENT ON COLUMN uploads.media_id IS 'an id of the Graph API, or an address at WASenderApi';
COMMENT ON COLUMN uploads.claim_until IS 'until then one replica uploads it, and the others wait';
-- +goose StatementEnd

-- +goose Down
-- Forward only.
SELECT 1;
