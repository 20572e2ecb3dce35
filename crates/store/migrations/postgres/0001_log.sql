-- One append-only log: a coordinator's records. Its state is the fold of its log.
CREATE TABLE log (
    seq  BIGINT PRIMARY KEY CHECK (seq >= 0),
    line TEXT NOT NULL
);

-- Whose log it is: one row.
CREATE TABLE owner (
    one   INTEGER PRIMARY KEY CHECK (one = 1),
    role  TEXT NOT NULL,
    study TEXT NOT NULL
);

-- Nothing that was acknowledged is ever changed.
CREATE FUNCTION log_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the log is append-only';
END;
$$;
CREATE TRIGGER log_is_never_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON log
    FOR EACH STATEMENT EXECUTE FUNCTION log_is_append_only();

-- For people with a database shell: jobs, one a row.
CREATE VIEW jobs AS
SELECT
    seq,
    line::json #>> '{body,event,submitted,job}'       AS job,
    line::json #>> '{body,event,submitted,spec,name}' AS name,
    line::json #>> '{body,event,submitted,spec,kind}' AS kind,
    (line::json #>> '{body,at_ms}')::bigint           AS submitted_ms
FROM log
WHERE line::json #>> '{body,event,submitted}' IS NOT NULL;
