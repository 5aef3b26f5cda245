-- +goose Up
-- +goose StatementBegin
SET lock_timeout = '2s';

-- What was said, in both directions: read by people, not by the engine. It is
-- written from the events by a lane of its own, in their order, so it may be dropped
-- by the month without losing what a session rests on.
CREATE TABLE messages (
    shard       smallint    NOT NULL,
    "offset"    bigint      NOT NULL,
    at          timestamptz NOT NULL,
    direction   text        NOT NULL CHECK (direction IN ('in', 'out')),
    channel     text        NOT NULL,
    contact_id  uuid        NOT NULL,
    session_id  bigint      NOT NULL,
    flow        text        NOT NULL,
    kind        text        NOT NULL,
    body        text        NOT NULL,
    provider_id text        NOT NULL,
    content     jsonb       NOT NULL,
    PRIMARY KEY (shard, "offset", at)
) PARTITION BY RANGE (at);
CREATE TABLE messages_default PARTITION OF messages DEFAULT;
CREATE INDEX messages_contact ON messages (contact_id, at);
CREATE INDEX messages_order ON messages (at, shard, "offset");
COMMENT ON COLUMN messages.shard IS 'with "offset": the event that it was written from; of an outgoing message also its row in deliveries';
COMMENT ON COLUMN messages.kind IS 'as WhatsApp calls it: text, image, interactive; of ours buttons, list, template';
COMMENT ON COLUMN messages.body IS 'what there is to read';
COMMENT ON COLUMN messages.provider_id IS 'of an incoming message; that of an outgoing one is in deliveries.wamid';

-- As ensure_event_partitions. Months that are gone are not made again.
CREATE FUNCTION ensure_message_partitions(ahead integer) RETURNS void LANGUAGE plpgsql SET timezone = 'UTC' AS $$
DECLARE
    month timestamptz;
    name  text;
BEGIN
    FOR i IN 0..ahead LOOP
        month := date_trunc('month', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' + make_interval(months => i);
        name := 'messages_' || to_char(month AT TIME ZONE 'UTC', 'YYYYMM');
        CONTINUE WHEN to_regclass(name) IS NOT NULL;
        BEGIN
            EXECUTE format('CREATE TABLE %I PARTITION OF messages FOR VALUES FROM (%L) TO (%L)',
                name, month, month + interval '1 month');
        EXCEPTION
            WHEN check_violation THEN NULL;
            WHEN duplicate_table THEN NULL;
        END;
    END LOOP;
END $$;

-- drop_messages removes the months that ended before a time, and what is that old in
-- the default partition. It returns how many months went.
CREATE FUNCTION drop_messages(before timestamptz) RETURNS integer LANGUAGE plpgsql SET timezone = 'UTC' AS $$
DECLARE
    part record;
    gone integer := 0;
BEGIN
    FOR part IN SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
                 WHERE i.inhparent = 'messages'::regclass AND c.relname ~ '^messages_[0-9]{6}$' LOOP
        IF to_timestamp(right(part.relname, 6), 'YYYYMM') + interval '1 month' <= before THEN
            EXECUTE format('DROP TABLE %I', part.relname);
            gone := gone + 1;
        END IF;
    END LOOP;
    DELETE FROM messages_default WHERE at < before;
    RETURN gone;
END $$;

SELECT ensure_message_partitions(3);
-- +goose StatementEnd

-- +goose Down
-- Forward only.
SELECT 1;
