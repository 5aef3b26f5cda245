-- +goose Up
-- +goose StatementBegin
SET lock_timeout = '2s';

-- A constant default touches no row: what expired before is counted by a rebuild.
ALTER TABLE insight.flow_total_counts ADD COLUMN expired bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN insight.flow_total_counts.expired IS 'sessions whose person has been silent for too long, and has not come back';

CREATE OR REPLACE VIEW insight.flow_totals AS
SELECT flow, flow_version, channel, language, day,
       sum(started)   AS started,
       sum(completed) AS completed,
       sum(cancelled) AS cancelled,
       sum(expired)   AS expired
  FROM insight.flow_total_counts
 GROUP BY flow, flow_version, channel, language, day;
-- +goose StatementEnd

-- +goose Down
-- Forward only.
SELECT 1;
