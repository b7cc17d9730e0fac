//! A receiver as a process of its own: started, addressed, stopped.

use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context as _, anyhow, ensure};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::oneshot;
use tokio::time::timeout;

/// How long a receiver may take until it says where it listens.
const READY_WITHIN: Duration = Duration::from_secs(30);
/// How long it may take to end once it was told to.
const END_WITHIN: Duration = Duration::from_secs(20);
/// How much of what it says is kept for the report of a failure.
const KEPT_LINES: usize = 40;

/// A running receiver. Dropped, it is killed.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    url: String,
    said: Arc<Mutex<Vec<String>>>,
}

impl Process {
    /// Starts a receiver and waits until its stderr has a line with `listening on URL`.
    ///
    /// # Errors
    /// Where it cannot be started, ends first, or says nothing in time: with what it did say.
    pub(crate) async fn start(command: Command) -> anyhow::Result<Self> {
        Self::until(command, "listening on ").await
    }

    /// The same with another line that its stderr has once it is ready: one with these words, behind which its URL is, if it
    /// has any.
    ///
    /// # Errors
    /// As [`Process::start`].
    pub(crate) async fn until(mut command: Command, ready_words: &str) -> anyhow::Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
        let program = command.as_std().get_program().to_string_lossy().into_owned();
        let mut child = command.spawn().with_context(|| format!("cannot start `{program}`"))?;
        let stderr = child.stderr.take().context("the receiver has no stderr")?;
        let said = Arc::new(Mutex::new(Vec::new()));
        let (ready, url) = oneshot::channel();
        tokio::spawn({
            let (said, ready_words) = (Arc::clone(&said), ready_words.to_owned());
            async move {
                let mut ready = Some(ready);
                let mut lines = BufReader::new(stderr).lines();
                while let Ok(Some(line)) = lines.next_line().await {
                    if let Some((_, url)) = line.split_once(&ready_words)
                        && let Some(ready) = ready.take()
                    {
                        // The other end is gone only where the wait timed out, which is told there.
                        drop(ready.send(url.trim().to_owned()));
                    }
                    if let Ok(mut said) = said.lock() {
                        if said.len() == KEPT_LINES {
                            said.remove(0);
                        }
                        said.push(line);
                    }
                }
            }
        });
        match timeout(READY_WITHIN, url).await {
            Ok(Ok(url)) => Ok(Self { child, url, said }),
            Ok(Err(_)) => Err(anyhow!("`{program}` ended before it listened: {}", last_words(&said))),
            Err(_) => {
                Err(anyhow!("`{program}` did not listen within {READY_WITHIN:?}: {}", last_words(&said)))
            }
        }
    }

    /// The webhook URL that it said.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The URL of another path at the same address.
    pub(crate) fn at(&self, path: &str) -> String {
        format!("http://{}{path}", self.address())
    }

    /// `host:port`.
    pub(crate) fn address(&self) -> &str {
        let after_scheme = self.url.split_once("://").map_or(self.url.as_str(), |(_, rest)| rest);
        after_scheme.split_once('/').map_or(after_scheme, |(address, _)| address)
    }

    /// Its process id.
    ///
    /// # Errors
    /// Where it has ended.
    pub(crate) fn id(&self) -> anyhow::Result<u32> {
        self.child.id().with_context(|| format!("the receiver has ended: {}", last_words(&self.said)))
    }

    /// What stands behind this in one of the lines that it said last.
    pub(crate) fn told(&self, before: &str) -> Option<String> {
        let said = self.said.lock().ok()?;
        said.iter().find_map(|line| Some(line.strip_prefix(before)?.trim().to_owned()))
    }

    /// The last lines of what it said on stderr.
    pub(crate) fn last_words(&self) -> String {
        last_words(&self.said)
    }

    /// Kills it, as a crash would (SIGKILL on Unix), and waits until it is gone.
    ///
    /// # Errors
    /// Where it had ended before, or cannot be killed.
    pub(crate) async fn kill(mut self) -> anyhow::Result<()> {
        if let Some(status) = self.child.try_wait()? {
            return Err(anyhow!("the receiver had ended by itself with {status}: {}", self.last_words()));
        }
        self.child.kill().await.context("cannot kill the receiver")
    }

    /// Asks it to end.
    ///
    /// # Errors
    /// Where it has ended, or cannot be told.
    pub(crate) async fn ask_to_end(&self) -> anyhow::Result<()> {
        // The shell's own `kill`: a minimal system has no program of that name.
        let signal = format!("kill -TERM {}", self.id()?);
        let status = Command::new("sh").args(["-c", &signal]).status().await.context("cannot start `sh`")?;
        ensure!(status.success(), "`{signal}` ended with {status}");
        Ok(())
    }

    /// Waits until it has ended by itself.
    ///
    /// # Errors
    /// Where it does not end in time.
    pub(crate) async fn ended(mut self) -> anyhow::Result<ExitStatus> {
        match timeout(END_WITHIN, self.child.wait()).await {
            Ok(status) => status.context("cannot wait for the receiver"),
            Err(_) => Err(anyhow!("the receiver did not end within {END_WITHIN:?}: {}", self.last_words())),
        }
    }

    /// Asks it to end and waits until it has.
    ///
    /// # Errors
    /// Where it does not end in time, or not with success.
    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        self.ask_to_end().await?;
        let said = Arc::clone(&self.said);
        let status = self.ended().await?;
        ensure!(status.success(), "the receiver ended with {status}: {}", last_words(&said));
        Ok(())
    }
}

fn last_words(said: &Mutex<Vec<String>>) -> String {
    said.lock().map_or_else(|_| String::new(), |said| said.join("\n"))
}

/// The most memory of a process that was resident so far, in KiB: proc(5). 0 where the system does not tell, or it has ended.
pub(crate) fn peak_kib(id: u32) -> f64 {
    status_kib(id, "VmHWM:")
}

/// The memory of a process that is resident, in KiB: proc(5). 0 where the system does not tell, or it has ended.
pub(crate) fn resident_kib(id: u32) -> f64 {
    status_kib(id, "VmRSS:")
}

fn status_kib(id: u32, name: &str) -> f64 {
    let about = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let found = about.lines().find_map(|line| line.strip_prefix(name)?.trim().strip_suffix(" kB"));
    found.and_then(|kib| kib.trim().parse().ok()).unwrap_or_default()
}

/// CPU time that a process took so far, in its own code and in the kernel: proc(5).
///
/// # Errors
/// Where it has ended, or the system does not tell.
pub(crate) fn cpu(id: u32) -> anyhow::Result<Duration> {
    ticks(&format!("/proc/{id}/stat"), [11, 12])
}

/// CPU time of all children that have ended: proc(5).
///
/// # Errors
/// Where the system does not tell.
pub(crate) fn children_cpu() -> anyhow::Result<Duration> {
    ticks("/proc/self/stat", [13, 14])
}

/// How long ago the command was given that came to this process: `cargo run` becomes what it has built, so what was compiled
/// before is in it. Where the system does not tell, nothing is.
pub(crate) fn since_the_command() -> Duration {
    let since = || {
        let uptime = std::fs::read_to_string("/proc/uptime")?;
        let uptime: f64 = uptime.split_whitespace().next().context("no uptime")?.parse()?;
        let started = ticks("/proc/self/stat", [19])?;
        anyhow::Ok(Duration::try_from_secs_f64(uptime)?.saturating_sub(started))
    };
    since().unwrap_or_default()
}

/// The sum of some fields, counted from behind the name.
fn ticks<const N: usize>(file: &str, at: [usize; N]) -> anyhow::Result<Duration> {
    // In Linux a tick is a hundredth of a second for whoever reads this file.
    const TICKS_IN_A_SECOND: f64 = 100.0;
    let stat = std::fs::read_to_string(file).with_context(|| file.to_owned())?;
    let fields: Vec<&str> = stat.rsplit_once(')').context("no name")?.1.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok()).context("no time");
    let sum = at.into_iter().map(ticks).sum::<anyhow::Result<u64>>()?;
    Ok(Duration::from_secs_f64(sum as f64 / TICKS_IN_A_SECOND))
}

#[cfg(test)]
mod tests {
    #[cfg(target_os = "linux")]
    #[test]
    fn the_command_was_given_a_moment_ago() {
        let started = super::ticks("/proc/self/stat", [19]).unwrap();
        assert!(!started.is_zero(), "since the machine was");
        let began = std::time::Instant::now();
        let mut since = super::since_the_command();
        while since.is_zero() && began.elapsed() < std::time::Duration::from_secs(10) {
            since = super::since_the_command();
        }
        assert!(!since.is_zero() && since < std::time::Duration::from_secs(3600), "{since:?}");
    }
}
