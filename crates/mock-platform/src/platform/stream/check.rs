use std::path::PathBuf;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::{Listens, Speaker, StreamEvent, StreamFaults, StreamSession, StreamSpec, Streams, Voice, causes};
use crate::deliver::Target;
use crate::deliver::ledger::StreamFigures;
use crate::plan::Length;

/// Measures an application's audio by itself: dials it, speaks to it, and listens.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct StreamCheck {
    /// The application.
    pub target: Target,
    /// How long it may take until the application is on the line.
    pub connect_timeout: Duration,
    /// For how long.
    pub lasts: Duration,
    /// Samples per second: 8000 or 16000.
    pub sample_rate: u32,
    /// A file of what is said to it; made-up speech where none is given.
    pub says: Option<PathBuf>,
    /// What made-up speech follows from.
    pub seed: u64,
    /// What goes wrong on purpose.
    pub faults: StreamFaults,
    /// Where what it heard is written.
    pub heard: Option<PathBuf>,
    /// Where what it said is written.
    pub said: Option<PathBuf>,
}

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StreamCheckError {
    /// What is to be said to it cannot be read.
    #[error("what is to be said cannot be used: {reason}")]
    Says {
        /// Why.
        reason: String,
    },
    /// It is not on the line.
    #[error("{url} cannot be streamed to: {reason}")]
    Dial {
        /// Where, secrets left out.
        url: String,
        /// Why.
        reason: String,
    },
}

impl StreamCheck {
    /// Of an application, for ten seconds at 8 kHz.
    #[must_use]
    pub fn new(target: Target) -> Self {
        Self {
            target,
            connect_timeout: Duration::from_secs(10),
            lasts: Duration::from_secs(10),
            sample_rate: 8_000,
            says: None,
            seed: 0,
            faults: StreamFaults::default(),
            heard: None,
            said: None,
        }
    }

    /// Carries it out: what was measured, the code that the stream was closed with, and what was odd.
    ///
    /// # Errors
    /// If what is to be said cannot be read, or the application cannot be connected to.
    pub async fn run(&self) -> Result<(StreamFigures, u16, Vec<String>), StreamCheckError> {
        let caller = Speaker { says: self.says.clone(), seed: self.seed };
        let unread = |error| StreamCheckError::Says { reason: causes(&error) };
        Voice::of(&caller, self.sample_rate).await.map_err(unread)?;
        let connect_timeout = u64::try_from(self.connect_timeout.as_millis()).unwrap_or(u64::MAX);
        let settings =
            Streams { connect_timeout: Length::from_millis(connect_timeout), ..Streams::default() };
        let mut session = StreamSession::open(StreamSpec {
            target: self.target.clone(),
            sample_rate: self.sample_rate,
            listens: Listens::Caller,
            caller,
            callee: None,
            settings,
            faults: self.faults,
            seed: self.seed,
            heard: self.heard.clone(),
            said: self.said.clone(),
        });
        let mut ends = None;
        let mut notes = Vec::new();
        let mut figures = StreamFigures::default();
        loop {
            let event = match ends {
                Some(at) => timeout_at(at, session.next()).await,
                None => Ok(session.next().await),
            };
            let Ok(event) = event else {
                session.hang_up();
                ends = None;
                continue;
            };
            match event {
                StreamEvent::Connected => ends = Some(Instant::now() + self.lasts),
                StreamEvent::Note(what) => notes.push(what),
                StreamEvent::Flow(_) => notes.push("sends a call flow".to_owned()),
                StreamEvent::Figures(measured) => figures = measured,
                // Nobody gives it up before it is open.
                StreamEvent::GivenUp => return Ok((figures, 1006, notes)),
                StreamEvent::Closed { code, .. } => return Ok((figures, code, notes)),
                StreamEvent::Failed { error, .. } => {
                    let url = crate::deliver::without_secrets(&self.target.as_websocket());
                    return Err(StreamCheckError::Dial { url, reason: error });
                }
            }
        }
    }
}
