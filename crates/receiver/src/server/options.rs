use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::pace::RateLimit;
use super::routes::OWN_PATHS;
use crate::{DEFAULT_PATH, GroupCommitOptions, IpRange, ReadLimits};

/// How a [`Server`](crate::Server) behaves.
#[derive(Debug, Clone)]
#[expect(clippy::exhaustive_structs, reason = "made with struct update syntax")]
pub struct ServerOptions {
    /// The path that webhooks are posted to; default [`DEFAULT_PATH`].
    pub path: String,
    /// What becomes of what is not understood; default [`Malformed::Quarantine`].
    pub malformed: Malformed,
    /// Whether `/__observe` answers, to programs on this machine that show the secret, where one is set; default false. It
    /// needs a store whose records can be read ([`Store::reader`](crate::Store::reader)).
    pub observe: bool,
    /// A file to which a record of each effect is appended, as `/__observe` would tell it; default none. It needs such a
    /// store too, and holds what webhooks hold.
    pub observe_file: Option<PathBuf>,
    /// Whether logs may hold phone numbers; default false.
    pub log_numbers: bool,
    /// Size and time of one body, and the depth of its JSON.
    pub read: ReadLimits,
    /// Time for a whole request head, from the connection's start or the head's first byte; default 10 s.
    pub header_deadline: Duration,
    /// Time that a connection may do nothing between requests, or while it is to take an answer; default 10 s.
    pub idle_deadline: Duration,
    /// Time for requests in flight when the server shuts down; default 10 s.
    pub drain_deadline: Duration,
    /// Open connections at most; more wait to be accepted; default 4,096.
    pub max_connections: usize,
    /// Bytes of bodies that are being read at once, over all connections (503 beyond); default 64 MiB.
    pub max_reading_bytes: usize,
    /// Bytes of one request head at most (431 beyond), at least 8,192; default 64 KiB.
    pub max_head_bytes: usize,
    /// How fast one source may post, whatever it has to show; default as fast as it can.
    pub rate_limit: Option<RateLimit>,
    /// Proxies of which `X-Forwarded-For` is believed, so that addresses are those of clients; default none.
    pub trusted_proxies: Vec<IpRange>,
    /// How entries become batches.
    pub commits: GroupCommitOptions,
}

/// What becomes of a body that is not understood (not JSON, no object, no webhook, a key with two values, too deep), or of
/// a webhook of an `appid` that is not allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::exhaustive_enums, reason = "there is no third way that loses nothing")]
pub enum Malformed {
    /// It is kept aside in the store, with the reason, and acknowledged with 202.
    #[default]
    Quarantine,
    /// It is refused with 4xx, and the reason as text. A JSON object that has all that a webhook has, but a `type` that is
    /// not known, is no mistake of the sender's: where its `appid` is allowed it is kept aside and acknowledged all the
    /// same, for refused it would only come again.
    Reject,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            path: DEFAULT_PATH.to_owned(),
            malformed: Malformed::default(),
            observe: false,
            observe_file: None,
            log_numbers: false,
            read: ReadLimits::default(),
            header_deadline: Duration::from_secs(10),
            idle_deadline: Duration::from_secs(10),
            drain_deadline: Duration::from_secs(10),
            max_connections: 4096,
            max_reading_bytes: 64 << 20,
            max_head_bytes: 64 * 1024,
            rate_limit: None,
            trusted_proxies: Vec::new(),
            commits: GroupCommitOptions::default(),
        }
    }
}

impl ServerOptions {
    /// Whether a server can be made with these, which [`ServerBuilder::bind`](crate::ServerBuilder::bind) asks too.
    ///
    /// # Errors
    /// Where the path is none, or one that the server needs itself.
    pub fn check(&self) -> io::Result<()> {
        let path = &self.path;
        let invalid = |text| Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        // Some of these have a meaning in URLs or in routes, others must be encoded.
        let fits = |byte: u8| byte.is_ascii_graphic() && !b"{}?#*\"<>\\^`|".contains(&byte);
        // A colon at the start of a part was a parameter of routes once, and is refused by them.
        if !path.starts_with('/') || !path.bytes().all(fits) || path.contains("/:") {
            return invalid(format!(
                "the path `{path}` must start with / and hold nothing but letters, digits and - . _ ~ % / and the like, with no : behind a /"
            ));
        }
        if OWN_PATHS.contains(&path.as_str()) {
            return invalid(format!("the path `{path}` is the server's own: choose another for webhooks"));
        }
        Ok(())
    }
}
