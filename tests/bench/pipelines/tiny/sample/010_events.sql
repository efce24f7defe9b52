CREATE TABLE events (event_id bigint PRIMARY KEY, happened_at timestamptz NOT NULL, amount integer);
INSERT INTO events SELECT n, timestamptz '2020-01-01 12:00Z' + n * interval '1 day', n % 97 FROM generate_series(0, 2000) n;
CREATE INDEX ON events (happened_at);
