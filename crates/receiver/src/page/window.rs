//! The last records of the store, without their bodies: what lists and searches go by.
//!
//! So much is in memory, however large the store is, and only what is new is read when it is looked at again.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

use piopiy_events::{Identity, Kind, Raw, Webhook};

use super::ask::has;
use crate::forward::webhook_id;
use crate::{Record, Records, StoreError};

/// So many records are looked at.
pub(super) const LENGTH: u64 = 25_000;
/// Records, and bytes of bodies, read at a time.
const PAGE: usize = 1000;
const PAGE_BYTES: usize = 1 << 20;
/// A text that is longer, in bytes, is kept and shown in short.
const LONGEST: usize = 128;
/// What a digest keeps of a webhook, and what its identity is made of.
const KEPT: [&str; 9] =
    ["cmiuuid", "conversation_uuid", "leg", "status", "time", "from", "to", "direction", "duration"];

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
    Quarantined { reason: String, bytes: usize },
}

/// What is known of a webhook. Whoever posts says how long its texts are, so they are in short.
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
        let content = match record.webhook().and_then(About::of) {
            Some(about) => Content::Webhook(Box::new(about)),
            None => {
                let reason = record.reason.as_deref().unwrap_or("it is no webhook any more");
                Content::Quarantined { reason: reason.to_owned(), bytes: record.body.len() }
            }
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
            Content::Quarantined { reason, .. } => has(reason, term),
        }
    }
}

impl About {
    pub(super) fn of(mut webhook: Webhook) -> Option<Self> {
        for key in KEPT {
            let long = webhook.text(key).filter(|text| text.len() > LONGEST);
            if let Some(text) = long.map(|text| short(&text).into_owned()) {
                webhook.set(key, Some(Raw::string(&text)));
            }
        }
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

/// A text as it is, or the beginning of a long one and what tells it from all others.
pub(super) fn short(text: &str) -> Cow<'_, str> {
    if text.len() <= LONGEST {
        return text.into();
    }
    let beginning: String = text.chars().take(LONGEST / 4).collect();
    format!("{beginning}…{}", webhook_id(text)).into()
}

/// Records that follow each other, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Window {
    pub(super) digests: VecDeque<Digest>,
    /// All up to this one were read.
    pub(super) upto: u64,
    /// Whether the store has any before the first.
    has_older: bool,
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
        // What was before it may be forgotten.
        self.has_older = match self.digests.front().filter(|first| first.seq > 1) {
            Some(first) => records.page(0, 1, 0)?.first().is_some_and(|oldest| oldest.seq < first.seq),
            None => false,
        };
        Ok(())
    }

    /// The record before the first of them, where there is one.
    pub(super) fn older(&self) -> Option<u64> {
        self.digests.front().filter(|_| self.has_older).map(|first| first.seq - 1)
    }
}

/// What is looked at: a window, and the last one.
#[derive(Debug)]
pub(super) struct Looked<'a> {
    shown: &'a Window,
    last: &'a Window,
}

impl Deref for Looked<'_> {
    type Target = Window;

    fn deref(&self) -> &Window {
        self.shown
    }
}

impl Looked<'_> {
    /// The record of the same webhook, if it is in either window; the last one where it is not in what is shown.
    pub(super) fn same(&self, webhook: Webhook) -> Option<u64> {
        let identity = About::of(webhook)?.identity;
        let is_same = |digest: &&Digest| digest.about().is_some_and(|about| about.identity == identity);
        self.shown.digests.iter().chain(&self.last.digests).find(is_same).map(|digest| digest.seq)
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
        look: impl FnOnce(&Looked<'_>) -> T,
    ) -> Result<T, StoreError> {
        let last = self.records.last_seq()?;
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let Kept { now, past } = &mut *kept;
        now.read_on(&*self.records, last)?;
        let shown = match before {
            Some(before) if before < last => {
                if past.upto != before {
                    *past = Window::default();
                }
                past.read_on(&*self.records, before)?;
                &*past
            }
            _ => &*now,
        };
        Ok(look(&Looked { shown, last: now }))
    }

    /// One record; `None` where there is none, or none any more.
    pub(super) fn record(&self, seq: u64) -> Result<Option<Record>, StoreError> {
        let found = self.records.page(seq.saturating_sub(1), 1, usize::MAX)?;
        Ok(found.into_iter().find(|record| record.seq == seq))
    }

    pub(super) fn last_seq(&self) -> Result<u64, StoreError> {
        self.records.last_seq()
    }

    pub(super) fn records(&self) -> &dyn Records {
        &*self.records
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{LENGTH, Recent};
    use crate::{Entry, Forget, MemoryStore, SqliteRecords, SqliteStore, Store as _};

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

    #[test]
    fn there_is_nothing_to_look_back_to_where_it_was_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.sqlite");
        let mut store = SqliteStore::open(&path).unwrap();
        let entry = Entry::quarantined("?".to_owned(), "{".into(), 0);
        store.append(&vec![entry; usize::try_from(LENGTH).unwrap() + 10]).unwrap();
        let recent = Recent::new(Arc::new(SqliteRecords::open(&path).unwrap()));
        assert_eq!(seen(&recent, None).1, Some(10));
        let mut forget = |up_to| {
            let what = Forget { received_before: 1, up_to, ..Forget::default() };
            while !store.forget(&what).unwrap().is_done {}
        };
        forget(9);
        assert_eq!(seen(&recent, None).1, Some(10), "one is left");
        forget(10);
        assert_eq!(seen(&recent, None).1, None);
        forget(20);
        assert_eq!(seen(&recent, Some(LENGTH)).1, None, "of those that it would have, the first are gone");
    }
}
