//! The PostgreSQL server hangs for a while, again and again, and goes on: no connection is cut, and nobody answers on it. What comes
//! meanwhile waits, then is answered 503; what was in the middle of its commit may be kept then, and its repeat is found to be one.

use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, ensure};
use piopiy_events::Profile;
use piopiy_postgres::Postgres;
use tokio::time::{sleep, timeout};

use super::{Clients, Posting, Sent, World, drained, moments, not_ready};
use crate::process::peak_kib;
use crate::receivers::Kept;
use crate::recorder::{Reaction, Recorder};
use crate::{observe, traffic};

/// How much of it there is.
struct Size {
    webhooks: usize,
    hangs: usize,
    within: Duration,
}

const SHORT: Size = Size { webhooks: 5_000, hangs: 2, within: Duration::from_secs(300) };
const LONG: Size = Size { webhooks: 50_000, hangs: 40, within: Duration::from_secs(1_800) };

/// How long the server hangs, in turns: for longer than a commit may take, and for less.
const HANGS_FOR: [Duration; 2] = [Duration::from_secs(13), Duration::from_secs(4)];
/// How long what was committed before may take to be acknowledged.
const COMMITTED_BEFORE: Duration = Duration::from_secs(1);
/// How long any answer may take: the commit's deadline, and a busy machine.
const ANSWERED_WITHIN: Duration = Duration::from_secs(15);
/// How soon webhooks are stored once the server goes on.
const RECOVERS_WITHIN: Duration = Duration::from_secs(10);

/// Stops every process of the server at random counts of acknowledged webhooks, and continues them.
///
/// # Errors
/// Where something is acknowledged that cannot be stored, an answer does not come in time, the receiver does not recover, or a
/// webhook is lost, doubled, or does not get to the app in the order of its call.
pub(super) async fn run(world: &World) -> anyhow::Result<String> {
    let Size { webhooks: count, hangs, within } = if world.soak { LONG } else { SHORT };
    let server = Postgres::start(&[])?;
    let database = server.database()?;
    let folder = tempfile::tempdir()?;
    let state = folder.path().join("app.forward").display().to_string();
    let app = Recorder::start(|_| Reaction::Answer(200)).await?;
    let options = ["--observe", "--forward-to", app.url(), "--forward-from-start", "--forward-state", &state];
    let receiver = world.durable.serve("127.0.0.1:0", Kept::Postgres(&database), &options).await?;

    let bodies: Vec<_> = traffic::bodies(Profile::Global, world.nonce).take(count).collect();
    let clients = Clients::start(Posting::once(receiver.address(), count), &bodies);
    let mut acknowledged = clients.acknowledged();
    let hanging = async {
        let mut slowest = Duration::ZERO;
        let hangs_for = HANGS_FOR.into_iter().cycle();
        for (moment, hangs_for) in moments(world.seed, count, hangs).into_iter().zip(hangs_for) {
            acknowledged.wait_for(|done| *done >= moment).await?;
            let hung = Hung::since_now(&server)?;
            sleep(COMMITTED_BEFORE).await;
            let before = *acknowledged.borrow_and_update();
            sleep(hangs_for - COMMITTED_BEFORE).await;
            let meanwhile = *acknowledged.borrow() - before;
            ensure!(meanwhile == 0, "{meanwhile} were acknowledged while the server hung");
            if hangs_for == HANGS_FOR[0] {
                not_ready(&receiver).await?;
            }
            drop(hung);
            let since = Instant::now();
            let stored_again = timeout(RECOVERS_WITHIN, acknowledged.wait_for(|done| *done > before)).await;
            stored_again
                .map_err(|_| anyhow!("nothing was stored {RECOVERS_WITHIN:?} after the server went on"))??;
            slowest = slowest.max(since.elapsed());
        }
        Ok::<_, anyhow::Error>(slowest)
    };
    let both = async { tokio::try_join!(hanging, clients.finished()) };
    let (slowest, answers) = timeout(within, both)
        .await
        .map_err(|_| anyhow!("not every webhook was acknowledged within {within:?}"))??;
    ensure!(answers.ambiguous == 0, "{} sends got no answer, though nothing was killed", answers.ambiguous);
    ensure!(answers.refused > 0, "the server hung for {:?}, and nothing was answered 503", HANGS_FOR[0]);
    let longest = answers.longest;
    ensure!(longest < ANSWERED_WITHIN, "an answer took {longest:?}, and {ANSWERED_WITHIN:?} is the limit");

    let sent = Sent::of(&bodies)?;
    let stored = sent.each_once(&observe::effects(&receiver).await?);
    let stored = stored.with_context(|| format!("seed {}", world.seed))?;
    let drained = drained(&app, stored.len(), within).await?;
    let peak = peak_kib(receiver.id()?) / 1024.0;
    receiver.stop().await?;
    let repeats = sent.forwarded(&stored, &app)?;
    Ok(format!(
        "{count} acknowledged, {} effects, lost 0, doubled 0; the server hung {hangs} times, for up to {} s, {} sends answered 503, each answer within {:.1} s, stored again within {:.2} s; {} forwarded in order per call, {repeats} of them again, the last after {:.1} s; {peak:.0} MiB",
        stored.len(),
        HANGS_FOR[0].as_secs(),
        answers.refused,
        longest.as_secs_f64(),
        slowest.as_secs_f64(),
        stored.len(),
        drained.as_secs_f64(),
    ))
}

/// A server whose processes are stopped. Dropped, they go on: one that is stopped cannot be ended either.
struct Hung<'a>(&'a Postgres);

impl<'a> Hung<'a> {
    fn since_now(server: &'a Postgres) -> anyhow::Result<Self> {
        let hung = Self(server);
        // A process that has just ended has that fail.
        server.signal_all("STOP").or_else(|_| server.signal_all("STOP"))?;
        Ok(hung)
    }
}

impl Drop for Hung<'_> {
    fn drop(&mut self) {
        // Where that fails nothing is stored any more, which is told.
        drop(self.0.signal_all("CONT"));
    }
}
