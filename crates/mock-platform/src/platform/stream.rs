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
mod shelf;
mod voice;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::Duration;

use piopiy_events::pcmo::Pcmo;
use tokio::sync::mpsc;

use crate::deliver::Target;
use crate::deliver::ledger::StreamFigures;

pub use check::{StreamCheck, StreamCheckError};
pub(super) use decode::Clip;
pub(super) use reading::causes;
pub(super) use recording::{join, talk};
pub(super) use settings::{CLOSE_CODES, is_sendable};
pub use settings::{StreamFaults, Streams};
pub(super) use shelf::{Shelf, is_recording};
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
    /// The call was over before it was open.
    GivenUp,
    /// It was never open; the code of `mod_audio_stream`.
    Failed {
        code: u16,
        error: String,
    },
}

#[derive(Debug)]
enum Control {
    Hold(bool),
    /// Who is on leg b, the how manieth it is, and what is odd about them.
    Callee {
        nth: u64,
        voice: Option<Voice>,
        odd: Option<String>,
    },
    Drop(Option<u16>),
    HangUp,
}

/// How many events may wait for the call to hear them. What is more is left out, unless the stream ends with it.
const WAITING: usize = 64;

/// A stream that is being opened, or is open.
#[derive(Debug)]
pub(super) struct StreamSession {
    events: mpsc::Receiver<StreamEvent>,
    control: mpsc::UnboundedSender<Control>,
    sample_rate: u32,
    /// How many there were on leg b.
    callees: u64,
}

impl StreamSession {
    pub(super) fn open(spec: StreamSpec) -> Self {
        let (told, events) = mpsc::channel(WAITING);
        let (control, controlled) = mpsc::unbounded_channel();
        let sample_rate = spec.sample_rate;
        tokio::spawn(run(spec, told, controlled));
        Self { events, control, sample_rate, callees: 0 }
    }

    /// The next thing that happens. May be dropped at any time.
    pub(super) async fn next(&mut self) -> StreamEvent {
        self.events.recv().await.unwrap_or_else(StreamEvent::broken)
    }

    /// The caller is on hold: nothing is heard and nothing is said.
    pub(super) fn hold(&self, on: bool) {
        self.control(Control::Hold(on));
    }

    /// Somebody is on leg b from now on, or nobody. A file of what they say is read beside the call.
    pub(super) fn callee(&mut self, speaker: Option<Speaker>) {
        self.callees += 1;
        let nth = self.callees;
        let Some(speaker) = speaker else {
            return self.control(Control::Callee { nth, voice: None, odd: None });
        };
        let (control, rate) = (self.control.clone(), self.sample_rate);
        tokio::spawn(async move {
            let (voice, odd) = voice(&speaker, rate).await;
            // A stream that is over needs none.
            let _ = control.send(Control::Callee { nth, voice: Some(voice), odd });
        });
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

impl StreamEvent {
    /// The connection is gone without a word.
    pub(super) fn broken() -> Self {
        Self::Closed { code: 1006, reason: "Abnormal closure".to_owned() }
    }
}

async fn run(
    spec: StreamSpec,
    told: mpsc::Sender<StreamEvent>,
    mut controlled: mpsc::UnboundedReceiver<Control>,
) {
    let mut early = VecDeque::new();
    let opened = tokio::select! {
        opened = open(&spec, &told) => Some(opened),
        () = given_up(&mut controlled, &mut early) => None,
    };
    let last = match opened {
        None => StreamEvent::GivenUp,
        Some(Err(error)) => StreamEvent::Failed { code: error.code(), error: error.to_string() },
        Some(Ok((socket, voices))) => {
            tell(&told, StreamEvent::Connected).await;
            let (code, reason, figures) =
                line::carry(&spec, voices, socket, &told, early, &mut controlled).await;
            tell(&told, StreamEvent::Figures(figures)).await;
            StreamEvent::Closed { code, reason }
        }
    };
    tell(&told, last).await;
}

/// Until nobody wants the stream any more; what else is wanted is kept for later.
async fn given_up(controlled: &mut mpsc::UnboundedReceiver<Control>, early: &mut VecDeque<Control>) {
    loop {
        match controlled.recv().await {
            None | Some(Control::HangUp) => return,
            Some(other) => early.push_back(other),
        }
    }
}

async fn open(
    spec: &StreamSpec,
    told: &mpsc::Sender<StreamEvent>,
) -> Result<(dial::Socket, (Voice, Option<Voice>)), dial::DialError> {
    let (caller, odd) = voice(&spec.caller, spec.sample_rate).await;
    let mut notes = vec![odd];
    let mut callee = None;
    if let Some(speaker) = &spec.callee {
        let (voice, odd) = voice(speaker, spec.sample_rate).await;
        notes.push(odd);
        callee = Some(voice);
    }
    for note in notes.into_iter().flatten() {
        tell(told, StreamEvent::Note(note)).await;
    }
    let limit = Duration::from_millis(spec.settings.connect_timeout.millis());
    Ok((dial::dial(&spec.target, limit).await?, (caller, callee)))
}

/// A voice, and what is odd about it: what cannot be read is made up.
async fn voice(speaker: &Speaker, rate: u32) -> (Voice, Option<String>) {
    match Voice::of(speaker, rate).await {
        Ok(voice) => (voice, None),
        Err(error) => {
            let odd = format!("{}; speech is made up in its place", causes(&error));
            (Voice::bursts(speaker.seed, rate), Some(odd))
        }
    }
}

async fn tell(told: &mpsc::Sender<StreamEvent>, event: StreamEvent) {
    // Whoever watches may be gone.
    let _ = told.send(event).await;
}
