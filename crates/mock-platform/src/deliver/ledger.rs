//! The ledger: the one record of what was planned, sent, answered and observed, as JSON Lines.
//!
//! Every line is a [`Record`]. The first is a `run`, with the `schema` that the file follows; then a `plan` before
//! each delivery is sent, an `attempt` after each answer, a `fault` for what went wrong on purpose, an `outcome` when
//! a delivery is over, an `observe` for each effect that was seen, and a `summary` at the end. A live call has a `call`
//! where it begins, an `over` where it ends, and a `message` for everything else that passed: REST requests, answer URLs, actions, digits, audio streams. Whoever reads one
//! ignores kinds and keys that it does not know.

mod body;
mod codec;
mod entry;
mod figures;
mod header;
mod message;
mod reader;
mod schema;
mod writer;

pub use body::Body;
pub(crate) use codec::hex_u64;
pub use entry::{
    AttemptEntry, AttemptOutcome, Cause, DeliveryOutcome, Entry, FaultEntry, ObserveEntry, OutcomeEntry,
    PlanEntry, RunEntry, SCHEMA, SummaryEntry,
};
pub use figures::StreamFigures;
pub use header::fresh;
pub use message::{CallEntry, Lane, MessageEntry, MessageKind, OverEntry};
pub use reader::{LedgerError, LedgerReader, read};
pub(crate) use schema::leave_out_examples;
pub use schema::schema;
pub use writer::{Ledger, LedgerBuilder};

/// One line of a ledger.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Record {
    /// Which line, from 0.
    pub seq: u64,
    /// Monotonic nanoseconds from the opening of the ledger.
    pub t_ns: u64,
    /// What happened.
    pub entry: Entry,
}

impl Record {
    pub(crate) fn new(seq: u64, t_ns: u64, entry: Entry) -> Self {
        Self { seq, t_ns, entry }
    }
}
