use axum::response::{IntoResponse, Response};
use http::StatusCode;
use maud::html;
use tokio::sync::AcquireError;
use tokio::task::JoinError;

use super::layout::{Shell, Tab};
use crate::store::chain;
use crate::{AppendError, ForwardError, StoreError};

/// Why something is not shown, or was not done.
#[derive(Debug, thiserror::Error)]
pub(super) enum PageError {
    #[error("{0}")]
    NotThere(String),
    #[error("{0}")]
    Wrong(String),
    #[error("the store cannot be read")]
    Store(#[from] StoreError),
    #[error("the forwarder's state cannot be used")]
    Forward(#[from] ForwardError),
    #[error("the store did not take it")]
    Append(#[from] AppendError),
    #[error("the page has a defect")]
    Broken(#[from] JoinError),
    #[error("the receiver ends")]
    Ending(#[from] AcquireError),
}

impl PageError {
    fn status(&self) -> StatusCode {
        match self {
            Self::NotThere(_) => StatusCode::NOT_FOUND,
            Self::Wrong(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Forward(ForwardError::NoDestination { .. }) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Broken(_) => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        let why = chain(&self);
        if !matches!(self, Self::NotThere(_) | Self::Wrong(_)) {
            tracing::warn!(error = %why, "the page cannot be shown");
        }
        let mut shell = Shell::new("Not shown", Tab::None);
        shell.refusal = Some(why);
        shell.body = html! {
            section.card.shown id="shown" tabindex="-1" aria-label="What can be done" {
                p { a href="/" { "Back to the calls" } }
            }
        };
        shell.respond(self.status())
    }
}
