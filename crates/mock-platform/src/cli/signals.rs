use tokio::sync::watch;

use super::exit::Exit;

/// Ctrl-C and SIGTERM, from the start of a session to its end. The first one asks it to come to an end; a second one
/// ends the program at once, or drops what runs where that has a process to end; a third one does so in any case.
#[derive(Debug, Clone)]
pub(crate) struct Signals {
    first: watch::Receiver<Option<Exit>>,
    second: watch::Receiver<Option<Exit>>,
}

impl Signals {
    /// Listens from now on.
    pub(crate) fn listen() -> Self {
        Self::listen_for(2)
    }

    /// Listens from now on, and leaves it to whoever waits for [`second`](Self::second) to end what runs.
    pub(crate) fn listen_for_two() -> Self {
        Self::listen_for(3)
    }

    fn listen_for(last: usize) -> Self {
        let (noted, first) = watch::channel(None);
        let (noted_again, second) = watch::channel(None);
        // Not by the task: a signal that comes before its first step would end the program.
        if let Some(signals) = Both::open() {
            tokio::spawn(watch_until(signals, last, [noted, noted_again]));
        }
        Self { first, second }
    }

    /// The first signal, if there was one.
    pub(crate) fn seen(&self) -> Option<Exit> {
        *self.first.borrow()
    }

    /// Waits for the first signal.
    pub(crate) async fn wait(&self) {
        noted(&self.first).await;
    }

    /// Waits for the second one.
    pub(crate) async fn second(&self) -> Exit {
        noted(&self.second).await
    }
}

/// SIGHUP, which asks a program that serves to read its configuration again. It never comes where there is none.
#[cfg(unix)]
pub(crate) struct Hangups(Option<tokio::signal::unix::Signal>);

#[cfg(unix)]
impl Hangups {
    pub(crate) fn listen() -> Self {
        Self(tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()).ok())
    }

    pub(crate) async fn next(&mut self) {
        let came = match &mut self.0 {
            Some(signal) => signal.recv().await,
            None => None,
        };
        if came.is_none() {
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(not(unix))]
pub(crate) struct Hangups;

#[cfg(not(unix))]
impl Hangups {
    pub(crate) fn listen() -> Self {
        Self
    }

    pub(crate) async fn next(&mut self) {
        std::future::pending::<()>().await;
    }
}

async fn noted(signal: &watch::Receiver<Option<Exit>>) -> Exit {
    let mut signal = signal.clone();
    let seen = signal.wait_for(Option::is_some).await.ok().and_then(|seen| *seen);
    match seen {
        Some(exit) => exit,
        // Nobody listens: none will come.
        None => std::future::pending().await,
    }
}

/// Notes one signal after another; the `last` one ends the program.
async fn watch_until(mut signals: Both, last: usize, notes: [watch::Sender<Option<Exit>>; 2]) {
    for number in 1.. {
        let Some(exit) = signals.next().await else { return };
        if number == last {
            std::process::exit(exit as i32);
        }
        if let Some(note) = notes.get(number - 1) {
            note.send_replace(Some(exit));
        }
    }
}

#[cfg(unix)]
struct Both {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Both {
    /// `None` where signals cannot be listened to.
    fn open() -> Option<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let interrupt = signal(SignalKind::interrupt()).ok()?;
        Some(Self { interrupt, terminate: signal(SignalKind::terminate()).ok()? })
    }

    async fn next(&mut self) -> Option<Exit> {
        tokio::select! {
            interrupted = self.interrupt.recv() => interrupted.map(|()| Exit::Interrupted),
            terminated = self.terminate.recv() => terminated.map(|()| Exit::Terminated),
        }
    }
}

#[cfg(not(unix))]
struct Both;

#[cfg(not(unix))]
impl Both {
    fn open() -> Option<Self> {
        Some(Self)
    }

    async fn next(&mut self) -> Option<Exit> {
        tokio::signal::ctrl_c().await.ok().map(|()| Exit::Interrupted)
    }
}
