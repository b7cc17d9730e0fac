//! What happens around the receiver: commands of its owner, and time.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::process::shell;
use super::{Run, wait_for};
use crate::judge::check::{Hook, Time, Turn};

/// What the limit of a wait stands for.
const MINUTE: Duration = Duration::from_secs(60);

impl Run<'_> {
    pub(super) async fn turn(&self, hook: Hook, turn: Turn) -> Result<(), String> {
        self.hooks.turn(hook, turn).await?;
        if turn == Turn::Off { self.is_back().await } else { Ok(()) }
    }

    /// Undoes what is still changed.
    pub(super) async fn undo(&self) -> Result<(), String> {
        if !self.hooks.are_made() {
            return Ok(());
        }
        self.hooks.undo().await?;
        self.is_back().await
    }

    pub(super) async fn set_clock(&self, offset: i64) -> Result<(), String> {
        self.hooks.clock(offset).await?;
        self.is_back().await
    }

    /// Waits until time at the receiver is so long after `start`.
    pub(super) async fn elapse(&self, start: Instant, until: Duration) -> Result<(), String> {
        match self.sources.time {
            Time::Stands => Ok(()),
            Time::Clock => self.set_clock(i64::try_from(until.as_secs()).unwrap_or(i64::MAX)).await,
            Time::Real => {
                let scale = self.options.slow_limit.as_secs_f64() / MINUTE.as_secs_f64();
                sleep_until(start + until.mul_f64(scale)).await;
                Ok(())
            }
        }
    }

    /// What the command prints that lists the receiver's gaps.
    pub(super) async fn reconcile(&self) -> Result<String, String> {
        let named = |declared: &String| Some(declared.strip_prefix("reconcile=")?.to_owned());
        let command = self.options.capabilities.iter().find_map(named);
        let command = command.ok_or("no capability `reconcile=CMD` is declared")?;
        shell(&command).await.map_err(|reason| format!("`{command}`, which lists gaps, failed: {reason}"))
    }

    /// A command may have started the receiver anew.
    async fn is_back(&self) -> Result<(), String> {
        let limit = self.options.start_limit;
        let silent =
            |error| format!("after the command the receiver did not listen within {limit:?}: {error}");
        wait_for(&self.probe, limit).await.map_err(silent)?;
        self.forget().await
    }
}
