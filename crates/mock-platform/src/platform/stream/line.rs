//! The line to an application: a frame each 20 ms in both directions, from absolute instants.

use std::collections::VecDeque;
use std::future::pending;
use std::time::Duration;

use futures_util::stream::SplitSink;
use futures_util::{SinkExt as _, StreamExt as _};
use piopiy_events::stream::CommandKind;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Bytes, Message};

use super::dial::Socket;
use super::meter::Meter;
use super::playing::Playing;
use super::reading::{Heard, read};
use super::recording::Track;
use super::voice::Voice;
use super::{Control, Listens, StreamEvent, StreamSpec};
use crate::deliver::ledger::StreamFigures;
use crate::plan::draw::split_mix;

/// How long a frame lasts.
pub(super) const FRAME: Duration = Duration::from_millis(20);
/// How many frames an application may leave unread: five seconds.
const UNREAD: usize = 250;
/// How long the other side may take to answer a close frame.
const FAREWELL: Duration = Duration::from_millis(700);
/// How many odd things of one stream are told.
const MOST_NOTES: u32 = 20;
/// How many call flows of one stream are carried out.
const MOST_FLOWS: u32 = 100;

/// A line that is open.
pub(super) struct Line<'a> {
    spec: &'a StreamSpec,
    told: &'a mpsc::Sender<StreamEvent>,
    origin: Instant,
    frame: Vec<i16>,
    caller: Voice,
    callee: Option<Voice>,
    playing: Playing,
    meter: Meter,
    heard: Option<Track>,
    said: Option<Track>,
    /// Frames that are not due yet.
    late: VecDeque<(Instant, Bytes)>,
    frames: mpsc::Sender<Message>,
    is_paused: bool,
    on_hold: bool,
    is_cut: bool,
    notes: u32,
    flows: u32,
    /// The how manieth is on leg b.
    callees: u64,
}

/// How the platform ends a line.
enum End {
    Breaks,
    Closes(u16, &'static str),
}

/// Carries audio until the stream is over: how it was closed, and what was measured.
pub(super) async fn carry(
    spec: &StreamSpec,
    voices: (Voice, Option<Voice>),
    socket: Socket,
    told: &mpsc::Sender<StreamEvent>,
    early: VecDeque<Control>,
    controlled: &mut mpsc::UnboundedReceiver<Control>,
) -> (u16, String, StreamFigures) {
    let (sink, stream) = socket.split();
    let (frames, waiting) = mpsc::channel(UNREAD);
    let (hears, mut heard) = mpsc::channel(16);
    // Both end with this line, and the connection with them.
    let mut tasks = JoinSet::new();
    tasks.spawn(write(sink, waiting));
    tasks.spawn(read(stream, spec.sample_rate, hears));
    let mut line = Line::new(spec, voices, told, frames);
    let (code, reason) = line.run(early, controlled, &mut heard).await;
    let figures = line.finish();
    if code != 1006 {
        // The other side's close frame, or ours, is on its way.
        let farewell = async { while tasks.join_next().await.is_some() {} };
        let _ = timeout(FAREWELL, farewell).await;
    }
    (code, reason, figures)
}

/// Sends what is due; who does not read makes nobody else wait.
async fn write(mut sink: SplitSink<Socket, Message>, mut frames: mpsc::Receiver<Message>) {
    while let Some(message) = frames.recv().await {
        let is_last = matches!(message, Message::Close(_));
        if sink.send(message).await.is_err() || is_last {
            return;
        }
    }
}

impl<'a> Line<'a> {
    fn new(
        spec: &'a StreamSpec,
        (caller, callee): (Voice, Option<Voice>),
        told: &'a mpsc::Sender<StreamEvent>,
        frames: mpsc::Sender<Message>,
    ) -> Self {
        let settings = &spec.settings;
        let samples = |millis: u64| (millis * u64::from(spec.sample_rate) / 1_000) as usize;
        let track = |path: &Option<std::path::PathBuf>| {
            let most = samples(settings.longest_recording.millis());
            let track = path.as_ref().map(|path| Track::create(path, spec.sample_rate, most))?;
            track.map_err(|error| note(told, format!("it cannot be recorded: {error}"))).ok()
        };
        Self {
            spec,
            told,
            origin: Instant::now(),
            frame: vec![0; spec.sample_rate as usize / 50],
            caller,
            callee,
            playing: Playing::new(
                samples(settings.playout_delay.millis()),
                samples(settings.longest_queue.millis()),
            ),
            meter: Meter::new(spec.sample_rate),
            heard: track(&spec.heard),
            said: track(&spec.said),
            late: VecDeque::new(),
            frames,
            is_paused: false,
            on_hold: false,
            is_cut: false,
            notes: 0,
            flows: 0,
            callees: 0,
        }
    }

    async fn run(
        &mut self,
        early: VecDeque<Control>,
        controlled: &mut mpsc::UnboundedReceiver<Control>,
        heard: &mut mpsc::Receiver<Heard>,
    ) -> (u16, String) {
        let faults = self.spec.faults;
        let after = |millis: Option<u64>| millis.map(|ms| self.origin + Duration::from_millis(ms));
        let (drops, closes) = (after(faults.drop_after_ms), after(faults.close_after_ms));
        for control in early {
            if let Some(end) = self.obey(control) {
                return self.end(end).await;
            }
        }
        let mut count = 0;
        loop {
            // From the start and never from the frame before: nothing drifts.
            let next = self.origin + FRAME * count;
            let due = self.late.front().map(|(at, _)| *at);
            tokio::select! {
                () = sleep_until(next) => {
                    self.tick(count);
                    count = count.saturating_add(1);
                }
                () = at(due) => self.send_due(),
                () = at(drops) => return abnormal(),
                () = at(closes) => return self.close(faults.close_code.unwrap_or(1011), "Closed on purpose").await,
                control = controlled.recv() => {
                    if let Some(end) = self.obey(control.unwrap_or(Control::HangUp)) {
                        return self.end(end).await;
                    }
                }
                one = heard.recv() => match one {
                    None => return abnormal(),
                    Some(Heard::Over { code, reason }) => {
                        if matches!(code, 1002 | 1007 | 1009) {
                            // Where it was the application's own code, the answer is out already.
                            self.say_close(code, &reason).await;
                        }
                        return (code, reason);
                    }
                    Some(Heard::Command(CommandKind::Stop)) => return self.close(1000, "Normal closure").await,
                    Some(one) => self.take(one),
                },
            }
        }
    }

    /// Does what the call wants; how the line ends, if it wants that.
    fn obey(&mut self, control: Control) -> Option<End> {
        match control {
            Control::Hold(on) => self.on_hold = on,
            Control::Callee { nth, voice, odd } => {
                // A file that took long to read may come behind whoever is there now.
                if nth > self.callees {
                    self.callees = nth;
                    self.callee = voice;
                }
                odd.into_iter().for_each(|odd| self.note(odd));
            }
            Control::Drop(None) => return Some(End::Breaks),
            Control::Drop(Some(code)) => return Some(End::Closes(code, "")),
            Control::HangUp => {
                let code = self.spec.faults.close_code.unwrap_or(1000);
                return Some(End::Closes(code, "Normal closure"));
            }
        }
        None
    }

    async fn end(&mut self, end: End) -> (u16, String) {
        match end {
            End::Breaks => abnormal(),
            End::Closes(code, reason) => self.close(code, reason).await,
        }
    }

    /// One frame in each direction.
    fn tick(&mut self, count: u32) {
        let is_still = self.is_paused || self.on_hold;
        self.speak();
        if is_still {
            self.frame.fill(0);
        }
        self.heard = record(self.heard.take(), &self.frame, self.told);
        if !self.is_paused {
            let bytes: Vec<u8> = self.frame.iter().flat_map(|sample| sample.to_le_bytes()).collect();
            self.late.push_back((self.due(count), bytes.into()));
            self.send_due();
        }
        let now = self.now_ms();
        let mut frame = std::mem::take(&mut self.frame);
        if is_still {
            frame.fill(0);
        } else {
            let taken = self.playing.take(&mut frame);
            self.meter.played(now, taken, frame.len());
        }
        self.said = record(self.said.take(), &frame, self.told);
        self.frame = frame;
    }

    /// What the application hears of whom it listens to.
    fn speak(&mut self) {
        let mut other = vec![0; self.frame.len()];
        if let Some(callee) = &mut self.callee {
            callee.fill(&mut other);
        }
        // Time passes for both, whoever is heard.
        self.caller.fill(&mut self.frame);
        match self.spec.listens {
            Listens::Caller => {}
            Listens::Callee => self.frame.copy_from_slice(&other),
            Listens::Both => {
                self.frame.iter_mut().zip(other).for_each(|(one, other)| *one = one.saturating_add(other));
            }
        }
    }

    /// When a frame is sent: at its time, unless it is to be late. None overtakes another.
    fn due(&self, count: u32) -> Instant {
        let faults = &self.spec.faults;
        let bits = split_mix(self.spec.seed, u64::from(count));
        let mut after = 0;
        if faults.jitter_ms > 0 {
            after = bits % (faults.jitter_ms + 1);
        }
        if faults.late > 0.0 && ((bits >> 11) as f64) < faults.late * (1_u64 << 53) as f64 {
            after += faults.late_ms;
        }
        let due = self.origin + FRAME * count + Duration::from_millis(after);
        self.late.back().map_or(due, |(before, _)| due.max(*before))
    }

    fn send_due(&mut self) {
        let now = Instant::now();
        while self.late.front().is_some_and(|(at, _)| *at <= now) {
            let Some((_, bytes)) = self.late.pop_front() else { return };
            let samples: Vec<i16> =
                bytes.as_chunks().0.iter().map(|pair| i16::from_le_bytes(*pair)).collect();
            let is_taken = self.frames.try_send(Message::Binary(bytes)).is_ok();
            self.meter.sent(self.now_ms(), &samples, is_taken);
        }
    }

    fn take(&mut self, one: Heard) {
        let now = self.now_ms();
        match one {
            Heard::Audio(samples) => {
                if samples.is_empty() {
                    return;
                }
                let cut = self.playing.push(&samples);
                self.meter.came(now, self.playing.len(), cut);
                if cut > 0 && !std::mem::replace(&mut self.is_cut, true) {
                    let minutes = self.spec.settings.longest_queue.millis() as f64 / 60_000.0;
                    self.note(format!("sends more than {minutes} minutes ahead: the rest is cut"));
                }
            }
            Heard::Command(CommandKind::Break) => {
                let discarded = self.playing.clear();
                self.meter.broke(now, discarded);
                self.note("break".to_owned());
            }
            Heard::Command(kind) => {
                self.is_paused = kind == CommandKind::Pause;
                self.note(kind.as_str().to_owned());
            }
            Heard::Flow(flow) => {
                self.flows += 1;
                // Whoever carries it out may be gone, or behind.
                if self.flows > MOST_FLOWS || self.told.try_send(StreamEvent::Flow(flow)).is_err() {
                    self.note(format!("sends a call flow that is left out: {MOST_FLOWS} are taken"));
                }
            }
            Heard::Odd(what) => self.note(what),
            Heard::Over { .. } => {}
        }
    }

    fn note(&mut self, what: String) {
        self.notes += 1;
        if self.notes <= MOST_NOTES {
            note(self.told, what);
        }
    }

    async fn close(&mut self, code: u16, reason: &str) -> (u16, String) {
        self.say_close(code, reason).await;
        (code, reason.to_owned())
    }

    async fn say_close(&mut self, code: u16, reason: &str) {
        let frame = CloseFrame { code: code.into(), reason: reason.into() };
        // Behind what is not read yet, where there is time.
        let _ = timeout(FAREWELL, self.frames.send(Message::Close(Some(frame)))).await;
    }

    fn finish(self) -> StreamFigures {
        let now = self.now_ms();
        for track in [self.heard, self.said].into_iter().flatten() {
            if let Err(error) = track.finish() {
                note(self.told, format!("the recording is not whole: {error}"));
            }
        }
        self.meter.figures(now)
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

fn note(told: &mpsc::Sender<StreamEvent>, what: String) {
    // Whoever watches may be gone, or behind.
    let _ = told.try_send(StreamEvent::Note(what));
}

/// A track that cannot be written is given up.
fn record(track: Option<Track>, frame: &[i16], told: &mpsc::Sender<StreamEvent>) -> Option<Track> {
    let mut track = track?;
    match track.write(frame) {
        Ok(()) => Some(track),
        Err(error) => {
            note(told, format!("it is no longer recorded: {error}"));
            None
        }
    }
}

fn abnormal() -> (u16, String) {
    (1006, "Abnormal closure".to_owned())
}

async fn at(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => pending().await,
    }
}

#[cfg(test)]
mod tests;
