-- +goose Up
-- +goose StatementBegin
SET lock_timeout = '2s';

-- Sessions that have ended, or whose person has been silent for too long: as they
-- were, out of the way of those that run. The last one of a contact comes back with
-- their next message.
CREATE TABLE session_archive (
    LIKE sessions INCLUDING DEFAULTS INCLUDING COMMENTS,
    archived_at timestamptz NOT NULL,
    PRIMARY KEY (session_id)
);
CREATE INDEX session_archive_contact ON session_archive (contact_id, channel);
COMMENT ON COLUMN sessions.status IS 'active; completed: answers on; cancelled; human: a person of the business has taken over; expired (in session_archive): a message takes it up again';

-- Which message a timer's question was is known by the time of its turn.
CREATE INDEX deliveries_turn ON deliveries (contact_id, queued_at);

CREATE OR REPLACE VIEW whatsapp_sessions AS
SELECT COALESCE(NULLIF(c.phone, ''), c.bsuid) AS phone_number,
       s.current_state,
       s.last_interaction,
       s.flow_data,
       s.status = 'active' AS is_active,
       s.language
  FROM (SELECT contact_id, current_state, last_interaction, flow_data, status, language FROM sessions
        UNION ALL
        SELECT contact_id, current_state, last_interaction, flow_data, status, language FROM session_archive) s
  JOIN contacts c ON c.id = s.contact_id;
-- +goose StatementEnd

-- +goose Down
-- Forward only: a schema that holds events is never taken back.
SELECT 1;
