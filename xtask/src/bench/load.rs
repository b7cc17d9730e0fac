//! `piopiy-mock load` beside other generators, against a sink that is faster than any of them; how exactly it keeps a rate; how much memory
//! it takes up.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};

use super::rounds::{Goal, Row, Section, Series};
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
    let stdout = child.stdout.take().context("it has no stdout")?;
    // Whoever writes more than a page waits for its reader.
    rustix::pipe::fcntl_setpipe_size(&stdout, 4096)?;
    let id = child.id();
    let (to, read) = mpsc::channel();
    std::thread::spawn(move || {
        // Nobody may be waiting any more.
        let _ = to.send(read_all(BufReader::with_capacity(4096, stdout), id));
    });
    let began = Instant::now();
    let mut most_kib = 0.0_f64;
    let (said, at_the_end_kib) = loop {
        // Whoever looks does so on the core of what is measured, which had to give it away: not often.
        match read.recv_timeout(Duration::from_secs(1)) {
            Ok(read) => break read?,
            Err(RecvTimeoutError::Timeout) if began.elapsed() < Duration::from_secs(300) => {
                most_kib = most_kib.max(peak_kib(id));
            }
            Err(error) => {
                child.kill()?;
                bail!("it does not end ({error})");
            }
        }
    };
    let status = child.wait()?;
    ensure!(status.success(), "it ended with {status}: {said}");
    Ok(Ran { said, cpu: children_cpu()? - before, peak_kib: most_kib.max(at_the_end_kib) })
}

/// What a process prints, and the most memory of it when it began to.
fn read_all(mut stdout: impl BufRead, id: u32) -> std::io::Result<(String, f64)> {
    // What is printed at last is made before, and takes memory, too.
    stdout.fill_buf()?;
    let at_the_end_kib = peak_kib(id);
    let mut said = String::new();
    stdout.read_to_string(&mut said)?;
    Ok((said, at_the_end_kib))
}
