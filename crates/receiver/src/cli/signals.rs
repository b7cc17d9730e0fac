//! The signals that `serve` hears.

use std::convert::Infallible;
use std::future::pending;

use piopiy_receiver::Tls;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::exit::Failure;

/// The two signals that end the program.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Ending {
    Interrupt,
    Terminate,
}

impl Signals {
    pub(super) fn listen() -> Result<Self, Failure> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt()).map_err(Failure::environment)?,
            terminate: signal(SignalKind::terminate()).map_err(Failure::environment)?,
        })
    }

    pub(super) async fn next(&mut self) -> Ending {
        tokio::select! {
            _ = self.interrupt.recv() => Ending::Interrupt,
            _ = self.terminate.recv() => Ending::Terminate,
        }
    }
}

impl Ending {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Interrupt => "SIGINT",
            Self::Terminate => "SIGTERM",
        }
    }

    pub(super) fn exit_code(self) -> i32 {
        match self {
            Self::Interrupt => 130,
            Self::Terminate => 143,
        }
    }
}

/// What reads the certificate again. Without one, SIGHUP ends the program, as ever.
pub(super) struct Reloading {
    tls: Tls,
    hangup: Signal,
}

impl Reloading {
    pub(super) fn listen(tls: Tls) -> Result<Self, Failure> {
        Ok(Self { tls, hangup: signal(SignalKind::hangup()).map_err(Failure::environment)? })
    }
}

/// Reads the certificate whenever it is asked for; that never ends.
pub(super) async fn reload(reloading: Option<Reloading>) -> Infallible {
    let Some(Reloading { tls, mut hangup }) = reloading else {
        return pending().await;
    };
    loop {
        if hangup.recv().await.is_none() {
            return pending().await;
        }
        match tls.reload() {
            Ok(()) => tracing::info!("the certificate was read again: new connections get it"),
            Err(error) => {
                let error = anyhow::Error::new(error);
                tracing::error!(
                    error = format!("{error:#}"),
                    "the certificate cannot be read again; the one before is shown on"
                );
            }
        }
    }
}
