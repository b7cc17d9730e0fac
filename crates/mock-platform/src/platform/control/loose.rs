use axum::Json;
use axum::extract::State;

use super::Control;
use super::answers::RequestsAnswer;
use super::refusal::Refusal;
use super::requests::{Asked, Listed, MOST_LISTED};

/// `GET /api/requests`: requests that belong to no call, for they were refused, or nothing is where they went.
pub(super) async fn list(
    State(control): State<Control>,
    Asked(listed): Asked<Listed>,
) -> Result<Json<RequestsAnswer>, Refusal> {
    if listed.call.is_some() {
        return Err(Refusal::meaningless("these requests belong to no call: leave `call` out"));
    }
    let (newest, seen) = control.exchange.board().newest_loose(listed.most(MOST_LISTED)?);
    Ok(Json(RequestsAnswer { requests: newest.into_iter().map(|(_, message)| message).collect(), seen }))
}
