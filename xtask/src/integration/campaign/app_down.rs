//! The app behind the forwarder is down while a backlog comes in: nobody listens, then it fails, then it hangs. Once it works
//! it gets all of it, in order per call and once, and meanwhile the receiver's memory stays within a bound.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{anyhow, ensure};
use piopiy_events::Profile;
use tokio::net::TcpSocket;
use tokio::time::{sleep_until, timeout};

use super::{Clients, Posting, Sent, World, drained};
use crate::process::{peak_kib, resident_kib};
use crate::receivers::Kept;
use crate::recorder::{Reaction, Recorder};
use crate::{observe, traffic};

/// How much of it there is.
struct Size {
    backlog: usize,
    /// How long a third of the backlog may take to come in, and then all of it to drain.
    within: Duration,
}

const SHORT: Size = Size { backlog: 20_000, within: Duration::from_secs(120) };
const LONG: Size = Size { backlog: 100_000, within: Duration::from_secs(600) };

/// How long the app is down in each way at least: longer than an answer is waited for.
const DOWN_FOR: Duration = Duration::from_secs(15);
/// How much more memory the receiver may have had than at its start: 4 MiB of bodies, 65,536 webhooks that failed or wait behind
/// one that did, and what the store itself takes.
const MOST_GROWTH_MIB: f64 = 96.0;
/// How much more it may take while the backlog drains than while it came in.
const MOST_GROWTH_OF_DRAINING_MIB: f64 = 16.0;

/// Posts a third of the backlog in each way of being down, then has the app work.
///
/// # Errors
/// Where a webhook is lost, doubled, out of order or late, or the memory grows beyond the bound.
pub(super) async fn run(world: &World) -> anyhow::Result<String> {
    let Size { backlog, within } = if world.soak { LONG } else { SHORT };
    let folder = tempfile::tempdir()?;
    let store = folder.path().join("store.sqlite");
    // Its port is taken, and nobody listens.
    let socket = TcpSocket::new_v4()?;
    socket.bind(([127, 0, 0, 1], 0).into())?;
    let url = format!("http://{}{}", socket.local_addr()?, traffic::PATH);
    let options = ["--observe", "--forward-to", &url];
    let receiver = world.durable.serve("127.0.0.1:0", Kept::Sqlite(&store), &options).await?;
    let id = receiver.id()?;
    let before = resident_kib(id);

    let bodies: Vec<_> = traffic::bodies(Profile::Global, world.nonce).take(backlog).collect();
    let mut thirds = bodies.chunks(backlog.div_ceil(3));
    let mut next_third = async || -> anyhow::Result<()> {
        let third = thirds.next().unwrap_or_default();
        let until = tokio::time::Instant::now() + DOWN_FOR;
        let clients = Clients::start(Posting::once(receiver.address(), third.len()), third);
        timeout(within, clients.finished())
            .await
            .map_err(|_| anyhow!("it takes longer than {within:?}"))??;
        sleep_until(until).await;
        Ok(())
    };
    next_third().await?;
    let reaction = Arc::new(Mutex::new(Reaction::Answer(500)));
    let react_now = Arc::clone(&reaction);
    let app = Recorder::on(socket.listen(1024)?, move |_| *locked(&react_now))?;
    let attempts = || app.arrivals().values().map(Vec::len).sum::<usize>();
    next_third().await?;
    let refused = attempts();
    ensure!(refused > 0, "the app was never asked while it answered 500");
    *locked(&reaction) = Reaction::Silence;
    next_third().await?;
    let failed = attempts();
    ensure!(failed > refused, "the app was never asked while it did not answer");
    let peak = peak_kib(id);
    *locked(&reaction) = Reaction::Answer(200);
    let began = Instant::now();
    drained(&app, backlog, within).await?;
    let took = began.elapsed();
    let drained_peak = peak_kib(id);

    let sent = Sent::of(&bodies)?;
    let stored = sent.each_once(&observe::effects(&receiver).await?)?;
    receiver.stop().await?;
    let repeats = sent.forwarded(&stored, &app)?;
    ensure!(repeats == 0, "{repeats} webhooks came again to the app, though nothing was killed");
    let growth = (drained_peak - before) / 1024.0;
    ensure!(growth < MOST_GROWTH_MIB, "the memory grew by {growth:.0} MiB with {backlog} webhooks in hand");
    let draining = (drained_peak - peak) / 1024.0;
    ensure!(
        draining < MOST_GROWTH_OF_DRAINING_MIB,
        "draining {backlog} webhooks took {draining:.0} MiB more"
    );
    Ok(format!(
        "{backlog} acknowledged, {} effects, lost 0, doubled 0; {failed} attempts failed, then all forwarded once and in order per call within {:.1} s; memory {:.0} MiB at the start, {:.0} while the app was down, {:.0} until all was forwarded, of at most {MOST_GROWTH_MIB:.0} more",
        stored.len(),
        took.as_secs_f64(),
        before / 1024.0,
        peak / 1024.0,
        drained_peak / 1024.0,
    ))
}

fn locked(reaction: &Mutex<Reaction>) -> std::sync::MutexGuard<'_, Reaction> {
    reaction.lock().unwrap_or_else(PoisonError::into_inner)
}
