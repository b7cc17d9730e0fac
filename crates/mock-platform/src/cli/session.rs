//! One run from its first line to its exit code: what `run`, `call`, `send` and `replay` have in common.

use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::Stream;
use piopiy_mock_platform::deliver::ledger::{Entry, Record, RunEntry};
use piopiy_mock_platform::deliver::{
    DeliveryOptions, Ending, Ledger, PlacedCall, Target, Targets, deliver, effects_from_file,
    effects_from_url,
};
use piopiy_mock_platform::judge::{Effect, Judge, Summary};
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::exit::{Exit, Failure, OrExit};
use super::rerun;
use super::target::{Format, OutputArgs, TargetArgs};

/// A run that is about to begin.
pub(crate) struct Session<'a> {
    pub(crate) run: RunEntry,
    pub(crate) targets: Targets,
    pub(crate) options: DeliveryOptions,
    pub(crate) target: &'a TargetArgs,
    pub(crate) output: &'a OutputArgs,
    /// Who else reads the ledger while it is written.
    pub(crate) reader: Box<dyn FnMut(&Record) + Send>,
}

impl Session<'_> {
    /// Delivers the calls, looks at the receiver, and tells what came of it.
    pub(crate) async fn deliver<S>(self, calls: S) -> Result<Exit, Failure>
    where
        S: Stream<Item: Into<PlacedCall>>,
    {
        let effects = Effects::new(self.output, &self.target.allow_host)?;
        self.target.reach(&self.targets).await?;
        let before = match &effects {
            Some(effects) => effects.read(0).await?.last().map_or(0, |effect| effect.seq),
            None => 0,
        };
        let line = self.line();
        self.say(&line)?;

        let judge = Arc::new(Mutex::new(if effects.is_some() { Judge::observing() } else { Judge::new() }));
        let mut ledger = Ledger::builder().reader(reading(&judge)).reader(self.reader);
        if let Some(path) = &self.output.ledger {
            ledger = ledger.file(path);
        }
        let ledger = ledger.open().or_exit(Exit::Environment)?;
        ledger.append(Entry::Run(Box::new(self.run.clone())));

        let signal = Arc::new(Mutex::new(None));
        let progress = show_progress(&judge);
        let ending = {
            let stop = wait_for_signal(Arc::clone(&signal));
            deliver(calls, &self.targets, &self.options, &ledger, stop).await
        };
        progress.abort();
        let ending = ending.or_exit(Exit::Usage)?;

        let mut trouble = None;
        if let Some(effects) = &effects {
            match effects.settled(before, self.output.settle).await {
                Ok(seen) => ledger.observe(seen),
                Err(failure) => trouble = Some(failure),
            }
        }
        let judge = judge.lock().unwrap_or_else(PoisonError::into_inner).clone();
        ledger.summarise(&judge, ending == Ending::Interrupted);
        ledger.close().or_exit(Exit::Environment)?;

        let summary = judge.summary();
        let signal = *signal.lock().unwrap_or_else(PoisonError::into_inner);
        let exit = trouble.as_ref().map_or_else(|| exit_of(&summary, signal), |failure| failure.exit);
        tell(self.output.format, &self.run, &summary, ending, exit, &line)?;
        trouble.map_or(Ok(exit), Err)
    }

    /// The first and the last line of a run.
    fn line(&self) -> String {
        let (live, cdr) = (self.targets.live.as_str(), self.targets.cdr.as_str());
        let to = if live == cdr { live.to_owned() } else { format!("{live} and {cdr}") };
        format!(
            "piopiy-mock {}, profile {}, to {to}, seed {:#x}, nonce {:#x}; rerun: {}",
            self.run.version,
            self.run.profile,
            self.run.seed,
            self.run.nonce,
            rerun::command(&self.run)
        )
    }

    fn say(&self, line: &str) -> Result<(), Failure> {
        Ok(text(self.output.format, line)?)
    }
}

/// Text for people: on stdout, unless that is for a machine. That nobody reads it any more does not end a run.
pub(crate) fn text(format: Format, text: &str) -> std::io::Result<()> {
    let written = match format {
        Format::Text => writeln!(std::io::stdout().lock(), "{text}"),
        Format::Json => writeln!(std::io::stderr().lock(), "{text}"),
    };
    match written {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

fn tell(
    format: Format,
    run: &RunEntry,
    summary: &Summary,
    ending: Ending,
    exit: Exit,
    line: &str,
) -> Result<(), Failure> {
    text(format, &format!("{summary}{line}"))?;
    if format == Format::Json {
        let document = json!({
            "schema": "piopiy-mock.summary/v1",
            "run_id": run.run_id,
            "version": run.version,
            "generator": run.generator,
            "profile": run.profile.as_str(),
            "seed": format!("{:#x}", run.seed),
            "nonce": format!("{:#x}", run.nonce),
            "epoch_ms": run.epoch_ms,
            "live_to": run.live_to,
            "cdr_to": run.cdr_to,
            "interrupted": ending == Ending::Interrupted,
            "exit": exit as u8,
            "rerun": rerun::command(run),
            "summary": summary,
        });
        let mut out = std::io::stdout().lock();
        serde_json::to_writer(&mut out, &document)?;
        writeln!(out)?;
    }
    Ok(())
}

fn exit_of(summary: &Summary, signal: Option<Exit>) -> Exit {
    if let Some(signal) = signal {
        signal
    } else if summary.is_unreachable() {
        Exit::Environment
    } else if summary.planned == 0 {
        Exit::Inconclusive
    } else if summary.is_clean() {
        Exit::Fine
    } else {
        Exit::Failed
    }
}

fn reading(judge: &Arc<Mutex<Judge>>) -> impl FnMut(&Record) + Send + 'static {
    let judge = Arc::clone(judge);
    move |record| judge.lock().unwrap_or_else(PoisonError::into_inner).read(record)
}

/// One line that is written over every second, where somebody looks.
fn show_progress(judge: &Arc<Mutex<Judge>>) -> tokio::task::JoinHandle<()> {
    let judge = Arc::clone(judge);
    let watched = std::io::stderr().is_terminal()
        && !std::io::stdout().is_terminal()
        && std::env::var_os("CI").is_none();
    tokio::spawn(async move {
        if !watched {
            return;
        }
        loop {
            sleep(Duration::from_secs(1)).await;
            let summary = judge.lock().unwrap_or_else(PoisonError::into_inner).summary();
            let line = summary.equation();
            let _ = write!(std::io::stderr().lock(), "\r\x1b[2K{line}\r");
        }
    })
}

/// Where the receiver's effects are read.
enum Effects {
    Url(Target),
    File(std::path::PathBuf),
}

impl Effects {
    fn new(output: &OutputArgs, allowed: &[String]) -> Result<Option<Self>, Failure> {
        if let Some(url) = &output.observe_url {
            return Ok(Some(Self::Url(Target::parse(url, allowed).or_exit(Exit::Usage)?)));
        }
        Ok(output.observe_file.clone().map(Self::File))
    }

    async fn read(&self, since: u64) -> Result<Vec<Effect>, Failure> {
        match self {
            Self::Url(url) => effects_from_url(url, since).await.or_exit(Exit::Environment),
            // A file that nobody has written to yet shows no effects.
            Self::File(path) if !path.exists() => Ok(Vec::new()),
            Self::File(path) => effects_from_file(path, since).or_exit(Exit::Environment),
        }
    }

    /// The effects after `since`, once nothing has changed for a while.
    async fn settled(&self, since: u64, settle: Duration) -> Result<Vec<Effect>, Failure> {
        let mut seen = self.read(since).await?;
        let mut changed = Instant::now();
        while changed.elapsed() < settle {
            sleep(Duration::from_millis(50).min(settle)).await;
            let last = seen.last().map_or(since, |effect| effect.seq);
            let more = self.read(last).await?;
            if !more.is_empty() {
                seen.extend(more);
                changed = Instant::now();
            }
        }
        Ok(seen)
    }
}

/// Waits for Ctrl-C or SIGTERM, and notes which it was. A second one ends the program at once.
pub(crate) async fn wait_for_signal(noted: Arc<Mutex<Option<Exit>>>) {
    let Some(exit) = next_signal().await else { return std::future::pending().await };
    *noted.lock().unwrap_or_else(PoisonError::into_inner) = Some(exit);
    tokio::spawn(async {
        if let Some(exit) = next_signal().await {
            std::process::exit(exit as i32);
        }
    });
}

/// `None` where signals cannot be listened to.
#[cfg(unix)]
async fn next_signal() -> Option<Exit> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).ok()?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted.ok().map(|()| Exit::Interrupted),
        _ = terminate.recv() => Some(Exit::Terminated),
    }
}

#[cfg(not(unix))]
async fn next_signal() -> Option<Exit> {
    tokio::signal::ctrl_c().await.ok().map(|()| Exit::Interrupted)
}
