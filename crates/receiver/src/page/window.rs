//! The last records of the store, without their bodies: what lists and searches go by.
//!
//! So much is in memory, however large the store is, and only what is new is read when it is looked at again.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use piopiy_events::{Identity, Kind, Webhook};

use super::ask::has;
use crate::{Record, Records, StoreError};

/// So many records are looked at.
pub(super) const LENGTH: u64 = 25_000;
/// Records, and bytes of bodies, read at a time.
const PAGE: usize = 1000;
const PAGE_BYTES: usize = 1 << 20;

/// What is known of a record without its body.
#[derive(Debug)]
pub(super) struct Digest {
    pub(super) seq: u64,
    /// In microseconds since the epoch.
    pub(super) received_at: i64,
    pub(super) content: Content,
}

#[derive(Debug)]
pub(super) enum Content {
    Webhook(Box<About>),
    Quarantined { reason: String },
}

/// What is known of a webhook.
#[derive(Debug)]
pub(super) struct About {
    pub(super) identity: Identity,
    pub(super) conversation: Option<Box<str>>,
    pub(super) from: Option<Box<str>>,
    pub(super) to: Option<Box<str>>,
    pub(super) direction: Option<Box<str>>,
    /// Of a CDR.
    pub(super) duration: Option<Box<str>>,
}

impl Digest {
    fn of(record: &Record) -> Self {
        let about = record.webhook().and_then(|webhook| About::of(&webhook));
        let unreadable = || record.reason.clone().unwrap_or_else(|| "it is no webhook any more".to_owned());
        let content = match about {
            Some(about) => Content::Webhook(Box::new(about)),
            None => Content::Quarantined { reason: unreadable() },
        };
        Self { seq: record.seq, received_at: record.received_at, content }
    }

    pub(super) fn about(&self) -> Option<&About> {
        match &self.content {
            Content::Webhook(about) => Some(about),
            Content::Quarantined { .. } => None,
        }
    }

    /// Whether something of it has this term in it.
    pub(super) fn has(&self, term: &str) -> bool {
        // A date or a time has one of these between its digits, and so has an id.
        let is_time = term.contains(['-', ':']) && term.bytes().all(|byte| b"0123456789-:.".contains(&byte));
        if is_time && has(&piopiy_ladder::utc(self.received_at), term) {
            return true;
        }
        match &self.content {
            Content::Webhook(about) => about.has(term),
            Content::Quarantined { reason } => has(reason, term),
        }
    }
}

impl About {
    fn of(webhook: &Webhook) -> Option<Self> {
        let text = |key| webhook.text(key).filter(|text| !text.is_empty()).map(|text| text.as_ref().into());
        let identity = webhook.identity()?;
        let is_cdr = identity.kind() == Kind::Cdr;
        Some(Self {
            conversation: text("conversation_uuid"),
            from: text("from"),
            to: text("to"),
            direction: text("direction"),
            duration: text("duration").filter(|_| is_cdr),
            identity,
        })
    }

    pub(super) fn is_of_leg_b(&self) -> bool {
        self.identity.leg() == Some("b")
    }

    fn has(&self, term: &str) -> bool {
        let always = [self.identity.kind().as_str(), self.identity.cmiuuid(), self.identity.status()];
        let some = [&self.conversation, &self.from, &self.to, &self.direction];
        always.into_iter().chain(some.into_iter().filter_map(Option::as_deref)).any(|text| has(text, term))
    }
}

/// Records that follow each other, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Window {
    pub(super) digests: VecDeque<Digest>,
    /// All up to this one were read.
    pub(super) upto: u64,
}

impl Window {
    /// Reads on up to a record.
    fn read_on(&mut self, records: &dyn Records, upto: u64) -> Result<(), StoreError> {
        if upto < self.upto {
            // Another store is in its place.
            *self = Self::default();
        }
        self.upto = self.upto.max(upto.saturating_sub(LENGTH));
        while self.upto < upto {
            let page = records.page(self.upto, PAGE, PAGE_BYTES)?;
            // There may be none: what was counted can be forgotten since.
            self.upto = page.last().map_or(upto, |last| last.seq.min(upto));
            self.digests.extend(page.iter().take_while(|record| record.seq <= upto).map(Digest::of));
        }
        let first = upto.saturating_sub(LENGTH);
        self.digests.drain(..self.digests.partition_point(|digest| digest.seq <= first));
        Ok(())
    }

    /// The record before the first of them, where there may be one.
    pub(super) fn older(&self) -> Option<u64> {
        self.digests.front().map(|first| first.seq - 1).filter(|seq| *seq > 0)
    }
}

/// The windows that are looked at: the last one, and another one that somebody went back to.
#[derive(Debug)]
pub(super) struct Recent {
    records: Arc<dyn Records>,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    now: Window,
    past: Window,
}

impl Recent {
    pub(super) fn new(records: Arc<dyn Records>) -> Self {
        Self { records, kept: Mutex::default() }
    }

    /// Looks at the records up to one, or at the last ones.
    pub(super) fn look<T>(
        &self,
        before: Option<u64>,
        look: impl FnOnce(&Window) -> T,
    ) -> Result<T, StoreError> {
        let last = self.records.last_seq()?;
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let window = match before {
            Some(before) if before < last => {
                if kept.past.upto != before {
                    kept.past = Window::default();
                }
                kept.past.read_on(&*self.records, before)?;
                &kept.past
            }
            _ => {
                kept.now.read_on(&*self.records, last)?;
                &kept.now
            }
        };
        Ok(look(window))
    }

    /// One record; `None` where there is none, or none any more.
    pub(super) fn record(&self, seq: u64) -> Result<Option<Record>, StoreError> {
        let found = self.records.page(seq.saturating_sub(1), 1, usize::MAX)?;
        Ok(found.into_iter().find(|record| record.seq == seq))
    }

    pub(super) fn last_seq(&self) -> Result<u64, StoreError> {
        self.records.last_seq()
    }
}

#[cfg(test)]
mod tests {
    use super::{LENGTH, Recent};
    use crate::{Entry, MemoryStore, Store as _};

    fn store(records: u64) -> (MemoryStore, Recent) {
        let mut store = MemoryStore::new();
        let recent = Recent::new(store.records());
        add(&mut store, records);
        (store, recent)
    }

    fn add(store: &mut MemoryStore, records: u64) {
        let entry = |n| Entry::quarantined(format!("no {n}"), "{".into(), 0);
        store.append(&(0..records).map(entry).collect::<Vec<_>>()).unwrap();
    }

    fn seen(recent: &Recent, before: Option<u64>) -> (usize, Option<u64>, u64) {
        recent.look(before, |window| (window.digests.len(), window.older(), window.upto)).unwrap()
    }

    #[test]
    fn a_window_has_an_end_and_moves_with_the_store() {
        let (mut store, recent) = store(3);
        assert_eq!(seen(&recent, None), (3, None, 3));
        add(&mut store, LENGTH);
        let length = usize::try_from(LENGTH).unwrap();
        assert_eq!(seen(&recent, None), (length, Some(3), LENGTH + 3));
        assert_eq!(seen(&recent, Some(3)), (3, None, 3), "one can go back");
        assert_eq!(seen(&recent, Some(LENGTH)), (length, None, LENGTH));
        assert_eq!(seen(&recent, Some(LENGTH * 9)), (length, Some(3), LENGTH + 3), "there are no later ones");
        assert_eq!(recent.record(3).unwrap().map(|record| record.seq), Some(3));
        assert!(recent.record(LENGTH * 9).unwrap().is_none() && recent.record(0).unwrap().is_none());
    }
}
