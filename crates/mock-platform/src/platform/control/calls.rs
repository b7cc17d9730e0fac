use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use tokio::time::{Instant, timeout_at};

use super::Control;
use super::answers::{CallAnswer, CallsAnswer};
use super::refusal::Refusal;
use super::requests::{Asked, Id, Listed, PlaceCall, Waiting, read};
use crate::platform::board::CallView;
use crate::platform::exchange::{Inbound, PlaceCallError};

/// Who calls where nobody says: a number that nobody can have.
const SOMEBODY: u64 = 447_700_900_123;
/// How many are listed where nobody says.
const LISTED: usize = 200;
/// How long a request may wait for the end of a call.
pub(super) const LONGEST_WAIT_MS: u64 = 120_000;

/// `POST /api/calls`.
pub(super) async fn place(
    State(control): State<Control>,
    body: Body,
) -> Result<(StatusCode, Json<CallAnswer>), Refusal> {
    let request: PlaceCall = read(body).await?;
    let flow = request.flow()?;
    let config = control.exchange.config();
    let first = config.numbers.first().map(|number| number.number).unwrap_or_default();
    let from = request.from.map_or(SOMEBODY, |number| number.0);
    let mut inbound = Inbound::from_to(from, request.to.map_or(first, |number| number.0));
    inbound.then = flow;
    let files = config.files.as_deref();
    inbound.caller = request.person.map(|habits| habits.of(config.person(from, true), files)).transpose()?;
    inbound.callee = request.callee.map(|habits| habits.of(config.callee.clone(), files)).transpose()?;
    let placed = control.exchange.call_in(inbound).map_err(|error| match error {
        PlaceCallError::TooMany(_) => Refusal::too_many(error.to_string()),
        PlaceCallError::Stopping => Refusal::conflict(error.to_string()),
        other => Refusal::meaningless(other.to_string()),
    })?;
    let view = view(&control, &placed.call.to_string())?;
    Ok((StatusCode::CREATED, Json(CallAnswer::brief(&view.brief()))))
}

/// `GET /api/calls`.
pub(super) async fn list(
    State(control): State<Control>,
    Asked(listed): Asked<Listed>,
) -> Result<Json<CallsAnswer>, Refusal> {
    let (calls, remembered) = control.exchange.board().newest(listed.most(LISTED)?);
    Ok(Json(CallsAnswer { calls: calls.iter().map(CallAnswer::brief).collect(), remembered }))
}

/// `GET /api/calls/{id}`: at once, or once it was in a phase, or once it is over and its webhooks are settled.
pub(super) async fn one(
    State(control): State<Control>,
    Id(id): Id,
    Asked(waiting): Asked<Waiting>,
) -> Result<Json<CallAnswer>, Refusal> {
    let wait_ms = waiting.wait_ms.unwrap_or(0);
    if wait_ms > LONGEST_WAIT_MS {
        return Err(Refusal::meaningless(format!("`wait_ms` is {LONGEST_WAIT_MS} at most")));
    }
    let phase = waiting.phase()?;
    let until = Instant::now() + Duration::from_millis(wait_ms);
    let mut changes = control.exchange.board().changes();
    let call = view(&control, &id)?.call;
    loop {
        let view = control.exchange.board().brief(call).ok_or_else(forgotten)?;
        let has_reached = phase.map(|phase| phase == view.phase || view.phases.contains(&phase));
        let is_done = view.is_over && view.is_settled();
        if has_reached == Some(true) || is_done || Instant::now() >= until {
            let view = control.exchange.board().call(call).ok_or_else(forgotten)?;
            return Ok(Json(CallAnswer::whole(&view).reaching(has_reached)));
        }
        // Late, or behind: either way it is looked at again. What happens in others is none of its business.
        while let Ok(Ok(change)) = timeout_at(until, changes.recv()).await
            && change.call != Some(call)
        {}
    }
}

/// The call with an id, however it is called.
pub(super) fn view(control: &Control, id: &str) -> Result<CallView, Refusal> {
    let exchange = &control.exchange;
    let view = exchange.find(id).and_then(|call| exchange.board().call(call));
    view.ok_or_else(forgotten)
}

fn forgotten() -> Refusal {
    Refusal::not_found("there is no such call, or it is forgotten: GET /api/calls lists them")
}
