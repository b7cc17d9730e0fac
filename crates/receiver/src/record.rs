use std::fmt;

use bytes::Bytes;
use piopiy_events::{Limits, Webhook};

use crate::StoreError;

/// One effect, as a store keeps it: a webhook that was new, or a body that was quarantined.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Record {
    /// Its place in the order of effects, from 1, without gaps.
    pub seq: u64,
    /// When it was received, in microseconds since the epoch.
    pub received_at: i64,
    /// The body, byte for byte as received.
    pub body: Bytes,
    /// Why it is quarantined; `None` where it is a webhook.
    pub reason: Option<String>,
}

impl Record {
    /// A record with these parts, in this order: `seq`, `received_at`, `body`, `reason`.
    #[must_use]
    pub fn new(seq: u64, received_at: i64, body: Bytes, reason: Option<String>) -> Self {
        Self { seq, received_at, body, reason }
    }

    /// The webhook; `None` where the body is quarantined.
    #[must_use]
    pub fn webhook(&self) -> Option<Webhook> {
        if self.reason.is_some() {
            return None;
        }
        // What was stored was read within limits once.
        Webhook::parse_within(&self.body, &Limits::NONE).ok()
    }
}

/// Without the body, which holds phone numbers.
impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("seq", &self.seq)
            .field("received_at", &self.received_at)
            .field("bytes", &self.body.len())
            .field("reason", &self.reason)
            .finish()
    }
}

/// How much of a page is left.
pub(crate) struct Room {
    bytes: usize,
    is_first: bool,
}

impl Room {
    pub(crate) fn new(bytes: usize) -> Self {
        Self { bytes, is_first: true }
    }

    /// Whether the record fits too. The first always does, or there would be no getting past it.
    pub(crate) fn takes(&mut self, record: &Record) -> bool {
        let left = self.bytes.checked_sub(record.body.len());
        self.bytes = left.unwrap_or_default();
        std::mem::take(&mut self.is_first) || left.is_some()
    }
}

/// What a store kept, for those who look: `/__observe`, `tail`, `export`, `calls`.
pub trait Records: fmt::Debug + Send + Sync + 'static {
    /// Up to `limit` records with a `seq` over `seq`, oldest first.
    ///
    /// # Errors
    /// Where the store cannot be read.
    fn after(&self, seq: u64, limit: usize) -> Result<Vec<Record>, StoreError>;

    /// As [`Records::after`], but no more than so many bytes of bodies, beyond the first.
    ///
    /// # Errors
    /// Where the store cannot be read.
    fn page(&self, seq: u64, limit: usize, max_bytes: usize) -> Result<Vec<Record>, StoreError> {
        // Without a better way, pages are short.
        let mut records = self.after(seq, limit.min(16))?;
        let mut room = Room::new(max_bytes);
        let fitting = records.iter().take_while(|record| room.takes(record)).count();
        records.truncate(fitting);
        Ok(records)
    }

    /// The `seq` of the last record, 0 where there is none.
    ///
    /// # Errors
    /// Where the store cannot be read.
    fn last_seq(&self) -> Result<u64, StoreError>;

    /// What tells this store from every other, for as long as it is kept; `None` where nothing does.
    ///
    /// # Errors
    /// Where the store cannot be read.
    fn store_id(&self) -> Result<Option<String>, StoreError> {
        Ok(None)
    }

    /// How many webhooks there are, those not counted that were quarantined.
    ///
    /// # Errors
    /// Where the store cannot be read.
    fn webhook_count(&self) -> Result<u64, StoreError> {
        count(self, |record| record.reason.is_none())
    }

    /// How many bodies were quarantined.
    ///
    /// # Errors
    /// Where the store cannot be read.
    fn quarantine_count(&self) -> Result<u64, StoreError> {
        count(self, |record| record.reason.is_some())
    }
}

/// Counts records one by one, for a store that has no better way.
fn count(records: &(impl Records + ?Sized), counts: impl Fn(&Record) -> bool) -> Result<u64, StoreError> {
    let (mut since, mut count) = (0, 0);
    loop {
        let page = records.page(since, 1000, 1 << 20)?;
        let Some(last) = page.last() else {
            return Ok(count);
        };
        since = last.seq;
        count += page.iter().filter(|record| counts(record)).count() as u64;
    }
}
