//! The wall clock jumps by an hour, ahead and back, while webhooks come in, are forwarded, and old ones are forgotten.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, anyhow, ensure};
use piopiy_events::Profile;
use piopiy_receiver::{Entry, Record, Records as _, SqliteRecords, SqliteStore, Store as _};
use tokio::process::Command;
use tokio::time::timeout;

use super::{Clients, Posting, Sent, World, drained, peak_mib};
use crate::process::Process;
use crate::receivers::{Durable, Kept};
use crate::recorder::{Reaction, Recorder};
use crate::tally::Missing;
use crate::{observe, traffic};

/// How much of it there is.
struct Size {
    deliveries: usize,
    /// How often the clock jumps.
    jumps: usize,
    within: Duration,
}

const SHORT: Size = Size { deliveries: 6_000, jumps: 12, within: Duration::from_secs(180) };
const LONG: Size = Size { deliveries: 100_000, jumps: 100, within: Duration::from_secs(1_200) };

/// By how many hours the clock is off after each jump, again and again.
const OFF: [i64; 4] = [1, 0, -1, 0];
const HOUR: i64 = 3_600_000_000;
/// For how long records are kept: what was received an hour ago by the clock's worst, and is looked at an hour ahead, is
/// young.
const KEEP: &str = "3h";
/// How many records are so old that they are forgotten, and how old.
const OLD: usize = 200;
const OLD_AGE: i64 = 30 * 24 * HOUR;
/// One request in so many fails at first, so that something always waits for its time.
const FAILS: usize = 10;
/// How long the last webhook may take to the app, whatever the clock says.
const FORWARDED_WITHIN: Duration = Duration::from_secs(30);

/// The Debian package of libfaketime.
const PACKAGE: &str = "libfaketime";

/// What is missing where there is no libfaketime.
pub(super) fn missing() -> Option<Missing> {
    library().is_none().then_some(Missing(PACKAGE))
}

/// Lets the clock jump, has old records forgotten by it, and starts the receiver again by each clock that is off.
///
/// # Errors
/// Where a webhook is lost, doubled, forgotten while it is young, or forwarded too late or out of order; where the clock did
/// not jump, or what is old is still there.
pub(super) async fn run(world: &World) -> anyhow::Result<String> {
    let Size { deliveries: count, jumps, within } = if world.soak { LONG } else { SHORT };
    let folder = tempfile::tempdir()?;
    let store = folder.path().join("store.sqlite");
    let clock = Clock { library: library().context(PACKAGE)?, file: folder.path().join("clock") };
    clock.set(0)?;
    let mut bodies = traffic::bodies(Profile::Global, world.nonce);
    let old: Vec<_> = bodies.by_ref().take(OLD).collect();
    let bodies: Vec<_> = bodies.take(count).collect();
    store_old(&store, &old)?;

    let app = Recorder::start(failing_sometimes()).await?;
    let options = ["--observe", "--keep", KEEP, "--forward-to", app.url()];
    let serve = async |listen: &str| {
        let mut receiver = Command::new(world.durable.binary());
        receiver.args(Durable::arguments(listen, Kept::Sqlite(&store), &options));
        clock.rules(&mut receiver);
        Process::start(receiver).await.context("piopiy-receiver by another clock")
    };
    let mut receiver = serve("127.0.0.1:0").await?;
    let address = receiver.address().to_owned();
    let clients = Clients::start(Posting::once(&address, count), &bodies);
    let mut acknowledged = clients.acknowledged();
    let jumping = async {
        let mut peak = 0.0_f64;
        for jump in 0..jumps {
            acknowledged.wait_for(|done| *done >= count * (jump + 1) / (jumps + 2)).await?;
            clock.set(OFF[jump % OFF.len()])?;
            // In a cycle of four: once while it is an hour ahead, and once while it is an hour back.
            if jump % 2 == 0 {
                peak = peak.max(peak_mib(&receiver)?);
                receiver.stop().await?;
                receiver = serve(&address).await?;
            }
            let mut retention = Command::new(world.durable.binary());
            retention.args(["retention", "--keep", KEEP, "--store"]).arg(Kept::Sqlite(&store).store());
            clock.rules(&mut retention);
            let output = retention.kill_on_drop(true).output().await?;
            let said = String::from_utf8_lossy(&output.stderr);
            ensure!(output.status.success(), "`retention` ended with {}: {said}", output.status);
        }
        Ok::<_, anyhow::Error>((receiver, peak))
    };
    let both = async { tokio::try_join!(jumping, clients.finished()) };
    let ((receiver, peak), answers) = timeout(within, both)
        .await
        .map_err(|_| anyhow!("not every webhook was acknowledged within {within:?}"))??;

    let drained = drained(&app, count, FORWARDED_WITHIN).await?;
    let peak = peak.max(peak_mib(&receiver)?);
    let sent = Sent::of(&bodies)?;
    let stored = sent.each_once(&observe::effects(&receiver).await?)?;
    receiver.stop().await?;
    let repeats = sent.forwarded(&stored, &app)?;
    ensure!(repeats == 0, "{repeats} webhooks came again to the app, though nothing was killed");
    let hours = spread(&store)?;
    ensure!(hours >= 1.9, "by their clock all were received within {hours:.2} h: it did not jump");
    Ok(format!(
        "{count} acknowledged, {} effects, lost 0, doubled 0; {jumps} jumps of an hour, {} sends without an answer at {} restarts; {OLD} old records forgotten and no other; all forwarded once and in order per call, the last after {:.1} s; {peak:.0} MiB",
        stored.len(),
        answers.ambiguous,
        jumps.div_ceil(2),
        drained.as_secs_f64(),
    ))
}

/// A clock that is set by what is in a file.
struct Clock {
    library: PathBuf,
    file: PathBuf,
}

impl Clock {
    /// Sets it so many hours ahead.
    fn set(&self, hours: i64) -> anyhow::Result<()> {
        // Whoever reads it meanwhile finds all of it.
        let new = self.file.with_extension("new");
        std::fs::write(&new, format!("{:+}\n", hours * 3_600))?;
        std::fs::rename(&new, &self.file).context("cannot set the clock")
    }

    /// Has a program go by it.
    fn rules(&self, command: &mut Command) {
        command.env("LD_PRELOAD", &self.library).env("FAKETIME_TIMESTAMP_FILE", &self.file);
        // Read each time; of what a clock has, only what is set is another.
        command
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .env("NO_FAKE_STAT", "1");
    }
}

/// Where Debian has it: in a folder for the machine's architecture.
fn library() -> Option<PathBuf> {
    let folders = std::fs::read_dir("/usr/lib").ok()?.flatten();
    let mut files = folders.map(|folder| folder.path().join("faketime/libfaketimeMT.so.1"));
    files.find(|file| file.exists())
}

/// An app that fails now and then, and takes at last what it is asked to.
fn failing_sometimes() -> impl Fn(usize) -> Reaction {
    let requests = std::sync::atomic::AtomicUsize::new(0);
    move |attempt| {
        let nth = requests.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Reaction::Answer(if attempt == 1 && nth.is_multiple_of(FAILS) { 500 } else { 200 })
    }
}

/// Makes a store of records that were received long ago.
fn store_old(store: &Path, bodies: &[Vec<u8>]) -> anyhow::Result<()> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros() as i64;
    let entry = |body: &Vec<u8>| {
        let webhook = piopiy_events::Webhook::parse(body)?;
        let identity = webhook.identity().context("a body has no identity")?;
        Ok(Entry::webhook(&identity, body.clone().into(), now - OLD_AGE))
    };
    let entries = bodies.iter().map(entry).collect::<anyhow::Result<Vec<_>>>()?;
    SqliteStore::open(store)?.append(&entries)?;
    Ok(())
}

/// How many hours there are between the times at which records were received.
fn spread(store: &Path) -> anyhow::Result<f64> {
    let records = SqliteRecords::open(store)?;
    let (mut since, mut first, mut last) = (0, i64::MAX, i64::MIN);
    loop {
        let page = records.page(since, 1_000, 1 << 20)?;
        let Some(end) = page.last() else { return Ok((last - first) as f64 / HOUR as f64) };
        since = end.seq;
        for Record { received_at, .. } in page {
            first = first.min(received_at);
            last = last.max(received_at);
        }
    }
}
