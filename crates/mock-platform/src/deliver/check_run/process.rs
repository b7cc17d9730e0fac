mod log;
mod usage;

use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::time::timeout;

use self::log::Log;
use crate::judge::check::{Signal, Usage};

/// Why a receiver could not be started or stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProcessError {
    /// It could not be started.
    #[error("`{command}` cannot be started")]
    Start {
        /// The command.
        command: String,
        /// Why.
        source: std::io::Error,
    },
    /// It was started, and failed at once.
    #[error("`{command}` ended ({status}) before the first check: {}", advice(*.is_taken))]
    Ended {
        /// The command.
        command: String,
        /// How it ended.
        status: ExitStatus,
        /// Whether something listened there before it was started.
        is_taken: bool,
    },
    /// A signal could not be sent, or its end not be awaited.
    #[error("the receiver's process could not be stopped")]
    Stop(#[source] std::io::Error),
}

/// What its owner may do about it.
fn advice(is_taken: bool) -> &'static str {
    if is_taken {
        "something else listens where it should; stop that first"
    } else {
        "see above what it said"
    }
}

/// A receiver that the suite has started. It ends with the suite.
#[derive(Debug)]
pub(super) struct Process {
    command: Vec<String>,
    child: Child,
    log: Arc<Log>,
}

/// How long it may take to end after SIGTERM.
const END_LIMIT: Duration = Duration::from_secs(15);
/// How long a command of the receiver's owner may take.
const SHELL_LIMIT: Duration = Duration::from_secs(60);

impl Process {
    /// Starts it. What it says goes to stderr, and is kept for a while.
    pub(super) fn start(command: &[String]) -> Result<Self, ProcessError> {
        Self::start_with(command, Arc::default())
    }

    fn start_with(command: &[String], log: Arc<Log>) -> Result<Self, ProcessError> {
        let failed = |source| ProcessError::Start { command: command.join(" "), source };
        let (program, args) =
            command.split_first().ok_or_else(|| failed(std::io::ErrorKind::InvalidInput.into()))?;
        let mut child = Command::new(program)
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(failed)?;
        if let Some(stdout) = child.stdout.take() {
            log.listen(stdout);
        }
        if let Some(stderr) = child.stderr.take() {
            log.listen(stderr);
        }
        Ok(Self { command: command.to_vec(), child, log })
    }

    /// Starts it again.
    pub(super) fn restart(&mut self) -> Result<(), ProcessError> {
        *self = Self::start_with(&self.command, Arc::clone(&self.log))?;
        Ok(())
    }

    /// Waits until it fails. One that ends well may have started what listens.
    pub(super) async fn failure(&mut self, is_taken: bool) -> ProcessError {
        match self.child.wait().await {
            Ok(status) if status.success() => std::future::pending().await,
            Ok(status) => ProcessError::Ended { command: self.command.join(" "), status, is_taken },
            Err(error) => ProcessError::Stop(error),
        }
    }

    /// Whether it has not ended.
    pub(super) fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Ends it, and waits until it is gone.
    pub(super) async fn stop(&mut self, signal: Signal) -> Result<(), ProcessError> {
        if signal == Signal::Terminate && self.terminate() {
            match timeout(END_LIMIT, self.child.wait()).await {
                Ok(ended) => return ended.map(drop).map_err(ProcessError::Stop),
                Err(_) => tracing::warn!("the receiver did not end within {END_LIMIT:?} of SIGTERM; killed"),
            }
        }
        // All of it at once, as when a machine fails; itself first, for it may start its workers anew.
        let family = self.child.id().map(usage::family).unwrap_or_default();
        let killed = self.child.kill().await;
        family.into_iter().skip(1).for_each(kill);
        killed.map_err(ProcessError::Stop)
    }

    /// What it and the processes that it has started take up; `None` where it has ended, or the system does not tell.
    pub(super) fn usage(&self) -> Option<Usage> {
        self.child.id().and_then(usage::of)
    }

    /// The lines that it has said with a text in them.
    pub(super) fn lines_with(&self, text: &str) -> Vec<String> {
        self.log.lines_with(text)
    }

    pub(super) async fn end(mut self) {
        if let Err(error) = self.stop(Signal::Terminate).await {
            tracing::warn!("{error}");
        }
    }

    /// Sends SIGTERM; false where that cannot be done.
    #[cfg(unix)]
    fn terminate(&self) -> bool {
        let pid = self.child.id().and_then(|pid| rustix::process::Pid::from_raw(pid.cast_signed()));
        pid.is_some_and(|pid| rustix::process::kill_process(pid, rustix::process::Signal::TERM).is_ok())
    }

    #[cfg(not(unix))]
    fn terminate(&self) -> bool {
        false
    }
}

/// The shell, and what it takes a command with.
pub(super) const SHELL: (&str, &str) = if cfg!(windows) { ("cmd", "/C") } else { ("sh", "-c") };

/// Runs a shell command; what it printed, or why it failed.
pub(super) async fn shell(command: &str) -> Result<String, String> {
    shell_with(command, &[]).await
}

/// The same, with more in its environment. Where nobody waits for it any more, whatever it has started is killed, so that
/// none of it goes on behind what undoes it.
pub(super) async fn shell_with(command: &str, set: &[(&str, String)]) -> Result<String, String> {
    let (program, flag) = SHELL;
    let mut shell = Command::new(program);
    shell
        .args([flag, command])
        .envs(set.iter().map(|(name, value)| (*name, value)))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    // Ctrl-C is for the suite, which undoes what the command has done.
    #[cfg(unix)]
    shell.process_group(0);
    let child = shell.spawn().map_err(|error| error.to_string())?;
    let group = Group(child.id());
    let output = timeout(SHELL_LIMIT, child.wait_with_output()).await;
    if output.is_ok() {
        group.let_be();
    }
    let output = output
        .map_err(|_| format!("it took more than {SHELL_LIMIT:?}"))?
        .map_err(|error| error.to_string())?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        let said = String::from_utf8_lossy(&output.stderr);
        Err(format!("{}; it said {:?}", output.status, said.trim()))
    }
}

/// Sends SIGKILL to a process, which may be over by itself.
fn kill(pid: u32) {
    #[cfg(unix)]
    if let Some(pid) = rustix::process::Pid::from_raw(pid.cast_signed()) {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    }
}

/// The processes of a shell command; killed when this is dropped.
struct Group(Option<u32>);

impl Group {
    /// The shell has ended; what it has left running is meant to run.
    fn let_be(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        #[cfg(unix)]
        if let Some(group) = self.0.and_then(|pid| rustix::process::Pid::from_raw(pid.cast_signed())) {
            // It may be over by itself.
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_process_is_ended_either_way_and_started_again() {
        let command = ["sleep", "600"].map(str::to_owned);
        let mut process = Process::start(&command).unwrap();
        for signal in [Signal::Terminate, Signal::Kill] {
            let pid = process.child.id().unwrap();
            process.stop(signal).await.unwrap();
            assert!(!process.is_running(), "{pid} is still there after {signal:?}");
            process.restart().unwrap();
            assert_ne!(process.child.id(), Some(pid));
        }
        process.end().await;
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn what_it_has_started_is_killed_with_it() {
        let command = ["sh", "-c", "sleep 600 & echo $! started; wait"].map(str::to_owned);
        let mut process = Process::start(&command).unwrap();
        let worker = loop {
            if let Some(line) = process.lines_with("started").pop() {
                break line.split(' ').next().unwrap().to_owned();
            }
            tokio::task::yield_now().await;
        };
        process.stop(Signal::Kill).await.unwrap();
        // Whoever inherits it may not have waited for it yet: a zombie runs no more.
        let stat = format!("/proc/{worker}/stat");
        while std::fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z ")) {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn what_it_says_is_kept_line_by_line() {
        let command = ["sh", "-c", "printf 'a mark\\nmark b\\n' >&2; printf 'mark'; printf ' c\\nd\\n'"]
            .map(str::to_owned);
        let process = Process::start(&command).unwrap();
        while process.lines_with("mark").len() < 3 {
            tokio::task::yield_now().await;
        }
        let mut lines = process.lines_with("mark");
        lines.sort();
        assert_eq!(lines, ["a mark", "mark b", "mark c"]);
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn what_it_and_its_children_take_up_is_told() {
        let command = ["sh", "-c", "sleep 600 & wait"].map(str::to_owned);
        let process = Process::start(&command).unwrap();
        let usage = loop {
            // The child comes when it comes.
            let usage = process.usage().unwrap();
            if usage.processes.len() == 2 {
                break usage;
            }
            tokio::task::yield_now().await;
        };
        assert!(usage.processes.values().all(|one| one.peak_bytes >= one.resident_bytes));
        assert!(usage.resident_bytes() > 0 && usage.descriptors() >= 6, "{usage:?}");
        for &pid in usage.processes.keys() {
            let pid = rustix::process::Pid::from_raw(pid.cast_signed()).unwrap();
            rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
        }
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_command_that_is_given_up_leaves_nothing_running() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pid").display().to_string();
        let command = format!("sleep 600 & echo $! > {file}.part; mv {file}.part {file}; wait");
        tokio::select! {
            ended = shell(&command) => panic!("{ended:?}"),
            () = async { while !std::path::Path::new(&file).exists() { tokio::task::yield_now().await } } => {}
        }
        let stat = format!("/proc/{}/stat", std::fs::read_to_string(&file).unwrap().trim());
        // Whoever inherits it may not have waited for it yet: a zombie runs no more.
        while std::fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z ")) {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn what_a_command_says_is_told() {
        assert_eq!(shell("echo 7").await.unwrap(), "7\n");
        let failure = shell("echo no database >&2; exit 3").await.unwrap_err();
        assert!(failure.contains('3') && failure.contains("no database"), "{failure}");
    }
}
