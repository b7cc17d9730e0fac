//! Which file has the state of a forwarder: where `serve`, which writes it, and the commands that look into it find it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use piopiy_receiver::{ForwardState, Records, StoreLocation};

use super::StoreArg;
use super::exit::Failure;

/// The state of a forwarder, which `serve` was told of by the same name.
#[derive(Debug, Args)]
pub(super) struct ForwardStateArg {
    /// The forwarder's state, where `serve --forward-state` put it; default: the store's file with .forward behind it
    #[arg(long, value_name = "FILE")]
    forward_state: Option<PathBuf>,
}

impl ForwardStateArg {
    /// Where it is; `None` where there is none.
    pub(super) fn found(&self, store: &StoreLocation) -> Result<Option<PathBuf>, Failure> {
        match &self.forward_state {
            Some(named) if is_missing(named) => {
                Err(Failure::usage(format!("--forward-state {}: there is no such file", named.display())))
            }
            Some(named) => Ok(Some(named.clone())),
            None => Ok(default_state(store).filter(|state| !is_missing(state))),
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct StateArg {
    #[command(flatten)]
    store: StoreArg,
    /// The forwarder's state; default: the store's file with .forward behind it
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
}

impl StateArg {
    fn path(&self) -> Result<PathBuf, Failure> {
        Ok(match (&self.state, &self.store.store) {
            (Some(path), _) => path.clone(),
            (None, store) => default_state(store).ok_or_else(|| {
                Failure::usage("this store has no file beside which a state would be: give --state FILE")
            })?,
        })
    }

    pub(super) fn open(&self) -> Result<ForwardState, Failure> {
        ForwardState::open_existing(self.path()?).map_err(Failure::environment)
    }

    pub(super) fn open_to_read(&self) -> Result<ForwardState, Failure> {
        ForwardState::open_to_read(self.path()?).map_err(Failure::environment)
    }

    /// The store that the state is of.
    pub(super) fn store_of(&self, state: &ForwardState) -> Result<Arc<dyn Records>, Failure> {
        let records = self.store.open()?;
        state.check_store(&*records).map_err(Failure::environment)?;
        Ok(records)
    }
}

/// Whether it is known that there is no such file. One that cannot be looked at is opened, and the error told.
pub(super) fn is_missing(path: &Path) -> bool {
    matches!(path.try_exists(), Ok(false))
}

/// Where the state of a store's forwarder is, unless somebody says otherwise.
pub(super) fn default_state(store: &StoreLocation) -> Option<PathBuf> {
    match store {
        StoreLocation::Sqlite(path) => Some(ForwardState::beside(path)),
        _ => None,
    }
}
