-- The state of two destinations, as version 4 wrote it.
BEGIN;
CREATE TABLE destination (
    name TEXT PRIMARY KEY,
    read_through INTEGER NOT NULL,
    is_paused INTEGER NOT NULL DEFAULT 0, is_wanted INTEGER NOT NULL DEFAULT 1, mark INTEGER, rewind_to INTEGER
) STRICT, WITHOUT ROWID;
CREATE TABLE unsettled (
    destination TEXT NOT NULL,
    seq INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    error TEXT NOT NULL, due INTEGER NOT NULL DEFAULT 0, wait INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (destination, seq)
) STRICT, WITHOUT ROWID;
CREATE TABLE dead (
    destination TEXT NOT NULL,
    seq INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    error TEXT NOT NULL,
    died_at INTEGER NOT NULL,
    PRIMARY KEY (destination, seq)
) STRICT, WITHOUT ROWID;
CREATE TABLE replay (
    destination TEXT NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (destination, seq)
) STRICT, WITHOUT ROWID;
CREATE TABLE mark (
    destination TEXT NOT NULL,
    seq INTEGER NOT NULL,
    mark INTEGER NOT NULL,
    PRIMARY KEY (destination, seq)
) STRICT, WITHOUT ROWID;
CREATE TABLE store (is_only INTEGER PRIMARY KEY CHECK (is_only = 1), id TEXT NOT NULL) STRICT;
INSERT INTO destination VALUES ('app', 40, 0, 1, 4711, NULL), ('held', 7, 1, 0, NULL, 3);
INSERT INTO mark VALUES ('app', 40, 4711);
INSERT INTO unsettled VALUES ('app', 12, 3, 'answered 503', 1764000060000000, 4000000), ('app', 30, 1, 'no answer within 10 s', 0, 0);
INSERT INTO dead VALUES ('app', 9, 75, 'answered 500', 1764000000000000);
INSERT INTO store VALUES (1, '9f86d081884c7d65');
INSERT INTO replay VALUES ('app', 3);
PRAGMA application_id = 1346981702;
PRAGMA user_version = 4;
COMMIT;
