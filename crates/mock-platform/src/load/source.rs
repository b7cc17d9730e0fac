//! Which webhook is due next, and when. Pure.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use super::options::{LoadOptions, Rate};
use crate::plan::{ArrivalProcess, CallBuffer, PlanOptions, Simulator};

/// A webhook that is due, in nanoseconds from the start of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Due {
    pub(super) at_ns: u64,
    pub(super) call: u64,
    pub(super) webhook: u32,
    /// When its call starts, in the virtual time of the plan: it follows from the call, and takes long to compute.
    pub(super) starts_at_ms: u64,
}

/// The webhooks of a share of the calls, in the order in which they are due.
pub(super) struct Source {
    simulator: Simulator,
    buffer: CallBuffer,
    arrivals: ArrivalProcess,
    /// Calls that would begin then or later do not.
    end_ns: u64,
    /// The first call that is not of the run.
    end_call: u64,
    part: u64,
    parts: u64,
    order: Order,
}

enum Order {
    /// Webhooks at arrivals of their own, whole calls one after another. `nth` is the place among those of all shares.
    Paced { next: Option<Due>, nth: u64, left: u32 },
    /// Webhooks where the timing of their calls puts them.
    Timed { coming: BinaryHeap<Reverse<Due>>, next_call: u64, time_scale: f64 },
    /// Webhooks whenever somebody asks.
    Asked { current: Option<Due>, left: u32, next_call: u64 },
}

impl Source {
    pub(super) fn new(simulator: &Simulator, options: &LoadOptions, part: u64, parts: u64) -> Self {
        let plan = simulator.options();
        let (part, parts) = share(plan, part, parts);
        let first = plan.first_call;
        let limit = |calls: Option<u64>| calls.map_or(u64::MAX, |calls| first.saturating_add(calls));
        let per_second = match options.rate {
            Rate::Calls(rate) | Rate::Webhooks(rate) => rate,
            Rate::Erlangs(erlangs) => calls_per_second(simulator, erlangs, options.time_scale),
            Rate::Max => 1.0,
        };
        let mut source = Self {
            simulator: simulator.clone(),
            buffer: CallBuffer::default(),
            arrivals: ArrivalProcess::new(options.spacing, per_second, plan.seed),
            end_ns: options.duration.map_or(u64::MAX, nanoseconds),
            end_call: limit(plan.calls).min(limit(options.calls)),
            part,
            parts,
            order: Order::Asked { current: None, left: 0, next_call: first },
        };
        match options.rate {
            Rate::Max => {
                let next_call = source.own_from(first);
                source.order = Order::Asked { current: None, left: 0, next_call };
            }
            Rate::Webhooks(_) => {
                let (next, left) = source.paced_from(first, 0);
                let nth = next.map_or(0, |(_, nth)| nth);
                source.order = Order::Paced { next: next.map(|(due, _)| due), nth, left };
            }
            Rate::Calls(_) | Rate::Erlangs(_) => {
                let (coming, time_scale) = (BinaryHeap::new(), options.time_scale);
                source.order = Order::Timed { coming, next_call: source.own_from(first), time_scale };
                source.let_in();
            }
        }
        source
    }

    /// The webhook that is due next, with [`Rate::Max`] at once.
    pub(super) fn peek(&self) -> Option<Due> {
        match &self.order {
            Order::Paced { next, .. } => *next,
            Order::Timed { coming, .. } => coming.peek().map(|Reverse(due)| *due),
            Order::Asked { .. } => None,
        }
    }

    /// Takes the webhook that is due next.
    pub(super) fn take(&mut self) -> Option<Due> {
        match &mut self.order {
            Order::Paced { next, nth, left } => {
                let due = (*next)?;
                *nth += 1;
                if *left > 0 {
                    *left -= 1;
                    *next = Some(Due { at_ns: self.arrivals.at_ns(*nth), webhook: due.webhook + 1, ..due });
                } else {
                    let nth = *nth;
                    let (following, left) = self.paced_from(due.call + 1, nth);
                    let nth = following.map_or(nth, |(_, nth)| nth);
                    self.order = Order::Paced { next: following.map(|(due, _)| due), nth, left };
                }
                Some(due)
            }
            Order::Timed { coming, .. } => {
                let Reverse(due) = coming.pop()?;
                self.let_in();
                Some(due)
            }
            Order::Asked { .. } => self.asked(),
        }
    }

    /// Lets no further call begin; what has begun is sent whole.
    pub(super) fn end(&mut self) {
        match &self.order {
            Order::Paced { next, .. } => self.end_call = next.map_or(0, |due| due.call + 1),
            Order::Timed { next_call, .. } | Order::Asked { next_call, .. } => self.end_call = *next_call,
        }
    }

    /// Leaves out all that is still to come.
    pub(super) fn stop(&mut self) {
        self.end_call = 0;
        self.order = Order::Asked { current: None, left: 0, next_call: 0 };
    }

    /// The first webhook of the first call of this share from a call on, whose own is the n-th of all; with its place, and
    /// how many more the call has.
    fn paced_from(&mut self, from: u64, nth: u64) -> (Option<(Due, u64)>, u32) {
        let (mut call, mut nth) = (from, nth);
        loop {
            let at_ns = self.arrivals.at_ns(nth);
            if call >= self.end_call || at_ns >= self.end_ns {
                return (None, 0);
            }
            let (starts_at_ms, webhooks) = self.simulator.time_webhooks(call, &mut self.buffer);
            let count = webhooks.count() as u32;
            if count > 0 && call % self.parts == self.part {
                return (Some((Due { at_ns, call, webhook: 0, starts_at_ms }, nth)), count - 1);
            }
            nth += u64::from(count);
            call += 1;
        }
    }

    fn asked(&mut self) -> Option<Due> {
        let Order::Asked { current, left, next_call } = &mut self.order else { return None };
        if let Some(due) = current
            && *left > 0
        {
            *left -= 1;
            due.webhook += 1;
            return Some(*due);
        }
        while *next_call < self.end_call {
            let call = *next_call;
            *next_call += self.parts;
            let (starts_at_ms, webhooks) = self.simulator.time_webhooks(call, &mut self.buffer);
            let count = webhooks.count() as u32;
            if count > 0 {
                *left = count - 1;
                *current = Some(Due { at_ns: 0, call, webhook: 0, starts_at_ms });
                return *current;
            }
        }
        None
    }

    /// Lets in all calls that begin before the next webhook is due.
    fn let_in(&mut self) {
        let Order::Timed { coming, next_call, time_scale } = &mut self.order else { return };
        loop {
            if *next_call >= self.end_call {
                return;
            }
            let begins_ns = self.arrivals.at_ns(*next_call);
            if begins_ns >= self.end_ns {
                return;
            }
            if coming.peek().is_some_and(|Reverse(due)| due.at_ns < begins_ns) {
                return;
            }
            let (starts_at_ms, webhooks) = self.simulator.time_webhooks(*next_call, &mut self.buffer);
            for (webhook, due_ms) in (0..).zip(webhooks) {
                let after_ms = due_ms.saturating_sub(starts_at_ms);
                let after_ns = (after_ms as f64 * 1e6 / *time_scale) as u64;
                let at_ns = begins_ns.saturating_add(after_ns);
                coming.push(Reverse(Due { at_ns, call: *next_call, webhook, starts_at_ms }));
            }
            *next_call += self.parts;
        }
    }

    /// The first call of this share from a call on.
    fn own_from(&self, call: u64) -> u64 {
        call + (self.part + self.parts - call % self.parts) % self.parts
    }
}

/// A part of a plan's own part.
fn share(plan: &PlanOptions, part: u64, parts: u64) -> (u64, u64) {
    let (shard, shards) = plan.shard.unwrap_or((0, 1));
    (shard + shards * part, shards * parts)
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// How many calls per second keep so many in progress.
pub(super) fn calls_per_second(simulator: &Simulator, erlangs: f64, time_scale: f64) -> f64 {
    const SAMPLE: u64 = 4_096;
    let mut buffer = CallBuffer::default();
    let length = |call| {
        simulator.write_call(call, &mut buffer);
        let end = buffer.webhooks().map(|(webhook, _)| webhook.at_ms).max();
        end.unwrap_or_default().saturating_sub(buffer.starts_at_ms())
    };
    let total: u64 = (0..SAMPLE).map(length).sum();
    let mean_seconds = total as f64 / SAMPLE as f64 / 1e3 / time_scale;
    erlangs / mean_seconds.max(1e-9)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use piopiy_events::Profile;
    use proptest::prelude::*;

    use super::*;
    use crate::plan::{PlanOptions, Scenario, Seed, Spacing};

    fn simulator(shard: Option<(u64, u64)>) -> Simulator {
        let plan = PlanOptions { shard, ..PlanOptions::new(Profile::Global, Seed(7)) };
        Simulator::builtin("default", plan).unwrap()
    }

    fn all(mut source: Source) -> Vec<Due> {
        std::iter::from_fn(|| source.take()).collect()
    }

    fn rates() -> impl Strategy<Value = Rate> {
        prop_oneof![
            (1.0..5_000.0).prop_map(Rate::Webhooks),
            (1.0..500.0).prop_map(Rate::Calls),
            (1.0..500.0).prop_map(Rate::Erlangs),
            Just(Rate::Max),
        ]
    }

    #[test]
    fn the_shares_together_are_the_whole_and_each_call_is_whole_and_in_order() {
        proptest!(ProptestConfig::with_cases(64), |(
            rate in rates(), shards in 1..5u64, parts in 1..4u64, calls in 1..80u64, is_random: bool
        )| {
            let mut options = LoadOptions::new(rate);
            options.spacing = if is_random { Spacing::Poisson } else { Spacing::Constant };
            options.calls = Some(calls);
            options.duration = (rate != Rate::Max).then_some(Duration::from_secs(2));
            let whole = all(Source::new(&simulator(None), &options, 0, 1));
            let mut joined = Vec::new();
            for shard in 0..shards {
                for part in 0..parts {
                    let share = all(Source::new(&simulator(Some((shard, shards))), &options, part, parts));
                    prop_assert!(share.is_sorted_by_key(|due| due.at_ns));
                    joined.extend(share);
                }
            }
            joined.sort_unstable();
            let mut sorted = whole.clone();
            sorted.sort_unstable();
            prop_assert_eq!(joined, sorted);

            let mut buffer = CallBuffer::default();
            let begun: BTreeSet<u64> = whole.iter().map(|due| due.call).collect();
            for call in begun {
                simulator(None).write_call(call, &mut buffer);
                let sent: Vec<u32> = whole.iter().filter(|due| due.call == call).map(|due| due.webhook).collect();
                let expected: Vec<u32> = (0..buffer.webhooks().len() as u32).collect();
                prop_assert_eq!(sent, expected);
            }
        });
    }

    #[test]
    fn webhooks_are_paced_one_after_another_at_exactly_the_rate() {
        let mut options = LoadOptions::new(Rate::Webhooks(2_000.0));
        options.spacing = Spacing::Constant;
        options.duration = Some(Duration::from_secs(3));
        let all = all(Source::new(&simulator(None), &options, 0, 1));
        for (nth, due) in (0..).zip(&all) {
            assert_eq!(due.at_ns, nth * 500_000);
        }
        assert!((6_000..6_010).contains(&all.len()), "the last call is sent whole: {}", all.len());
        assert!(all.is_sorted_by_key(|due| (due.call, due.webhook)));
    }

    #[test]
    fn so_many_erlangs_are_so_many_calls_in_progress() {
        let mut options = LoadOptions::new(Rate::Erlangs(200.0));
        options.time_scale = 10.0;
        options.duration = Some(Duration::from_secs(120));
        let simulator = simulator(None);
        let all = all(Source::new(&simulator, &options, 0, 1));
        let mut buffer = CallBuffer::default();
        let lengths = all.iter().filter(|due| due.webhook == 0).map(|due| {
            simulator.write_call(due.call, &mut buffer);
            let last = buffer.webhooks().map(|(webhook, _)| webhook.at_ms).max();
            (last.unwrap() - buffer.starts_at_ms()) as f64 / 1e3 / 10.0
        });
        let mean = lengths.sum::<f64>() / 120.0;
        assert!((180.0..220.0).contains(&mean), "{mean} calls in progress");
    }

    #[test]
    fn what_has_begun_is_sent_whole_and_what_is_stopped_is_not() {
        for rate in [Rate::Max, Rate::Webhooks(1e3), Rate::Calls(1e3)] {
            let mut options = LoadOptions::new(rate);
            options.duration = (rate != Rate::Max).then_some(Duration::from_secs(60));
            let take = |source: &mut Source| (0..100).map(|_| source.take().unwrap()).collect::<Vec<_>>();
            let mut source = Source::new(&simulator(None), &options, 0, 1);
            let mut taken = take(&mut source);
            source.end();
            taken.extend(std::iter::from_fn(|| source.take()));
            let mut buffer = CallBuffer::default();
            for call in taken.iter().map(|due| due.call).collect::<BTreeSet<u64>>() {
                let count = simulator(None).count_webhooks(call, &mut buffer);
                assert_eq!(taken.iter().filter(|due| due.call == call).count(), count, "{rate:?}");
            }
            let mut source = Source::new(&simulator(None), &options, 0, 1);
            take(&mut source);
            source.stop();
            assert_eq!(source.take(), None);
        }
    }

    #[test]
    fn webhooks_are_counted_as_they_are_written() {
        let (mut counted, mut written) = (CallBuffer::default(), CallBuffer::default());
        for name in Scenario::builtin_names() {
            let simulator = Simulator::builtin(name, PlanOptions::default()).unwrap();
            for call in 0..300 {
                simulator.write_call(call, &mut written);
                assert_eq!(
                    simulator.count_webhooks(call, &mut counted),
                    written.webhooks().len(),
                    "{name} {call}"
                );
            }
        }
    }
}
