mod outage;
mod running;

use std::net::ToSocketAddrs as _;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use piopiy_receiver::{
    Authentication, Basic, DEFAULT_PATH, Destination, Forwarder, GroupCommitOptions, IpRange, Malformed,
    RateLimit, ReadLimits, Retention, ServerOptions, StoreLocation, Tls, Token, Traces,
};

use super::exit::Failure;
use super::forward_state::default_state;
use super::forwarding::Forwarding;
use super::logging::{self, LogFormat};
use super::page::PageArgs;
use super::store_value::StoreValue;
use super::{quantity, secret};

/// Receive webhooks until SIGTERM or Ctrl-C
///
/// A webhook is answered `200 got it` once it is in the store. On SIGTERM or Ctrl-C the requests in flight are
/// answered, then the program ends with exit code 0; a second signal ends it at once.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Options that are not given here or in the environment; `piopiy-receiver config` prints such a file
    #[arg(long, value_name = "FILE", env = "PIOPIY_RECEIVER_CONFIG")]
    config: Option<PathBuf>,
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:5000", env = "PIOPIY_RECEIVER_LISTEN")]
    listen: String,
    /// Speak TLS, with the certificate in this PEM file (those that lead to its authority behind it); read again on SIGHUP
    /// and when the file changes
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The key of the certificate
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// The path that webhooks are posted to
    #[arg(long, default_value = DEFAULT_PATH, env = "PIOPIY_RECEIVER_PATH")]
    path: String,
    /// Where webhooks are kept: sqlite:FILE, memory (nothing on disk), or postgres://USER:PASSWORD@HOST:PORT/DATABASE, which
    /// several receivers may share. With ?sslmode=verify-full&sslrootcert=FILE the server has to show who it is. Better in
    /// the environment than as an argument: those are seen by all of this machine
    #[arg(
        long,
        value_name = "STORE",
        default_value = "sqlite:piopiy.sqlite",
        env = "PIOPIY_RECEIVER_STORE",
        hide_env_values = true,
        value_parser = StoreValue
    )]
    store: StoreLocation,
    /// Forget what is older than this, such as 90d (at least 2h), what is yet to be forwarded excepted. Of receivers that
    /// share a PostgreSQL store it is for the one that forwards
    #[arg(long, value_name = "TIME", value_parser = quantity::age)]
    keep: Option<Duration>,
    /// What becomes of what is not understood: kept aside with 202, or refused with 4xx
    #[arg(long, value_enum, default_value_t = MalformedArg::Quarantine)]
    malformed: MalformedArg,
    /// Answer /__observe, for test suites on this machine; asks for the token or credentials too
    #[arg(long)]
    observe: bool,
    /// Append a record of each effect to a file, for test suites; it holds phone numbers, as the store does
    #[arg(long, value_name = "FILE")]
    observe_file: Option<PathBuf>,

    /// Ask for this token, as the last segment of the path or as ?token=
    #[arg(
        long,
        value_name = "TOKEN",
        env = "PIOPIY_RECEIVER_TOKEN",
        hide_env_values = true,
        help_heading = "Who may post"
    )]
    token: Option<String>,
    /// Ask for the token in this file
    #[arg(long, value_name = "FILE", conflicts_with = "token", help_heading = "Who may post")]
    token_file: Option<PathBuf>,
    /// Ask for the basic credentials in this file, as USER:PASSWORD
    #[arg(long, value_name = "FILE", help_heading = "Who may post")]
    basic_file: Option<PathBuf>,
    /// Take webhooks from this address or range only (may be repeated)
    #[arg(long, value_name = "RANGE", help_heading = "Who may post")]
    allow_ip: Vec<IpRange>,
    /// Take webhooks of this appid only (may be repeated); others are kept aside, or refused with --malformed reject
    #[arg(long, value_name = "APPID", help_heading = "Who may post")]
    allow_appid: Vec<String>,
    /// Believe X-Forwarded-For of a proxy at this address or range (may be repeated), so that addresses are the clients'
    #[arg(long, value_name = "RANGE", help_heading = "Who may post")]
    trust_proxy: Vec<IpRange>,
    /// Webhooks from one address (IPv6: one /64) in a second, such as 100/s; what is faster waits, then gets 429
    #[arg(long, value_name = "RATE", value_parser = quantity::rate, help_heading = "Who may post")]
    rate_limit: Option<u32>,
    /// Webhooks from one address that may come at once
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = quantity::small, requires = "rate_limit", help_heading = "Who may post")]
    rate_burst: u32,
    /// Time that a webhook may wait for its turn before it gets 429, since a live event that is refused does not come again
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = quantity::duration, requires = "rate_limit", help_heading = "Who may post")]
    rate_patience: Duration,

    #[command(flatten)]
    forwarding: Forwarding,

    #[command(flatten)]
    page: PageArgs,

    /// Bytes of one body at most
    #[arg(long, value_name = "SIZE", default_value = "1MiB", value_parser = quantity::bytes, help_heading = "Limits")]
    max_body: usize,
    /// Bytes of one request head at most
    #[arg(long, value_name = "SIZE", default_value = "64KiB", value_parser = quantity::head_bytes, help_heading = "Limits")]
    max_head: usize,
    /// Arrays and objects inside one another at most
    #[arg(long, value_name = "N", default_value_t = 128, value_parser = quantity::at_least_one, help_heading = "Limits")]
    max_depth: usize,
    /// Open connections at most; more wait to be accepted
    #[arg(long, value_name = "N", default_value_t = 4096, value_parser = quantity::at_least_one, help_heading = "Limits")]
    max_connections: usize,
    /// Bytes of bodies that may come in at once; 503 beyond
    #[arg(long, value_name = "SIZE", default_value = "64MiB", value_parser = quantity::bytes, help_heading = "Limits")]
    max_reading_bytes: usize,
    /// Webhooks that may wait for the store; 503 beyond
    #[arg(long, value_name = "N", default_value_t = 8192, value_parser = quantity::at_least_one, help_heading = "Limits")]
    max_waiting: usize,
    /// Bytes of webhooks that may wait for the store; 503 beyond
    #[arg(long, value_name = "SIZE", default_value = "64MiB", value_parser = quantity::bytes, help_heading = "Limits")]
    max_waiting_bytes: usize,
    /// Webhooks in one commit at most
    #[arg(long, value_name = "N", default_value_t = 1024, value_parser = quantity::at_least_one, help_heading = "Limits")]
    max_batch: usize,
    /// Memory for the filter that tells new webhooks from repeats in an SQLite store: 2 bytes for each that is kept, else new
    /// ones take longer
    #[arg(long, value_name = "SIZE", default_value = "64MiB", value_parser = quantity::bytes, help_heading = "Limits")]
    filter_bytes: usize,
    /// Time for a whole request head
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = quantity::duration, help_heading = "Limits")]
    header_deadline: Duration,
    /// Time for a whole body
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = quantity::duration, help_heading = "Limits")]
    body_deadline: Duration,
    /// Time that a connection may do nothing between requests
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = quantity::duration, help_heading = "Limits")]
    idle_deadline: Duration,
    /// Time for the store to commit a webhook; 503 beyond
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = quantity::duration, help_heading = "Limits")]
    commit_deadline: Duration,
    /// Time for requests in flight when the program is to end
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = quantity::duration, help_heading = "Limits")]
    drain_deadline: Duration,

    /// Send traces of webhooks to the OpenTelemetry collector at this URL, as OTLP over HTTP; without phone numbers, unless
    /// --log-numbers lets them
    #[arg(long, value_name = "URL", help_heading = "Traces")]
    otlp_to: Option<String>,
    /// The part of webhooks that is traced, from 0 to 1, those apart that come with a traceparent
    #[arg(long, value_name = "PART", default_value = "1", value_parser = quantity::ratio, requires = "otlp_to", help_heading = "Traces")]
    otlp_ratio: f64,

    /// Format of the logs on stderr
    #[arg(long, value_enum, default_value_t = LogFormat::Text, help_heading = "Logs")]
    log_format: LogFormat,
    /// What is logged: error, warn, info, debug (a line for each webhook), or a filter such as piopiy_receiver=debug
    #[arg(
        long,
        value_name = "LEVEL",
        default_value = "info",
        env = "PIOPIY_RECEIVER_LOG",
        help_heading = "Logs"
    )]
    log: String,
    /// Let phone numbers into the logs (at level debug)
    #[arg(long, help_heading = "Logs")]
    log_numbers: bool,
    /// Print a JSON line on stdout once it listens
    #[arg(long, help_heading = "Logs")]
    ready_json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum MalformedArg {
    Quarantine,
    Reject,
}

/// What the options come to, before anything is listened on or made.
struct Prepared {
    authentication: Authentication,
    destinations: Vec<Destination>,
    retention: Option<Retention>,
    traces: Option<Traces>,
    tls: Option<Tls>,
    options: ServerOptions,
}

/// How long those may take in the end who only look at the store.
const LAST_READS: Duration = Duration::from_secs(1);

impl Serve {
    pub(crate) fn run(self) -> Result<(), Failure> {
        logging::init(self.log_format, &self.log)?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        let runtime = runtime.map_err(Failure::environment)?;
        let outcome = runtime.block_on(self.receive());
        // All that is to be kept is; who only looks may be waiting for a database that hangs.
        runtime.shutdown_timeout(LAST_READS);
        outcome
    }

    /// Whether it would serve with these options, as far as is known without the port and the store.
    pub(super) fn check(&self) -> Result<(), Failure> {
        logging::filter(&self.log)?;
        self.prepare()?;
        self.listen.to_socket_addrs().map(drop).map_err(|error| self.cannot_listen(error))
    }

    fn prepare(&self) -> Result<Prepared, Failure> {
        let authentication = self.authentication()?;
        let destinations = self.forwarding.destinations()?;
        Forwarder::check(&destinations).map_err(Failure::environment)?;
        self.forwarding.check(&self.store)?;
        self.page.check()?;
        let (retention, traces) = (self.retention()?, self.traces()?);
        let tls = match (&self.tls_cert, &self.tls_key) {
            (Some(certificate), Some(key)) => {
                Some(Tls::open(certificate, key).map_err(Failure::environment)?)
            }
            _ => None,
        };
        let options = self.options();
        options.check().map_err(|error| Failure::usage(format!("--path: {error}")))?;
        self.check_sizes()?;
        Ok(Prepared { authentication, destinations, retention, traces, tls, options })
    }

    /// A body that is allowed has room where it is read, and where it waits.
    fn check_sizes(&self) -> Result<(), Failure> {
        let body = self.max_body;
        for (option, room) in
            [("--max-reading-bytes", self.max_reading_bytes), ("--max-waiting-bytes", self.max_waiting_bytes)]
        {
            if room < body {
                return Err(Failure::usage(format!(
                    "{option} {room} has no room for a body of --max-body {body}, which would be answered by 503 for ever"
                )));
            }
        }
        Ok(())
    }

    fn traces(&self) -> Result<Option<Traces>, Failure> {
        let Some(collector) = &self.otlp_to else { return Ok(None) };
        let traces = Traces::to(collector).map_err(|error| Failure::usage(format!("--otlp-to: {error}")));
        traces.map(|mut traces| {
            traces.ratio = self.otlp_ratio;
            Some(traces)
        })
    }

    fn retention(&self) -> Result<Option<Retention>, Failure> {
        let Some(keep) = self.keep else { return Ok(None) };
        if self.store == StoreLocation::Memory {
            return Err(Failure::usage(
                "--keep: a memory store keeps all that it has until it ends; give --store sqlite:FILE or postgres://…",
            ));
        }
        let mut retention =
            Retention::new(keep).map_err(|error| Failure::usage(format!("--keep: {error}")))?;
        retention.forward_state = self.forwarding.state_file().or_else(|| default_state(&self.store));
        Ok(Some(retention))
    }

    fn options(&self) -> ServerOptions {
        ServerOptions {
            path: self.path.clone(),
            malformed: match self.malformed {
                MalformedArg::Quarantine => Malformed::Quarantine,
                MalformedArg::Reject => Malformed::Reject,
            },
            observe: self.observe,
            observe_file: self.observe_file.clone(),
            log_numbers: self.log_numbers,
            read: ReadLimits {
                max_bytes: self.max_body,
                max_depth: self.max_depth,
                body_deadline: self.body_deadline,
            },
            header_deadline: self.header_deadline,
            idle_deadline: self.idle_deadline,
            drain_deadline: self.drain_deadline,
            max_connections: self.max_connections,
            max_reading_bytes: self.max_reading_bytes,
            max_head_bytes: self.max_head,
            rate_limit: self.rate_limit.map(|per_second| RateLimit {
                per_second,
                burst: self.rate_burst,
                patience: self.rate_patience,
            }),
            trusted_proxies: self.trust_proxy.clone(),
            commits: GroupCommitOptions {
                max_batch: self.max_batch,
                max_waiting: self.max_waiting,
                max_waiting_bytes: self.max_waiting_bytes,
                deadline: self.commit_deadline,
                ..GroupCommitOptions::default()
            },
        }
    }

    fn authentication(&self) -> Result<Authentication, Failure> {
        let mut authentication = Authentication::new();
        let token = match &self.token_file {
            Some(file) => Some((secret::read(file)?, format!("--token-file {}", file.display()))),
            None => self.token.clone().map(|token| (token, "--token".to_owned())),
        };
        if let Some((token, place)) = token {
            if self.path.rsplit('/').next() == Some(&token) {
                return Err(Failure::usage(format!("{place}: the token must not be the end of --path")));
            }
            let token: Token = token.parse().map_err(|error| Failure::usage(format!("{place}: {error}")))?;
            authentication = authentication.token(token);
        }
        if let Some(file) = &self.basic_file {
            let credentials = secret::read(file)?;
            let (user, password) = credentials.split_once(':').ok_or_else(|| {
                Failure::usage(format!("--basic-file {}: expected USER:PASSWORD", file.display()))
            })?;
            authentication = authentication.basic(Basic::new(user, password));
        }
        for &range in &self.allow_ip {
            authentication = authentication.allow_ip(range);
        }
        if !self.allow_appid.is_empty() {
            authentication = authentication.app_ids(self.allow_appid.clone());
        }
        Ok(authentication)
    }

    fn cannot_listen(&self, error: std::io::Error) -> Failure {
        match error.kind() {
            std::io::ErrorKind::InvalidInput => Failure::usage(format!("--listen {}: {error}", self.listen)),
            _ => Failure::Environment(anyhow::Error::new(error).context(format!(
                "cannot listen on {}: choose another --listen, or stop what uses the port",
                self.listen
            ))),
        }
    }
}
