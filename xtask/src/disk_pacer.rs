//! The control of durable paces: a loop that sleeps until shortly before each instant, writes a page over one that is there, has it made safe, and
//! does nothing else. What takes long here is the disk's and the machine's.

use std::fs::File;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, ensure};

use crate::sink::now_ns;

/// What it writes.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// A file that it makes
    file: PathBuf,
    /// Pages in a second
    #[arg(long)]
    rate: u64,
    /// For how many seconds
    #[arg(long)]
    seconds: u64,
}

const PAGE: [u8; 4096] = [b'.'; 4096];
/// Pages that are there, written over in turn.
const PAGES: u64 = 1024;

/// So long before an instant it is awake: a core that sleeps wakes up late.
const AWAKE_NS: u64 = 100_000;

/// Writes; prints how long after its planned instant each page was safe (`fdatasync`), in microseconds, one a line.
///
/// # Errors
/// Where the file system does not take them.
pub(crate) fn write(options: &Options) -> anyhow::Result<ExitCode> {
    ensure!(options.rate > 0, "it has to write something");
    let failed = || format!("cannot write {}", options.file.display());
    let mut file = File::create(&options.file).with_context(failed)?;
    for _ in 0..PAGES {
        file.write_all(&PAGE).with_context(failed)?;
    }
    file.sync_all().with_context(failed)?;
    let start = now_ns();
    let mut lines = String::new();
    for nth in 0..options.rate * options.seconds {
        let due = start + (u128::from(nth) * 1_000_000_000 / u128::from(options.rate)) as u64;
        file.seek(SeekFrom::Start(nth % PAGES * PAGE.len() as u64)).with_context(failed)?;
        // One that never slept would be made to rest for longer, when others are to run.
        let left = due.saturating_sub(now_ns());
        if left > AWAKE_NS {
            std::thread::sleep(Duration::from_nanos(left - AWAKE_NS));
        }
        while now_ns() < due {
            std::hint::spin_loop();
        }
        file.write_all(&PAGE).and_then(|()| file.sync_data()).with_context(failed)?;
        lines.push_str(&format!("{}\n", now_ns().saturating_sub(due) / 1_000));
    }
    std::io::stdout().write_all(lines.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}
