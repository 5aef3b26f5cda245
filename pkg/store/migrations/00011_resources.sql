-- +goose Up
-- +goose StatementBegin
SET lock_timeout = '2s';

-- What can be booked: one row for each time of each calendar of a service.
CREATE TABLE slots (
    id        text        PRIMARY KEY,
    service   text        NOT NULL,
    calendar  text        NOT NULL,
    starts_at timestamptz NOT NULL,
    ends_at   timestamptz NOT NULL,
    day       text        NOT NULL,
    "time"    text        NOT NULL,
    capacity  integer     NOT NULL,
    booked    integer     NOT NULL DEFAULT 0,
    closed    boolean     NOT NULL DEFAULT false,
    origin    text        NOT NULL CHECK (origin IN ('hours', 'import')),
    CONSTRAINT slots_capacity CHECK (booked >= 0 AND booked <= capacity)
) WITH (fillfactor = 70);
CREATE INDEX slots_free ON slots (service, starts_at);
COMMENT ON COLUMN slots.id IS 'service.calendar.start in UTC: made again, it is the same slot';
COMMENT ON COLUMN slots.day IS 'with time, the start in the zone of the service';
COMMENT ON COLUMN slots.booked IS 'places that are booked or held: the sum over its bookings';
COMMENT ON COLUMN slots.closed IS 'its hours no longer have it; who booked it keeps it';

-- The opening hours that slots are made of, as they were written.
CREATE TABLE slot_rules (
    service    text        PRIMARY KEY,
    definition text        NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    made_at    timestamptz NOT NULL DEFAULT '-infinity'
);
COMMENT ON COLUMN slot_rules.made_at IS 'when slots were made of them last';

CREATE TABLE bookings (
    id         uuid        PRIMARY KEY,
    slot_id    text        NOT NULL REFERENCES slots (id),
    contact_id uuid        NOT NULL,
    channel    text        NOT NULL,
    places     integer     NOT NULL CHECK (places > 0),
    state      text        NOT NULL CHECK (state IN ('held', 'booked', 'cancelled', 'released')),
    hold_until timestamptz,
    version    bigint      NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CHECK ((state = 'held') = (hold_until IS NOT NULL))
) WITH (fillfactor = 70);
CREATE UNIQUE INDEX bookings_once ON bookings (slot_id, contact_id) WHERE state IN ('held', 'booked');
CREATE INDEX bookings_contact ON bookings (contact_id) WHERE state IN ('held', 'booked');
CREATE INDEX bookings_held ON bookings (hold_until) WHERE state = 'held';
-- +goose StatementEnd

-- +goose Down
-- Forward only.
SELECT 1;
