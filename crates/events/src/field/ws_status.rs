use std::borrow::Cow;

use super::{Count, Document as _, Nested, Text, string_value};
use crate::json::escape;
use crate::open::open_object;
use crate::{Limits, ParseError, json::scan};

string_value! {
    /// `ws_status`: a JSON document, written into a string, about the stream's WebSocket.
    WsStatus
}

open_object! {
    /// What a [`WsStatus`] says.
    pub struct WsReport {
        /// `connected`, `disconnected` or, by inference, `error`. Source: live-stream-connected.
        status: Text = "status",
        /// Why; absent when connected. Source: live-stream-disconnected.
        message: Nested<WsDetail> = "message",
    }
}

open_object! {
    /// Why a stream's WebSocket ended or failed.
    pub struct WsDetail {
        /// Disconnected: the WebSocket close code, such as 1006. Error, by inference: 1 to 11,
        /// `mod_audio_stream`'s number of the failure. Source: live-stream-disconnected.
        code: Count = "code",
        /// Disconnected: the reason in words. Source: live-stream-disconnected.
        reason: Text = "reason",
        /// Error: the failure in words. Source: guess: mod_audio_stream.
        error: Text = "error",
    }
}

/// What the `status` of a [`WsReport`] says.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum WsReportKind<'a> {
    /// `connected`: the WebSocket is open.
    Connected,
    /// `disconnected`: it was closed.
    Disconnected,
    /// `error`: it could not be opened, or failed.
    Error,
    /// Anything else, as received; empty where there is none.
    Other(Cow<'a, str>),
}

impl WsStatus {
    /// `{"status":"connected"}`.
    #[must_use]
    pub fn connected() -> Self {
        Self::new(r#"{"status":"connected"}"#)
    }

    /// The WebSocket was closed, with this code and reason.
    ///
    /// # Examples
    /// ```
    /// use piopiy_events::WsStatus;
    /// assert_eq!(
    ///     WsStatus::disconnected(1006, "Abnormal closure").text(),
    ///     r#"{"status":"disconnected","message":{"code":1006,"reason":"Abnormal closure"}}"#,
    /// );
    /// ```
    #[must_use]
    pub fn disconnected(code: u16, reason: &str) -> Self {
        Self::with_message("disconnected", code, "reason", reason)
    }

    /// The WebSocket failed, with a code of 1 to 11 (inferred from `mod_audio_stream`) and a text.
    #[must_use]
    pub fn error(code: u16, error: &str) -> Self {
        Self::with_message("error", code, "error", error)
    }

    fn with_message(status: &str, code: u16, key: &str, words: &str) -> Self {
        let mut json = format!(r#"{{"status":"{status}","message":{{"code":{code},"{key}":"#);
        escape::encode(words, &mut json);
        json.push_str("}}");
        Self::new(&json)
    }

    /// Reads the document in the string. A value that is an object itself is read too.
    ///
    /// # Errors
    /// Where the text is not one JSON object within the default [`Limits`].
    ///
    /// # Examples
    /// ```
    /// use piopiy_events::{WsReportKind, WsStatus};
    /// let report = WsStatus::disconnected(1000, "Normal closure").report()?;
    /// assert_eq!(report.kind(), WsReportKind::Disconnected);
    /// assert_eq!(report.code(), Some(1000));
    /// assert_eq!(report.words().as_deref(), Some("Normal closure"));
    /// # Ok::<(), piopiy_events::ParseError>(())
    /// ```
    pub fn report(&self) -> Result<WsReport, ParseError> {
        let text = self.text();
        scan::value(text.as_bytes(), &Limits::default())?;
        WsReport::read(&text)
    }
}

impl WsReport {
    /// What the status says.
    #[must_use]
    pub fn kind(&self) -> WsReportKind<'_> {
        let status = self.status.as_ref().map(Text::text).unwrap_or_default();
        match &*status {
            "connected" => WsReportKind::Connected,
            "disconnected" => WsReportKind::Disconnected,
            "error" => WsReportKind::Error,
            _ => WsReportKind::Other(status),
        }
    }

    fn detail(&self) -> Option<WsDetail> {
        self.message.as_ref()?.get().ok()
    }

    /// The close code, or the number of the failure.
    #[must_use]
    pub fn code(&self) -> Option<i64> {
        self.detail()?.code?.count()
    }

    /// The reason or the failure in words.
    #[must_use]
    pub fn words(&self) -> Option<String> {
        let detail = self.detail()?;
        let words = detail.reason.or(detail.error)?;
        Some(words.text().into_owned())
    }
}
