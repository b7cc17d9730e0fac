//! The tables, and their version.

use super::error::PostgresError;
use super::link::Session;

/// How to come from each version to the next; the first makes everything. What is listed here is in databases: add, and
/// change nothing.
///
/// The view is for those who query with SQL.
const MIGRATIONS: &[&str] = &[
    "
CREATE TABLE piopiy_receiver.state (
    is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    id uuid NOT NULL DEFAULT md5(random()::text || clock_timestamp()::text)::uuid,
    last_seq int8 NOT NULL DEFAULT 0,
    probes int8 NOT NULL DEFAULT 0
);
INSERT INTO piopiy_receiver.state DEFAULT VALUES;
CREATE TABLE piopiy_receiver.webhook (
    seq int8 PRIMARY KEY,
    received_at int8 NOT NULL,
    digest uuid NOT NULL UNIQUE,
    identity text NOT NULL,
    body bytea NOT NULL
);
CREATE TABLE piopiy_receiver.quarantine (
    seq int8 PRIMARY KEY,
    received_at int8 NOT NULL,
    reason text NOT NULL,
    body bytea NOT NULL
);
CREATE VIEW piopiy_receiver.webhook_fields AS SELECT
    seq,
    to_timestamp(received_at / 1e6) AS received_at,
    parts ->> 0 AS kind,
    parts ->> 1 AS cmiuuid,
    parts ->> 2 AS leg,
    parts ->> 3 AS status,
    convert_from(body, 'UTF8') AS body
FROM (
    SELECT *, CASE WHEN position('\\u0000' IN identity) = 0 THEN identity::json END AS parts
    FROM piopiy_receiver.webhook
) AS webhook;
COMMENT ON SCHEMA piopiy_receiver IS 'Webhooks, kept by piopiy-receiver';
",
    "
ALTER TABLE piopiy_receiver.state ADD COLUMN forgotten_through int8 NOT NULL DEFAULT 0;
",
];

/// The version that this program writes.
fn known() -> i32 {
    i32::try_from(MIGRATIONS.len()).unwrap_or(i32::MAX)
}

/// Brings the tables to the version that this program writes, all of the way or not at all. Of several receivers that
/// start at once one does it, and the others wait.
pub(super) async fn migrate(session: &Session) -> Result<(), PostgresError> {
    if version(session).await? == Some(known()) {
        return Ok(());
    }
    let fail = PostgresError::while_doing("make its tables");
    let client = session.client();
    let lock = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SELECT pg_advisory_xact_lock(1346981712, 2)";
    client.batch_execute(lock).await.map_err(&fail)?;
    let found = match version(session).await? {
        Some(found) => found,
        None => {
            let exists =
                "SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = 'piopiy_receiver')";
            // To make one takes a right that is not needed where somebody has made it.
            if !client.query_one(exists, &[]).await.map_err(&fail)?.get::<_, bool>(0) {
                client.batch_execute("CREATE SCHEMA piopiy_receiver").await.map_err(&fail)?;
            }
            let table = "CREATE TABLE piopiy_receiver.migration
                (version int4 PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())";
            client.batch_execute(table).await.map_err(&fail)?;
            0
        }
    };
    for (version, migration) in (1..).zip(MIGRATIONS).skip(usize::try_from(found).unwrap_or_default()) {
        let done = format!("{migration}; INSERT INTO piopiy_receiver.migration VALUES ({version})");
        client.batch_execute(&done).await.map_err(&fail)?;
    }
    client.batch_execute("COMMIT").await.map_err(&fail)
}

/// Whether there is a store that this program can read.
pub(super) async fn check(session: &Session) -> Result<(), PostgresError> {
    match version(session).await? {
        // The first version that there is: nothing older to read yet.
        Some(found) if found >= 1 => Ok(()),
        _ => Err(PostgresError::NotFound { url: session.url().clone() }),
    }
}

/// The version in the database; `None` where it has no store.
async fn version(session: &Session) -> Result<Option<i32>, PostgresError> {
    let fail = PostgresError::while_doing("find its version");
    let client = session.client();
    // From the catalogue itself: what the session remembers of it (`to_regclass`) is not looked at anew behind an advisory
    // lock, and misses what another receiver has just made.
    let exists = "SELECT EXISTS (SELECT FROM pg_catalog.pg_class
        JOIN pg_catalog.pg_namespace ON pg_namespace.oid = relnamespace
        WHERE nspname = 'piopiy_receiver' AND relname = 'migration')";
    if !client.query_one(exists, &[]).await.map_err(&fail)?.get::<_, bool>(0) {
        return Ok(None);
    }
    let latest = "SELECT coalesce(max(version), 0) FROM piopiy_receiver.migration";
    let found: i32 = client.query_one(latest, &[]).await.map_err(&fail)?.get(0);
    if found > known() {
        return Err(PostgresError::Newer { url: session.url().clone(), found, known: known() });
    }
    Ok(Some(found))
}

/// The `seq` of the last record.
pub(super) async fn last_seq(session: &Session) -> Result<i64, PostgresError> {
    let row = session.client().query_one("SELECT last_seq FROM piopiy_receiver.state", &[]).await;
    let row = row.map_err(PostgresError::while_doing("find its end"))?;
    row.try_get(0).map_err(PostgresError::while_doing("find its end"))
}

/// How many records there are, as far as their numbers tell: none is missing between the first and the last. What was
/// forgotten is not looked at, for it stays in the index until the server has cleaned it.
pub(super) async fn records(session: &Session) -> Result<u64, PostgresError> {
    let sql = "SELECT last_seq, (SELECT min(seq) FROM (
            SELECT min(seq) AS seq FROM piopiy_receiver.webhook WHERE seq > forgotten_through
            UNION ALL SELECT min(seq) FROM piopiy_receiver.quarantine WHERE seq > forgotten_through
        ) AS firsts) FROM piopiy_receiver.state";
    let row = session.client().query_one(sql, &[]).await;
    let read = row.and_then(|row| Ok((row.try_get(0)?, row.try_get(1)?)));
    let (last, first): (i64, Option<i64>) = read.map_err(PostgresError::while_doing("find its end"))?;
    Ok(first.map_or(0, |first| last.saturating_sub(first).saturating_add(1).unsigned_abs()))
}

/// The `seq` of the last record that was forgotten, by whichever receiver; none before it is there.
pub(super) async fn forgotten_through(session: &Session) -> Result<i64, PostgresError> {
    let row = session.client().query_one("SELECT forgotten_through FROM piopiy_receiver.state", &[]).await;
    let read = row.and_then(|row| row.try_get(0));
    read.map_err(PostgresError::while_doing("find its beginning"))
}

/// Writes something that changes no record, so that a commit shows whether the server's disk takes it.
pub(super) async fn probe(session: &Session) -> Result<(), PostgresError> {
    let sql = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
        UPDATE piopiy_receiver.state SET probes = probes + 1; COMMIT";
    session.client().batch_execute(sql).await.map_err(PostgresError::while_doing("commit"))
}
