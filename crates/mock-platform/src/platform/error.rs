use super::exchange::ExchangeError;
use super::serve::ServeError;
use crate::deliver::ledger::LedgerError;
use crate::deliver::{InvalidOptions, ObserveError, TargetError};
use crate::plan::{ScenarioError, SetError, SingleError};

/// Why a platform did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The webhook URL cannot be posted to.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// The delivery options make no sense.
    #[error(transparent)]
    Options(#[from] InvalidOptions),
    /// The ledger cannot be written.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// Live calls cannot be carried out.
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
    /// The REST and control APIs do not listen.
    #[error(transparent)]
    Serve(#[from] ServeError),
}

/// Why a call could not be placed, or its receiver not be looked at.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlaceError {
    /// No webhook URL is set.
    #[error("no webhook URL is set: call `point_at(url)`, or `to(url)` on the builder")]
    NoTarget,
    /// The URL is not allowed.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// There is no such scenario.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// There is no such event.
    #[error(transparent)]
    Event(#[from] SingleError),
    /// A member cannot be set.
    #[error(transparent)]
    Set(#[from] SetError),
    /// The receiver does not tell its effects.
    #[error(transparent)]
    Observe(#[from] ObserveError),
    /// The platform has stopped.
    #[error("the platform has stopped")]
    Stopped,
}
