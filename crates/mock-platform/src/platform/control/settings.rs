use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use tokio::time::{Instant, timeout_at};

use super::Control;
use super::answers::{ClockAnswer, ConfigAnswer, Rates, ResetAnswer, RestFaults, StreamRates, SummaryAnswer};
use super::refusal::Refusal;
use super::requests::{Advance, read};
use crate::platform::call::Ender;
use crate::platform::stream::StreamFaults;

/// How long calls may take to end when everything is reset.
const RESET: Duration = Duration::from_secs(5);
/// How far time may be moved at once.
const FARTHEST_MS: u64 = 30 * 24 * 3_600_000;
/// How many requests may be told to fail, each in its own way.
const MOST_FAILURES: usize = 1_000;

/// `GET /api/faults`.
pub(super) async fn faults(State(control): State<Control>) -> Json<Rates> {
    let faults = control.exchange.faults();
    Json(Rates {
        duplicate: faults.duplicate,
        reorder: faults.reorder,
        delay: faults.delay,
        loss: faults.loss,
    })
}

/// `PUT /api/faults`: what is left out goes wrong no more.
pub(super) async fn set_faults(State(control): State<Control>, body: Body) -> Result<Json<Rates>, Refusal> {
    let rates: Rates = read(body).await?;
    let mut faults = control.exchange.faults();
    for (name, given, rate) in [
        ("duplicate", rates.duplicate, &mut faults.duplicate),
        ("reorder", rates.reorder, &mut faults.reorder),
        ("delay", rates.delay, &mut faults.delay),
        ("loss", rates.loss, &mut faults.loss),
    ] {
        if !(0.0..=1.0).contains(&given) {
            return Err(Refusal::meaningless(format!("`{name}` is {given}: a probability is from 0 to 1")));
        }
        *rate = given;
    }
    control.exchange.set_faults(faults);
    Ok(Json(rates))
}

/// `GET /api/stream/faults`.
pub(super) async fn stream_faults(State(control): State<Control>) -> Json<StreamRates> {
    let faults = control.exchange.stream_faults();
    Json(StreamRates {
        drop_after_ms: faults.drop_after_ms,
        close_after_ms: faults.close_after_ms,
        close_code: faults.close_code,
        late: faults.late,
        late_ms: faults.late_ms,
        jitter_ms: faults.jitter_ms,
    })
}

/// `PUT /api/stream/faults`: what is left out goes wrong no more.
pub(super) async fn set_stream_faults(
    State(control): State<Control>,
    body: Body,
) -> Result<Json<StreamRates>, Refusal> {
    let rates: StreamRates = read(body).await?;
    let faults = StreamFaults {
        drop_after_ms: rates.drop_after_ms,
        close_after_ms: rates.close_after_ms,
        close_code: rates.close_code,
        late: rates.late,
        late_ms: rates.late_ms,
        jitter_ms: rates.jitter_ms,
    };
    control
        .exchange
        .set_stream_faults(faults)
        .map_err(|what| Refusal::meaningless(what.replace('-', "_")))?;
    Ok(Json(rates))
}

/// `GET /api/rest/faults`: failures as many as are left.
pub(super) async fn rest_faults(State(control): State<Control>) -> Json<RestFaults> {
    Json(RestFaults::of(&control.exchange.rest_rules()))
}

/// `PUT /api/rest/faults`: what is left out goes wrong no more.
pub(super) async fn set_rest_faults(
    State(control): State<Control>,
    body: Body,
) -> Result<Json<RestFaults>, Refusal> {
    let faults: RestFaults = read(body).await?;
    if faults.fail.len() > MOST_FAILURES {
        return Err(Refusal::meaningless(format!("`fail` has {MOST_FAILURES} entries at most")));
    }
    control.exchange.set_rest_rules(faults.rules()).map_err(Refusal::meaningless)?;
    Ok(Json(faults))
}

/// `POST /api/clock/advance`.
pub(super) async fn advance(
    State(control): State<Control>,
    body: Body,
) -> Result<Json<ClockAnswer>, Refusal> {
    let Advance { by_ms } = read(body).await?;
    if by_ms > FARTHEST_MS {
        return Err(Refusal::meaningless(format!("`by_ms` is {FARTHEST_MS} at most, which is 30 days")));
    }
    control.exchange.advance(by_ms);
    Ok(Json(ClockAnswer { now_ms: control.exchange.now_ms() }))
}

/// `POST /api/reset`: every call is ended and forgotten, and no webhook of it is sent any more; accounts are as they were at
/// the start, and so is what goes wrong.
pub(super) async fn reset(State(control): State<Control>) -> Json<ResetAnswer> {
    let exchange = &control.exchange;
    let config = exchange.config();
    exchange.reset_faults();
    // They were checked when the configuration was.
    let _ = exchange.set_rest_rules(config.rest.clone());
    let _ = exchange.set_stream_faults(config.stream.faults);
    // What is held back on purpose would keep its call.
    exchange.forget_webhooks().await;
    let until = Instant::now() + RESET;
    let mut changes = exchange.board().changes();
    for call in exchange.board().on() {
        // One that ended meanwhile is over.
        let _ = exchange.hang_up(call, Ender::Platform);
    }
    while exchange.board().is_busy() && Instant::now() < until {
        let _ = timeout_at(until, changes.recv()).await;
    }
    // What the calls told at their end is not sent again either.
    exchange.forget_webhooks().await;
    exchange.board().clear();
    exchange.reset_accounts();
    Json(ResetAnswer { calls: exchange.board().len() })
}

/// `GET /api/config`.
pub(super) async fn config(State(control): State<Control>) -> Json<ConfigAnswer> {
    Json(ConfigAnswer::new(&control.exchange.config()))
}

/// `GET /api/summary`.
pub(super) async fn summary(State(control): State<Control>) -> Json<SummaryAnswer> {
    let exchange = &control.exchange;
    Json(SummaryAnswer {
        now_ms: exchange.now_ms(),
        seed: format!("{:#x}", exchange.seed().0),
        calls_on: exchange.calls_on(),
        summary: exchange.summary(),
    })
}
