//! Two receivers on one database, either of which is killed again and again. Each webhook comes at least twice: to both at the
//! same time, or to one and later to one again, left to chance.

use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, ensure};
use piopiy_events::Profile;
use piopiy_postgres::Postgres;
use tokio::time::timeout;

use super::{Chance, Clients, Posting, Sent, To, World, drained, moments, peak_mib};
use crate::process::Process;
use crate::receivers::Kept;
use crate::recorder::{Reaction, Recorder};
use crate::{observe, traffic};

/// How much of it there is.
struct Size {
    webhooks: usize,
    kills: usize,
    within: Duration,
}

const SHORT: Size = Size { webhooks: 3_000, kills: 20, within: Duration::from_secs(120) };
const LONG: Size = Size { webhooks: 50_000, kills: 200, within: Duration::from_secs(1_200) };

/// How many webhooks come between one and its repeat.
const APART: usize = 50;

/// Kills one of the two at random counts of acknowledged deliveries; the first of them forwards what both store.
///
/// # Errors
/// Where a webhook is lost, has its effect twice, or does not get to the app in the order of its call.
pub(super) async fn run(world: &World) -> anyhow::Result<String> {
    let Size { webhooks: count, kills, within } = if world.soak { LONG } else { SHORT };
    let server = Postgres::start(&[])?;
    let database = server.database()?;
    let folder = tempfile::tempdir()?;
    let state = folder.path().join("app.forward").display().to_string();
    let app = Recorder::start(|_| Reaction::Answer(200)).await?;
    let options = ["--observe", "--forward-to", app.url(), "--forward-from-start", "--forward-state", &state];
    let serve = async |replica: usize, listen: &str| -> anyhow::Result<Process> {
        let options = if replica == 0 { &options[..] } else { &options[..1] };
        world.durable.serve(listen, Kept::Postgres(&database), options).await
    };
    let mut replicas = vec![serve(0, "127.0.0.1:0").await?, serve(1, "127.0.0.1:0").await?];
    let addresses: Vec<_> = replicas.iter().map(|replica| replica.address().to_owned()).collect();

    let bodies: Vec<_> = traffic::bodies(Profile::Global, world.nonce).take(count).collect();
    let deliveries = twice(count);
    let total = deliveries.len();
    let posting = Posting { addresses: addresses.clone(), deliveries, gap: Duration::ZERO, seed: world.seed };
    let clients = Clients::start(posting, &bodies);
    let mut acknowledged = clients.acknowledged();
    let killing = async {
        let (mut chance, mut away, mut peak) = (Chance::new(!world.seed), Duration::ZERO, 0.0_f64);
        for moment in moments(world.seed, total, kills) {
            acknowledged.wait_for(|done| *done >= moment).await?;
            let which = chance.below(replicas.len());
            peak = peak.max(peak_mib(&replicas[which])?);
            let began = Instant::now();
            replicas.remove(which).kill().await?;
            replicas.insert(which, serve(which, &addresses[which]).await?);
            away = away.max(began.elapsed());
        }
        Ok::<_, anyhow::Error>((replicas, away, peak))
    };
    let both = async { tokio::try_join!(killing, clients.finished()) };
    let ((replicas, away, mut peak), answers) = timeout(within, both)
        .await
        .map_err(|_| anyhow!("not every webhook was acknowledged within {within:?}"))??;

    let drained = drained(&app, count, within).await?;
    // Before they tell all their effects at once.
    for replica in &replicas {
        peak = peak.max(peak_mib(replica)?);
    }
    let sent = Sent::of(&bodies)?;
    let mut seen = Vec::new();
    for replica in &replicas {
        let stored = sent.each_once(&observe::effects(replica).await?);
        seen.push(stored.with_context(|| format!("seed {}", world.seed))?);
    }
    ensure!(seen[0] == seen[1], "the two see the webhooks in different orders");
    let stored = &seen[0];
    for replica in replicas {
        replica.stop().await?;
    }
    let repeats = sent.forwarded(stored, &app)?;
    Ok(format!(
        "{count} webhooks, {total} deliveries acknowledged, {} effects, lost 0, doubled 0; {kills} kills of either, back within {:.2} s, {} sends without an answer; {} forwarded in order per call, {repeats} of them again, the last after {:.1} s; {peak:.0} MiB",
        stored.len(),
        away.as_secs_f64(),
        answers.ambiguous,
        stored.len(),
        drained.as_secs_f64(),
    ))
}

/// Every second webhook to both at once, each other one to either and, some time later, to either again.
fn twice(webhooks: usize) -> Vec<(usize, To)> {
    let all: Vec<usize> = (0..webhooks).collect();
    let mut deliveries = Vec::new();
    for some in all.chunks(APART) {
        let to = |body: usize| if body.is_multiple_of(2) { To::All } else { To::Any };
        deliveries.extend(some.iter().map(|&body| (body, to(body))));
        deliveries.extend(some.iter().filter(|&body| body % 2 == 1).map(|&body| (body, To::Any)));
    }
    deliveries
}
