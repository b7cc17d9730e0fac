-- The state of two destinations, as version 1 wrote it.
BEGIN;
CREATE TABLE destination (
    name TEXT PRIMARY KEY,
    read_through INTEGER NOT NULL,
    is_paused INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE TABLE unsettled (
    destination TEXT NOT NULL,
    seq INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    error TEXT NOT NULL,
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
INSERT INTO destination VALUES ('app', 40, 0), ('held', 7, 1);
INSERT INTO unsettled VALUES ('app', 12, 3, 'answered 503'), ('app', 30, 1, 'no answer within 10 s');
INSERT INTO dead VALUES ('app', 9, 75, 'answered 500', 1764000000000000);
INSERT INTO replay VALUES ('app', 3);
PRAGMA application_id = 1346981702;
PRAGMA user_version = 1;
COMMIT;
