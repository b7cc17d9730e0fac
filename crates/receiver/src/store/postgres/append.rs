//! One batch, one transaction.

use std::collections::HashMap;
use std::error::Error;

use bytes::{BufMut as _, BytesMut};
use tokio_postgres::Statement;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};

use super::error::PostgresError;
use super::link::Session;
use crate::{Append, Entry};

/// What is new gets the numbers that follow, in the order of the batch. It answers the last number before, and of what
/// was there already place and number.
///
/// A statement of its own behind the lock: its snapshot is taken once the lock is held, so it sees whatever those
/// committed that held the lock before. Look-ups are scalar subqueries, which leave the planner nothing to choose but
/// the index, whatever it believes the size of the table to be.
pub(super) const APPEND: &str = "
WITH given AS MATERIALIZED (
    SELECT given.*, (SELECT seq FROM piopiy_receiver.webhook WHERE webhook.digest = given.digest) AS known
    FROM unnest($1::int8[], $2::uuid[], $3::text[], $4::text[], $5::bytea[]) WITH ORDINALITY
        AS given (received_at, digest, identity, reason, body, place)
), fresh AS MATERIALIZED (
    SELECT given.*, last_seq + row_number() OVER (ORDER BY place) AS seq
    FROM given CROSS JOIN piopiy_receiver.state WHERE known IS NULL
), webhooks AS (
    INSERT INTO piopiy_receiver.webhook (seq, received_at, digest, identity, body)
    SELECT seq, received_at, digest, identity, body FROM fresh WHERE digest IS NOT NULL ORDER BY seq
), quarantined AS (
    INSERT INTO piopiy_receiver.quarantine (seq, received_at, reason, body)
    SELECT seq, received_at, reason, body FROM fresh WHERE digest IS NULL ORDER BY seq
), counted AS (
    UPDATE piopiy_receiver.state SET last_seq = last_seq + (SELECT count(*) FROM fresh)
    WHERE EXISTS (SELECT FROM fresh)
)
SELECT
    (SELECT last_seq FROM piopiy_receiver.state),
    (SELECT array_agg(place ORDER BY place) FROM given WHERE known IS NOT NULL),
    (SELECT array_agg(known ORDER BY place) FROM given WHERE known IS NOT NULL)";

/// Held to the end of the transaction, which is visible by then. The level is named, for a database may have another by
/// default, whose snapshot would be older than the lock.
pub(super) const BEGIN_LOCKED: &str =
    "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SELECT pg_advisory_xact_lock(1346981712, 1)";

/// A batch as columns, each webhook in it once.
#[derive(Debug, Default)]
pub(super) struct Batch<'a> {
    received_at: Vec<i64>,
    digests: Vec<Option<Digest>>,
    identities: Vec<Option<&'a str>>,
    reasons: Vec<Option<String>>,
    bodies: Vec<&'a [u8]>,
    /// Of each entry its row, and whether it is the first that has it.
    rows: Vec<(usize, bool)>,
}

impl<'a> Batch<'a> {
    pub(super) fn of(entries: &'a [Entry]) -> Self {
        let mut batch = Self::default();
        let mut firsts: HashMap<Digest, usize> = HashMap::with_capacity(entries.len());
        for entry in entries {
            let digest = entry.identity().map(Digest::of);
            let next = batch.bodies.len();
            let row = digest.map_or(next, |digest| *firsts.entry(digest).or_insert(next));
            batch.rows.push((row, row == next));
            if row < next {
                continue;
            }
            batch.received_at.push(entry.received_at());
            batch.digests.push(digest);
            batch.identities.push(entry.identity());
            // PostgreSQL's texts hold every character but this one.
            batch.reasons.push(entry.reason().map(|reason| reason.replace('\0', "\u{FFFD}")));
            batch.bodies.push(entry.body());
        }
        batch
    }

    pub(super) async fn append(
        &self,
        session: &Session,
        statement: &Statement,
    ) -> Result<Vec<Append>, PostgresError> {
        let client = session.client();
        let parameters: [&(dyn ToSql + Sync); 5] =
            [&self.received_at, &self.digests, &self.identities, &self.reasons, &self.bodies];
        // Sent together, in this order. Where one fails the server skips what follows and rolls back.
        let (begun, appended, committed) = tokio::join!(
            client.batch_execute(BEGIN_LOCKED),
            client.query_one(statement, &parameters),
            client.batch_execute("COMMIT"),
        );
        begun.map_err(PostgresError::while_doing("lock"))?;
        let row = appended.map_err(PostgresError::while_doing("append"))?;
        committed.map_err(PostgresError::while_doing("commit"))?;
        let read = || Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?));
        let (last_seq, places, seqs): (i64, Option<Vec<i64>>, Option<Vec<i64>>) =
            read().map_err(PostgresError::while_doing("read what it appended"))?;
        let known = places.unwrap_or_default().into_iter().zip(seqs.unwrap_or_default()).collect();
        Ok(self.outcomes(last_seq, &known))
    }

    fn outcomes(&self, last_seq: i64, known: &HashMap<i64, i64>) -> Vec<Append> {
        let mut next = last_seq.unsigned_abs();
        let mut by_row: Vec<Append> = Vec::with_capacity(self.bodies.len());
        for place in (1..).take(self.bodies.len()) {
            by_row.push(match known.get(&place) {
                Some(of) => Append::Duplicate { of: of.unsigned_abs() },
                None => {
                    next += 1;
                    Append::Appended { seq: next }
                }
            });
        }
        let outcome = |&(row, is_first): &(usize, bool)| match by_row[row] {
            Append::Appended { seq } if !is_first => Append::Duplicate { of: seq },
            outcome => outcome,
        };
        self.rows.iter().map(outcome).collect()
    }
}

/// The first 16 bytes of the SHA-256 of an identity: nobody finds two identities that have the same. It has no key, for
/// all who share the store must agree on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Digest([u8; 16]);

impl Digest {
    fn of(identity: &str) -> Self {
        let whole = ring::digest::digest(&ring::digest::SHA256, identity.as_bytes());
        let mut digest = [0; 16];
        digest.copy_from_slice(&whole.as_ref()[..16]);
        Self(digest)
    }
}

/// As a `uuid`, the type of 16 bytes that PostgreSQL compares fastest.
impl ToSql for Digest {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.put_slice(&self.0);
        Ok(IsNull::No)
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::UUID
    }

    to_sql_checked!();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_stays_what_it_is() {
        // What is stored was found by it: it may never change.
        let Digest(bytes) = Digest::of(r#"["cdr","x","a","missed",null]"#);
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "a43a13ec30240044d508daf4c771a393");
    }
}
