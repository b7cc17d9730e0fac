//! The disk of the store is full while webhooks come in: they are answered 503, and once there is room all goes on by itself.

use std::time::{Duration, Instant};

use anyhow::{anyhow, ensure};
use piopiy_events::Profile;
use tokio::time::{sleep, timeout};

use super::tmpfs::{Ballast, Tmpfs};
use super::{Clients, Posting, Sent, World, drained, not_ready, peak_mib};
use crate::receivers::Kept;
use crate::recorder::{Reaction, Recorder};
use crate::{observe, traffic};

/// How much of it there is.
struct Size {
    deliveries: usize,
    /// How often the disk becomes full.
    fills: usize,
    disk_mib: usize,
    within: Duration,
}

/// More than 10,000 deliveries between two fills: so many fit into a log that starts over in the room that it has.
const SHORT: Size = Size { deliveries: 36_000, fills: 2, disk_mib: 128, within: Duration::from_secs(300) };
const LONG: Size = Size { deliveries: 150_000, fills: 10, disk_mib: 512, within: Duration::from_secs(1_200) };

/// How long webhooks may still be stored in room that the store had taken before.
const FULL_WITHIN: Duration = Duration::from_secs(30);
/// How long not one is acknowledged before there is room again.
const FULL_FOR: Duration = Duration::from_secs(1);
/// How soon webhooks are stored once there is room.
const RECOVERS_WITHIN: Duration = Duration::from_secs(5);

/// Fills the disk again and again, every second time with a SIGKILL while it is full.
///
/// # Errors
/// Where something is acknowledged while nothing can be stored, a webhook is lost or doubled, or the receiver does not recover.
pub(super) async fn run(world: &World) -> anyhow::Result<String> {
    let Size { deliveries: count, fills, disk_mib, within } = if world.soak { LONG } else { SHORT };
    let disk = Tmpfs::mount(disk_mib)?;
    let store = disk.path().join("store.sqlite");
    let app = Recorder::start(|_| Reaction::Answer(200)).await?;
    let options = ["--observe", "--forward-to", app.url(), "--forward-from-start"];
    let serve = async |listen: &str| world.durable.serve(listen, Kept::Sqlite(&store), &options).await;
    let mut receiver = serve("127.0.0.1:0").await?;
    let address = receiver.address().to_owned();

    let bodies: Vec<_> = traffic::bodies(Profile::Global, world.nonce).take(count).collect();
    let clients = Clients::start(Posting::once(&address, count), &bodies);
    let (mut acknowledged, refused) = (clients.acknowledged(), clients.refused());
    let filling = async {
        let mut slowest = Duration::ZERO;
        for fill in 1..=fills {
            acknowledged.wait_for(|done| *done >= count * fill / (fills + 1)).await?;
            let mut ballast = disk.fill()?;
            let counts = || (*acknowledged.borrow(), *refused.borrow());
            stalled(&mut ballast, counts).await?;
            not_ready(&receiver).await?;
            let before = *acknowledged.borrow();
            let room_since = if fill.is_multiple_of(2) {
                receiver.kill().await?;
                let since = ballast.remove()?;
                receiver = serve(&address).await?;
                since
            } else {
                ballast.remove()?
            };
            let stored_again = timeout(RECOVERS_WITHIN, acknowledged.wait_for(|done| *done > before)).await;
            stored_again
                .map_err(|_| anyhow!("nothing was stored {RECOVERS_WITHIN:?} after there was room"))??;
            slowest = slowest.max(room_since.elapsed());
        }
        Ok::<_, anyhow::Error>((receiver, slowest))
    };
    let both = async { tokio::try_join!(filling, clients.finished()) };
    let ((receiver, slowest), answers) = timeout(within, both)
        .await
        .map_err(|_| anyhow!("not every webhook was acknowledged within {within:?}"))??;

    let sent = Sent::of(&bodies)?;
    drained(&app, count, within).await?;
    let peak = peak_mib(&receiver)?;
    // What is only in the process is not stored.
    receiver.kill().await?;
    let receiver = serve(&address).await?;
    let stored = sent.each_once(&observe::effects(&receiver).await?)?;
    receiver.stop().await?;
    let repeats = sent.forwarded(&stored, &app)?;
    Ok(format!(
        "{count} acknowledged, {} effects, lost 0, doubled 0; {fills} times full, {} sends answered 503, stored again within {:.2} s; all forwarded in order per call, {repeats} of them again; {peak:.0} MiB",
        stored.len(),
        answers.refused,
        slowest.as_secs_f64(),
    ))
}

/// Waits until for a while nothing was acknowledged and something was refused.
async fn stalled(ballast: &mut Ballast, counts: impl Fn() -> (usize, usize)) -> anyhow::Result<()> {
    let began = Instant::now();
    loop {
        let (acknowledged, refused) = counts();
        let since = Instant::now();
        while since.elapsed() < FULL_FOR {
            // What the store gives back itself is taken, too.
            ballast.grow()?;
            sleep(Duration::from_millis(10)).await;
        }
        let now = counts();
        if now.0 == acknowledged && now.1 > refused {
            return Ok(());
        }
        ensure!(
            began.elapsed() < FULL_WITHIN,
            "the disk is full, and in the last second {} were acknowledged, in all {}, and {} answered 503",
            now.0 - acknowledged,
            now.0,
            now.1 - refused
        );
    }
}
