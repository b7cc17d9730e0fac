//! Where a runner is in the store, and whether the store still has what it read there: a store that went back gives places anew,
//! and who reads on behind the last would never see what is stored in those before.

use std::sync::Arc;

use super::super::ForwardError;
use super::super::mark::{EVERY, Mark, mark_of};
use super::super::with_state;
use super::Runner;
use super::reading::PAGE_BYTES;
use crate::Record;

/// The last record that was read.
#[derive(Debug)]
pub(super) struct LastRead {
    pub(super) mark: Mark,
    /// Of its body, which comes with each page.
    bytes: usize,
}

impl LastRead {
    pub(super) fn of(record: &Record) -> Self {
        Self { mark: mark_of(record), bytes: record.body.len() }
    }
}

impl Runner {
    /// Up to `room` records behind the last that was read. The last comes with them, so that there is no moment between in which
    /// the store could go back.
    pub(super) async fn read_on(&mut self, room: usize) -> Result<Vec<Record>, ForwardError> {
        let since = self.read_through;
        let Some(last) = &self.last_read else {
            let page = self.page(since, room, PAGE_BYTES).await?;
            return if page.is_empty() && since > 0 {
                self.unless_gone_back().await.map(|()| page)
            } else {
                Ok(page)
            };
        };
        let mut page = self.page(since - 1, room + 1, PAGE_BYTES + last.bytes).await?;
        if page.len() == 1 && self.last_seq().await? > since {
            // The next is so large that it is no page with another.
            page = self.page(since - 1, 2, usize::MAX).await?;
        }
        match page.first() {
            Some(first) if first.seq == since => {
                if mark_of(first) != last.mark {
                    return Err(self.went_back(self.last_seq().await?));
                }
                page.remove(0);
            }
            // It may have been deleted, alone.
            _ => {
                self.unless_gone_back().await?;
                page.truncate(room);
                self.last_read = None;
            }
        }
        Ok(page)
    }

    /// Notes how far it has read now.
    pub(super) fn has_read(&mut self, page: &[Record]) {
        let Some(last) = page.last() else { return };
        self.read_through = last.seq;
        self.last_read = Some(LastRead::of(last));
        self.mark = None;
        let noted = page.iter().filter(|record| record.seq.is_multiple_of(EVERY));
        self.changes.marks.extend(noted.map(|record| (record.seq, mark_of(record))));
        self.note();
    }

    /// Takes what was found in the place where it is to go on.
    pub(super) async fn go_on_behind(&mut self, found: Option<LastRead>) -> Result<(), ForwardError> {
        match (&found, self.mark) {
            (Some(found), Some(mark)) if found.mark != mark => {
                return Err(self.went_back(self.last_seq().await?));
            }
            (None, _) if self.read_through > 0 => self.unless_gone_back().await?,
            _ => {}
        }
        self.last_read = found;
        Ok(())
    }

    /// Begins again from an earlier place, where somebody asked for that.
    pub(super) async fn go_back(&mut self) -> Result<(), ForwardError> {
        let name = self.destination.name.clone();
        let gone = with_state(&self.state, move |state| state.go_back(&name)).await;
        if let Some(start) = gone.ok_or(ForwardError::Panicked { operation: "rewind" })?? {
            let (destination, after) = (self.destination.name.as_str(), start.read_through);
            tracing::warn!(
                destination,
                after,
                "it was asked for: all behind this is delivered, once more if need be"
            );
            self.begin(start);
        }
        self.is_to_go_back = false;
        Ok(())
    }

    pub(super) async fn last_seq(&self) -> Result<u64, ForwardError> {
        let records = Arc::clone(&self.records);
        let last_seq = tokio::task::spawn_blocking(move || records.last_seq()).await;
        Ok(last_seq.map_err(|_| ForwardError::Panicked { operation: "read the store" })??)
    }

    async fn unless_gone_back(&self) -> Result<(), ForwardError> {
        let last_seq = self.last_seq().await?;
        if last_seq < self.read_through { Err(self.went_back(last_seq)) } else { Ok(()) }
    }

    fn went_back(&self, last_seq: u64) -> ForwardError {
        self.counts.see_end_go_back(last_seq);
        let name = self.destination.name.clone();
        ForwardError::WentBack { name, read_through: self.read_through, last_seq }
    }
}
