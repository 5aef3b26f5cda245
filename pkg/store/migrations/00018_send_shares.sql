-- +goose Up
-- +goose StatementBegin
SET lock_timeout = '2s';

-- Which part of a number's rate each replica of the dispatcher may use now. A few rows,
-- rewritten twice a second while there is anything to send.
CREATE TABLE send_shares (
    channel       text             NOT NULL,
    owner         text             NOT NULL,
    units         integer          NOT NULL,
    until         timestamptz      NOT NULL,
    weight        double precision NOT NULL,
    cooling       integer          NOT NULL,
    cooling_until timestamptz      NOT NULL,
    PRIMARY KEY (channel, owner)
) WITH (fillfactor = 10);
COMMENT ON COLUMN send_shares.units IS 'messages a second, of a rate below one the whole of it';
COMMENT ON COLUMN send_shares.cooling IS 'units that were given up: nobody has them before cooling_until, because they were used in the last second';
-- +goose StatementEnd

-- +goose Down
-- Forward only.
SELECT 1;
