//! `piopiy-mock load` beside other generators, against a sink that is faster than any of them; how exactly it keeps a rate; how much memory
//! it takes up.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

use super::rounds::{Section, Series};
use super::{Effort, RECEIVER_CORE};
use crate::process::{Process, children_cpu, peak_kib};
use crate::workspace::{self, Profile};

mod exactness;
mod size;
mod speed;

pub(super) use self::exactness::{pace, stall};
pub(super) use self::size::{memory, planning};
pub(super) use self::speed::full_speed;

const CONNECTIONS: &str = "64";

/// The program that is measured.
pub(super) fn mock() -> anyhow::Result<PathBuf> {
    workspace::build("piopiy-mock-platform", "piopiy-mock", Profile::Release)
}

async fn sink(arguments: &[&str]) -> anyhow::Result<Process> {
    let mut command = workspace::pinned(RECEIVER_CORE, std::env::current_exe()?);
    command.arg("sink").args(arguments);
    Process::start(command.into()).await
}

pub(super) struct Ran {
    pub(super) said: String,
    cpu: Duration,
    peak_kib: f64,
}

/// Runs a command to its end; what it printed, and what it took up.
pub(super) fn measure(mut command: Command) -> anyhow::Result<Ran> {
    let before = children_cpu()?;
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let mut stdout = child.stdout.take().context("it has no stdout")?;
    let reading = std::thread::spawn(move || {
        let mut said = String::new();
        std::io::Read::read_to_string(&mut stdout, &mut said).map(|_| said)
    });
    let began = Instant::now();
    let mut most_kib = 0.0_f64;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        ensure!(began.elapsed() < Duration::from_secs(300), "it does not end");
        most_kib = most_kib.max(peak_kib(child.id()));
        std::thread::sleep(Duration::from_millis(100));
    };
    let said = reading.join().map_err(|_| anyhow::anyhow!("what it printed was not read"))??;
    ensure!(status.success(), "it ended with {status}: {said}");
    Ok(Ran { said, cpu: children_cpu()? - before, peak_kib: most_kib })
}
