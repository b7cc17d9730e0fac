//! What a runner reads: what was unsettled when it began, orders, and the store, further and further. All of it is read on
//! threads that may wait.

use std::collections::BTreeMap;
use std::sync::Arc;

use piopiy_events::Webhook;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::super::state::{Orders, Tried};
use super::super::{DeadLetter, ForwardError, with_state};
use super::place::LastRead;
use super::{AFTER_FAILURE, Part, Runner};
use crate::Record;
use crate::clock::now_micros;

/// Webhooks of one destination that may go; what comes beyond waits in the store.
const WINDOW: usize = 1024;
/// With those that failed and wait, and those of their calls. No more is read beyond.
pub(super) const MOST: usize = 1 << 16;
/// Bytes of bodies in hand.
const MOST_BODIES: usize = 4 << 20;
/// Bytes of bodies that are read at once.
pub(super) const PAGE_BYTES: usize = 1 << 20;
/// Records read at once.
const PAGE: usize = 256;
/// Records before the place where it goes on that are looked at for which legs are of which call.
const LOOK_BACK: u64 = 4096;

/// Why webhooks are to go that were read before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Again {
    /// They were not settled when the program ended.
    Unsettled,
    /// Somebody asked for it.
    Replayed,
}

/// How many were not taken, and why the last was not.
#[derive(Debug, Default)]
struct PassedOver {
    count: u64,
    reason: &'static str,
}

impl Runner {
    /// Takes up what was unsettled. Nothing is read on before, or the webhooks of a call would go in another order.
    pub(super) async fn recover(&mut self, stop: &CancellationToken) {
        while !stop.is_cancelled() {
            let recovered = self.try_recover().await;
            if self.told(Part::Reading, recovered) {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(AFTER_FAILURE) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    async fn try_recover(&mut self) -> Result<(), ForwardError> {
        self.go_back().await?;
        let mut since = self.read_through.saturating_sub(LOOK_BACK);
        let mut found = None;
        while since < self.read_through {
            let page = self.page(since, PAGE, PAGE_BYTES).await?;
            let Some(last) = page.last() else { break };
            since = last.seq;
            found = page.iter().find(|record| record.seq == self.read_through).map(LastRead::of);
            for webhook in page.iter().filter_map(Record::webhook) {
                self.calls.names(&webhook);
            }
        }
        self.go_on_behind(found).await?;
        let mut unsettled = std::mem::take(&mut self.to_recover);
        let taken = self.take_again(&mut unsettled, Again::Unsettled).await;
        // What could not be read.
        self.to_recover = unsettled;
        taken
    }

    /// Sees what is asked for, where it is time for that, and reads a page on; whether there is more to read.
    pub(super) async fn poll(&mut self, with_orders: bool) -> Result<bool, ForwardError> {
        if with_orders {
            self.take_orders().await?;
            // Other receivers may store into it, and what waits there while nothing is read is behind, too.
            self.counts.see_last(self.last_seq().await?);
        }
        if self.is_to_go_back {
            return Ok(false);
        }
        let room = PAGE.min(self.room()).max(self.has_gone_back.into());
        let mut is_more = false;
        if room > 0 {
            let page = self.read_on(room).await?;
            self.has_read(&page);
            is_more = !page.is_empty();
            for record in page {
                self.take(record);
            }
        }
        self.tell_whether_full();
        self.counts.unsettled.set(i64::try_from(self.queue.len()).unwrap_or(i64::MAX));
        self.counts.read_through.set(i64::try_from(self.read_through).unwrap_or(i64::MAX));
        Ok(is_more)
    }

    async fn take_orders(&mut self) -> Result<(), ForwardError> {
        let name = self.destination.name.clone();
        // Those that are asked for again leave room for those that are new. What is in a full queue needs none, and may be
        // behind any number that are not.
        let is_full = self.is_full();
        let (after, limit) = if is_full { (self.orders_seen, PAGE) } else { (0, self.room().div_ceil(2)) };
        let orders = with_state(&self.state, move |state| state.orders(&name, after, limit)).await;
        let Orders { is_paused, rewind_to, replay } =
            orders.ok_or(ForwardError::Panicked { operation: "read what is asked for" })??;
        if is_paused != self.is_paused {
            let destination = self.destination.name.as_str();
            tracing::info!(destination, is_paused, "forwarding was paused or resumed");
            self.is_paused = is_paused;
        }
        self.is_to_go_back = rewind_to.is_some();
        if self.is_to_go_back || self.has_gone_back {
            return Ok(());
        }
        if is_full {
            self.orders_seen = replay.get(PAGE - 1).copied().unwrap_or_default();
        }
        let mut again = BTreeMap::new();
        for seq in replay {
            // Its row is there until the next save.
            if self.changes.replayed.contains_key(&seq) {
                continue;
            }
            if seq > self.read_through {
                // It was to go back meanwhile, and comes to it anyhow.
                self.note();
                self.changes.replayed.insert(seq, false);
            } else if self.queue.contains(seq) {
                self.queue.start_over(seq);
                self.replayed(seq);
            } else if !is_full {
                again.insert(seq, Tried::default());
            }
        }
        self.take_again(&mut again, Again::Replayed).await
    }

    /// Notes that a webhook in the queue goes again because somebody asked for it.
    fn replayed(&mut self, seq: u64) {
        self.note();
        self.changes.replayed.insert(seq, true);
        // Given up a moment ago, it is not any more.
        self.changes.dead.retain(|letter| letter.seq != seq);
        self.rows.insert(seq);
        self.changes.unsettled.insert(seq, (Tried::default(), String::new()));
    }

    /// Puts records into the queue that were read before. What was looked at is taken out of `wanted`.
    async fn take_again(
        &mut self,
        wanted: &mut BTreeMap<u64, Tried>,
        again: Again,
    ) -> Result<(), ForwardError> {
        let mut passed_over = PassedOver::default();
        let taken = self.take_pages(wanted, again, &mut passed_over).await;
        let PassedOver { count, reason } = passed_over;
        if count > 0 {
            let destination = self.destination.name.as_str();
            match again {
                Again::Unsettled => tracing::warn!(
                    destination,
                    count,
                    reason,
                    "webhooks that were still to be delivered are not any more: they are among the dead letters"
                ),
                Again::Replayed => {
                    tracing::warn!(destination, count, reason, "webhooks are not delivered again");
                }
            }
        }
        taken
    }

    async fn take_pages(
        &mut self,
        wanted: &mut BTreeMap<u64, Tried>,
        again: Again,
        passed_over: &mut PassedOver,
    ) -> Result<(), ForwardError> {
        // What was learned before may be forgotten again.
        self.looked_through = 0;
        while let Some((&first, _)) = wanted.first_key_value() {
            // A page that holds many of them, or just this one.
            let span = first..first.saturating_add(PAGE as u64);
            let last = wanted.range(span).next_back().map_or(first, |(&seq, _)| seq);
            let limit = usize::try_from(last - first).unwrap_or(PAGE - 1) + 1;
            let page = self.page(first.saturating_sub(1), limit, PAGE_BYTES).await?;
            // Where it has nothing, there is nothing behind.
            let upto = page.last().map_or(u64::MAX, |record| record.seq);
            let mut found: BTreeMap<u64, Record> =
                page.into_iter().map(|record| (record.seq, record)).collect();
            while let Some((&seq, &tried)) = wanted.first_key_value().filter(|(seq, _)| **seq <= upto) {
                let webhook = match found.remove(&seq) {
                    Some(record) => record.webhook().ok_or("it is no webhook"),
                    None => Err("the store has it no more"),
                };
                if let Ok(webhook) = &webhook {
                    self.look_back(seq, webhook).await?;
                }
                wanted.remove(&seq);
                let taken = webhook.and_then(|webhook| self.take_one_again(seq, tried, &webhook, again));
                if let Err(reason) = taken {
                    passed_over.count += 1;
                    passed_over.reason = reason;
                    self.pass_over(seq, tried, again, reason);
                }
            }
        }
        Ok(())
    }

    /// Finds out of which call a webhook is that does not say so, from those that were stored before it.
    async fn look_back(&mut self, seq: u64, webhook: &Webhook) -> Result<(), ForwardError> {
        if self.calls.knows(webhook) {
            return Ok(());
        }
        let mut since = seq.saturating_sub(1 + LOOK_BACK);
        // What was looked at for the one before is known.
        if (since..seq).contains(&self.looked_through) {
            since = self.looked_through;
        }
        while since + 1 < seq {
            let between = usize::try_from(seq - 1 - since).unwrap_or(PAGE);
            let page = self.page(since, between.min(PAGE), PAGE_BYTES).await?;
            // Where what was there is gone, it has some of those behind.
            let before = page.iter().take_while(|record| record.seq < seq);
            for webhook in before.filter_map(Record::webhook) {
                self.calls.names(&webhook);
            }
            since = page.last().map_or(seq, |last| last.seq);
        }
        self.looked_through = seq - 1;
        Ok(())
    }

    fn take_one_again(
        &mut self,
        seq: u64,
        tried: Tried,
        webhook: &Webhook,
        again: Again,
    ) -> Result<(), &'static str> {
        let names = self.calls.names(webhook);
        if !self.destination.filter.takes(webhook) {
            return Err("the destination's filter does not take it");
        }
        // The destination may be asked for with other waits by now.
        let wait = tried.left(now_micros()).min(self.destination.most_backoff);
        if wait.is_zero() {
            self.queue.push(seq, names, tried.attempts);
        } else {
            self.queue.push_for_later(seq, names, tried.attempts, self.epoch.elapsed() + wait);
        }
        if again == Again::Replayed {
            self.replayed(seq);
        }
        Ok(())
    }

    /// Nothing is dropped without a word: what was to be delivered becomes a dead letter, and what was one stays one.
    fn pass_over(&mut self, seq: u64, tried: Tried, again: Again, reason: &str) {
        self.note();
        match again {
            Again::Replayed => {
                self.changes.replayed.insert(seq, false);
            }
            Again::Unsettled => self.bury(seq, tried.attempts, reason.to_owned()),
        }
    }

    /// Makes a dead letter of a webhook.
    pub(super) fn bury(&mut self, seq: u64, attempts: u32, error: String) {
        self.counts.dead.inc();
        self.changes.dead.push(DeadLetter { seq, attempts, error, died_at: now_micros() });
        self.settled(seq);
    }

    pub(super) async fn page(
        &self,
        since: u64,
        limit: usize,
        bytes: usize,
    ) -> Result<Vec<Record>, ForwardError> {
        let records = Arc::clone(&self.records);
        let page = tokio::task::spawn_blocking(move || records.page(since, limit, bytes)).await;
        Ok(page.map_err(|_| ForwardError::Panicked { operation: "read the store" })??)
    }

    /// How many more webhooks may be in hand.
    fn room(&self) -> usize {
        WINDOW.saturating_sub(self.queue.active()).min(MOST.saturating_sub(self.queue.len()))
    }

    fn is_full(&self) -> bool {
        self.queue.len() >= MOST
    }

    fn tell_whether_full(&mut self) {
        let is_full = self.is_full();
        if is_full && !self.was_full {
            tracing::error!(
                destination = self.destination.name,
                webhooks = MOST,
                "so many failed or wait behind one that did: no more is read until some are delivered or given up"
            );
        }
        self.was_full = is_full;
    }

    fn take(&mut self, record: Record) {
        let Some(webhook) = record.webhook() else { return };
        let names = self.calls.names(&webhook);
        if !self.destination.filter.takes(&webhook) {
            return;
        }
        self.queue.push(record.seq, names, 0);
        if self.body_bytes + record.body.len() <= MOST_BODIES {
            self.body_bytes += record.body.len();
            self.bodies.insert(record.seq, record);
        }
    }

    /// What there is to know of a webhook that failed just now, by the clock of the day.
    pub(super) fn tried(&self, seq: u64, attempts: u32) -> Tried {
        let Some(due) = self.queue.due(seq) else { return Tried { attempts, ..Tried::default() } };
        let wait = (self.epoch + due).saturating_duration_since(Instant::now());
        let wait = i64::try_from(wait.as_micros()).unwrap_or(i64::MAX);
        Tried { attempts, due: now_micros().saturating_add(wait), wait }
    }
}
