//! Receives PIOPIY (TeleCMI) webhooks and loses none.
//!
//! This is an unofficial project, not affiliated with TeleCMI.
//!
//! The platform POSTs a JSON object for whatever happens to a call, without an event id, a signature or a promise of
//! order, and may post a call's record four times within half an hour. A receiver that gets it right acknowledges only
//! what it has stored, and stores a repeat once. This crate is that receiver, whole or in parts:
//!
//! * [`PiopiyWebhook`] and [`webhook_router`]: webhooks, typed, in an axum application of your own; [`WebhookHandlers`]:
//!   a handler for each kind of them; [`Dedupe`]: a layer that lets each through once.
//! * [`Authentication`]: a layer that asks for a token, basic credentials, an address or an `appid`.
//! * [`Store`] with [`SqliteStore`], [`PostgresStore`] and [`MemoryStore`], and [`GroupCommit`] in front of any of them.
//! * [`Forwarder`]: delivers what is stored to an application, at least once and in order per call.
//! * [`Server`]: all of it behind deadlines, limits, a graceful end, metrics and logs; with a [`Page`] for people to look.
//!
//! The binary `piopiy-receiver` runs the [`Server`] and shows what its store holds.
//!
//! # Example
//! ```
//! use piopiy_receiver::{Server, ServerOptions, SqliteStore};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let file = folder.path().join("calls.sqlite");
//! let options = ServerOptions { max_connections: 256, ..ServerOptions::default() };
//! let server = Server::builder(SqliteStore::open(file)?).options(options).bind("127.0.0.1:0").await?;
//! println!("post webhooks to {}", server.url());
//! server.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! # Guarantees
//! * **2xx only after the commit.** An acknowledged webhook is in the store; with [`SqliteStore`] it is synced to disk,
//!   with [`PostgresStore`] to the server's.
//! * **One effect.** Deliveries with the same [`Identity`](piopiy_events::Identity) make one record, however they overlap,
//!   across restarts and all receivers that share a PostgreSQL store, for as long as they are kept. The first one wins; a later one
//!   with other values is acknowledged and not kept.
//! * **Nothing is dropped silently.** What is not understood is quarantined or refused, as [`Malformed`] says.
//! * **As received.** Bodies are kept byte for byte.
//! * **Never a 5xx for what a client sent.** 503 with `Retry-After` alone, and only for want of room or a store that works.
//!
//! # Limitations
//! * One process per SQLite file, by whatever name; a second one is refused. Several receivers share a [`PostgresStore`].
//! * Receivers that share a PostgreSQL store commit one after the other, each a batch: together they take what one takes.
//! * Durable means that the system said the data is on the disk: a disk that lies about it loses what it lied about.
//! * No HTTP/2: put a proxy in front where it is needed, and name it in [`ServerOptions::trusted_proxies`].
//! * Records are kept for ever unless [`ServerBuilder::retain`] says otherwise. The memory that tells repeats apart grows
//!   by 2 bytes for each that is kept, up to a limit ([`SqliteOptions::filter_bytes`]).
//! * A start with [`SqliteStore`] reads the whole index of what was seen, well under a second for a million webhooks.
//! * A repeat of an old webhook is looked up in one sorted run after another, newest first: the older it is, the longer
//!   its look-up takes.
//! * Quarantined bodies are not deduplicated.
//! * `/healthz`, `/readyz` and `/metrics` ask for no secret; they hold counts only.
//! * `/__observe` shows bodies, so it is off unless asked for, and then for programs on this machine that show the secret.
//!   A proxy on this machine that adds no header cannot be told apart from them.

mod auth;
mod clock;
mod control;
mod dedupe;
mod entry;
mod extract;
mod file_lock;
mod forward;
mod group_commit;
mod handlers;
mod listen;
mod location;
mod metrics;
mod page;
mod record;
mod retention;
mod router;
mod server;
mod store;
mod tls;
mod traces;
mod trust;

pub use auth::{Authenticated, Authentication, Basic, InvalidIpRange, InvalidToken, IpRange, Token};
pub use control::RunningStore;
pub use dedupe::{Dedupe, Deduped};
pub use entry::Entry;
pub use extract::{
    AppIdNotAllowed, BodyInterrupted, BodyTooLarge, BodyTooSlow, EmptyBody, EncodedBody, MalformedBody,
    PiopiyWebhook, ReadLimits, TooManyBodies, UnrecognisedBody, WebhookRejection,
};
pub use forward::{
    DeadLetter, Destination, DestinationStatus, ForwardError, ForwardFilter, ForwardState, Forwarder,
    InvalidDestination, InvalidSigningSecret, Settled, SigningSecret,
};
pub use group_commit::{AppendError, GroupCommit, GroupCommitOptions};
pub use handlers::WebhookHandlers;
pub use listen::listen;
pub use location::{InvalidPostgresUrl, InvalidStoreLocation, OpenStore, PostgresUrl, StoreLocation};
pub use page::Page;
pub use record::{Record, Records};
pub use retention::{KeepTooShort, Retention};
pub use router::{DEFAULT_PATH, webhook_router};
pub use server::{Malformed, RateLimit, Server, ServerBuilder, ServerOptions};
pub use store::{
    Append, Forget, Forgotten, MemoryStore, PostgresError, PostgresFailure, PostgresOptions, PostgresRecords,
    PostgresStore, SqliteOptions, SqliteRecords, SqliteStore, Store, StoreError, StoreFault,
};
pub use tls::{Tls, TlsError};
pub use traces::{InvalidCollector, Traces};
