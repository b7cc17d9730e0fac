//! A payload's bytes to its typed form, beside a plain derive of the same fields.

use std::hint::black_box;
use std::time::Instant;

use anyhow::Context as _;
use piopiy_events::Webhook;
use serde::Deserialize;

use super::Effort;
use super::rounds::{Goal, Row, Section, Series};
use crate::workspace;

/// What most people write first: it refuses a documented variant and drops what it does not know.
#[derive(Deserialize)]
#[expect(dead_code, reason = "only the reading is measured")]
struct PlainStreamConnected {
    appid: u64,
    direction: String,
    from: u64,
    leg: String,
    status: String,
    time: u64,
    cmiuuid: String,
    ws_status: String,
}

/// The same for a CDR.
#[derive(Deserialize)]
#[expect(dead_code, reason = "only the reading is measured")]
struct PlainCdr {
    to: u64,
    appid: u64,
    time: u64,
    start_time: u64,
    end_time: u64,
    from: u64,
    direction: String,
    duration: u64,
    extra_params: String,
    cmiuuid: String,
    call_rate: String,
    balance: String,
    conversation_uuid: String,
    answer_time: u64,
    leg: String,
    status: String,
}

/// The documented `stream_connected` event.
pub(super) fn stream_connected(effort: Effort) -> anyhow::Result<Section> {
    compare::<PlainStreamConnected>(
        "stream_connected",
        "global/live-stream-connected--leg-b.json",
        0.6,
        effort,
    )
}

/// An answered inbound CDR.
pub(super) fn cdr(effort: Effort) -> anyhow::Result<Section> {
    compare::<PlainCdr>("CDR", "guess/global--inbound-webhooks-answered--leg-a.json", 1.5, effort)
}

fn compare<Plain: for<'a> Deserialize<'a>>(
    name: &str,
    sample: &str,
    goal: f64,
    effort: Effort,
) -> anyhow::Result<Section> {
    let file = workspace::root().join("fixtures/wire").join(sample);
    let text = std::fs::read(&file).with_context(|| format!("cannot read {sample}"))?;
    // As it goes over the wire: without the white space of the documentation.
    let body = Webhook::parse(&text)?.to_json().into_bytes();
    serde_json::from_slice::<Plain>(&body).context("the plain form does not fit the sample")?;

    let (mut typed, mut plain) = (Series::default(), Series::default());
    for _ in 0..effort.rounds {
        typed.push(microseconds(effort.iterations, || Webhook::parse(black_box(&body)).is_ok()));
        plain.push(microseconds(effort.iterations, || {
            serde_json::from_slice::<Plain>(black_box(&body)).is_ok()
        }));
    }
    let (time, ratio) = (|value: f64| format!("{value:.3} µs"), |value: f64| format!("{value:.2}"));
    Ok(Section {
        title: format!("Parse to typed: {name}, {} bytes", body.len()),
        note: format!("{} rounds of {} webhooks", effort.rounds, effort.iterations),
        rows: vec![
            Row::with_goal("`Webhook::parse`, lossless", &typed, time, Goal::AtMost(goal)),
            Row::new("a plain serde derive of the same fields", &plain, time),
            Row::new("ratio", &typed.over(&plain), ratio),
        ],
    })
}

/// The mean time of one call.
fn microseconds(iterations: u64, mut call: impl FnMut() -> bool) -> f64 {
    let began = Instant::now();
    for _ in 0..iterations {
        black_box(call());
    }
    began.elapsed().as_secs_f64() * 1e6 / iterations as f64
}
