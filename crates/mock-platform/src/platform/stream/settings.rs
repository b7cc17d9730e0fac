use std::ops::RangeInclusive;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::shelf::Room;
use crate::deliver::Trust;
use crate::plan::Length;

/// How audio streams are carried: the table `[platform.stream]`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
#[non_exhaustive]
pub struct Streams {
    /// How long an application may take until it is on the line.
    pub connect_timeout: Length,
    /// How much of what an application says is waited for before it is heard.
    pub playout_delay: Length,
    /// How much of it may wait to be heard; what is more is cut.
    pub longest_queue: Length,
    /// How much of each direction is written down.
    pub longest_recording: Length,
    /// Whether both directions are written to WAV files.
    pub record: bool,
    /// How many files of recordings are kept in their folder; the oldest make room.
    pub keep_files: u32,
    /// How many MiB of them.
    pub keep_mib: u32,
    /// A PEM file: whom `wss` servers are trusted by, in place of the public roots.
    pub ca: Option<PathBuf>,
    /// What goes wrong on purpose.
    pub faults: StreamFaults,
}

/// What goes wrong with audio streams on purpose.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
#[expect(
    clippy::exhaustive_structs,
    reason = "these are the faults there are; each may be set by whoever calls"
)]
pub struct StreamFaults {
    /// The connection breaks after so many milliseconds, without a word: 1006.
    pub drop_after_ms: Option<u64>,
    /// It is closed after so many milliseconds, with `close_code`.
    pub close_after_ms: Option<u64>,
    /// The code that it is closed with, on `close_after_ms` and at the end of the call.
    pub close_code: Option<u16>,
    /// Of a frame being held back: a probability. Those behind it wait, too.
    pub late: f64,
    /// For how many milliseconds.
    pub late_ms: u64,
    /// Each frame comes up to so many milliseconds after its time.
    pub jitter_ms: u64,
}

impl Default for Streams {
    fn default() -> Self {
        let ms = Length::from_millis;
        Self {
            connect_timeout: ms(10_000),
            playout_delay: ms(60),
            longest_queue: ms(600_000),
            longest_recording: ms(600_000),
            record: true,
            keep_files: 600,
            keep_mib: 2_048,
            ca: None,
            faults: StreamFaults::default(),
        }
    }
}

impl Streams {
    /// What is wrong with them, if anything is.
    pub(in crate::platform) fn check(&self) -> Result<(), String> {
        for (name, length) in [
            ("connect-timeout", self.connect_timeout),
            ("playout-delay", self.playout_delay),
            ("longest-queue", self.longest_queue),
            ("longest-recording", self.longest_recording),
        ] {
            if length.millis() > 3_600_000 {
                return Err(format!("{name} is above an hour"));
            }
        }
        for (name, count) in [("keep-files", self.keep_files), ("keep-mib", self.keep_mib)] {
            if count == 0 {
                return Err(format!("{name} is 0: set `record = false` to keep no recordings"));
            }
        }
        self.trust()?;
        self.faults.check().map_err(|what| format!("faults: {what}"))
    }

    pub(in crate::platform) fn room(&self) -> Room {
        Room { files: self.keep_files as usize, bytes: u64::from(self.keep_mib) << 20 }
    }

    /// Whom `wss` servers are trusted by, where it was said.
    pub(in crate::platform) fn trust(&self) -> Result<Option<Trust>, String> {
        let Some(path) = &self.ca else { return Ok(None) };
        let pem =
            std::fs::read(path).map_err(|error| format!("ca: {} cannot be read: {error}", path.display()))?;
        Trust::certificates(&pem).map(Some).map_err(|error| format!("ca: {}: {error}", path.display()))
    }
}

/// The close codes that an endpoint may send.
pub(in crate::platform) const CLOSE_CODES: [RangeInclusive<u16>; 3] = [1000..=1003, 1007..=1014, 3000..=4999];

/// Whether it may be sent.
pub(in crate::platform) fn is_sendable(code: u16) -> bool {
    CLOSE_CODES.iter().any(|codes| codes.contains(&code))
}

impl StreamFaults {
    /// What is wrong with them, if anything is.
    ///
    /// # Errors
    /// Where `late` is no probability, a time is too long, or no WebSocket can be closed with `close_code`.
    pub fn check(&self) -> Result<(), String> {
        if !(0.0..=1.0).contains(&self.late) {
            return Err(format!("late is {}: it must be from 0 to 1", self.late));
        }
        for (name, millis) in [("late-ms", self.late_ms), ("jitter-ms", self.jitter_ms)] {
            if millis > 600_000 {
                return Err(format!("{name} is {millis}: it must be at most 600000"));
            }
        }
        for (name, millis) in [("drop-after-ms", self.drop_after_ms), ("close-after-ms", self.close_after_ms)]
        {
            if let Some(millis @ 86_400_001..) = millis {
                return Err(format!("{name} is {millis}: it must be at most 86400000, a day"));
            }
        }
        match self.close_code {
            Some(code) if !(1_000..5_000).contains(&code) => {
                Err(format!("close-code is {code}: it must be from 1000 to 4999"))
            }
            _ => Ok(()),
        }
    }
}
