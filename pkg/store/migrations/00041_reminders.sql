-- +goose Up
-- +goose StatementBegin
SET lock_timeout = '2s';

-- How silences ended for which a reminder chose its time ("after: auto"), by how long
-- they were: the buckets are those of pkg/insight/silence.go. Counters per shard, like
-- those of the funnel: read the view. A silence counts on the day on which it began.
CREATE TABLE insight.silence_counts (
    flow              text     NOT NULL,
    flow_version      integer  NOT NULL,
    channel           text     NOT NULL,
    language          text     NOT NULL,
    day               date     NOT NULL,
    step              text     NOT NULL,
    bucket            smallint NOT NULL,
    shard             smallint NOT NULL,
    replied           bigint   NOT NULL DEFAULT 0,
    cut               bigint   NOT NULL DEFAULT 0,
    reminded          bigint   NOT NULL DEFAULT 0,
    returned          bigint   NOT NULL DEFAULT 0,
    withheld          bigint   NOT NULL DEFAULT 0,
    withheld_returned bigint   NOT NULL DEFAULT 0,
    PRIMARY KEY (flow, flow_version, channel, language, day, step, bucket, shard)
) WITH (fillfactor = 50);
COMMENT ON COLUMN insight.silence_counts.day IS 'UTC day on which the silence began';
COMMENT ON COLUMN insight.silence_counts.replied IS 'silences that ended in this bucket because the person wrote, without a reminder';
COMMENT ON COLUMN insight.silence_counts.cut IS 'silences of which no more is known: reminded, left in another way, or a day long';
COMMENT ON COLUMN insight.silence_counts.reminded IS 'silences whose reminder was said in this bucket; returned: those of them that wrote after it';
COMMENT ON COLUMN insight.silence_counts.withheld IS 'silences whose reminder was withheld in this bucket, to compare; withheld_returned: those of them that wrote after it';

CREATE VIEW insight.silences AS
SELECT flow, flow_version, channel, language, day, step, bucket,
       sum(replied)  AS replied,
       sum(cut)      AS cut,
       sum(reminded) AS reminded,
       sum(returned) AS returned,
       sum(withheld) AS withheld,
       sum(withheld_returned) AS withheld_returned
  FROM insight.silence_counts
 GROUP BY flow, flow_version, channel, language, day, step, bucket;

-- When a reminder does most good at a step, and by what that is known. The projector
-- writes it, the timers read it. A step without a row is not known at all.
CREATE TABLE insight.reminder_advice (
    flow       text        NOT NULL,
    step       text        NOT NULL,
    after_ms   bigint      NOT NULL,
    reason     text        NOT NULL,
    advised_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (flow, step)
);
-- +goose StatementEnd

-- +goose Down
-- Forward only.
SELECT 1;
