//! Whole random calls, generated and serialised on one core.

use std::hint::black_box;
use std::time::Instant;

use piopiy_events::Profile;
use piopiy_mock_platform::plan::CallBuffer;

use super::Effort;
use super::rounds::{Goal, Row, Section, Series};
use crate::traffic;

/// Webhooks per second, each with its own ids, times and numbers, written as JSON; every profile in every round.
pub(super) fn run(effort: Effort) -> Section {
    let profiles = Profile::ALL.map(|profile| (profile, Series::default()));
    let mut profiles = Vec::from(profiles);
    let mut bytes = Series::default();
    for round in 0..effort.rounds {
        for (profile, rate) in &mut profiles {
            let simulator = traffic::simulator(*profile, round as u64);
            let mut buffer = CallBuffer::default();
            let (mut webhooks, mut length, mut index) = (0, 0, 0);
            let began = Instant::now();
            while webhooks < effort.iterations {
                simulator.write_call(black_box(index), &mut buffer);
                for (_, body) in buffer.webhooks() {
                    webhooks += 1;
                    length += black_box(body).len();
                }
                index += 1;
            }
            rate.push(webhooks as f64 / began.elapsed().as_secs_f64() / 1e6);
            bytes.push(length as f64 / webhooks as f64);
        }
    }
    let mut rows: Vec<_> = profiles
        .iter()
        .map(|(profile, rate)| {
            let form = |rate| format!("{rate:.2} M webhooks/s");
            Row::with_goal(format!("`{profile}`"), rate, form, Goal::AtLeast(3.0))
        })
        .collect();
    rows.push(Row::new("length of a body", &bytes, |bytes| format!("{bytes:.0} bytes")));
    Section {
        title: "Generate and serialise whole random calls, one core".to_owned(),
        note: format!("{} rounds of {} webhooks", effort.rounds, effort.iterations),
        rows,
    }
}
