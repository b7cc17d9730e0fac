use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use piopiy_mock_platform::platform::{Config, Exchange};

use super::missing;
use crate::cli::exit::Failure;
use crate::cli::signals::Hangups;

/// How often a file is looked at.
const EVERY: Duration = Duration::from_millis(500);

/// A file, and how it was when it was last read.
pub(super) struct Watched {
    path: PathBuf,
    seen: Option<(SystemTime, u64)>,
    hangups: Hangups,
}

impl Watched {
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), seen: stamp(path), hangups: Hangups::listen() }
    }

    /// Waits until it is to be read again.
    async fn changed(&mut self) {
        loop {
            tokio::select! {
                () = self.hangups.next() => {
                    self.seen = stamp(&self.path);
                    return;
                }
                () = tokio::time::sleep(EVERY) => {
                    // Away for a moment, as editors have it: what holds goes on.
                    let Some(now) = stamp(&self.path) else { continue };
                    if self.seen.replace(now) != Some(now) {
                        return;
                    }
                }
            }
        }
    }
}

/// Has the platform be as the file says, whenever that changes; never ends.
pub(super) async fn keep_current(
    watched: Option<Watched>,
    read: impl Fn(&Path) -> Result<Config, Failure>,
    exchange: &Exchange,
) {
    let Some(mut watched) = watched else { return std::future::pending().await };
    loop {
        watched.changed().await;
        let file = watched.path.display();
        let read = read(&watched.path).map_err(|failure| failure.error);
        let later = read.as_ref().map(|config| from_the_next_start(&exchange.config(), config));
        let later = later.unwrap_or_default();
        let read = read.and_then(|config| Ok(exchange.reload(config)?));
        let told = match &read {
            Ok(()) => format!("{file}: read again; calls that are on go on as they began{later}"),
            // It names the file and the line itself.
            Err(error) => format!("{error:#}\n{file} is not taken, and what it said before holds"),
        };
        // Nobody may be reading.
        let _ = std::io::Write::write_fmt(&mut std::io::stderr().lock(), format_args!("{told}\n"));
        if read.is_ok() {
            missing::tell(&exchange.config());
        }
    }
}

/// What a running platform cannot change.
fn from_the_next_start(before: &Config, now: &Config) -> String {
    let changed = [
        ("seed", before.seed != now.seed),
        ("time-scale", before.time_scale.to_bits() != now.time_scale.to_bits()),
        ("[platform.delivery]", before.delivery != now.delivery),
    ];
    let kept: Vec<&str> = changed.iter().filter(|(_, changed)| *changed).map(|(name, _)| *name).collect();
    if kept.is_empty() { String::new() } else { format!("; {} from the next start", kept.join(", ")) }
}

fn stamp(path: &Path) -> Option<(SystemTime, u64)> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}
