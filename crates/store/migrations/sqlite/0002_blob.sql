-- Small blobs that came with entries of the log: durable here in the entries' own transaction, until their files are flushed.
CREATE TABLE blob (
    digest TEXT PRIMARY KEY,
    bytes  BLOB NOT NULL
) STRICT;
