//! Where `serve` forwards to: options, and the file of destinations.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use piopiy_events::Kind;
use piopiy_receiver::{Destination, ForwardFilter, ForwardState, SigningSecret, StoreLocation};
use serde::Deserialize;

use super::exit::Failure;
use super::forward_state::default_state;
use super::{quantity, secret};

/// Where stored webhooks are delivered to.
#[derive(Debug, Args)]
pub(super) struct Forwarding {
    /// Deliver what is stored to this URL too, at least once and in order per call; the destination `app`
    #[arg(long, value_name = "URL", conflicts_with = "forward_file", help_heading = "Forwarding")]
    forward_to: Option<String>,
    /// Sign what is delivered, as Standard Webhooks has it, with the secret (whsec_...) in this file
    #[arg(long, value_name = "FILE", requires = "forward_to", help_heading = "Forwarding")]
    forward_secret_file: Option<PathBuf>,
    /// Trust an https: URL by the certificates in this file, in place of the public roots
    #[arg(long, value_name = "FILE", requires = "forward_to", help_heading = "Forwarding")]
    forward_ca_file: Option<PathBuf>,
    /// Deliver to the destinations of this TOML file; docs/forwarding.md shows one
    #[arg(long, value_name = "FILE", help_heading = "Forwarding")]
    forward_file: Option<PathBuf>,
    /// Where it is kept what was delivered; default: the store's file with .forward behind it
    #[arg(long, value_name = "FILE", help_heading = "Forwarding")]
    forward_state: Option<PathBuf>,
    /// Give a destination that is new what the store already has, too
    #[arg(long, help_heading = "Forwarding")]
    forward_from_start: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    destination: Vec<Table>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Table {
    name: String,
    url: String,
    secret_file: Option<PathBuf>,
    ca_file: Option<PathBuf>,
    #[serde(default)]
    kinds: Vec<KindName>,
    #[serde(default)]
    statuses: Vec<String>,
    #[serde(default)]
    legs: Vec<String>,
    #[serde(default)]
    app_ids: Vec<String>,
    timeout: Option<String>,
    concurrency: Option<usize>,
    max_attempts: Option<u32>,
    first_backoff: Option<String>,
    most_backoff: Option<String>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum KindName {
    Cdr,
    LiveEvent,
}

impl Forwarding {
    /// Whether anything is forwarded.
    pub(super) fn is_wanted(&self) -> bool {
        self.forward_to.is_some() || self.forward_file.is_some()
    }

    /// The destinations; none where nothing is to be forwarded.
    pub(super) fn destinations(&self) -> Result<Vec<Destination>, Failure> {
        if let Some(url) = &self.forward_to {
            let destination = Destination::new("app", url);
            let mut destination =
                destination.map_err(|error| Failure::usage(format!("--forward-to: {error}")))?;
            if let Some(file) = &self.forward_secret_file {
                destination.secret = Some(secret_in(file)?);
            }
            destination.ca_file.clone_from(&self.forward_ca_file);
            destination.from_start = self.forward_from_start;
            return Ok(vec![destination]);
        }
        let Some(file) = &self.forward_file else {
            if self.forward_state.is_some() || self.forward_from_start {
                return Err(Failure::usage(
                    "--forward-state and --forward-from-start need --forward-to or --forward-file",
                ));
            }
            return Ok(Vec::new());
        };
        let place = format!("--forward-file {}", file.display());
        let text = std::fs::read_to_string(file).context(place.clone()).map_err(Failure::environment)?;
        let tables: File = toml::from_str(&text)
            .map_err(|error| Failure::usage(told_without_text(&place, &text, &error)))?;
        if tables.destination.is_empty() {
            return Err(Failure::usage(format!("{place}: it has no [[destination]]")));
        }
        let told = |table: Table| {
            let name = table.name.clone();
            self.destination(table, file.parent()).map_err(|failure| match failure {
                Failure::Usage(text) => Failure::usage(format!("{place}, destination `{name}`: {text}")),
                other => other,
            })
        };
        tables.destination.into_iter().map(told).collect()
    }

    /// Files that it names are looked for in `folder`.
    fn destination(&self, table: Table, folder: Option<&Path>) -> Result<Destination, Failure> {
        let mut destination =
            Destination::new(&table.name, &table.url).map_err(|error| Failure::usage(error.to_string()))?;
        let time = |key: &str, text: Option<&String>, default: Duration| match text {
            Some(text) => quantity::duration(text).map_err(|error| Failure::usage(format!("{key}: {error}"))),
            None => Ok(default),
        };
        destination.timeout = time("timeout", table.timeout.as_ref(), destination.timeout)?;
        destination.first_backoff =
            time("first-backoff", table.first_backoff.as_ref(), destination.first_backoff)?;
        destination.most_backoff =
            time("most-backoff", table.most_backoff.as_ref(), destination.most_backoff)?;
        destination.concurrency = table.concurrency.unwrap_or(destination.concurrency);
        destination.max_attempts = table.max_attempts.unwrap_or(destination.max_attempts);
        if destination.concurrency == 0 || destination.max_attempts == 0 {
            return Err(Failure::usage("concurrency and max-attempts must be at least 1"));
        }
        let beside = |file: &PathBuf| folder.map_or_else(|| file.clone(), |folder| folder.join(file));
        if let Some(file) = &table.secret_file {
            destination.secret = Some(secret_in(&beside(file))?);
        }
        destination.ca_file = table.ca_file.as_ref().map(beside);
        let kind = |kind: &KindName| match kind {
            KindName::Cdr => Kind::Cdr,
            KindName::LiveEvent => Kind::LiveEvent,
        };
        destination.filter = ForwardFilter {
            kinds: table.kinds.iter().map(kind).collect(),
            statuses: table.statuses,
            legs: table.legs,
            app_ids: table.app_ids,
        };
        destination.from_start = self.forward_from_start;
        Ok(destination)
    }

    /// Where the state is said to be.
    pub(super) fn state_file(&self) -> Option<PathBuf> {
        self.forward_state.clone()
    }

    /// Whether it is clear where the state is, before anything is opened.
    pub(super) fn check(&self, store: &StoreLocation) -> Result<(), Failure> {
        let has_place = self.forward_state.is_some()
            || default_state(store).is_some()
            || *store == StoreLocation::Memory
            || !self.is_wanted();
        if has_place {
            return Ok(());
        }
        Err(Failure::usage(
            "forwarding from this store needs --forward-state FILE, for it has no file beside which the state would be; \
            of the receivers that share it let one forward",
        ))
    }

    /// The state beside the store, or where it is said to be.
    pub(super) fn state(&self, store: &StoreLocation) -> Result<ForwardState, Failure> {
        self.check(store)?;
        let state = match self.forward_state.clone().or_else(|| default_state(store)) {
            Some(path) => ForwardState::open(path),
            None => ForwardState::in_memory(),
        };
        state.map_err(Failure::environment)
    }
}

fn secret_in(file: &Path) -> Result<SigningSecret, Failure> {
    let text = secret::read(file)?;
    text.parse().map_err(|error| Failure::usage(format!("{}: {error}", file.display())))
}

/// What is wrong and in which line, without the line, for a secret may stand in it.
fn told_without_text(place: &str, text: &str, error: &toml::de::Error) -> String {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    let line = 1 + before.matches('\n').count();
    format!("{place}, line {line}: {}", error.message())
}
