//! The PostgreSQL server does not answer for a while, again and again: it hangs, and no connection is cut, or the network is cut,
//! and the server is not told. What comes meanwhile waits, then is answered 503; what was in the middle of its commit may be kept
//! then, and its repeat is found to be one.

use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, ensure};
use piopiy_events::Profile;
use piopiy_postgres::Postgres;
use tokio::time::{sleep, timeout};

use super::link::{Carrying, Link};
use super::{Clients, Posting, Sent, World, drained, moments, not_ready, peak_mib};
use crate::receivers::Kept;
use crate::recorder::{Reaction, Recorder};
use crate::{observe, traffic};

/// How much of it there is.
struct Size {
    webhooks: usize,
    /// How many outages there are.
    outages: usize,
    within: Duration,
}

const SHORT: Size = Size { webhooks: 5_000, outages: 4, within: Duration::from_secs(300) };
const LONG: Size = Size { webhooks: 50_000, outages: 40, within: Duration::from_secs(1_800) };

/// In what way the server does not answer, and for how long.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outage {
    away: Away,
    lasts: Duration,
}

#[derive(Debug, Clone, Copy)]
enum Away {
    /// Its processes are stopped.
    Hangs,
    /// Whatever is sent is swallowed, and what was connected then is for nothing afterwards.
    Vanishes,
    /// Its answers alone are: what it was told to commit it commits.
    Answers,
    /// Connections are reset, and it is not told.
    Resets,
}

/// For longer than a commit may take, and for less.
const LONG_ONE: Duration = Duration::from_secs(13);
const SHORT_ONE: Duration = Duration::from_secs(4);

/// It hangs.
pub(super) const HANGS: &[Outage] =
    &[Outage { away: Away::Hangs, lasts: LONG_ONE }, Outage { away: Away::Hangs, lasts: SHORT_ONE }];
/// The network is cut.
pub(super) const CUTS: &[Outage] = &[
    Outage { away: Away::Vanishes, lasts: LONG_ONE },
    Outage { away: Away::Answers, lasts: SHORT_ONE },
    Outage { away: Away::Resets, lasts: SHORT_ONE },
    Outage { away: Away::Vanishes, lasts: SHORT_ONE },
];

/// How long what was committed before may take to be acknowledged.
const COMMITTED_BEFORE: Duration = Duration::from_secs(1);
/// How long any answer may take: the commit's deadline, and a busy machine.
const ANSWERED_WITHIN: Duration = Duration::from_secs(15);
/// How soon webhooks are stored once the server answers: what waits for a connection of before finds out by the commit's deadline.
const RECOVERS_WITHIN: Duration = Duration::from_secs(10);

/// Has these outages, in turns, at random counts of acknowledged webhooks, and none so near the end that all could be
/// acknowledged before.
///
/// # Errors
/// Where something is acknowledged that cannot be stored, an answer does not come in time, the receiver does not recover, or a
/// webhook is lost, doubled, or does not get to the app in the order of its call.
pub(super) async fn run(world: &World, outages: &[Outage]) -> anyhow::Result<String> {
    let Size { webhooks: count, outages: times, within } = if world.soak { LONG } else { SHORT };
    let server = Postgres::start(&[])?;
    let link = Link::to(server.port()).await?;
    let database = link.instead_of(&server.database()?, server.port())?;
    let folder = tempfile::tempdir()?;
    let state = folder.path().join("app.forward").display().to_string();
    let app = Recorder::start(|_| Reaction::Answer(200)).await?;
    let options = ["--observe", "--forward-to", app.url(), "--forward-from-start", "--forward-state", &state];
    let receiver = world.durable.serve("127.0.0.1:0", Kept::Postgres(&database), &options).await?;

    let bodies: Vec<_> = traffic::bodies(Profile::Global, world.nonce).take(count).collect();
    let clients = Clients::start(Posting::once(receiver.address(), count), &bodies);
    let (mut acknowledged, refused) = (clients.acknowledged(), clients.refused());
    let being_away = async {
        let mut slowest = Duration::ZERO;
        let outages = outages.iter().cycle();
        for (moment, &Outage { away, lasts }) in
            moments(world.seed, count * 4 / 5, times).into_iter().zip(outages)
        {
            acknowledged.wait_for(|done| *done >= moment).await?;
            let gone = Gone::since_now(away, &server, &link)?;
            sleep(COMMITTED_BEFORE).await;
            let (before, refused_before) = (*acknowledged.borrow_and_update(), *refused.borrow());
            sleep(lasts - COMMITTED_BEFORE).await;
            let meanwhile = *acknowledged.borrow() - before;
            ensure!(
                meanwhile == 0,
                "{meanwhile} were acknowledged while the server did not answer ({away:?})"
            );
            if lasts == LONG_ONE {
                not_ready(&receiver).await?;
                let answered = *refused.borrow() > refused_before;
                ensure!(
                    answered,
                    "the server did not answer for {lasts:?} ({away:?}), and nothing was answered 503"
                );
            }
            drop(gone);
            let since = Instant::now();
            let stored_again = timeout(RECOVERS_WITHIN, acknowledged.wait_for(|done| *done > before)).await;
            stored_again.map_err(|_| {
                anyhow!("nothing was stored {RECOVERS_WITHIN:?} after the server answered again ({away:?})")
            })??;
            slowest = slowest.max(since.elapsed());
        }
        Ok::<_, anyhow::Error>(slowest)
    };
    let both = async { tokio::try_join!(being_away, clients.finished()) };
    let (slowest, answers) = timeout(within, both)
        .await
        .map_err(|_| anyhow!("not every webhook was acknowledged within {within:?}"))??;
    ensure!(answers.ambiguous == 0, "{} sends got no answer, though nothing was killed", answers.ambiguous);
    let longest = answers.longest;
    ensure!(longest < ANSWERED_WITHIN, "an answer took {longest:?}, and {ANSWERED_WITHIN:?} is the limit");

    let drained = drained(&app, count, within).await?;
    // Before it tells all its effects at once.
    let peak = peak_mib(&receiver)?;
    let sent = Sent::of(&bodies)?;
    let stored = sent.each_once(&observe::effects(&receiver).await?);
    let stored = stored.with_context(|| format!("seed {}", world.seed))?;
    let known = observe::metric(&receiver, "piopiy_receiver_duplicates_total").await?;
    let loses_answers = outages.iter().any(|outage| matches!(outage.away, Away::Answers));
    ensure!(
        known > 0.0 || !loses_answers,
        "no commit lost its answer, or its repeat was stored as if it were new"
    );
    receiver.stop().await?;
    let repeats = sent.forwarded(&stored, &app)?;
    Ok(format!(
        "{count} acknowledged, {} effects, lost 0, doubled 0; the server was away {times} times, for up to {} s, {known} webhooks found committed whose answer was lost, {} sends answered 503, each answer within {:.1} s, stored again within {:.2} s; {} forwarded in order per call, {repeats} of them again, the last after {:.1} s; {peak:.0} MiB",
        stored.len(),
        LONG_ONE.as_secs(),
        answers.refused,
        longest.as_secs_f64(),
        slowest.as_secs_f64(),
        stored.len(),
        drained.as_secs_f64(),
    ))
}

/// A server that does not answer. Dropped, it does again: one that is stopped cannot be ended either.
enum Gone<'a> {
    Stopped(&'a Postgres),
    Cut(&'a Link),
}

impl<'a> Gone<'a> {
    fn since_now(away: Away, server: &'a Postgres, link: &'a Link) -> anyhow::Result<Self> {
        match away {
            Away::Hangs => {
                let stopped = Self::Stopped(server);
                // A process that has just ended has that fail.
                server.signal_all("STOP").or_else(|_| server.signal_all("STOP"))?;
                return Ok(stopped);
            }
            Away::Vanishes => link.set(Carrying::Silently),
            Away::Answers => link.set(Carrying::OneWay),
            Away::Resets => link.set(Carrying::Nothing),
        }
        Ok(Self::Cut(link))
    }
}

impl Drop for Gone<'_> {
    fn drop(&mut self) {
        match self {
            // Where that fails nothing is stored any more, which is told.
            Self::Stopped(server) => drop(server.signal_all("CONT")),
            Self::Cut(link) => link.set(Carrying::Both),
        }
    }
}
