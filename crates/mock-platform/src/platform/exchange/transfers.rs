use std::collections::BTreeMap;
use std::sync::Mutex;

use super::lock;
use crate::plan::draw::{mix, split_mix};

/// How many transfers are remembered.
const REMEMBERED: usize = 1_000;

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
    all: Mutex<BTreeMap<u64, Transfer>>,
}

impl Transfers {
    /// A transfer of a call, unless one of it is not settled yet: then that one's id. Both in one breath, for two may be
    /// asked for at once.
    pub(super) fn begin(&self, call: u64, nonce: u64) -> Result<String, String> {
        let mut all = lock(&self.all);
        if let Some(open) = all.values().find(|transfer| transfer.is_open(call)) {
            return Err(open.id.clone());
        }
        let n = all.last_key_value().map_or(0, |(n, _)| n + 1);
        // As unguessable as other ids, and never that of another run.
        let id = format!("tr-{:016x}", split_mix(mix(nonce), n));
        all.insert(n, Transfer { id: id.clone(), call, status: TransferStatus::Queued });
        while all.len() > REMEMBERED {
            all.pop_first();
        }
        Ok(id)
    }

    /// One that never began.
    pub(super) fn forget(&self, id: &str) {
        lock(&self.all).retain(|_, transfer| transfer.id != id);
    }

    pub(super) fn get(&self, id: &str) -> Option<Transfer> {
        lock(&self.all).values().find(|transfer| transfer.id == id).cloned()
    }

    pub(super) fn open(&self, call: u64) -> Option<Transfer> {
        let all = lock(&self.all);
        all.values().find(|transfer| transfer.is_open(call)).cloned()
    }

    pub(super) fn settle(&self, id: &str, status: TransferStatus) {
        let mut all = lock(&self.all);
        if let Some(transfer) = all.values_mut().find(|transfer| transfer.id == id)
            && !transfer.status.is_settled()
        {
            transfer.status = status;
        }
    }

    /// Whatever is open of a call that is over.
    pub(super) fn settle_all(&self, call: u64, status: TransferStatus) {
        for transfer in lock(&self.all).values_mut().filter(|transfer| transfer.is_open(call)) {
            transfer.status = status;
        }
    }
}

impl Transfer {
    fn is_open(&self, call: u64) -> bool {
        self.call == call && !self.status.is_settled()
    }
}
