//! One run from its first line to its exit code: what `run`, `call`, `send` and `replay` have in common.

use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::Stream;
use piopiy_mock_platform::deliver::ledger::{Entry, Record, RunEntry};
use piopiy_mock_platform::deliver::{DeliveryOptions, Ending, Ledger, PlacedCall, Targets, deliver};
use piopiy_mock_platform::judge::{Judge, Summary};
use serde_json::json;
use tokio::time::sleep;

use super::effects::Effects;
use super::exit::{Exit, Failure, OrExit};
use super::rerun;
use super::signals::Signals;
use super::target::{Format, OutputArgs, TargetArgs};
use super::terminal;

/// The kind and version of the summary as JSON.
const SCHEMA: &str = "piopiy-mock.summary/v1";

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
        let signals = Signals::listen();
        let mut effects = Effects::new(self.output, &self.target.allow_host)?;
        let ready = async {
            self.target.reach(&self.targets).await?;
            match &mut effects {
                Some(effects) => effects.pass_over().await,
                None => Ok(()),
            }
        };
        let begins = tokio::select! {
            ready = ready => ready.map(|()| true)?,
            // Nothing is delivered or looked at then, and the rest goes its way.
            () = signals.wait() => false,
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

        let progress = show_progress(&judge);
        let ending = if begins {
            deliver(calls, &self.targets, &self.options, &ledger, signals.wait()).await
        } else {
            Ok(Ending::Interrupted)
        };
        progress.abort();
        let ending = ending.or_exit(Exit::Usage)?;

        let mut trouble = None;
        if let Some(effects) = effects.as_mut().filter(|_| begins) {
            match effects.settled(self.output.settle, &signals).await {
                Ok(seen) => ledger.observe(seen),
                Err(failure) => trouble = Some(failure),
            }
        }
        let judge = judge.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let signal = signals.seen();
        let interrupted = signal.is_some() || ending == Ending::Interrupted;
        ledger.summarise(&judge, interrupted);
        ledger.close().or_exit(Exit::Environment)?;

        let summary = judge.summary();
        let exit = trouble.as_ref().map_or_else(|| exit_of(&summary, signal), |failure| failure.exit);
        tell(self.output.format, &self.run, &summary, interrupted, exit, &line)?;
        trouble.map_or(Ok(exit), Err)
    }

    /// The first and the last line of a run.
    fn line(&self) -> String {
        let (live, cdr) = (self.targets.live.shown(), self.targets.cdr.shown());
        let to = if live == cdr { live } else { format!("{live} and {cdr}") };
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
    readable(match format {
        Format::Text => writeln!(std::io::stdout().lock(), "{text}"),
        Format::Json => writeln!(std::io::stderr().lock(), "{text}"),
    })
}

fn readable(written: std::io::Result<()>) -> std::io::Result<()> {
    match written {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

fn tell(
    format: Format,
    run: &RunEntry,
    summary: &Summary,
    interrupted: bool,
    exit: Exit,
    line: &str,
) -> Result<(), Failure> {
    let table = summary.to_string();
    let table = if terminal::is_utf8() { table } else { table.replace('≠', "!=").replace('−', "-") };
    text(format, &format!("{table}{line}"))?;
    if format == Format::Json {
        let document = json!({
            "schema": SCHEMA,
            "run_id": run.run_id,
            "version": run.version,
            "generator": run.generator,
            "profile": run.profile.as_str(),
            "seed": format!("{:#x}", run.seed),
            "nonce": format!("{:#x}", run.nonce),
            "epoch_ms": run.epoch_ms,
            "live_to": run.live_to,
            "cdr_to": run.cdr_to,
            "interrupted": interrupted,
            "exit": exit as u8,
            "rerun": rerun::command(run),
            "summary": summary,
        });
        readable(writeln!(std::io::stdout().lock(), "{document}"))?;
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
