use std::collections::BTreeMap;
use std::sync::Mutex;

use super::lock;
use crate::plan::draw::{mix, split_mix};

/// How long a transfer is remembered from its end: virtual milliseconds. The vendor's agents are told 15 minutes.
const KEPT_MS: u64 = 15 * 60_000;
/// How many are in that time; those that ended first go first. One that is open stays, and a call has one at a time.
const REMEMBERED: usize = 10_000;

/// A call flow that took the place of another on a live call.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Transfer {
    /// Its id: `request_id` of the REST API.
    pub id: String,
    /// Which call.
    pub call: u64,
    /// How far it is.
    pub status: TransferStatus,
}

/// How far a transfer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransferStatus {
    /// The call has not taken it up.
    Queued,
    /// The call carries it out.
    Started,
    /// Somebody is on the line, or there was nobody to be called.
    Completed,
    /// Nobody came: why, in a word of the REST API.
    Failed(&'static str),
}

impl TransferStatus {
    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Started => "started",
            Self::Completed => "completed",
            Self::Failed(_) => "failed",
        }
    }

    /// Whether it will not change any more.
    #[must_use]
    pub fn is_settled(self) -> bool {
        matches!(self, Self::Completed | Self::Failed(_))
    }
}

/// All transfers, in the order in which they were asked for.
#[derive(Debug, Default)]
pub(super) struct Transfers {
    all: Mutex<BTreeMap<u64, Kept>>,
}

#[derive(Debug)]
struct Kept {
    transfer: Transfer,
    /// When it was settled: virtual milliseconds.
    ended_ms: Option<u64>,
}

impl Transfers {
    /// A transfer of a call, unless one of it is not settled yet: then that one's id. Both in one breath, for two may be
    /// asked for at once.
    pub(super) fn begin(&self, call: u64, nonce: u64, now_ms: u64) -> Result<String, String> {
        let mut all = lock(&self.all);
        if let Some(open) = all.values().find(|kept| kept.is_open(call)) {
            return Err(open.transfer.id.clone());
        }
        let n = all.last_key_value().map_or(0, |(n, _)| n + 1);
        // As unguessable as other ids, and never that of another run.
        let id = format!("tr-{:016x}", split_mix(mix(nonce), n));
        let transfer = Transfer { id: id.clone(), call, status: TransferStatus::Queued };
        all.insert(n, Kept { transfer, ended_ms: None });
        all.retain(|_, kept| kept.is_known(now_ms));
        while all.len() > REMEMBERED {
            let ended = all.iter().filter_map(|(&n, kept)| Some((kept.ended_ms?, n))).min();
            match ended {
                Some((_, first)) => all.remove(&first),
                None => break,
            };
        }
        Ok(id)
    }

    /// One that never began.
    pub(super) fn forget(&self, id: &str) {
        lock(&self.all).retain(|_, kept| kept.transfer.id != id);
    }

    pub(super) fn get(&self, id: &str, now_ms: u64) -> Option<Transfer> {
        let all = lock(&self.all);
        let found = all.values().find(|kept| kept.transfer.id == id && kept.is_known(now_ms));
        found.map(|kept| kept.transfer.clone())
    }

    pub(super) fn settle(&self, id: &str, status: TransferStatus, now_ms: u64) {
        if let Some(kept) = lock(&self.all).values_mut().find(|kept| kept.transfer.id == id) {
            kept.settle(status, now_ms);
        }
    }

    /// Whatever is open of a call that is over.
    pub(super) fn settle_all(&self, call: u64, status: TransferStatus, now_ms: u64) {
        for kept in lock(&self.all).values_mut().filter(|kept| kept.is_open(call)) {
            kept.settle(status, now_ms);
        }
    }
}

impl Kept {
    fn is_open(&self, call: u64) -> bool {
        self.transfer.call == call && self.ended_ms.is_none()
    }

    fn is_known(&self, now_ms: u64) -> bool {
        self.ended_ms.is_none_or(|ended| now_ms < ended.saturating_add(KEPT_MS))
    }

    fn settle(&mut self, status: TransferStatus, now_ms: u64) {
        if self.ended_ms.is_none() {
            self.transfer.status = status;
            self.ended_ms = status.is_settled().then_some(now_ms);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transfer_is_known_for_a_quarter_of_an_hour_and_an_open_one_as_long_as_it_is_open() {
        let transfers = Transfers::default();
        let open = transfers.begin(0, 1, 0).unwrap();
        let ended = transfers.begin(1, 1, 0).unwrap();
        transfers.settle(&ended, TransferStatus::Completed, 1_000);
        assert_eq!(transfers.get(&ended, 900_999).unwrap().status, TransferStatus::Completed);
        assert_eq!(transfers.get(&ended, 901_000), None);
        for n in 0..=REMEMBERED as u64 {
            let id = transfers.begin(n + 2, 1, 2_000).unwrap();
            transfers.settle(&id, TransferStatus::Completed, 2_000 + n);
        }
        assert_eq!(lock(&transfers.all).len(), REMEMBERED, "the open one among them");
        assert_eq!(transfers.begin(0, 1, 3_000), Err(open), "however many come after it");
        assert_eq!(transfers.get(&ended, 900_999), None, "it ended first");
    }
}
