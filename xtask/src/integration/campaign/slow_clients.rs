//! More clients than may be connected send a byte per second each: those who come to post are served all the same, and what the
//! crowd costs has a bound.

use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use piopiy_events::Profile;
use tokio::io::AsyncReadExt as _;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use super::crowd::CLIENTS;
use super::{Clients, Posting, Sent, World};
use crate::http1::{Connection, post};
use crate::process::{peak_kib, resident_kib};
use crate::receivers::Kept;
use crate::{observe, traffic};

/// How many webhooks the clients with a connection post: one each 25 ms, 16 of them.
const SHORT: usize = 20_000;
const LONG: usize = 80_000;
const GAP: Duration = Duration::from_millis(25);

/// What the receiver has by default: open connections, and the time for a head and for a body.
const MOST_CONNECTIONS: usize = 4_096;
const DEADLINE: Duration = Duration::from_secs(10);
/// Files that it has besides.
const OTHER_FILES: usize = 64;
/// How much later than the deadline something may happen.
const MARGIN: Duration = Duration::from_secs(2);
/// What 99 of 100 answers may take to a client that is connected.
const P99: Duration = Duration::from_secs(1);
/// What a connection may cost, the work of the campaign's webhooks included.
const MOST_KIB: f64 = 48.0;

/// Posts over connections that were there before the crowd, and over new ones, while the crowd is there.
///
/// # Errors
/// Where somebody is not served in time, a connection is not closed in time, too many are open or take too much memory, or a
/// webhook is lost or doubled.
pub(super) async fn run(world: &World) -> anyhow::Result<String> {
    let count = if world.soak { LONG } else { SHORT };
    let folder = tempfile::tempdir()?;
    let store = folder.path().join("store.sqlite");
    let receiver = world.durable.serve("127.0.0.1:0", Kept::Sqlite(&store), &["--observe"]).await?;
    let (id, address) = (receiver.id()?, receiver.address().to_owned());
    let mut bodies = traffic::bodies(Profile::Global, world.nonce);
    let mut all: Vec<_> = bodies.by_ref().take(count).collect();

    let clients = Clients::start(Posting { gap: GAP, ..Posting::once(&address, count) }, &all);
    let mut acknowledged = clients.acknowledged();
    // All of them are connected, and the receiver has warmed up.
    acknowledged.wait_for(|done| *done >= count / 20).await?;
    let before = resident_kib(id);
    let mut crowd = crowd(&address)?;
    let (mut most_open, mut longest) = (0, Duration::ZERO);
    let watching = async {
        loop {
            most_open = most_open.max(open_files(id));
            sleep(Duration::from_millis(100)).await;
        }
    };
    let arriving = async {
        // The crowd is in by then.
        sleep(Duration::from_secs(2)).await;
        let mut newcomers = Vec::new();
        while *acknowledged.borrow() < count {
            let body = bodies.next().context("there are no more webhooks")?;
            let began = Instant::now();
            let request = post(&address, traffic::PATH, &body);
            let posted = async { Connection::open(&address).await?.send(&request).await };
            let status = timeout(DEADLINE + MARGIN, posted).await;
            let status = status.context("a newcomer waited longer than the slow ones may")??;
            ensure!(status == 200, "a newcomer was answered {status}");
            newcomers.push(body);
            longest = longest.max(began.elapsed());
        }
        Ok::<_, anyhow::Error>(newcomers)
    };
    let served = async { tokio::try_join!(clients.finished(), arriving) };
    let (mut answers, newcomers) = tokio::select! {
        served = served => served?,
        () = watching => unreachable!("it has no end"),
    };
    let each = (peak_kib(id) - before) / MOST_CONNECTIONS as f64;
    let Gone { opened, closed, answered, longest: stayed } = gone(&mut crowd).await?;
    let (p99, came_new) = (answers.quantile(99), newcomers.len());

    all.extend(newcomers);
    let stored = Sent::of(&all)?.each_once(&observe::effects(&receiver).await?)?.len();
    receiver.stop().await?;
    ensure!(most_open <= MOST_CONNECTIONS + OTHER_FILES, "{most_open} files were open at once");
    ensure!(most_open >= MOST_CONNECTIONS, "only {most_open} files were open at once: it was no crowd");
    ensure!(closed > 0 && stayed < 2 * (DEADLINE + MARGIN), "a slow client was there for {stayed:?}");
    ensure!(p99 < P99, "99 of 100 were answered within {p99:?}");
    ensure!(each < MOST_KIB, "each connection took {each:.1} KiB");
    Ok(format!(
        "{} acknowledged, {stored} effects, lost 0, doubled 0; {CLIENTS} slow clients opened {opened} connections, {closed} were closed ({answered} by 408), the longest after {:.1} s; of those who were connected 99 of 100 were answered within {:.0} ms, {came_new} newcomers within {:.1} s; {most_open} files open at most, {each:.1} KiB for each connection",
        all.len(),
        stayed.as_secs_f64(),
        p99.as_secs_f64() * 1e3,
        longest.as_secs_f64(),
    ))
}

/// Starts the crowd.
fn crowd(address: &str) -> anyhow::Result<Child> {
    let mut crowd = Command::new(std::env::current_exe()?);
    crowd.args(["slow-clients", address]).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
    crowd.spawn().context("cannot start the crowd")
}

/// What the crowd tells at its end.
struct Gone {
    opened: u64,
    closed: u64,
    answered: u64,
    longest: Duration,
}

/// Ends the crowd.
async fn gone(crowd: &mut Child) -> anyhow::Result<Gone> {
    drop(crowd.stdin.take());
    let mut told = String::new();
    crowd.stdout.take().context("it has no stdout")?.read_to_string(&mut told).await?;
    let numbers = told.split_whitespace().map(str::parse).collect::<Result<Vec<u64>, _>>()?;
    let [opened, closed, answered, longest_ms] = numbers[..] else {
        anyhow::bail!("the crowd told {told:?}");
    };
    Ok(Gone { opened, closed, answered, longest: Duration::from_millis(longest_ms) })
}

/// How many files a process has open: proc(5). 0 where the system does not tell.
fn open_files(id: u32) -> usize {
    std::fs::read_dir(format!("/proc/{id}/fd")).map_or(0, Iterator::count)
}
