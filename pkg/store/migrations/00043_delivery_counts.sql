-- +goose Up
-- +goose StatementBegin
SET lock_timeout = '2s';

-- Which step of which cohort said it: what became of messages is counted by it.
-- Constant defaults touch no row: what was queued before is not counted.
ALTER TABLE deliveries
    ADD COLUMN flow         text    NOT NULL DEFAULT '',
    ADD COLUMN flow_version integer NOT NULL DEFAULT 0,
    ADD COLUMN language     text    NOT NULL DEFAULT '',
    ADD COLUMN day          date    NOT NULL DEFAULT '-infinity',
    ADD COLUMN step         text    NOT NULL DEFAULT '';
COMMENT ON COLUMN deliveries.day IS 'UTC day on which the session started (its cohort)';

-- Counters of what became of messages. Several writers change deliveries, at high
-- rates, and must not meet in a row: each statement appends what it has changed to
-- delivery_changes, and the projector folds that into delivery_counts. Read the view.
CREATE TABLE insight.delivery_counts (
    flow         text    NOT NULL,
    flow_version integer NOT NULL,
    channel      text    NOT NULL,
    language     text    NOT NULL,
    day          date    NOT NULL,
    step         text    NOT NULL,
    sent         bigint  NOT NULL,
    delivered    bigint  NOT NULL,
    read         bigint  NOT NULL,
    failed       bigint  NOT NULL,
    PRIMARY KEY (flow, flow_version, channel, language, day, step)
) WITH (fillfactor = 50);
CREATE TABLE insight.delivery_changes (LIKE insight.delivery_counts) WITH (autovacuum_vacuum_scale_factor = 0.02);
COMMENT ON COLUMN insight.delivery_counts.sent IS 'messages that the provider accepted';
COMMENT ON COLUMN insight.delivery_counts.failed IS 'messages that were refused, or are reported as failed and not as delivered';

CREATE VIEW insight.delivery_steps AS
SELECT flow, flow_version, channel, language, day, step,
       sum(sent) AS sent, sum(delivered) AS delivered, sum(read) AS read, sum(failed) AS failed
  FROM (SELECT * FROM insight.delivery_counts UNION ALL SELECT * FROM insight.delivery_changes) c
 GROUP BY flow, flow_version, channel, language, day, step;

-- The states and ranks are those of pkg/store/deliveries.go and receipts.go.
CREATE FUNCTION insight.count_deliveries() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO insight.delivery_changes
    SELECT n.flow, n.flow_version, n.channel, n.language, n.day, n.step,
           sum((n.state = 'accepted')::int - (o.state = 'accepted')::int) AS sent,
           sum((n.receipt_rank >= 3)::int - (o.receipt_rank >= 3)::int) AS delivered,
           sum((n.receipt_rank >= 4)::int - (o.receipt_rank >= 4)::int) AS read,
           sum((n.state = 'failed' OR n.receipt_rank = 2)::int - (o.state = 'failed' OR o.receipt_rank = 2)::int) AS failed
      FROM new_rows n JOIN old_rows o USING (shard, "offset")
     WHERE n.step <> '' AND (n.state <> o.state OR n.receipt_rank <> o.receipt_rank)
     GROUP BY n.flow, n.flow_version, n.channel, n.language, n.day, n.step
    HAVING sum((n.state = 'accepted')::int - (o.state = 'accepted')::int) <> 0
        OR sum((n.receipt_rank >= 3)::int - (o.receipt_rank >= 3)::int) <> 0
        OR sum((n.receipt_rank >= 4)::int - (o.receipt_rank >= 4)::int) <> 0
        OR sum((n.state = 'failed' OR n.receipt_rank = 2)::int - (o.state = 'failed' OR o.receipt_rank = 2)::int) <> 0;
    RETURN NULL;
END $$;
CREATE TRIGGER count_deliveries AFTER UPDATE ON deliveries
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION insight.count_deliveries();
-- +goose StatementEnd

-- +goose Down
-- Forward only.
SELECT 1;
