use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What was measured of an application's audio stream. Times are milliseconds of real time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[non_exhaustive]
pub struct StreamFigures {
    /// From its opening until its end.
    pub lasted_ms: u64,
    /// Frames of 20 ms that were sent.
    pub frames: u64,
    /// Those of them that were left out, because the application did not read.
    pub unread_frames: u64,
    /// From its opening until the application's first audio; absent where none came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_audio_ms: Option<u64>,
    /// How much audio of the application was heard.
    pub played_ms: u64,
    /// Silences of up to half a second within what it said.
    pub gaps: u64,
    /// The longest of them.
    pub longest_gap_ms: u64,
    /// The most audio that waited to be heard: how far it was ahead of real time.
    pub ahead_ms: u64,
    /// How often it said `break`.
    pub breaks: u64,
    /// From the caller's first word into what was played until `break`; the slowest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub break_ms: Option<u64>,
    /// Audio that was not heard because of `break`.
    pub discarded_ms: u64,
    /// Audio that was cut because too much waited.
    pub cut_ms: u64,
}

/// For people: `first audio 212 ms · gaps 0 · ahead 340 ms`.
impl fmt::Display for StreamFigures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.first_audio_ms {
            Some(first) => write!(f, "first audio {first} ms · gaps {}", self.gaps)?,
            None => return write!(f, "no audio came in {} ms", self.lasted_ms),
        }
        if self.gaps > 0 {
            write!(f, ", the longest {} ms", self.longest_gap_ms)?;
        }
        write!(f, " · ahead {} ms", self.ahead_ms)?;
        if let Some(after) = self.break_ms {
            write!(f, " · break after {after} ms")?;
        }
        if self.cut_ms > 0 {
            write!(f, " · cut {} ms", self.cut_ms)?;
        }
        if self.unread_frames > 0 {
            write!(f, " · {} frames not read", self.unread_frames)?;
        }
        Ok(())
    }
}
