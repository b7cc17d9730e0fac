use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;

use super::answer::Answer;
use super::coarse::{Coarse, STEPS, step};
use super::series::Series;
use super::source::Injected;

/// The longest time that is told apart: what takes longer counts as this.
const LONGEST: Duration = Duration::from_secs(3_600);

/// How a webhook that was sent ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Answered(Answer),
    NoConnection,
    TimedOut,
    Reset,
    NoHttp,
}

impl End {
    /// Any 2xx.
    pub(super) fn is_acknowledged(self) -> bool {
        matches!(self, Self::Answered(answer) if (200..300).contains(&answer.status))
    }
}

/// What one thread counts.
#[derive(Debug, Clone)]
pub(super) struct Tally {
    pub(super) planned: u64,
    pub(super) dropped: u64,
    /// Of those, what waited when it was stopped.
    pub(super) unsent_at_stop: u64,
    pub(super) attempts: u64,
    pub(super) acknowledged: u64,
    /// Answers that are none of 2xx, by their first digit.
    pub(super) refused: [u64; 10],
    pub(super) no_connection: u64,
    pub(super) timed_out: u64,
    pub(super) reset: u64,
    pub(super) no_http: u64,
    pub(super) connections: u64,
    /// Those that could not be opened, and of these those for which this machine had no socket.
    pub(super) connections_failed: u64,
    pub(super) out_of_sockets: u64,
    pub(super) most_waiting: usize,
    /// What went wrong on purpose, and what was sent again, so far.
    pub(super) injected: Injected,
    /// From the instant at which a webhook was due to its end, in microseconds.
    pub(super) latency: Histogram<u64>,
    /// From when it was sent.
    pub(super) service: Histogram<u64>,
    /// From when it was due to when it was sent.
    pub(super) publish_delay: Histogram<u64>,
    /// From when it was due to when this program was awake for it.
    pub(super) lag: Histogram<u64>,
    pub(super) cpu_ns: Option<u64>,
    /// Of that, what was spent awake with nothing to do until the next instant.
    pub(super) waited_ns: u64,
    /// When the last webhook was due, from the start.
    pub(super) last_due_ns: u64,
    /// When the last webhook ended, from the start.
    pub(super) last_ns: u64,
    /// When the last was sent.
    pub(super) last_sent_ns: u64,
    /// What happened when.
    pub(super) series: Series,
    /// The latencies in a few steps, and their sum in microseconds: what is told while the load goes on.
    pub(super) coarse: Coarse,
    pub(super) latency_sum_us: u64,
    /// How many of each form were sent.
    pub(super) forms: BTreeMap<&'static str, u64>,
}

impl Tally {
    /// With a series of such intervals.
    pub(super) fn new(interval: Duration) -> Self {
        Self {
            planned: 0,
            dropped: 0,
            unsent_at_stop: 0,
            attempts: 0,
            acknowledged: 0,
            refused: [0; 10],
            no_connection: 0,
            timed_out: 0,
            reset: 0,
            no_http: 0,
            connections: 0,
            connections_failed: 0,
            out_of_sockets: 0,
            most_waiting: 0,
            injected: Injected::default(),
            latency: histogram(),
            service: histogram(),
            publish_delay: histogram(),
            lag: histogram(),
            cpu_ns: Some(0),
            waited_ns: 0,
            last_due_ns: 0,
            last_ns: 0,
            last_sent_ns: 0,
            series: Series::new(interval),
            coarse: [0; STEPS],
            latency_sum_us: 0,
            forms: BTreeMap::new(),
        }
    }

    /// A webhook is due.
    pub(super) fn planned(&mut self, at_ns: u64) {
        self.planned += 1;
        self.last_due_ns = self.last_due_ns.max(at_ns);
        self.series.planned(at_ns);
    }

    /// A webhook has ended at an instant, so long after it was due.
    pub(super) fn ended(&mut self, end: End, at_ns: u64, latency_ns: u64) {
        self.last_ns = at_ns;
        let us = latency_ns / 1_000;
        self.latency.saturating_record(us);
        self.latency_sum_us += us;
        self.coarse[step(us)] += 1;
        self.series.ended(at_ns, latency_ns, end.is_acknowledged());
        match end {
            _ if end.is_acknowledged() => self.acknowledged += 1,
            End::Answered(answer) => self.refused[usize::from(answer.status / 100).min(9)] += 1,
            End::NoConnection => self.no_connection += 1,
            End::TimedOut => self.timed_out += 1,
            End::Reset => self.reset += 1,
            End::NoHttp => self.no_http += 1,
        }
    }

    /// What was sent or tried, and not acknowledged.
    pub(super) fn errors(&self) -> u64 {
        let refused: u64 = self.refused.iter().sum();
        refused + self.no_connection + self.timed_out + self.reset + self.no_http
    }

    /// Both together: histograms add up bucket by bucket.
    pub(super) fn add(&mut self, other: &Self) {
        self.planned += other.planned;
        self.dropped += other.dropped;
        self.unsent_at_stop += other.unsent_at_stop;
        self.attempts += other.attempts;
        self.acknowledged += other.acknowledged;
        for (mine, theirs) in self.refused.iter_mut().zip(other.refused) {
            *mine += theirs;
        }
        self.no_connection += other.no_connection;
        self.timed_out += other.timed_out;
        self.reset += other.reset;
        self.no_http += other.no_http;
        self.connections += other.connections;
        self.connections_failed += other.connections_failed;
        self.out_of_sockets += other.out_of_sockets;
        self.most_waiting += other.most_waiting;
        self.injected.add(other.injected);
        for (mine, theirs) in [
            (&mut self.latency, &other.latency),
            (&mut self.service, &other.service),
            (&mut self.publish_delay, &other.publish_delay),
            (&mut self.lag, &other.lag),
        ] {
            // They are of one range.
            let added = mine.add(theirs);
            debug_assert!(added.is_ok());
        }
        self.cpu_ns = self.cpu_ns.zip(other.cpu_ns).map(|(mine, theirs)| mine + theirs);
        self.waited_ns += other.waited_ns;
        self.last_due_ns = self.last_due_ns.max(other.last_due_ns);
        self.last_ns = self.last_ns.max(other.last_ns);
        self.last_sent_ns = self.last_sent_ns.max(other.last_sent_ns);
        self.series.add(&other.series);
        for (mine, theirs) in self.coarse.iter_mut().zip(other.coarse) {
            *mine += theirs;
        }
        self.latency_sum_us += other.latency_sum_us;
        for (form, count) in &other.forms {
            *self.forms.entry(form).or_default() += count;
        }
    }
}

/// An empty histogram of microseconds.
pub(super) fn histogram() -> Histogram<u64> {
    Histogram::new_with_max(LONGEST.as_micros() as u64, 3)
        .unwrap_or_else(|error| unreachable!("three digits of an hour can be kept: {error}"))
}

/// Counts nanoseconds in a histogram of microseconds.
pub(super) fn count(histogram: &mut Histogram<u64>, ns: u64) {
    histogram.saturating_record(ns / 1_000);
}
