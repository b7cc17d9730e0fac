//! What the receiver counts, for Prometheus.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use crate::{Append, Entry};

/// Shared by all who count.
#[derive(Debug, Clone)]
pub(crate) struct Metrics(Arc<Counts>);

#[derive(Debug)]
pub(crate) struct Counts {
    registry: Registry,
    pub(crate) received: Counter,
    pub(crate) in_flight: Gauge,
    pub(crate) connections: Gauge,
    refused: Family<Refused, Counter>,
    appended: Counter,
    duplicates: Counter,
    quarantined: Counter,
    records: Gauge,
    last_seq: Gauge,
    forgotten: Counter,
    batch_entries: Histogram,
    commit_seconds: Histogram,
    attempts: Family<Forwarded, Counter>,
    dead: Family<To, Counter>,
    unsettled: Family<To, Gauge>,
    read_through: Family<To, Gauge>,
    has_gone_back: Family<To, Gauge>,
}

/// What the forwarder counts for one destination.
#[derive(Debug, Clone)]
pub(crate) struct ForwardCounts {
    delivered: Counter,
    failed: Counter,
    pub(crate) dead: Counter,
    pub(crate) unsettled: Gauge,
    pub(crate) read_through: Gauge,
    pub(crate) has_gone_back: Gauge,
    /// Of the store, whatever this process commits itself.
    last_seq: Gauge,
}

impl ForwardCounts {
    /// Notes the place of the last record, which another receiver may have stored.
    pub(crate) fn see_last(&self, seq: u64) {
        raise(&self.last_seq, seq);
    }

    /// Notes that the store ends earlier than it did.
    pub(crate) fn see_end_go_back(&self, seq: u64) {
        self.last_seq.set(seq.cast_signed());
    }

    /// Counts one attempt.
    pub(crate) fn count(&self, is_delivered: bool) {
        if is_delivered {
            self.delivered.inc()
        } else {
            self.failed.inc()
        };
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct To {
    destination: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Forwarded {
    destination: String,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Refused {
    reason: Refusal,
}

/// Why a request was not acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
#[expect(non_camel_case_types, reason = "as the label has it")]
pub(crate) enum Refusal {
    handshake,
    unauthorised,
    rate,
    host,
    framing,
    too_large,
    too_slow,
    interrupted,
    encoding,
    empty,
    malformed,
    unrecognised,
    app_id,
    overloaded,
    store_failed,
    store_too_slow,
    shutting_down,
}

impl Refusal {
    const ALL: [Self; 17] = [
        Self::handshake,
        Self::unauthorised,
        Self::rate,
        Self::host,
        Self::framing,
        Self::too_large,
        Self::too_slow,
        Self::interrupted,
        Self::encoding,
        Self::empty,
        Self::malformed,
        Self::unrecognised,
        Self::app_id,
        Self::overloaded,
        Self::store_failed,
        Self::store_too_slow,
        Self::shutting_down,
    ];
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("piopiy_receiver");
        let counts = Counts {
            received: Counter::default(),
            in_flight: Gauge::default(),
            connections: Gauge::default(),
            refused: Family::default(),
            appended: Counter::default(),
            duplicates: Counter::default(),
            quarantined: Counter::default(),
            records: Gauge::default(),
            last_seq: Gauge::default(),
            forgotten: Counter::default(),
            batch_entries: Histogram::new(exponential_buckets(1.0, 2.0, 11)),
            commit_seconds: Histogram::new(exponential_buckets(0.000_05, 2.0, 16)),
            attempts: Family::default(),
            dead: Family::default(),
            unsettled: Family::default(),
            read_through: Family::default(),
            has_gone_back: Family::default(),
            registry: Registry::default(),
        };
        registry.register(
            "received",
            "Requests to the webhook path that showed what authentication asks for",
            counts.received.clone(),
        );
        registry.register("in_flight", "Requests being handled", counts.in_flight.clone());
        registry.register("connections", "Open connections", counts.connections.clone());
        registry.register("refused", "Requests not acknowledged", counts.refused.clone());
        // From 0 on: a series that begins with the first refusal has no rise for `rate()` to see.
        for reason in Refusal::ALL {
            drop(counts.refused.get_or_create(&Refused { reason }));
        }
        registry.register("appended", "Webhooks stored", counts.appended.clone());
        registry.register("duplicates", "Webhooks seen before", counts.duplicates.clone());
        registry.register("quarantined", "Bodies kept aside", counts.quarantined.clone());
        registry.register("store_records", "Records in the store", counts.records.clone());
        registry.register("store_last_seq", "Place of the last record", counts.last_seq.clone());
        registry.register("forgotten", "Records forgotten, for they were old", counts.forgotten.clone());
        registry.register("batch_entries", "Entries per commit", counts.batch_entries.clone());
        registry.register("commit_seconds", "Time per commit", counts.commit_seconds.clone());
        registry.register("forward_attempts", "Attempts to forward", counts.attempts.clone());
        registry.register("forward_dead", "Webhooks given up", counts.dead.clone());
        registry.register("forward_unsettled", "Webhooks in hand", counts.unsettled.clone());
        registry.register("forward_read_through", "Last record looked at", counts.read_through.clone());
        registry.register(
            "forward_store_went_back",
            "Whether the store has no more what was forwarded, so that nothing is",
            counts.has_gone_back.clone(),
        );
        Self(Arc::new(Counts { registry, ..counts }))
    }
}

impl std::ops::Deref for Metrics {
    type Target = Counts;

    fn deref(&self) -> &Counts {
        &self.0
    }
}

/// Never goes back.
fn raise(gauge: &Gauge, seq: u64) {
    gauge.inner().fetch_max(seq.cast_signed(), std::sync::atomic::Ordering::Relaxed);
}

/// Counts one as long as it lives, whatever ends it.
pub(crate) struct Counted(Gauge);

impl Counted {
    pub(crate) fn in_gauge(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Metrics {
    pub(crate) fn refuse(&self, reason: Refusal) {
        self.refused.get_or_create(&Refused { reason }).inc();
    }

    /// The counts of one destination, which stand at 0 from the start.
    pub(crate) fn forward(&self, destination: &str) -> ForwardCounts {
        let to = To { destination: destination.to_owned() };
        let attempts = |outcome| {
            let forwarded = Forwarded { destination: destination.to_owned(), outcome };
            self.attempts.get_or_create(&forwarded).clone()
        };
        ForwardCounts {
            delivered: attempts("delivered"),
            failed: attempts("failed"),
            dead: self.dead.get_or_create(&to).clone(),
            unsettled: self.unsettled.get_or_create(&to).clone(),
            read_through: self.read_through.get_or_create(&to).clone(),
            has_gone_back: self.has_gone_back.get_or_create(&to).clone(),
            last_seq: self.last_seq.clone(),
        }
    }

    /// Notes how many records the store holds at the start, and the place of the last.
    pub(crate) fn opened_with(&self, records: u64, last_seq: u64) {
        self.records.set(records.cast_signed());
        // A forwarder may have seen more by now.
        raise(&self.last_seq, last_seq);
    }

    /// The place of the last record, as far as this process knows.
    pub(crate) fn last_seq(&self) -> u64 {
        self.last_seq.get().max(0).unsigned_abs()
    }

    /// Notes that so many records are no longer there.
    pub(crate) fn forgot(&self, records: u64) {
        self.forgotten.inc_by(records);
        self.records.dec_by(records.cast_signed());
    }

    pub(crate) fn committed(&self, batch: &[Entry], outcomes: &[Append], took: Duration) {
        let (mut appended, mut duplicates, mut quarantined) = (0, 0, 0);
        for (entry, outcome) in batch.iter().zip(outcomes).filter(|(entry, _)| !entry.is_again()) {
            match (entry.identity(), outcome) {
                (None, _) => quarantined += 1,
                (Some(_), Append::Duplicate { .. }) => duplicates += 1,
                (Some(_), Append::Appended { .. }) => appended += 1,
            }
        }
        self.appended.inc_by(appended);
        self.duplicates.inc_by(duplicates);
        self.quarantined.inc_by(quarantined);
        self.imported(outcomes);
        #[expect(clippy::cast_precision_loss, reason = "batches are small")]
        self.batch_entries.observe(batch.len() as f64);
        self.commit_seconds.observe(took.as_secs_f64());
    }

    /// Notes what is in the store now. What a command brought did not come from PIOPIY, and counts among nothing else.
    pub(crate) fn imported(&self, outcomes: &[Append]) {
        let is_new = |outcome: &&Append| matches!(outcome, Append::Appended { .. });
        self.records.inc_by((outcomes.iter().filter(is_new).count() as u64).cast_signed());
        let places = outcomes.iter().map(|outcome| match outcome {
            Append::Appended { seq } => *seq,
            Append::Duplicate { of } => *of,
        });
        if let Some(last) = places.max() {
            // Commits are told by several: what is told late is not the last.
            raise(&self.last_seq, last);
        }
    }

    /// The Prometheus text format.
    pub(crate) fn encode(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = prometheus_client::encoding::prometheus_text::encode(&mut text, &self.registry);
        text
    }
}
