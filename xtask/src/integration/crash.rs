//! The crash campaign: killed again and again while webhooks come in and are forwarded, the receiver loses and doubles none,
//! and the app behind it gets each, in order per call.

use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use piopiy_events::Profile;
use piopiy_postgres::Postgres;
use tokio::time::timeout;

use super::World;
use super::campaign::{Clients, Posting, Sent, drained, moments, peak_mib};
use crate::receivers::Kept;
use crate::recorder::{Reaction, Recorder};
use crate::{observe, traffic};

/// How much of it there is.
#[derive(Debug, Clone, Copy)]
struct Size {
    deliveries: usize,
    kills: usize,
    /// How long the whole of the deliveries may take, and then the forwarding of what is left.
    within: Duration,
}

const SHORT: Size = Size { deliveries: 5_000, kills: 20, within: Duration::from_secs(120) };
const LONG: Size = Size { deliveries: 100_000, kills: 200, within: Duration::from_secs(1_200) };

/// Kills the receiver at random counts of acknowledged webhooks; what was not acknowledged is sent again.
///
/// # Errors
/// Where a webhook is lost, has its effect twice, or does not get to the app in the order of its call.
pub(super) async fn run(world: &World) -> anyhow::Result<String> {
    let folder = tempfile::tempdir()?;
    let store = folder.path().join("store.sqlite");
    on(world, Kept::Sqlite(&store), None).await
}

/// The same with a PostgreSQL store, whose server crashes every fourth time in place of the receiver.
///
/// # Errors
/// As [`run`], and where the server does not start.
pub(super) async fn on_postgres(world: &World) -> anyhow::Result<String> {
    let server = Postgres::start(&[])?;
    let url = server.database()?;
    on(world, Kept::Postgres(&url), Some(server)).await
}

async fn on(world: &World, kept: Kept<'_>, mut server: Option<Postgres>) -> anyhow::Result<String> {
    let Size { deliveries: count, kills, within } = if world.soak { LONG } else { SHORT };
    let folder = tempfile::tempdir()?;
    let state = folder.path().join("app.forward").display().to_string();
    let app = Recorder::start(|_| Reaction::Answer(200)).await?;
    let options = ["--observe", "--forward-to", app.url(), "--forward-from-start", "--forward-state", &state];
    let serve = async |listen: &str| world.durable.serve(listen, kept, &options).await;
    let mut receiver = serve("127.0.0.1:0").await?;
    let address = receiver.address().to_owned();

    let bodies: Vec<_> = traffic::bodies(Profile::Global, world.nonce).take(count).collect();
    let clients = Clients::start(Posting::once(&address, count), &bodies);
    let mut acknowledged = clients.acknowledged();
    let killing = async {
        let (mut crashes, mut away, mut peak) = (0, Duration::ZERO, 0.0_f64);
        for (index, moment) in moments(world.seed, count, kills).into_iter().enumerate() {
            acknowledged.wait_for(|count| *count >= moment).await?;
            match server.take() {
                Some(mut running) if index % 4 == 3 => {
                    crashes += 1;
                    let again = tokio::task::spawn_blocking(move || {
                        running.stop_at_once();
                        running.start_again().map(|()| running)
                    });
                    server = Some(again.await??);
                }
                running => {
                    server = running;
                    peak = peak.max(peak_mib(&receiver)?);
                    let began = Instant::now();
                    receiver.kill().await?;
                    receiver = serve(&address).await?;
                    away = away.max(began.elapsed());
                }
            }
        }
        // The server is to run until all is looked at.
        Ok::<_, anyhow::Error>((receiver, server, crashes, away, peak))
    };
    let both = async { tokio::try_join!(killing, clients.finished()) };
    let ((receiver, _server, crashes, away, peak), answers) = timeout(within, both)
        .await
        .map_err(|_| anyhow!("not every webhook was acknowledged within {within:?}"))??;

    let drained = drained(&app, count, within).await?;
    // Before it tells all its effects at once.
    let peak = peak.max(peak_mib(&receiver)?);
    let sent = Sent::of(&bodies)?;
    let stored = sent.each_once(&observe::effects(&receiver).await?);
    let stored = stored.with_context(|| format!("seed {}", world.seed))?;
    receiver.stop().await?;
    let repeats = sent.forwarded(&stored, &app)?;
    Ok(format!(
        "{count} acknowledged, {} effects, lost 0, doubled 0; {} kills, back within {:.2} s, {crashes} crashes of the database, {} sends without an answer; {} forwarded in order per call, {repeats} of them again, the last after {:.1} s; {peak:.0} MiB",
        stored.len(),
        kills - crashes,
        away.as_secs_f64(),
        answers.ambiguous,
        stored.len(),
        drained.as_secs_f64(),
    ))
}
