-- Who leads: whoever holds the newest term. Whatever a leader writes is written while its term is the newest, in one transaction.
CREATE TABLE lease (
    one    INTEGER PRIMARY KEY CHECK (one = 1),
    term  BIGINT NOT NULL,
    holder TEXT NOT NULL,
    until  TIMESTAMPTZ NOT NULL
);
INSERT INTO lease (one, term, holder, until) VALUES (1, 0, '', '-infinity');

-- Objects of the bucket that a leader has decided to delete: whoever leads next does not count on them. Names are never used again.
CREATE TABLE doomed (
    object TEXT PRIMARY KEY
);

-- Small documents beside the log that every leader goes on with.
CREATE TABLE document (
    name  TEXT PRIMARY KEY,
    bytes BYTEA NOT NULL
);
