use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;

use super::Control;
use super::answers::CallAnswer;
use super::calls::view;
use super::refusal::Refusal;
use super::requests::{DropStream, HangUp, HoldCall, Id, Press, keys, read};
use crate::platform::exchange::{HangUpError, NoSuchCall};

/// The call will do it; it may not have done so yet.
type Accepted = Result<(StatusCode, Json<CallAnswer>), Refusal>;

/// `POST /api/calls/{id}/digits`.
pub(super) async fn press(State(control): State<Control>, Id(id): Id, body: Body) -> Accepted {
    let request: Press = read(body).await?;
    keys(&request.digits)?;
    act(&control, &id, |call| control.exchange.press(call, &request.digits))
}

/// `POST /api/calls/{id}/hangup`.
pub(super) async fn hang_up(State(control): State<Control>, Id(id): Id, body: Body) -> Accepted {
    let request: HangUp = read(body).await?;
    let known = view(&control, &id)?;
    control.exchange.hang_up(known.call, request.ender()).map_err(|error| match error {
        HangUpError::Call(_) => over(),
        nobody @ HangUpError::NobodyThere { .. } => Refusal::conflict(nobody.to_string()),
    })?;
    Ok((StatusCode::ACCEPTED, Json(CallAnswer::brief(&known.brief()))))
}

/// `POST /api/calls/{id}/hold`.
pub(super) async fn hold(State(control): State<Control>, Id(id): Id, body: Body) -> Accepted {
    let request: HoldCall = read(body).await?;
    act(&control, &id, |call| control.exchange.hold(call, request.how()))
}

/// `POST /api/calls/{id}/stream/drop`.
pub(super) async fn drop_stream(State(control): State<Control>, Id(id): Id, body: Body) -> Accepted {
    let request: DropStream = read(body).await?;
    if !request.is_sendable() {
        return Err(Refusal::meaningless(
            "a close code that may be sent is 1000 to 1003, 1007 to 1014 or 3000 to 4999; none breaks the connection",
        ));
    }
    act(&control, &id, |call| control.exchange.drop_stream(call, request.code))
}

fn act(control: &Control, id: &str, act: impl FnOnce(u64) -> Result<(), NoSuchCall>) -> Accepted {
    let known = view(control, id)?;
    act(known.call).map_err(|_| over())?;
    Ok((StatusCode::ACCEPTED, Json(CallAnswer::brief(&known.brief()))))
}

fn over() -> Refusal {
    Refusal::not_found("the call is over")
}
