//! The store that several receivers share: one schema, `piopiy_receiver`, in a PostgreSQL database.
//!
//! * A batch is one transaction, sent and answered in one go, and committed (synced to the server's disk) before
//!   `append` returns.
//! * A webhook is found by a digest of its identity, and a unique index over it is what stands against a second one
//!   whoever writes. Identities themselves may be longer than an index takes.
//! * Batches of all replicas pass one lock, one after the other. Sequence objects would hand out numbers in another order
//!   than that of the commits, and a reader that has seen 7 would never look for the 6 that is committed later; numbers
//!   of what was rolled back would be gaps. Under the lock a number is visible only when all before it are.

mod append;
mod error;
mod forget;
mod link;
mod read;
mod schema;
mod tls;

use std::sync::Arc;
use std::time::Duration;

pub use error::{PostgresError, PostgresFailure};
pub use read::PostgresRecords;

use self::append::Batch;
use self::link::{Link, Session};
use super::{Append, Forget, Forgotten, Store, StoreError};
use crate::{Entry, PostgresUrl, Records};

/// How a [`PostgresStore`] deals with its server.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "made with struct update syntax")]
pub struct PostgresOptions {
    /// How long it may take to connect; default 5 s.
    pub connect_timeout: Duration,
    /// How long a batch may take to be committed, or a page to be read; default 10 s. Then the connection is given up.
    pub timeout: Duration,
    /// How long it waits at most before it connects again, after connecting failed; default 2 s. It begins with 50 ms.
    pub max_backoff: Duration,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            timeout: Duration::from_secs(10),
            max_backoff: Duration::from_secs(2),
        }
    }
}

/// Keeps webhooks in a PostgreSQL database, which any number of receivers may share.
///
/// It makes its tables where there are none, in a schema of their own. A connection that is lost is made anew by the next
/// append, or refused at once while the server was not there a moment ago. What was being committed when it was lost
/// may be kept: a repeat of it is then found to be a duplicate.
///
/// A pooler between must pool sessions, for each connection has settings of its own. The crate beneath, `tokio_postgres`, logs
/// all values of a statement at the level debug: a program of one's own should not have it log at that.
#[derive(Debug)]
pub struct PostgresStore {
    url: PostgresUrl,
    options: PostgresOptions,
    link: Link<Writer>,
    records_at_start: u64,
}

/// A connection that appends.
#[derive(Debug)]
struct Writer {
    session: Session,
    append: tokio_postgres::Statement,
    oldest: tokio_postgres::Statement,
}

impl PostgresStore {
    /// Connects to the database, and makes the tables where there are none.
    ///
    /// # Errors
    /// Where the server cannot be reached or does not let it in, or the tables cannot be made or are of a newer version.
    pub fn open(url: &PostgresUrl) -> Result<Self, StoreError> {
        Self::open_with(url, PostgresOptions::default())
    }

    /// Connects with options of one's own.
    ///
    /// # Errors
    /// As [`PostgresStore::open`].
    pub fn open_with(url: &PostgresUrl, options: PostgresOptions) -> Result<Self, StoreError> {
        let mut store = Self::later(url, options)?;
        store.connect()?;
        Ok(store)
    }

    /// A store that is connected by [`PostgresStore::connect`], or by the first append.
    ///
    /// # Errors
    /// Where the certificates that the URL names cannot be read, or the system gives no thread.
    pub fn later(url: &PostgresUrl, options: PostgresOptions) -> Result<Self, StoreError> {
        let link = Link::new(url, options)?;
        Ok(Self { url: url.clone(), options, link, records_at_start: 0 })
    }

    /// Connects, and makes the tables where there are none. Where connecting failed a moment ago it fails at once, so it may be
    /// asked again and again.
    ///
    /// # Errors
    /// As [`PostgresStore::open`]; [`StoreError::is_unreachable`] says which of them may be over by themselves.
    pub fn connect(&mut self) -> Result<(), StoreError> {
        let records = async |writer: &Writer| schema::records(&writer.session).await;
        self.records_at_start = self.link.run("open", Writer::open, records)?;
        Ok(())
    }
}

impl Store for PostgresStore {
    fn append(&mut self, batch: &[Entry]) -> Result<Vec<Append>, StoreError> {
        if batch.is_empty() {
            let probe = async |writer: &Writer| schema::probe(&writer.session).await;
            return Ok(self.link.run("probe", Writer::open, probe).map(|()| Vec::new())?);
        }
        let batch = Batch::of(batch);
        let outcomes = self.link.run("append", Writer::open, async |writer| {
            batch.append(&writer.session, &writer.append).await
        })?;
        Ok(outcomes)
    }

    /// Of all receivers that share it, when this one was started.
    fn record_count(&self) -> u64 {
        self.records_at_start
    }

    fn reader(&mut self) -> Option<Arc<dyn Records>> {
        Some(Arc::new(PostgresRecords::later(&self.url, self.options)))
    }

    /// Behind the lock that batches pass, so that webhooks of all receivers wait meanwhile. The room is the server's to fill up
    /// again, once it has cleaned the tables.
    fn forget(&mut self, what: &Forget) -> Result<Forgotten, StoreError> {
        Ok(self.link.run("forget", Writer::open, async |writer| writer.forget(what).await)?)
    }
}

impl Writer {
    async fn open(session: Session) -> Result<Self, PostgresError> {
        session.set_up_to_write().await?;
        schema::migrate(&session).await?;
        let append = session.prepare(append::APPEND).await?;
        let oldest = session.prepare(forget::OLDEST).await?;
        Ok(Self { session, append, oldest })
    }
}
