//! A connection that is there when it is needed, and never waited for without end.
//!
//! [`Store`](crate::Store) and [`Records`](crate::Records) block, and may be called from any thread, those of a runtime
//! included. So the connection lives on a thread of its own, and callers wait for what comes from there.

use std::hash::{BuildHasher as _, RandomState};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio_postgres::{Client, Statement};

use super::PostgresOptions;
use super::error::PostgresError;
use super::tls::Connector;
use crate::PostgresUrl;

/// A way to the server; `S` is what is made of a connection before it is used.
#[derive(Debug)]
pub(super) struct Link<S> {
    url: PostgresUrl,
    options: PostgresOptions,
    connector: Connector,
    /// `None` only while it is dropped.
    runtime: Option<Runtime>,
    /// `None` after a failure: what state the connection is in is not known.
    session: Option<(S, Connected)>,
    backoff: Backoff,
}

/// A connection.
#[derive(Debug)]
pub(super) struct Session {
    url: PostgresUrl,
    client: Client,
    timeout: Duration,
}

/// The task that reads and writes a connection; dropped, it ends, and the connection with it.
#[derive(Debug)]
struct Connected(JoinHandle<()>);

impl Drop for Connected {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// When to try again.
#[derive(Debug, Default)]
struct Backoff {
    failures: u32,
    not_before: Option<Instant>,
    last: String,
}

impl<S> Link<S> {
    pub(super) fn new(url: &PostgresUrl, options: PostgresOptions) -> Result<Self, PostgresError> {
        let connector = Connector::new(url)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("postgres")
            .enable_all()
            .build();
        Ok(Self {
            url: url.clone(),
            options,
            connector,
            runtime: Some(runtime.map_err(PostgresError::Thread)?),
            session: None,
            backoff: Backoff::default(),
        })
    }

    /// Does something with a connection: the one that there is, or a new one that is first made what it is to be.
    pub(super) fn run<T>(
        &mut self,
        operation: &'static str,
        open: impl AsyncFnOnce(Session) -> Result<S, PostgresError>,
        work: impl AsyncFnOnce(&S) -> Result<T, PostgresError>,
    ) -> Result<T, PostgresError> {
        let Some(runtime) = &self.runtime else {
            return Err(PostgresError::Waiting { last: "it ends".to_owned() });
        };
        // Time-outs are that runtime's.
        let _entered = runtime.enter();
        let usable = self.session.take().filter(|(_, connected)| !connected.0.is_finished());
        let is_new = usable.is_none();
        let attempt = || -> Result<(T, (S, Connected)), PostgresError> {
            let (session, connected) = match usable {
                Some(usable) => usable,
                None => {
                    self.backoff.check()?;
                    wait(connect(&self.url, self.options, &self.connector, open))?
                }
            };
            let outcome = wait(within(operation, self.options.timeout, work(&session)))?;
            Ok((outcome, (session, connected)))
        };
        match attempt() {
            Ok((outcome, session)) => {
                self.session = Some(session);
                self.backoff = Backoff::default();
                Ok(outcome)
            }
            Err(error) => {
                // A connection that broke says nothing about the next. One that was made for this and did not do it does: a
                // server in trouble is not to be given a connection for each batch.
                if is_new && !matches!(error, PostgresError::Waiting { .. }) {
                    self.backoff.note(&error, self.options.max_backoff);
                }
                Err(error)
            }
        }
    }
}

impl<S> Drop for Link<S> {
    fn drop(&mut self) {
        self.session = None;
        if let Some(runtime) = self.runtime.take() {
            // Whoever drops it may be a task of another runtime, which must not block.
            runtime.shutdown_background();
        }
    }
}

async fn connect<S>(
    url: &PostgresUrl,
    options: PostgresOptions,
    connector: &Connector,
    open: impl AsyncFnOnce(Session) -> Result<S, PostgresError>,
) -> Result<(S, Connected), PostgresError> {
    let mut config = url.config().clone();
    let each = config.get_connect_timeout().copied().unwrap_or(options.connect_timeout);
    config.connect_timeout(each);
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(options.timeout);
    }
    // The time of the connection itself is per host, and does not end with it: the server must greet, too.
    let hosts = u32::try_from(config.get_hosts().len().max(1)).unwrap_or(u32::MAX);
    let connected = within("connect", each.saturating_mul(hosts), async {
        config.connect(connector.clone()).await.map_err(|error| PostgresError::to_connect(url, error))
    });
    let (client, connection) = connected.await?;
    let task = tokio::spawn(async move {
        // Whoever waits for an answer is told.
        drop(connection.await);
    });
    let connected = Connected(task);
    let session = Session { url: url.clone(), client, timeout: options.timeout };
    let made = within("set up the connection", options.timeout, open(session)).await?;
    Ok((made, connected))
}

async fn within<T>(
    operation: &'static str,
    limit: Duration,
    work: impl Future<Output = Result<T, PostgresError>>,
) -> Result<T, PostgresError> {
    match tokio::time::timeout(limit, work).await {
        Ok(outcome) => outcome,
        Err(_) => Err(PostgresError::TimedOut { operation, limit }),
    }
}

/// Waits on this thread, which may be one of a runtime: a runtime's own way of blocking panics there.
fn wait<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(outcome) => return outcome,
            Poll::Pending => std::thread::park(),
        }
    }
}

impl Backoff {
    fn check(&self) -> Result<(), PostgresError> {
        match self.not_before {
            Some(instant) if Instant::now() < instant => {
                Err(PostgresError::Waiting { last: self.last.clone() })
            }
            _ => Ok(()),
        }
    }

    /// Twice as long each time, by a quarter more or less: receivers that lost their server together come back one by
    /// one.
    fn note(&mut self, error: &PostgresError, most: Duration) {
        let delay = Duration::from_millis(50).saturating_mul(1 << self.failures.min(16)).min(most);
        let spread = RandomState::new().hash_one(self.failures) % 512;
        let delay = delay.mul_f64(0.75 + spread as f64 / 1024.0);
        self.failures = self.failures.saturating_add(1);
        self.not_before = Instant::now().checked_add(delay);
        self.last = error.to_string();
    }
}

impl Session {
    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    pub(super) fn url(&self) -> &PostgresUrl {
        &self.url
    }

    pub(super) async fn prepare(&self, sql: &str) -> Result<Statement, PostgresError> {
        self.client.prepare(sql).await.map_err(PostgresError::while_doing("prepare"))
    }

    /// Settings of the session, those that the server knows. A receiver that vanishes in a transaction must not keep the
    /// lock from the others; the plan of a statement is to be made once, and with the index, however small the tables were
    /// then, in its order: a bitmap has all rows behind one read and sorted, of which a page is the first few.
    pub(super) async fn set_up(&self) -> Result<(), PostgresError> {
        let millis = self.timeout.as_millis().clamp(1, 2_147_483_647);
        let sql = format!(
            "SELECT set_config(wanted.name, wanted.value, false) FROM (VALUES
                ('statement_timeout', '{millis}'), ('idle_in_transaction_session_timeout', '{millis}'),
                ('tcp_keepalives_idle', '10'), ('tcp_keepalives_interval', '5'), ('tcp_keepalives_count', '3'),
                ('plan_cache_mode', 'force_generic_plan'), ('enable_seqscan', 'off'), ('enable_bitmapscan', 'off'),
                ('jit', 'off')
            ) AS wanted (name, value) JOIN pg_settings USING (name)"
        );
        self.client.batch_execute(&sql).await.map_err(PostgresError::while_doing("set up the connection"))
    }

    /// As [`Session::set_up`], and a commit is to mean that the data is on the disk, where a database has been told
    /// otherwise.
    pub(super) async fn set_up_to_write(&self) -> Result<(), PostgresError> {
        self.set_up().await?;
        let sql = "SELECT
            current_setting('server_encoding'), current_setting('fsync'),
            CASE current_setting('synchronous_commit') WHEN 'off' THEN set_config('synchronous_commit', 'on', false) END";
        let row = self.client.query_one(sql, &[]).await;
        let row = row.map_err(PostgresError::while_doing("set up the connection"))?;
        let (encoding, fsync): (String, String) = (row.get(0), row.get(1));
        if encoding != "UTF8" {
            return Err(PostgresError::Encoding { url: self.url.clone(), encoding });
        }
        if fsync != "on" {
            tracing::warn!(store = %self.url, "the PostgreSQL server runs with fsync=off: a crash of its machine loses webhooks");
        }
        Ok(())
    }
}
