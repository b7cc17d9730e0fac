//! The audio stream of a call, the files that it plays, and its recording.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use piopiy_events::pcmo::{Action, Play, Stream};

use super::Call;
use super::acting::Next;
use super::collecting::calls_somebody;
use super::passing::{Break, Passed};
use crate::deliver::ledger::{Lane, MessageKind};
use crate::plan::Happened;
use crate::plan::draw::split_mix;
use crate::platform::config::Config;
use crate::platform::exchange::Exchange;
use crate::platform::stream::{
    Clip, LARGEST, Listens, Speaker, StreamEvent, StreamSession, StreamSpec, Voice, causes, join, read, talk,
};

/// The rate of a recording without a stream.
const RATE: u32 = 8_000;
/// So many streams of a call are recorded.
const MOST_RECORDED: u32 = 20;

impl Call {
    /// A stream. It is waited for, unless the next action calls somebody: then both are heard beside it.
    pub(super) async fn stream(&mut self, stream: Stream, behind: Option<&Action>) -> Result<Next, Break> {
        let on_answer = stream.stream_on_answer.as_ref().and_then(piopiy_events::Flag::is_set);
        let is_beside = behind.is_some_and(calls_somebody);
        if is_beside && on_answer.unwrap_or(false) {
            self.choose("stream_on_answer", "the stream is opened when the other party picks up");
            self.stream_on_answer = Some(stream);
            return Ok(Next::Go);
        }
        self.answer();
        self.open_stream(&stream).await;
        if is_beside {
            return Ok(Next::Go);
        }
        self.is_on_stream = true;
        self.stream_on().await
    }

    /// Waits until the stream is over.
    pub(super) async fn stream_on(&mut self) -> Result<Next, Break> {
        while self.stream.is_some() && self.pass(None).await? != Passed::StreamOver {}
        self.is_on_stream = false;
        Ok(Next::Go)
    }

    /// Somebody else is called: the application is no longer on the line.
    pub(super) fn hand_over_stream(&mut self) {
        if let Some(stream) = &self.stream {
            stream.hang_up();
            self.is_handed_over = true;
        }
    }

    /// A stream that waited for somebody to pick up is not opened any more.
    pub(super) fn forget_stream_on_answer(&mut self) {
        if self.stream_on_answer.take().is_some() {
            self.choose("the other party did not pick up", "the stream is not opened");
        }
    }

    async fn open_stream(&mut self, stream: &Stream) {
        // A call has one stream at a time.
        self.close_stream().await;
        self.is_handed_over = false;
        let url = stream.ws_url.as_ref().map(|url| url.text().into_owned()).unwrap_or_default();
        let target = match self.exchange.stream_target(&self.config, &url) {
            Ok(target) => target,
            Err(error) => {
                self.choose(
                    format!("the stream may not be opened: {error}"),
                    "it is told as one that failed",
                );
                self.happens(&Happened::StreamError { code: 6, error: "Connection failed".to_owned() });
                return;
            }
        };
        let mut dials = self.message(Lane::Platform, Lane::WebSocket, MessageKind::Audio, "dials the stream");
        dials.url = Some(crate::deliver::without_secrets(&target.as_websocket()));
        self.exchange.tell(dials);
        self.streams += 1;
        let (heard, said) = self.tracks_of_stream();
        let spec = StreamSpec {
            target,
            sample_rate: self.rate_of(stream),
            listens: self.listens_to(stream),
            caller: self.caller_speaks(),
            callee: self.talked_to.clone().filter(|_| self.bridged.is_some()),
            settings: self.config.stream.clone(),
            faults: self.exchange.stream_faults(),
            seed: split_mix(self.exchange.seed().0, self.live.index()),
            heard,
            said,
        };
        let session = StreamSession::open(spec);
        session.hold(self.on_hold);
        self.stream = Some(session);
    }

    fn rate_of(&self, stream: &Stream) -> u32 {
        let quality = stream.voice_quality.as_ref().map(|quality| quality.text().into_owned());
        match quality.as_deref() {
            None | Some("8000") => 8_000,
            Some("16000") => 16_000,
            Some(other) => {
                self.choose(format!("voice_quality {other:?} is not documented"), "it is taken for 8000");
                8_000
            }
        }
    }

    fn listens_to(&self, stream: &Stream) -> Listens {
        let mode = stream.listen_mode.as_ref().map(|mode| mode.text().into_owned());
        match mode.as_deref() {
            Some("caller") => Listens::Caller,
            Some("callee") => Listens::Callee,
            Some("both") => Listens::Both,
            other => {
                let label = match other {
                    Some(other) => format!("listen_mode {other:?} is not documented"),
                    None => "listen_mode is missing".to_owned(),
                };
                self.choose(label, "the caller is heard");
                Listens::Caller
            }
        }
    }

    fn caller_speaks(&self) -> Speaker {
        let seed = split_mix(self.exchange.seed().0, self.live.index() * 2);
        Speaker { says: self.setting.person.says.clone(), seed }
    }

    /// Where the directions of the stream that is opened are written.
    fn tracks_of_stream(&mut self) -> (Option<PathBuf>, Option<PathBuf>) {
        let wanted = self.config.stream.record || self.is_recorded;
        let Some(folder) = self.config.recordings.clone().filter(|_| wanted) else { return (None, None) };
        if self.streams > MOST_RECORDED {
            self.choose(format!("stream {} of the call", self.streams), "it is not recorded");
            return (None, None);
        }
        if let Err(error) = std::fs::create_dir_all(&folder) {
            self.choose(format!("{} cannot be made: {error}", folder.display()), "nothing is recorded");
            return (None, None);
        }
        let nth = if self.streams > 1 { format!("-{}", self.streams) } else { String::new() };
        let path = |direction: &str| self.keeps(&folder, &format!("{nth}-{direction}"));
        let tracks = (path("heard"), path("said"));
        self.tracks = Some(tracks.clone());
        (Some(tracks.0), Some(tracks.1))
    }

    /// A file of the call will be written: where.
    fn keeps(&self, folder: &Path, suffix: &str) -> PathBuf {
        let id = self.live.leg_id(0);
        let name = format!("{id}{suffix}.wav");
        let (app, room) = (self.setting.appid, self.config.stream.room());
        self.exchange.shared().shelf.keep(folder, app, id, name.clone(), room);
        folder.join(name)
    }

    /// Nothing more is recorded.
    pub(super) fn release_recordings(&self) {
        if let Some(folder) = &self.config.recordings {
            let room = self.config.stream.room();
            self.exchange.shared().shelf.release(folder, self.live.leg_id(0), room);
        }
    }

    /// Somebody is on leg b.
    pub(super) async fn joined(&mut self, number: u64, says: Option<PathBuf>) {
        let speaker = Speaker { says, seed: split_mix(self.exchange.seed().0, number) };
        self.talked_to = Some(speaker.clone());
        if let Some(stream) = self.stream_on_answer.take() {
            self.open_stream(&stream).await;
        } else if let Some(stream) = &mut self.stream {
            stream.callee(Some(speaker));
        }
    }

    /// Nobody is on leg b any more.
    pub(super) fn parted(&mut self) {
        if let Some(stream) = &mut self.stream {
            stream.callee(None);
        }
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
                Err(Break::Flow { flow, transfer: None })
            }
            StreamEvent::Figures(figures) => {
                let label = figures.to_string();
                let mut message = self.message(Lane::WebSocket, Lane::WebSocket, MessageKind::Audio, label);
                message.figures = Some(figures);
                self.exchange.tell(message);
                Ok(Passed::Nothing)
            }
            StreamEvent::Closed { code, reason } => {
                self.stream = None;
                let label = format!("closes {code}");
                self.say(Lane::WebSocket, Lane::Platform, MessageKind::Audio, label);
                self.happens(&Happened::StreamDisconnected { code, reason });
                Ok(Passed::StreamOver)
            }
            StreamEvent::GivenUp => {
                self.stream = None;
                let label = "gives up the dial: nobody waits for the application any more";
                self.say(Lane::Platform, Lane::WebSocket, MessageKind::Audio, label);
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

    /// How long a file lasts, in milliseconds, and what is odd about it. Why it is not known, where it is not.
    pub(super) fn measured(
        &self,
        play: &Play,
    ) -> impl Future<Output = Result<(u64, Option<String>), String>> + use<> {
        // The Python SDK sends the URL in both.
        let named = play.file_url.as_ref().or(play.file_name.as_ref());
        let name = named.map(|name| name.text().into_owned());
        let (config, exchange) = (Arc::clone(&self.config), self.exchange.clone());
        async move {
            let name = name.ok_or("no file is named")?;
            let clip = if name.contains("://") {
                fetched(&exchange, &config, &name).await
            } else {
                found(&config, &name).await
            };
            let shown = crate::deliver::without_secrets(&name);
            let clip = clip.map_err(|why| format!("{shown} is not measured: {why}"))?;
            let odd = clip.is_cut.then(|| format!("{shown} is longer than what is decoded of a file"));
            Ok((clip.millis(), odd))
        }
    }

    /// Writes the recording, if the call is recorded.
    pub(super) async fn finish_recording(&mut self) {
        let (Some(picked_up), Some(folder)) = (self.picked_up_us, self.config.recordings.clone()) else {
            return;
        };
        if !self.is_recorded {
            return;
        }
        let name = format!("{}.wav", self.live.leg_id(0));
        let path = self.keeps(&folder, "");
        // A stream that was never open has none.
        let tracks = self.tracks.clone().filter(|(heard, said)| heard.is_file() && said.is_file());
        let written = match tracks {
            Some((heard, said)) => {
                let to = path.clone();
                tokio::task::spawn_blocking(move || join(&heard, &said, &to).map_err(|error| causes(&error)))
                    .await
            }
            None => {
                let longest = self.config.stream.longest_recording.millis();
                let lasted = (self.now_us().saturating_sub(picked_up) / 1_000).min(longest);
                let (caller, callee) = (self.caller_speaks(), self.talked_to.clone());
                let why = match self.streams {
                    0 => "a call without a stream has no audio",
                    _ => "its audio was not written down: `record` came behind the stream",
                };
                self.choose(why, "what people would say is recorded");
                let made = async move {
                    let mut caller = Voice::of(&caller, RATE).await.map_err(|error| causes(&error))?;
                    let mut callee = match &callee {
                        Some(callee) => Some(Voice::of(callee, RATE).await.map_err(|error| causes(&error))?),
                        None => None,
                    };
                    let written = tokio::task::spawn_blocking(move || {
                        std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
                        talk(&path, RATE, lasted, &mut caller, callee.as_mut())
                            .map_err(|error| causes(&error))
                    });
                    written.await.unwrap_or_else(|error| Err(error.to_string()))
                };
                Ok(made.await)
            }
        };
        let label = match written {
            Ok(Ok(())) => format!("writes the recording {name}"),
            Ok(Err(why)) => format!("the recording {name} is not written: {why}"),
            Err(error) => format!("the recording {name} is not written: {error}"),
        };
        self.say(Lane::Platform, Lane::Platform, MessageKind::Audio, label);
    }
}

async fn fetched(exchange: &Exchange, config: &Config, url: &str) -> Result<Clip, String> {
    let target = exchange.target(config, url).map_err(|error| error.to_string())?;
    let limit = Duration::from_millis(config.choices.answer_timeout.millis());
    let asked = exchange.shared().asker.get(&target, limit, LARGEST as usize).await;
    asked.taken()?;
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let kind = Path::new(path).extension().and_then(|kind| kind.to_str()).unwrap_or("mp3");
    Clip::decode(asked.body, kind).await.map_err(|error| causes(&error))
}

async fn found(config: &Config, name: &str) -> Result<Clip, String> {
    let folder = config.files.as_ref().ok_or("set `files` in [platform] to the folder that it is in")?;
    let is_inside = Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
    if !is_inside || name.is_empty() {
        return Err("its name leads out of the folder `files`".to_owned());
    }
    read(&folder.join(name)).await.map_err(|error| causes(&error))
}
