-- What rows of the journal have in common, see forms.py: the JSON of a row, with a tab for each value.
CREATE TABLE forms (
    no   INTEGER PRIMARY KEY,
    text TEXT    NOT NULL
) STRICT;

-- NULL: the row says everything itself.
ALTER TABLE journal ADD COLUMN form_no INTEGER;

-- The journal with rows filled in. Internal, step_history is the public one.
CREATE VIEW whole_journal AS
SELECT
    j.no,
    j.saga_no,
    j.seq,
    j.at_ms,
    j.cause,
    CASE WHEN j.form_no IS NULL OR j.records IS NULL THEN j.records ELSE (
        WITH RECURSIVE filled (n, done, rest) AS (
            SELECT 0, '', f.text FROM forms f WHERE f.no = j.form_no
            UNION ALL
            SELECT
                n + 1,
                done || substr(rest, 1, instr(rest, char(9)) - 1) || CASE json_type(j.records, '$[' || n || ']')
                    WHEN 'object' THEN json_extract(j.records, '$[' || n || ']')
                    WHEN 'array'  THEN json_extract(j.records, '$[' || n || ']')
                    WHEN 'true'   THEN 'true'
                    WHEN 'false'  THEN 'false'
                    WHEN 'null'   THEN 'null'
                    ELSE json_quote(json_extract(j.records, '$[' || n || ']'))
                END,
                substr(rest, instr(rest, char(9)) + 1)
            FROM filled WHERE instr(rest, char(9)) > 0
        )
        SELECT done || rest FROM filled ORDER BY n DESC LIMIT 1
    ) END AS records
FROM journal j;

DROP VIEW step_history;

-- One row for each record of the journal; order it by id, seq, item. An erased row has NULL for what.
CREATE VIEW step_history AS
SELECT
    s.id,
    j.seq,
    r.key                                                              AS item,
    strftime('%Y-%m-%dT%H:%M:%fZ', j.at_ms / 1000.0, 'unixepoch')      AS at,
    json_extract(r.value, '$.is')                                      AS what,
    json_extract(r.value, '$.path')                                    AS path,
    json_remove(r.value, '$.is', '$.path')                             AS detail,
    j.cause,
    d.name,
    d.version
FROM whole_journal j
JOIN sagas s ON s.no = j.saga_no
JOIN definitions d ON d.no = s.definition_no
LEFT JOIN json_each(j.records) r;
