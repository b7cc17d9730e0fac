use std::collections::VecDeque;

use super::audit::Teller;
use super::composer::Composer;
use super::ledger::LedgerPart;
use super::source::{Due, Source};
use super::tally::{End, Tally};

/// What the tasks of a thread change.
pub(super) struct State {
    pub(super) source: Source,
    pub(super) composer: Composer,
    /// What is due, and has no connection.
    pub(super) waiting: VecDeque<Due>,
    /// Connections that are free, the one that is longest so first.
    pub(super) idle: VecDeque<usize>,
    /// How many connections are open.
    pub(super) open: usize,
    /// Connections that are closed, and opened when they are needed.
    pub(super) dormant: Vec<usize>,
    pub(super) in_flight: usize,
    /// The source has no more, with a closed loop.
    pub(super) is_exhausted: bool,
    pub(super) tally: Tally,
    pub(super) teller: Option<Teller>,
    pub(super) ledger: Option<LedgerPart>,
}

impl State {
    /// A webhook has ended that was sent then, or was to be.
    pub(super) fn ended(&mut self, due: Due, sent_ns: Option<u64>, now: u64, end: End) {
        self.tally.ended(end, now, now.saturating_sub(due.at_ns));
        if !end.is_acknowledged() {
            self.source.not_acknowledged(due, now);
        }
        // What was never sent can have no effect.
        if let Some(teller) = &mut self.teller
            && sent_ns.is_some()
        {
            teller.ended(due, end);
        }
        if let Some(ledger) = &mut self.ledger {
            ledger.ended(due, sent_ns, now, end);
        }
    }

    /// There is no time any more for what waits.
    pub(super) fn stop(&mut self) {
        self.source.stop();
        while let Some(due) = self.waiting.pop_front() {
            self.tally.unsent_at_stop += 1;
            self.drop_one(due);
        }
    }

    /// There is no room for a webhook, or no time any more.
    pub(super) fn drop_one(&mut self, due: Due) {
        self.tally.dropped += 1;
        if let Some(ledger) = &mut self.ledger {
            ledger.dropped(due);
        }
    }
}
