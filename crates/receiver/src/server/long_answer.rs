//! An answer that is made while it is sent, as `/__observe` gives one.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};

use super::deadline::{Activity, Doing};

/// Tells the connection whom it waits for: the server, for as long as that takes, or the client, which has a deadline.
pub(super) struct LongAnswer {
    body: Body,
    activity: Arc<Activity>,
    /// What the connection does once the answer is over.
    then: Doing,
}

impl LongAnswer {
    pub(super) fn new(body: Body, activity: Arc<Activity>, then: Doing) -> Self {
        Self { body, activity, then }
    }
}

impl HttpBody for LongAnswer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        self.activity.now(if frame.is_pending() { Doing::Request } else { Doing::Answer });
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for LongAnswer {
    fn drop(&mut self) {
        self.activity.now(self.then);
    }
}
