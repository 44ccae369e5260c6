-- <context>.db: tables of ours in the file of a context, beside the tables of its author.
-- All that one batch of commands changes is one transaction over both.

-- One row about the file.
CREATE TABLE _saga_file (
    only                  INTEGER PRIMARY KEY CHECK (only = 1),
    store_id              TEXT    NOT NULL CHECK (length(store_id) = 36), -- the store that this file belongs to
    name                  TEXT    NOT NULL,                               -- of the context
    epoch                 INTEGER NOT NULL,                               -- of the store when it was last opened
    commit_no             INTEGER NOT NULL CHECK (commit_no >= 0),        -- how many commits this file has seen
    coordinator_commit_no INTEGER NOT NULL,                               -- saga.db has reached at least this commit
    floor                 INTEGER NOT NULL,                               -- no command below it is open; see prune
    outbox_no             INTEGER NOT NULL                                -- highest number ever given in the outbox
) STRICT;

-- Every command that was answered: a repeated one gets the stored answer, and is not carried out again.
CREATE TABLE _saga_inbox (
    command_id TEXT    PRIMARY KEY,
    number     INTEGER,                                                   -- NULL: sent by the application
    outcome    TEXT    NOT NULL CHECK (outcome = 'done' OR outcome = 'refused' OR outcome = 'tombstone'),
                                                                          -- not IN: a table would be built for each row
    answer     TEXT,                                                      -- JSON
    code       TEXT,
    reason     TEXT,
    at_ms      INTEGER NOT NULL,
    CHECK ((outcome = 'refused') = (code IS NOT NULL)),
    CHECK (answer IS NULL OR outcome = 'done')
) STRICT, WITHOUT ROWID;

CREATE INDEX _saga_inbox_by_number ON _saga_inbox (number) WHERE number IS NOT NULL;

-- What the application has sent itself; what other commands were is in the journals of their sagas.
CREATE TABLE _saga_sent (
    command_id TEXT PRIMARY KEY,
    type       TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Events that were published here and are not yet known to be in the event log of saga.db.
CREATE TABLE _saga_outbox (
    no          INTEGER PRIMARY KEY,                                      -- never used again
    event_id    TEXT    NOT NULL,
    type        TEXT    NOT NULL,
    key         TEXT,
    payload     TEXT    NOT NULL,                                         -- JSON
    at_ms       INTEGER NOT NULL,
    correlation TEXT    NOT NULL,
    causation   TEXT
) STRICT;

-- How far the listeners of this context have come in the event log, for each type of event. Events up to `began`
-- were never given to it, those up to `position` were: each is done, or stands in _saga_retries.
CREATE TABLE _saga_positions (
    event_type TEXT    PRIMARY KEY,
    began      INTEGER NOT NULL,
    position   INTEGER NOT NULL CHECK (position >= began)
) STRICT, WITHOUT ROWID;

-- Events that a listener has failed on: to be tried again, or set aside until a person says so. Each with what
-- is needed for that, so that the log need not be kept for it.
CREATE TABLE _saga_retries (
    event_no    INTEGER NOT NULL,
    event_type  TEXT    NOT NULL,
    attempt     INTEGER NOT NULL CHECK (attempt >= 1),                    -- how many have failed
    due_ms      INTEGER,                                                  -- NULL: set aside
    reason      TEXT    NOT NULL,                                         -- why the last one has failed,
    failed_ms   INTEGER NOT NULL,                                         -- ... and when
    event_id    TEXT    NOT NULL,
    correlation TEXT    NOT NULL,
    payload     TEXT    NOT NULL,                                         -- JSON
    PRIMARY KEY (event_no, event_type)
) STRICT;

CREATE INDEX _saga_retries_by_due ON _saga_retries (due_ms) WHERE due_ms IS NOT NULL;
