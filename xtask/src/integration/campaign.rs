//! Fault campaigns: something goes wrong again and again while webhooks come in and are forwarded, and none is lost or doubled.

mod app_down;
mod chance;
mod clients;
mod clock_jump;
pub(crate) mod crowd;
mod database_away;
mod disk_full;
mod link;
mod replicas;
mod sent;
mod slow_clients;
mod tmpfs;

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use tokio::time::sleep;

pub(super) use self::chance::{Chance, moments};
pub(super) use self::clients::{Clients, Posting, To};
pub(super) use self::sent::Sent;
use super::World;
use crate::process::{Process, peak_kib};
use crate::recorder::Recorder;
use crate::tally::Missing;

/// What goes wrong; crashes have runs of their own.
#[derive(Debug, Clone, Copy)]
pub(super) enum Campaign {
    /// The disk of the store is full.
    DiskFull,
    /// More clients than may connect send a byte per second.
    SlowClients,
    /// The app behind the forwarder is down while a backlog comes in.
    AppDown,
    /// The wall clock jumps.
    ClockJump,
    /// One of two receivers on one database is killed.
    Replicas,
    /// The database hangs, and goes on.
    DatabaseHangs,
    /// The network between the receiver and the database is cut, and the database not told.
    DatabaseCut,
}

impl Campaign {
    pub(super) const ALL: [Self; 7] = [
        Self::DiskFull,
        Self::SlowClients,
        Self::AppDown,
        Self::ClockJump,
        Self::Replicas,
        Self::DatabaseHangs,
        Self::DatabaseCut,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::DiskFull => "disk-full",
            Self::SlowClients => "slow-clients",
            Self::AppDown => "app-down",
            Self::ClockJump => "clock-jump",
            Self::Replicas => "replicas",
            Self::DatabaseHangs => "database-hangs",
            Self::DatabaseCut => "database-cut",
        }
    }

    /// What it needs that this machine has not.
    pub(super) fn missing(self) -> Option<Missing> {
        match self {
            Self::DiskFull => tmpfs::missing(),
            Self::SlowClients => crowd::missing(),
            Self::ClockJump => clock_jump::missing(),
            Self::AppDown => None,
            Self::Replicas | Self::DatabaseHangs | Self::DatabaseCut => {
                piopiy_postgres::programs().is_none().then_some(Missing(piopiy_postgres::PACKAGE))
            }
        }
    }

    pub(super) async fn run(self, world: &World) -> anyhow::Result<String> {
        match self {
            Self::DiskFull => disk_full::run(world).await,
            Self::SlowClients => slow_clients::run(world).await,
            Self::AppDown => app_down::run(world).await,
            Self::ClockJump => clock_jump::run(world).await,
            Self::Replicas => replicas::run(world).await,
            Self::DatabaseHangs => database_away::run(world, database_away::HANGS).await,
            Self::DatabaseCut => database_away::run(world, database_away::CUTS).await,
        }
    }
}

/// The most memory that a receiver may take in a campaign that has nothing of its own to say of it, in MiB.
const MOST_MIB: f64 = 96.0;

/// The most memory that a receiver had since it was started, in MiB.
///
/// # Errors
/// Where it is more than it may be, or the system does not tell.
pub(super) fn peak_mib(receiver: &Process) -> anyhow::Result<f64> {
    let peak = peak_kib(receiver.id()?) / 1024.0;
    ensure!(
        peak > 0.0 || !cfg!(target_os = "linux"),
        "the system does not tell how much memory the receiver took"
    );
    ensure!(peak < MOST_MIB, "the receiver took {peak:.0} MiB, and {MOST_MIB:.0} MiB is the limit");
    Ok(peak)
}

/// Waits until the app has taken so many different webhooks; how long that was.
///
/// # Errors
/// Where it takes longer than it may.
pub(super) async fn drained(app: &Recorder, count: usize, within: Duration) -> anyhow::Result<Duration> {
    let began = Instant::now();
    while app.taken_count() < count {
        let (taken, waited) = (app.taken_count(), began.elapsed());
        ensure!(waited < within, "{taken} of {count} were forwarded within {within:?}");
        sleep(Duration::from_millis(20)).await;
    }
    Ok(began.elapsed())
}

/// Looks whether a balancer is told that nothing can be stored.
///
/// # Errors
/// Where it is not.
async fn not_ready(receiver: &Process) -> anyhow::Result<()> {
    let client = reqwest::Client::builder().no_proxy().build()?;
    let answer = client.get(receiver.at("/readyz")).send().await.context("/readyz")?;
    ensure!(answer.status() == 503, "nothing can be stored, and /readyz says {}", answer.status());
    Ok(())
}
