use crate::open::open_object;
use crate::{LegId, Text};

open_object! {
    /// What v3 answers, in success and in failure.
    ///
    /// # Examples
    /// ```
    /// use piopiy_events::{OpenObject, rest::v3::Response};
    /// let refused = Response::parse(br#"{"error":"app_not_active"}"#)?;
    /// assert_eq!(refused.error.unwrap().text(), "app_not_active");
    /// # Ok::<(), piopiy_events::ParseError>(())
    /// ```
    pub struct Response {
        /// `call_queued` for calls, `queued` for hang-up and transfer; in a failure the error. Source: py
        /// test_ai_agent.py.
        message: Text = "message",
        /// The call's UUID. Source: pipecat tests/test_control.py.
        call_id: LegId = "call_id",
        /// The id of the transfer, or of the hang-up; the SDK needs it. Source: pipecat tests/test_control.py.
        request_id: Text = "request_id",
        /// Of a transfer: `queued`, `started`, `completed` or `failed`. Source: pipecat control.py.
        status: Text = "status",
        /// Why a transfer failed: `busy`, `no_answer`, `rejected`, `invalid_number`, `unreachable`,
        /// `call_barred`, `network_error`, perhaps with `_and_call_ended` behind it. Source: pipecat
        /// control.py.
        reason: Text = "reason",
        /// In a failure: what went wrong, such as `app_not_active`. Source: py test_ai_agent.py.
        error: Text = "error",
    }
}
