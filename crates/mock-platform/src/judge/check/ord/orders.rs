use std::collections::BTreeSet;

use super::super::{Case, Composer, Payload, Script};

/// Connections that are open at the same time.
const SIDE_BY_SIDE: usize = 20;
/// Calls of a check that has many.
const CALLS: usize = 100;

/// All calls take a step each before any takes its next; every request has a connection of its own.
fn rounds(composer: &Composer, name: impl Into<String>, calls: &[Vec<Payload>]) -> Case {
    let mut case = Case::new(name);
    let longest = calls.iter().map(Vec::len).max().unwrap_or(0);
    for round in 0..longest {
        let due: Vec<&Payload> = calls.iter().filter_map(|call| call.get(round)).collect();
        for some in due.chunks(SIDE_BY_SIDE) {
            let script = |payload: &&Payload| Script::default().request(&composer.post(payload)).answered();
            case = case.scripts(some.iter().map(script).collect());
        }
    }
    case.expect_call(calls.iter().flatten())
}

/// Of a bridged call: answered, bridged, leg a's hang-up, both CDRs. One case for each that comes first.
pub(super) fn permutations(composer: &mut Composer) -> Vec<Case> {
    const FROM_END: [usize; 4] = [5, 4, 2, 1];
    let mut cases = Vec::new();
    for first in 0..=FROM_END.len() {
        let mut calls = Vec::new();
        for order in orders(FROM_END.len() + 1).into_iter().filter(|order| order[0] == first) {
            let (_, payloads) = composer.call("inbound-bridged");
            // The shortest of such calls may have fewer to choose from.
            let places = FROM_END.iter().filter_map(|from_end| payloads.len().checked_sub(*from_end));
            let places: Vec<usize> =
                std::iter::once(0).chain(places).collect::<BTreeSet<_>>().into_iter().collect();
            let chosen = order.into_iter().filter_map(|n| places.get(n));
            calls.push(chosen.map(|&at| payloads[at].clone()).collect::<Vec<_>>());
        }
        let name = format!("webhook {} of {} first", first + 1, FROM_END.len() + 1);
        cases.push(rounds(composer, name, &calls));
    }
    cases
}

/// Every order of the numbers below `n`.
fn orders(n: usize) -> Vec<Vec<usize>> {
    let Some(last) = n.checked_sub(1) else { return vec![Vec::new()] };
    let insert = |shorter: Vec<usize>| {
        (0..n).map(move |at| {
            let mut order = shorter.clone();
            order.insert(at, last);
            order
        })
    };
    orders(last).into_iter().flat_map(insert).collect()
}

/// Answered and missed ones, so that a state that went astray shows.
fn many(composer: &mut Composer) -> Vec<Vec<(u64, Payload)>> {
    const SCENARIOS: [&str; 4] = ["inbound-answered", "inbound-missed", "inbound-bridged", "outbound-missed"];
    let mut calls = Vec::new();
    for n in 0..CALLS {
        let (call, payloads) = composer.call(SCENARIOS[n % SCENARIOS.len()]);
        calls.push(call.webhooks.iter().map(|webhook| webhook.at_ms).zip(payloads).collect());
    }
    calls
}

pub(super) fn interleaved(composer: &mut Composer) -> Vec<Case> {
    let calls = many(composer).into_iter().map(|call| call.into_iter().map(|(_, payload)| payload).collect());
    let calls: Vec<Vec<Payload>> = calls.collect();
    vec![rounds(composer, format!("{CALLS} calls"), &calls)]
}

pub(super) fn interleaved_out_of_order(composer: &mut Composer) -> Vec<Case> {
    const WINDOW_MS: u64 = 30_000;
    let mut draw = Draw(composer.key());
    let mut calls = many(composer);
    for call in &mut calls {
        // Within the window each webhook is as late as chance has it.
        call.sort_by_cached_key(|(at_ms, _)| at_ms + draw.below(WINDOW_MS));
    }
    let calls: Vec<Vec<Payload>> =
        calls.into_iter().map(|call| call.into_iter().map(|(_, payload)| payload).collect()).collect();
    vec![rounds(composer, format!("{CALLS} calls"), &calls)]
}

pub(super) fn equal_times(composer: &mut Composer) -> Vec<Case> {
    const RUNS: usize = 10;
    let mut draw = Draw(composer.key());
    let mut calls = Vec::new();
    for _ in 0..RUNS {
        let (_, payloads) = composer.call("inbound-answered");
        let time = payloads[0].webhook().and_then(|webhook| Some(webhook.get("time")?.as_json().to_owned()));
        let mut call: Vec<Payload> = payloads
            .into_iter()
            .map(|payload| payload.with("time", time.as_deref().unwrap_or("0")))
            .collect();
        call.sort_by_cached_key(|_| draw.below(u64::MAX));
        calls.push(call);
    }
    vec![rounds(composer, format!("{RUNS} calls"), &calls)]
}

/// SplitMix64: the orders follow from the check alone, and the same run sends the same.
struct Draw(u64);

impl Draw {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_orders_are_there_once() {
        let orders: BTreeSet<_> = orders(5).into_iter().collect();
        assert_eq!(orders.len(), 120);
        assert!(orders.iter().all(|order| (0..5).all(|n| order.contains(&n))));
    }
}
