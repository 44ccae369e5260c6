-- saga.db: the coordinator's file. Written by the coordinator's one connection; everyone else reads.
--
-- Public interface are the views at the end: sagas_overview, step_history, open_tasks, incidents,
-- schedules_overview.
-- Tables may change between versions. Times are UTC milliseconds since 1970. JSON is kept as text.

-- One row about the store as a whole.
CREATE TABLE store (
    only        INTEGER PRIMARY KEY CHECK (only = 1),
    store_id    TEXT    NOT NULL CHECK (length(store_id) = 36),   -- UUID; all files of a store carry the same
    epoch       INTEGER NOT NULL CHECK (epoch >= 0),              -- how often it was opened
    commit_no   INTEGER NOT NULL CHECK (commit_no >= 0),          -- how many commits this file has seen
    clean       INTEGER NOT NULL CHECK (clean IN (0, 1)),         -- 1 after a graceful close, 0 while it is open
    high_ms     INTEGER NOT NULL,                                 -- the latest time that was ever recorded
    saga_no     INTEGER NOT NULL,                                 -- the highest number ever given to a saga,
    event_no    INTEGER NOT NULL,                                 -- ... and to an event: numbers are not used again
    clock       TEXT    CHECK (clock IS NULL OR json_valid(clock)) -- origin and factor of a scaled clock
) STRICT;

-- Who carries out commands: contexts, which have a file of their own, and gateways, which have none.
CREATE TABLE participants (
    name        TEXT    PRIMARY KEY,
    kind        TEXT    NOT NULL CHECK (kind IN ('context', 'gateway')),
    next_number INTEGER NOT NULL CHECK (next_number >= 1),        -- the number its next command gets
    commit_no   INTEGER NOT NULL CHECK (commit_no >= 0),          -- its file has reached at least this commit
    outbox_no   INTEGER NOT NULL CHECK (outbox_no >= 0)           -- its events up to this one are in our log
) STRICT, WITHOUT ROWID;

-- Every process graph that a saga here was started with. The graph is data: no code is needed to read a journal.
CREATE TABLE definitions (
    no            INTEGER PRIMARY KEY,
    name          TEXT    NOT NULL,
    version       INTEGER NOT NULL CHECK (version >= 1),
    hash          TEXT    NOT NULL,
    graph         TEXT    NOT NULL CHECK (json_valid(graph)),
    first_used_ms INTEGER NOT NULL,
    UNIQUE (name, version, hash)
) STRICT;

-- One row for each saga: what it was started with, and where it stands. The journal is the truth, this a summary.
CREATE TABLE sagas (
    no             INTEGER PRIMARY KEY,
    id             TEXT    NOT NULL UNIQUE,
    definition_no  INTEGER NOT NULL REFERENCES definitions (no),
    status         TEXT    NOT NULL CHECK (                       -- not IN: SQLite would build a table for each row
                   status = 'RUNNING' OR status = 'COMPENSATING' OR status = 'COMPLETED' OR
                   status = 'COMPENSATED' OR status = 'PARKED' OR status = 'SUSPENDED'),
    busy           INTEGER NOT NULL CHECK (busy IN (0, 1)),       -- 1: has commands outside, loaded at recovery
    started_ms     INTEGER NOT NULL,
    ended_ms       INTEGER,                                       -- NULL: not ended
    input_type     TEXT    NOT NULL,
    input_digest   BLOB    NOT NULL CHECK (length(input_digest) = 16),
    correlation    TEXT    NOT NULL,                              -- id of the root saga, send or publish
    causation      TEXT,                                          -- id of the message that led to this saga
    first_event_no INTEGER NOT NULL,                              -- events above it count for its waits
    refusal_code   TEXT,                                          -- why it was undone
    refusal_reason TEXT,
    CHECK ((ended_ms IS NOT NULL) = (status IN ('COMPLETED', 'COMPENSATED'))),
    CHECK (busy = 0 OR ended_ms IS NULL)
) STRICT;

-- Live sagas only, so that those which have ended cost nothing: by what recovery asks, then by what people ask. The
-- last column is there to find the lowest of all without reading the sagas themselves.
CREATE INDEX live_sagas ON sagas (busy, status, first_event_no) WHERE ended_ms IS NULL;

-- The sagas that belong to another one, or to a send or publish: those with a correlation that is not their own id.
CREATE INDEX led_sagas ON sagas (correlation) WHERE correlation <> id;

CREATE TABLE tags (
    saga_no INTEGER NOT NULL REFERENCES sagas (no),
    key     TEXT    NOT NULL,
    value   TEXT    NOT NULL,
    PRIMARY KEY (saga_no, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX tags_by_value ON tags (key, value);

-- What happened, one row for each stimulus, with the records it led to. Append-only.
-- A row number of its own keeps appending at the end of the file whichever saga a row is of; measured, that is
-- twice as fast as a table ordered by (saga_no, seq). The unique key refuses a second writer.
CREATE TABLE journal (
    no       INTEGER PRIMARY KEY,
    saga_no  INTEGER NOT NULL REFERENCES sagas (no),
    seq      INTEGER NOT NULL CHECK (seq >= 1),                   -- counts within its saga, without gaps
    at_ms    INTEGER NOT NULL,
    cause    TEXT,                                                -- id of the message that was the stimulus
    encoding INTEGER NOT NULL,                                    -- of records; 1: a JSON array of objects
    records  TEXT,                                                -- NULL: erased
    digest   BLOB    NOT NULL CHECK (length(digest) = 16),        -- chained to the row before, see digest.py
    UNIQUE (saga_no, seq)
) STRICT;

-- Which events sagas wait for.
CREATE TABLE waits (
    saga_no INTEGER NOT NULL REFERENCES sagas (no),
    path    TEXT    NOT NULL,                                     -- of the visit
    type    TEXT    NOT NULL CHECK (length(type) > 0),
    key     TEXT,
    PRIMARY KEY (saga_no, path)
) STRICT, WITHOUT ROWID;

CREATE INDEX waits_by_key ON waits (type, key);

-- What persons are to decide.
CREATE TABLE tasks (
    saga_no     INTEGER NOT NULL REFERENCES sagas (no),
    path        TEXT    NOT NULL,                                 -- of the visit
    task        TEXT    NOT NULL,                                 -- name of the element
    answer_type TEXT    NOT NULL,                                 -- of the decision
    subject     TEXT    NOT NULL CHECK (json_valid(subject)),     -- what the person is shown
    assignee    TEXT,                                             -- NULL: anybody
    since_ms    INTEGER NOT NULL,
    due_ms      INTEGER,                                          -- NULL: there is time
    PRIMARY KEY (saga_no, path)
) STRICT, WITHOUT ROWID;

CREATE INDEX tasks_by_assignee ON tasks (assignee);

CREATE TABLE timers (
    saga_no INTEGER NOT NULL REFERENCES sagas (no),
    name    TEXT    NOT NULL,
    due_ms  INTEGER NOT NULL,
    PRIMARY KEY (saga_no, name)
) STRICT, WITHOUT ROWID;

CREATE INDEX timers_by_due ON timers (due_ms);

-- What a person has to look at.
CREATE TABLE open_incidents (
    saga_no  INTEGER NOT NULL REFERENCES sagas (no),
    path     TEXT    NOT NULL,
    kind     TEXT    NOT NULL,
    reason   TEXT    NOT NULL,
    since_ms INTEGER NOT NULL,
    PRIMARY KEY (saga_no, path)
) STRICT, WITHOUT ROWID;

-- What was being carried out when a run ended without being closed, until it has been carried out to its end.
CREATE TABLE suspects (
    participant TEXT    NOT NULL,                                 -- 'coordinator' for a function of a saga
    kind        TEXT    NOT NULL CHECK (kind IN ('command', 'event', 'saga')),
    no          INTEGER NOT NULL CHECK (no >= 1),                 -- of the command there, of the event, of the saga
    stops       INTEGER NOT NULL CHECK (stops >= 1),              -- at how many such ends
    alone       INTEGER NOT NULL CHECK (alone BETWEEN 0 AND stops), -- at how many of them nothing else was running
    last_ms     INTEGER NOT NULL,                                 -- when the last of them was found
    PRIMARY KEY (participant, kind, no)
) STRICT, WITHOUT ROWID;

-- Recurring starts of sagas. A run and the move to the next one are one commit.
CREATE TABLE schedules (
    name       TEXT    PRIMARY KEY,
    saga       TEXT    NOT NULL,                                  -- name of its definition; the newest version is started
    input_type TEXT    NOT NULL,
    input      TEXT    NOT NULL CHECK (json_valid(input)),        -- of every run
    tags       TEXT    NOT NULL CHECK (json_valid(tags)),
    cron       TEXT    NOT NULL,
    time_zone  TEXT    NOT NULL,
    missed     TEXT    NOT NULL CHECK (missed IN ('skip', 'once', 'all')),
    overlap    TEXT    NOT NULL CHECK (overlap IN ('allow', 'skip')),
    digest     BLOB    NOT NULL CHECK (length(digest) = 16),      -- of all the columns above
    since_ms   INTEGER NOT NULL,                                  -- when it was made, or replaced
    next_ms    INTEGER,                                           -- when the next run is due; NULL: never again
    last_ms    INTEGER,                                           -- when the last run that was started was due
    runs       INTEGER NOT NULL CHECK (runs >= 0),                -- how many were started
    problem    TEXT,                                              -- why none can be started
    CHECK (next_ms IS NULL OR last_ms IS NULL OR next_ms > last_ms),
    CHECK ((last_ms IS NULL) = (runs = 0))
) STRICT, WITHOUT ROWID;

-- The event log, in the order in which events became known here. Pruned from the low end.
CREATE TABLE events (
    no          INTEGER PRIMARY KEY,
    id          TEXT    NOT NULL UNIQUE,
    type        TEXT    NOT NULL,
    key         TEXT,
    payload     TEXT    NOT NULL,                                 -- JSON
    at_ms       INTEGER NOT NULL,
    source      TEXT    NOT NULL,                                 -- name of the context, or 'runtime'
    correlation TEXT    NOT NULL,
    causation   TEXT
) STRICT;

CREATE INDEX events_by_key ON events (type, key, no);

-- Which contexts listen to which events: the log is kept for them, also while they are not there.
CREATE TABLE listeners (
    context    TEXT    NOT NULL,
    event_type TEXT    NOT NULL,
    position   INTEGER NOT NULL,                                  -- it has come at least so far; see its own file
    PRIMARY KEY (context, event_type)
) STRICT, WITHOUT ROWID;

-- ------------------------------------------------------------------------------------------------------------
-- Views: public interface. Columns are only ever added. Times are ISO 8601 in UTC.

-- One row for each saga.
CREATE VIEW sagas_overview AS
SELECT
    s.no,
    s.id,
    d.name,
    d.version,
    s.status,
    strftime('%Y-%m-%dT%H:%M:%fZ', s.started_ms / 1000.0, 'unixepoch') AS started_at,
    strftime('%Y-%m-%dT%H:%M:%fZ', s.ended_ms / 1000.0, 'unixepoch')   AS ended_at,
    s.refusal_code,
    s.refusal_reason,
    (SELECT count(*) FROM open_incidents i WHERE i.saga_no = s.no)     AS incidents,
    (SELECT strftime('%Y-%m-%dT%H:%M:%fZ', min(t.due_ms) / 1000.0, 'unixepoch')
       FROM timers t WHERE t.saga_no = s.no)                           AS next_due_at,
    (SELECT json_group_object(g.key, g.value) FROM tags g WHERE g.saga_no = s.no) AS tags,
    s.correlation
FROM sagas s JOIN definitions d ON d.no = s.definition_no;

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
FROM journal j
JOIN sagas s ON s.no = j.saga_no
JOIN definitions d ON d.no = s.definition_no
LEFT JOIN json_each(j.records) r;

-- One row for each task that waits for a person.
CREATE VIEW open_tasks AS
SELECT
    s.id,
    d.name,
    d.version,
    t.path,
    t.task,
    t.subject,
    t.assignee,
    strftime('%Y-%m-%dT%H:%M:%fZ', t.since_ms / 1000.0, 'unixepoch')   AS since,
    strftime('%Y-%m-%dT%H:%M:%fZ', t.due_ms / 1000.0, 'unixepoch')     AS due_at,
    t.answer_type
FROM tasks t
JOIN sagas s ON s.no = t.saga_no
JOIN definitions d ON d.no = s.definition_no;

-- One row for each thing that a person has to look at.
CREATE VIEW incidents AS
SELECT
    s.id,
    d.name,
    d.version,
    s.status,
    i.path,
    i.kind,
    i.reason,
    strftime('%Y-%m-%dT%H:%M:%fZ', i.since_ms / 1000.0, 'unixepoch')   AS since
FROM open_incidents i
JOIN sagas s ON s.no = i.saga_no
JOIN definitions d ON d.no = s.definition_no;

-- One row for each schedule.
CREATE VIEW schedules_overview AS
SELECT
    name,
    saga,
    cron,
    time_zone,
    missed,
    overlap,
    strftime('%Y-%m-%dT%H:%M:%fZ', next_ms / 1000.0, 'unixepoch')      AS next_due_at,
    strftime('%Y-%m-%dT%H:%M:%fZ', last_ms / 1000.0, 'unixepoch')      AS last_due_at,
    runs,
    problem,
    tags,
    strftime('%Y-%m-%dT%H:%M:%fZ', since_ms / 1000.0, 'unixepoch')     AS since
FROM schedules;
