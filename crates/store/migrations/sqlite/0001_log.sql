-- One append-only log: a coordinator's records, or a site's marks. The state of either is the fold of its log.
CREATE TABLE log (
    seq  INTEGER PRIMARY KEY CHECK (seq >= 0),
    line TEXT NOT NULL
) STRICT;

-- Whose log it is: one row.
CREATE TABLE owner (
    one   INTEGER PRIMARY KEY CHECK (one = 1),
    role  TEXT NOT NULL,
    study TEXT NOT NULL
) STRICT;

-- Nothing that was acknowledged is ever changed.
CREATE TRIGGER log_is_never_updated BEFORE UPDATE ON log
BEGIN
    SELECT RAISE(ABORT, 'the log is append-only');
END;
CREATE TRIGGER log_is_never_deleted BEFORE DELETE ON log
BEGIN
    SELECT RAISE(ABORT, 'the log is append-only');
END;

-- For people with a database shell: jobs, one a row.
CREATE VIEW jobs AS
SELECT
    seq,
    json_extract(line, '$.body.event.submitted.job')       AS job,
    json_extract(line, '$.body.event.submitted.spec.name') AS name,
    json_extract(line, '$.body.event.submitted.spec.kind') AS kind,
    json_extract(line, '$.body.at_ms')                     AS submitted_ms
FROM log
WHERE json_extract(line, '$.body.event.submitted') IS NOT NULL;
