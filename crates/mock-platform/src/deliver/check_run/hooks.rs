use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::process::{SHELL, shell_with};
use crate::judge::check::{Hook, Turn};

/// The commands of the receiver's owner, and which changes are made at the moment. A change that is still made when this
/// is dropped is undone then, without waiting for it: nobody's disk stays full because a run was cut short.
#[derive(Debug)]
pub(super) struct Hooks {
    commands: BTreeMap<Hook, String>,
    made: Mutex<BTreeSet<Hook>>,
}

impl Hooks {
    pub(super) fn new(commands: &BTreeMap<Hook, String>) -> Self {
        Self { commands: commands.clone(), made: Mutex::default() }
    }

    /// Makes a change, or undoes it.
    pub(super) async fn turn(&self, hook: Hook, turn: Turn) -> Result<(), String> {
        self.run(hook, turn, 0).await
    }

    /// Moves the clock to so many seconds ahead of the true time.
    pub(super) async fn clock(&self, offset: i64) -> Result<(), String> {
        self.run(Hook::Clock, if offset == 0 { Turn::Off } else { Turn::On }, offset).await
    }

    /// Whether any change is made.
    pub(super) fn are_made(&self) -> bool {
        !self.made().is_empty()
    }

    /// Undoes every change that is still made; the first failure.
    pub(super) async fn undo(&self) -> Result<(), String> {
        let made: Vec<Hook> = self.made().iter().copied().collect();
        let mut undone = Ok(());
        for hook in made {
            undone = undone.and(self.turn(hook, Turn::Off).await);
        }
        undone
    }

    async fn run(&self, hook: Hook, turn: Turn, offset: i64) -> Result<(), String> {
        let (by, command) = self.command(hook, turn)?;
        // It is made from the moment at which it may be.
        if turn == Turn::On {
            self.made().insert(hook);
        }
        let set = environment(hook, turn, offset);
        let failed = |reason| format!("{} `{command}` failed ({}): {reason}", by.option(), turn.as_str());
        shell_with(command, &set).await.map_err(failed)?;
        if turn == Turn::Off {
            self.made().remove(&hook);
        }
        Ok(())
    }

    fn command(&self, hook: Hook, turn: Turn) -> Result<(Hook, &str), String> {
        let by = if turn == Turn::On { hook } else { hook.undone_by() };
        let command = self.commands.get(&by).ok_or_else(|| format!("there is no {}", by.option()))?;
        Ok((by, command))
    }

    fn made(&self) -> MutexGuard<'_, BTreeSet<Hook>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a command is told.
fn environment(hook: Hook, turn: Turn, offset: i64) -> Vec<(&'static str, String)> {
    let mut set = vec![(Hook::TURN, turn.as_str().to_owned())];
    if hook == Hook::Clock {
        set.push((Hook::CLOCK_OFFSET, offset.to_string()));
    }
    set
}

impl Drop for Hooks {
    fn drop(&mut self) {
        let made = std::mem::take(&mut *self.made());
        for hook in made {
            let Ok((_, command)) = self.command(hook, Turn::Off) else { continue };
            let (program, flag) = SHELL;
            let mut undo = Command::new(program);
            undo.args([flag, command])
                .envs(environment(hook, Turn::Off, 0))
                .stdin(Stdio::null())
                .stdout(Stdio::null());
            // One more Ctrl-C is not for it.
            #[cfg(unix)]
            std::os::unix::process::CommandExt::process_group(&mut undo, 0);
            if let Err(error) = undo.spawn() {
                tracing::error!("`{command}` could not be run to undo {}: {error}", hook.option());
            }
        }
    }
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::*;

    /// The lines that the commands have written.
    async fn run(after: impl AsyncFnOnce(Hooks)) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let command =
            |name: &str| format!("echo {name} $PIOPIY_HOOK $PIOPIY_CLOCK_OFFSET >> {}", log.display());
        let commands = [
            (Hook::Down, command("down")),
            (Hook::Up, command("up")),
            (Hook::Clock, command("clock")),
            (Hook::Slow, format!("{}; exit 3", command("slow"))),
        ];
        after(Hooks::new(&commands.into())).await;
        loop {
            // What is undone by the drop is not waited for.
            let lines: Vec<String> =
                std::fs::read_to_string(&log).unwrap_or_default().lines().map(str::to_owned).collect();
            if lines.last().is_some_and(|last| last.contains("off")) {
                return lines;
            }
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn what_is_made_is_undone_once() {
        let lines = run(async |hooks| {
            hooks.turn(Hook::Down, Turn::On).await.unwrap();
            hooks.clock(-3_600).await.unwrap();
            hooks.clock(0).await.unwrap();
            hooks.undo().await.unwrap();
            hooks.undo().await.unwrap();
        });
        assert_eq!(lines.await, ["down on", "clock on -3600", "clock off 0", "up off"]);
    }

    #[tokio::test]
    async fn what_failed_to_be_made_is_undone_all_the_same() {
        let lines = run(async |hooks| {
            let failure = hooks.turn(Hook::Slow, Turn::On).await.unwrap_err();
            assert!(failure.starts_with("--hook-slow") && failure.contains("(on)"), "{failure}");
            assert!(hooks.turn(Hook::DiskFull, Turn::On).await.is_err());
        });
        assert_eq!(lines.await, ["slow on", "slow off"]);
    }

    #[tokio::test]
    async fn what_is_dropped_is_undone() {
        let lines = run(async |hooks| hooks.turn(Hook::Down, Turn::On).await.unwrap());
        assert_eq!(lines.await, ["down on", "up off"]);
    }
}
