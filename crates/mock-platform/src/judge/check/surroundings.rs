//! What a check may ask of the receiver's surroundings: commands of its owner, and time that passes.

use serde::{Deserialize, Serialize};

/// A command of the receiver's owner that changes its surroundings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Hook {
    /// Takes the store away.
    Down,
    /// Brings the store back.
    Up,
    /// Makes what comes after the receiver slow.
    Slow,
    /// Fills the disk, or makes the store read-only.
    DiskFull,
    /// Moves the clock.
    Clock,
}

impl Hook {
    /// Every hook.
    pub const ALL: [Self; 5] = [Self::Down, Self::Up, Self::Slow, Self::DiskFull, Self::Clock];
    /// The environment variable that says whether a change is to be made or undone: `on` or `off`.
    pub const TURN: &str = "PIOPIY_HOOK";
    /// The environment variable with the seconds that the receiver's clock is to be ahead of the true time: 0 for `off`,
    /// and negative for behind.
    pub const CLOCK_OFFSET: &str = "PIOPIY_CLOCK_OFFSET";

    /// The option that gives its command.
    #[must_use]
    pub fn option(self) -> &'static str {
        match self {
            Self::Down => "--hook-down",
            Self::Up => "--hook-up",
            Self::Slow => "--hook-slow",
            Self::DiskFull => "--hook-disk-full",
            Self::Clock => "--hook-clock",
        }
    }

    /// What its command has to do, for people.
    #[must_use]
    pub fn convention(self) -> &'static str {
        match self {
            Self::Down => "run with PIOPIY_HOOK=on, takes the store away",
            Self::Up => {
                "run with PIOPIY_HOOK=off, brings the store back; whatever comes, it is run in the end"
            }
            Self::Slow => {
                "run with PIOPIY_HOOK=on, makes what comes after the receiver 3 seconds slower; with off, undoes it"
            }
            Self::DiskFull => "run with PIOPIY_HOOK=on, leaves the store no room; with off, gives it back",
            Self::Clock => {
                "run with PIOPIY_HOOK=on, sets the receiver's clock PIOPIY_CLOCK_OFFSET seconds ahead of the true time; \
                 with off, and 0, sets it right"
            }
        }
    }

    /// Whose command undoes it.
    pub(crate) fn undone_by(self) -> Self {
        if self == Self::Down { Self::Up } else { self }
    }
}

/// Whether a hook's change is made or undone. What a case has not undone is undone when it is over, whatever came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Turn {
    /// Made.
    On,
    /// Undone.
    Off,
}

impl Turn {
    /// The value of [`Hook::TURN`].
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Off => "off",
        }
    }
}

/// How time passes at the receiver, where a check wants it to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Time {
    /// Not at all: what comes later comes at once.
    #[default]
    Stands,
    /// It is waited for.
    Real,
    /// The receiver's clock is moved.
    Clock,
}
