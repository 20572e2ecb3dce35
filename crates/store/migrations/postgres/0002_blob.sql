-- Small blobs that came with entries of the log: durable here in the entries' own transaction, until they are in the bucket.
CREATE TABLE blob (
    digest TEXT PRIMARY KEY,
    bytes  BYTEA NOT NULL
);
-- Ciphertexts do not compress.
ALTER TABLE blob ALTER COLUMN bytes SET STORAGE EXTERNAL;
