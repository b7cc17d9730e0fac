//! Audio streams: the platform is the WebSocket client, as PIOPIY is.

mod check;
mod decode;
mod dial;
mod line;
mod meter;
mod playing;
mod reading;
mod recording;
mod resample;
mod settings;
mod voice;

use std::path::PathBuf;

use piopiy_events::pcmo::Pcmo;
use tokio::sync::mpsc;

use crate::deliver::Target;
use crate::deliver::ledger::StreamFigures;

pub use check::{StreamCheck, StreamCheckError};
pub(super) use decode::Clip;
pub(super) use reading::causes;
pub(super) use recording::{Temporary, join, talk};
pub use settings::{StreamFaults, Streams};
pub(super) use voice::{LARGEST, Speaker, Voice, read};

/// How a stream is opened.
#[derive(Debug)]
pub(super) struct StreamSpec {
    pub(super) target: Target,
    /// Samples per second.
    pub(super) sample_rate: u32,
    pub(super) listens: Listens,
    pub(super) caller: Speaker,
    pub(super) callee: Option<Speaker>,
    pub(super) settings: Streams,
    pub(super) faults: StreamFaults,
    /// What is random follows from it.
    pub(super) seed: u64,
    /// Where both directions are written.
    pub(super) heard: Option<PathBuf>,
    pub(super) said: Option<PathBuf>,
}

/// Whose voice an application hears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Listens {
    /// Whoever is on leg a.
    Caller,
    /// Whoever is on leg b.
    Callee,
    /// Both, mixed.
    Both,
}

/// What happened on a stream.
#[derive(Debug)]
pub(super) enum StreamEvent {
    Connected,
    /// Something to be shown, no more.
    Note(String),
    /// A call flow to be carried out.
    Flow(Pcmo),
    /// What was measured, before it is over.
    Figures(StreamFigures),
    /// It is over, with the close code of RFC 6455.
    Closed {
        code: u16,
        reason: String,
    },
    /// It was never open; the code of `mod_audio_stream`.
    Failed {
        code: u16,
        error: String,
    },
}

#[derive(Debug)]
enum Control {
    Hold(bool),
    Callee(Option<Voice>),
    Drop(Option<u16>),
    HangUp,
}

/// A stream that is being opened, or is open.
#[derive(Debug)]
pub(super) struct StreamSession {
    events: mpsc::UnboundedReceiver<StreamEvent>,
    control: mpsc::UnboundedSender<Control>,
    sample_rate: u32,
}

impl StreamSession {
    pub(super) fn open(spec: StreamSpec) -> Self {
        let (told, events) = mpsc::unbounded_channel();
        let (control, controlled) = mpsc::unbounded_channel();
        let sample_rate = spec.sample_rate;
        tokio::spawn(run(spec, told, controlled));
        Self { events, control, sample_rate }
    }

    /// The next thing that happens. May be dropped at any time.
    pub(super) async fn next(&mut self) -> StreamEvent {
        let gone = || StreamEvent::Closed { code: 1006, reason: "Abnormal closure".to_owned() };
        self.events.recv().await.unwrap_or_else(gone)
    }

    /// The caller is on hold: nothing is heard and nothing is said.
    pub(super) fn hold(&self, on: bool) {
        self.control(Control::Hold(on));
    }

    /// Somebody is on leg b from now on, or nobody.
    pub(super) fn callee(&self, voice: Option<Voice>) {
        self.control(Control::Callee(voice));
    }

    pub(super) fn sample_rate(&self) -> u32 {
        self.sample_rate
    }

    /// The connection breaks, or is closed with a code.
    pub(super) fn drop_now(&self, code: Option<u16>) {
        self.control(Control::Drop(code));
    }

    /// The call is over: the stream is closed as it should be.
    pub(super) fn hang_up(&self) {
        self.control(Control::HangUp);
    }

    fn control(&self, control: Control) {
        // A stream that is over needs none.
        let _ = self.control.send(control);
    }
}

async fn run(
    spec: StreamSpec,
    told: mpsc::UnboundedSender<StreamEvent>,
    mut controlled: mpsc::UnboundedReceiver<Control>,
) {
    // Whoever watches may be gone.
    let tell = |event| drop(told.send(event));
    let mut voices = Vec::new();
    for speaker in [Some(&spec.caller), spec.callee.as_ref()].into_iter().flatten() {
        voices.push(Voice::of(speaker, spec.sample_rate).await.unwrap_or_else(|error| {
            tell(StreamEvent::Note(format!("{}; speech is made up in its place", causes(&error))));
            Voice::bursts(speaker.seed, spec.sample_rate)
        }));
    }
    let mut voices = voices.into_iter();
    let caller = voices.next().unwrap_or_else(|| Voice::bursts(spec.seed, spec.sample_rate));
    let voices = (caller, voices.next());
    tell(match dial::dial(&spec.target).await {
        Err(error) => StreamEvent::Failed { code: error.code(), error: error.to_string() },
        Ok(socket) => {
            tell(StreamEvent::Connected);
            let (code, reason, figures) = line::carry(&spec, voices, socket, &told, &mut controlled).await;
            tell(StreamEvent::Figures(figures));
            StreamEvent::Closed { code, reason }
        }
    });
}
