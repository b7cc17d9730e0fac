use tokio::sync::mpsc::UnboundedSender;

use super::super::source::Due;

/// A webhook that was sent, and how that ended.
#[derive(Debug, Clone, Copy)]
pub(in crate::load) struct Ended {
    pub(super) call: u64,
    pub(super) webhook: u32,
    pub(super) is_acknowledged: bool,
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

    pub(in crate::load) fn ended(&mut self, due: Due, is_acknowledged: bool) {
        self.batch.push(Ended { call: due.call, webhook: due.webhook, is_acknowledged });
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
