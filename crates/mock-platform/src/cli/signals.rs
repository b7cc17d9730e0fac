use std::convert::Infallible;

use tokio::sync::watch;

use super::exit::Exit;

/// Ctrl-C and SIGTERM, from the start of a session to its end. The first one asks it to come to an end; a second one
/// ends the program at once.
#[derive(Debug, Clone)]
pub(crate) struct Signals {
    first: watch::Receiver<Option<Exit>>,
}

impl Signals {
    /// Listens from now on.
    pub(crate) fn listen() -> Self {
        let (noted, first) = watch::channel(None);
        tokio::spawn(watch_for_two(noted));
        Self { first }
    }

    /// The first signal, if there was one.
    pub(crate) fn seen(&self) -> Option<Exit> {
        *self.first.borrow()
    }

    /// Waits for the first signal.
    pub(crate) async fn wait(&self) {
        if self.first.clone().wait_for(Option::is_some).await.is_err() {
            // Nobody listens: none will come.
            std::future::pending::<Infallible>().await;
        }
    }
}

async fn watch_for_two(noted: watch::Sender<Option<Exit>>) {
    let Some(mut signals) = Both::open() else { return };
    let Some(first) = signals.next().await else { return };
    noted.send_replace(Some(first));
    if let Some(second) = signals.next().await {
        std::process::exit(second as i32);
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
