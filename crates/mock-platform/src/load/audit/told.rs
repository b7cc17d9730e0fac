use tokio::sync::mpsc::UnboundedSender;

use super::super::source::Due;
use super::super::tally::End;

/// A webhook that was sent, and how that ended.
#[derive(Debug, Clone, Copy)]
pub(in crate::load) struct Ended {
    pub(super) call: u64,
    pub(super) webhook: u32,
    pub(super) how: Told,
}

/// How a webhook ended, in two bits; of several attempts the one counts that says most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Told {
    /// Answered, and not with 2xx.
    Refused = 1,
    /// Not answered: the receiver may have acted.
    Ambiguous = 2,
    Acknowledged = 3,
}

impl Told {
    fn of(end: End) -> Self {
        match end {
            _ if end.is_acknowledged() => Self::Acknowledged,
            End::Answered(_) => Self::Refused,
            End::NoConnection | End::TimedOut | End::Reset | End::NoHttp => Self::Ambiguous,
        }
    }
}

/// Tells the audit what has ended, many at a time: whoever sends has no time for more.
pub(in crate::load) struct Teller {
    to: UnboundedSender<Vec<Ended>>,
    batch: Vec<Ended>,
}

impl Teller {
    pub(super) fn new(to: UnboundedSender<Vec<Ended>>) -> Self {
        Self { to, batch: Vec::new() }
    }

    pub(in crate::load) fn ended(&mut self, due: Due, end: End) {
        self.batch.push(Ended { call: due.call, webhook: due.webhook, how: Told::of(end) });
    }

    /// Tells what has gathered.
    pub(in crate::load) fn tell(&mut self) {
        if !self.batch.is_empty() {
            let next = Vec::with_capacity(self.batch.len());
            // Whoever listened has said already why it does not any more.
            let _ = self.to.send(std::mem::replace(&mut self.batch, next));
        }
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        self.tell();
    }
}
