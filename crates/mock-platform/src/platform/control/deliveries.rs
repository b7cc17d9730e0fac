use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use tokio::time::{Instant, timeout_at};

use super::Control;
use super::answers::{DeliveriesAnswer, DeliveryAnswer};
use super::calls::view;
use super::refusal::Refusal;
use super::requests::{Asked, Id, Listed};
use crate::platform::exchange::ResendError;

/// How many are listed where nobody says.
const LISTED: usize = 1_000;

/// `GET /api/deliveries`.
pub(super) async fn list(
    State(control): State<Control>,
    Asked(listed): Asked<Listed>,
) -> Result<Json<DeliveriesAnswer>, Refusal> {
    let most = listed.most(LISTED)?;
    let webhooks = match &listed.call {
        Some(id) => view(&control, id)?.brief().webhooks.into_iter().take(most).collect(),
        None => control.exchange.board().newest_webhooks(most),
    };
    Ok(Json(DeliveriesAnswer { deliveries: webhooks.iter().map(|row| DeliveryAnswer::new(row)).collect() }))
}

/// How long the copy may take to be on its way.
const SOON: Duration = Duration::from_secs(5);

/// `POST /api/deliveries/{id}/resend`: the copy, once it is on its way, so that whoever waits for the call to be settled waits
/// for it, too.
pub(super) async fn resend(
    State(control): State<Control>,
    Id(id): Id,
) -> Result<(StatusCode, Json<DeliveriesAnswer>), Refusal> {
    let unknown = || Refusal::not_found("there is no such delivery: GET /api/deliveries lists them");
    let (call, webhook) = id.split_once('-').ok_or_else(unknown)?;
    let (Ok(call), Ok(webhook)) = (call.parse(), webhook.parse()) else { return Err(unknown()) };
    let mut changes = control.exchange.board().changes();
    let copy = control.exchange.resend(call, webhook).map_err(|error| match error {
        ResendError::Unknown => unknown(),
        ResendError::NoUrl => Refusal::meaningless(error.to_string()),
    })?;
    let until = Instant::now() + SOON;
    loop {
        let view = view(&control, &call.to_string())?;
        let deliveries = view.webhooks().filter(|row| row.plan.webhook == copy).map(DeliveryAnswer::new);
        let deliveries: Vec<_> = deliveries.collect();
        if !deliveries.is_empty() || Instant::now() >= until {
            return Ok((StatusCode::ACCEPTED, Json(DeliveriesAnswer { deliveries })));
        }
        let _ = timeout_at(until, changes.recv()).await;
    }
}
