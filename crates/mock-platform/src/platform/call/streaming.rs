//! The audio stream of a call, and the files that it plays.

use piopiy_events::pcmo::{Action, Play, Stream};

use super::Call;
use super::acting::Next;
use super::collecting::calls_somebody;
use super::passing::{Break, Passed};
use crate::deliver::ledger::{Lane, MessageKind};
use crate::plan::Happened;
use crate::platform::stream::{StreamEvent, StreamSession, StreamSpec};

impl Call {
    /// Opens a stream. It is waited for, unless the next action calls somebody: then both are heard beside it.
    pub(super) async fn open_stream(
        &mut self,
        stream: &Stream,
        behind: Option<&Action>,
    ) -> Result<Next, Break> {
        let url = stream.ws_url.as_ref().map(|url| url.text().into_owned()).unwrap_or_default();
        let target = match self.config.stream_target(&url) {
            Ok(target) => target,
            Err(error) => {
                self.choose(
                    format!("the stream may not be opened: {error}"),
                    "it is told as one that failed",
                );
                self.happens(&Happened::StreamError { code: 6, error: "Connection failed".to_owned() });
                return Ok(Next::Go);
            }
        };
        let mut dials = self.message(Lane::Platform, Lane::WebSocket, MessageKind::Audio, "dials the stream");
        dials.url = Some(target.shown());
        self.exchange.tell(dials);
        let quality = stream.voice_quality.as_ref().map(|quality| quality.text().into_owned());
        let spec = StreamSpec {
            target,
            sample_rate: if quality.as_deref() == Some("16000") { 16_000 } else { 8_000 },
        };
        self.stream = Some(StreamSession::open(spec));
        if behind.is_some_and(calls_somebody) {
            return Ok(Next::Go);
        }
        while self.stream.is_some() && self.pass(None).await? != Passed::StreamOver {}
        Ok(Next::Go)
    }

    pub(super) fn hear_stream(&mut self, event: StreamEvent) -> Result<Passed, Break> {
        match event {
            StreamEvent::Connected => {
                self.say(Lane::WebSocket, Lane::Platform, MessageKind::Audio, "connected");
                self.happens(&Happened::StreamConnected);
                Ok(Passed::Nothing)
            }
            StreamEvent::Note(what) => {
                self.say(Lane::WebSocket, Lane::Platform, MessageKind::Audio, what);
                Ok(Passed::Nothing)
            }
            StreamEvent::Flow(flow) => {
                let mut message =
                    self.message(Lane::WebSocket, Lane::Platform, MessageKind::Audio, "sends a call flow");
                message.request = Some(super::asking::kept(flow.to_json().into_bytes()));
                self.exchange.tell(message);
                if flow.actions.iter().any(calls_somebody)
                    && let Some(stream) = &self.stream
                {
                    // Handed over: the application is no longer on the line.
                    stream.hang_up();
                }
                Err(Break::Flow { flow, id: None })
            }
            StreamEvent::Closed { code, reason } => {
                self.stream = None;
                let label = format!("closes {code}");
                self.say(Lane::WebSocket, Lane::Platform, MessageKind::Audio, label);
                self.happens(&Happened::StreamDisconnected { code, reason });
                Ok(Passed::StreamOver)
            }
            StreamEvent::Failed { code, error } => {
                self.stream = None;
                let label = format!("cannot be reached: {error}");
                self.say(Lane::WebSocket, Lane::Platform, MessageKind::Audio, label);
                self.happens(&Happened::StreamError { code, error });
                Ok(Passed::StreamOver)
            }
        }
    }

    /// How long a file lasts: milliseconds. Why it is not known, where it is not.
    pub(super) async fn measured(&mut self, play: &Play) -> Result<u64, String> {
        let name = play.file_url.as_ref().or(play.file_name.as_ref());
        let name = name.map(|name| name.text().into_owned()).ok_or("no file is named")?;
        Err(format!("{name} is not measured"))
    }

    /// Writes the recording, if the call is recorded.
    pub(super) async fn finish_recording(&mut self) {}
}
