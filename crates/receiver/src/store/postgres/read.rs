use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio_postgres::{Row, Statement};

use super::error::PostgresError;
use super::link::{Link, Session};
use super::{PostgresOptions, schema};
use crate::{PostgresUrl, Record, Records, StoreError};

/// Reads a store of [`PostgresStore`](super::PostgresStore), also while receivers write to it.
#[derive(Debug)]
pub struct PostgresRecords {
    url: PostgresUrl,
    options: PostgresOptions,
    /// `None` until it is first read.
    link: Mutex<Option<Link<Reader>>>,
}

/// A connection that reads.
#[derive(Debug)]
struct Reader {
    session: Session,
    page: Statement,
}

/// Numbers are visible in their order, so what is behind the last of a page is never before it later. The bytes are
/// counted there: what does not fit is not sent. Each table has a limit of its own, so that no more of it is read.
const PAGE: &str = "
SELECT seq, received_at, body, reason FROM (
    SELECT *, sum(octet_length(body)) OVER (ORDER BY seq) AS bytes, row_number() OVER (ORDER BY seq) AS place
    FROM (
        (SELECT seq, received_at, body, NULL AS reason FROM piopiy_receiver.webhook
            WHERE seq > $1 ORDER BY seq LIMIT $2)
        UNION ALL
        (SELECT seq, received_at, body, reason FROM piopiy_receiver.quarantine
            WHERE seq > $1 ORDER BY seq LIMIT $2)
        ORDER BY seq LIMIT $2
    ) AS records
) AS counted WHERE bytes <= $3 OR place = 1 ORDER BY seq";

/// Not the last row's: rows may have been deleted.
const LAST_SEQ: &str = "SELECT last_seq FROM piopiy_receiver.state";

impl PostgresRecords {
    /// Connects to the database; makes nothing there. Nobody waits for an acknowledgement here, so that a page or a count may
    /// take five minutes.
    ///
    /// # Errors
    /// Where the server cannot be reached or does not let it in, or it has no store, or one of a newer version.
    pub fn open(url: &PostgresUrl) -> Result<Self, StoreError> {
        let timeout = Duration::from_secs(300);
        let records = Self::later(url, PostgresOptions { timeout, ..PostgresOptions::default() });
        records.run("open", async |_| Ok(()))?;
        Ok(records)
    }

    /// Connects when it is first read.
    pub(super) fn later(url: &PostgresUrl, options: PostgresOptions) -> Self {
        Self { url: url.clone(), options, link: Mutex::default() }
    }

    fn run<T>(
        &self,
        operation: &'static str,
        work: impl AsyncFnOnce(&Reader) -> Result<T, PostgresError>,
    ) -> Result<T, StoreError> {
        let mut link = self.link.lock().unwrap_or_else(PoisonError::into_inner);
        if link.is_none() {
            *link = Some(Link::new(&self.url, self.options)?);
        }
        match link.as_mut() {
            Some(link) => Ok(link.run(operation, Reader::open, work)?),
            None => Ok(Err(PostgresError::NotFound { url: self.url.clone() })?),
        }
    }

    fn number(&self, sql: &'static str) -> Result<u64, StoreError> {
        let number: i64 = self.run("read", async |reader| {
            let row = reader.session.client().query_one(sql, &[]).await;
            row.and_then(|row| row.try_get(0)).map_err(PostgresError::while_doing("read"))
        })?;
        Ok(number.unsigned_abs())
    }
}

impl Reader {
    async fn open(session: Session) -> Result<Self, PostgresError> {
        session.set_up().await?;
        schema::check(&session).await?;
        let page = session.prepare(PAGE).await?;
        Ok(Self { session, page })
    }
}

impl Records for PostgresRecords {
    fn after(&self, seq: u64, limit: usize) -> Result<Vec<Record>, StoreError> {
        self.page(seq, limit, usize::MAX)
    }

    fn page(&self, seq: u64, limit: usize, max_bytes: usize) -> Result<Vec<Record>, StoreError> {
        let seq = i64::try_from(seq).unwrap_or(i64::MAX);
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let max_bytes = i64::try_from(max_bytes).unwrap_or(i64::MAX);
        let fail = PostgresError::while_doing("read");
        self.run("read", async |reader| {
            let rows = reader.session.client().query(&reader.page, &[&seq, &limit, &max_bytes]).await;
            rows.and_then(|rows| rows.iter().map(record).collect()).map_err(&fail)
        })
    }

    fn last_seq(&self) -> Result<u64, StoreError> {
        self.number(LAST_SEQ)
    }

    fn store_id(&self) -> Result<Option<String>, StoreError> {
        self.run("read", async |reader| {
            let sql = "SELECT id::text FROM piopiy_receiver.state";
            let row = reader.session.client().query_one(sql, &[]).await;
            row.and_then(|row| row.try_get(0)).map_err(PostgresError::while_doing("read"))
        })
    }

    fn webhook_count(&self) -> Result<u64, StoreError> {
        self.number("SELECT count(*) FROM piopiy_receiver.webhook")
    }

    fn quarantine_count(&self) -> Result<u64, StoreError> {
        self.number("SELECT count(*) FROM piopiy_receiver.quarantine")
    }
}

fn record(row: &Row) -> Result<Record, tokio_postgres::Error> {
    Ok(Record {
        seq: row.try_get::<_, i64>(0)?.unsigned_abs(),
        received_at: row.try_get(1)?,
        body: Bytes::from(row.try_get::<_, Vec<u8>>(2)?),
        reason: row.try_get(3)?,
    })
}
