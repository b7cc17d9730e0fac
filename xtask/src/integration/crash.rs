//! The crash campaign: killed again and again while webhooks come in and are forwarded, the receiver loses and doubles none,
//! and the app behind it gets each, in order per call.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, ensure};
use piopiy_events::{Identity, Profile, Webhook};
use piopiy_postgres::Postgres;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::World;
use crate::http1::{Connection, post};
use crate::observe;
use crate::receivers::Kept;
use crate::recorder::{Reaction, Recorder};
use crate::traffic;

/// How many clients post at once.
const CLIENTS: usize = 16;

/// How much of it there is.
#[derive(Debug, Clone, Copy)]
struct Campaign {
    deliveries: usize,
    kills: usize,
    /// How long the whole of the deliveries may take, and then the forwarding of what is left.
    within: Duration,
}

const SHORT: Campaign = Campaign { deliveries: 5_000, kills: 20, within: Duration::from_secs(120) };
const LONG: Campaign = Campaign { deliveries: 100_000, kills: 200, within: Duration::from_secs(1_200) };

/// What the clients share.
struct Deliveries {
    requests: Vec<Vec<u8>>,
    /// Which are still to be acknowledged and in nobody's hands.
    waiting: Mutex<VecDeque<usize>>,
    acknowledged: watch::Sender<usize>,
}

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
    let campaign = if world.soak { LONG } else { SHORT };
    let Campaign { deliveries: count, kills, within } = campaign;
    let folder = tempfile::tempdir()?;
    let state = folder.path().join("app.forward").display().to_string();
    let app = Recorder::start(|_| Reaction::Answer(200)).await?;
    let serve = |listen: String| {
        let (state, app) = (state.clone(), app.url().to_owned());
        async move {
            let options =
                ["--observe", "--forward-to", &app, "--forward-from-start", "--forward-state", &state];
            world.durable.serve(&listen, kept, &options).await
        }
    };
    let mut receiver = serve("127.0.0.1:0".to_owned()).await?;
    let address = receiver.address().to_owned();

    let bodies: Vec<_> = traffic::bodies(Profile::Global, world.nonce).take(count).collect();
    let deliveries = Arc::new(Deliveries {
        requests: bodies.iter().map(|body| post(&address, traffic::PATH, body)).collect(),
        waiting: Mutex::new((0..count).collect()),
        acknowledged: watch::Sender::new(0),
    });
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        clients.spawn(deliver(address.clone(), Arc::clone(&deliveries)));
    }

    let mut acknowledged = deliveries.acknowledged.subscribe();
    let mut clients_done = async || -> anyhow::Result<u64> {
        let mut ambiguous = 0;
        while let Some(client) = clients.join_next().await {
            ambiguous += client??;
        }
        Ok(ambiguous)
    };
    let killing = async {
        let mut crashes = 0;
        for (index, point) in kill_points(world.seed, campaign).into_iter().enumerate() {
            acknowledged.wait_for(|count| *count >= point).await?;
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
                    receiver.kill().await?;
                    receiver = serve(address.clone()).await?;
                }
            }
        }
        // The server is to run until all is looked at.
        Ok::<_, anyhow::Error>((receiver, server, crashes))
    };
    let both = async { tokio::try_join!(killing, clients_done()) };
    let ((receiver, _server, crashes), ambiguous) = timeout(within, both)
        .await
        .map_err(|_| anyhow!("not every webhook was acknowledged within {within:?}"))??;

    let mut effects: BTreeMap<Identity, u32> = BTreeMap::new();
    let mut stored = Vec::new();
    for effect in observe::effects(&receiver).await? {
        let identity = observe::identity(&effect)?;
        stored.push(identity.clone());
        *effects.entry(identity).or_default() += 1;
    }
    let waiting = Instant::now();
    while app.arrivals().len() < effects.len() {
        ensure!(waiting.elapsed() < within, "{} of {} were forwarded", app.arrivals().len(), effects.len());
        sleep(Duration::from_millis(100)).await;
    }
    let drained = waiting.elapsed();
    receiver.stop().await?;
    let forwarded = forwarded(&app, &stored, &bodies)?;
    let doubled = effects.values().filter(|count| **count > 1).count();
    let sent =
        bodies.iter().map(|body| Ok(Webhook::parse(body)?.identity())).collect::<anyhow::Result<Vec<_>>>()?;
    let sent: BTreeSet<_> = sent.into_iter().flatten().collect();
    let lost = sent.iter().filter(|identity| !effects.contains_key(identity)).count();
    let foreign = effects.keys().filter(|identity| !sent.contains(identity)).count();
    ensure!(
        (lost, doubled, foreign) == (0, 0, 0),
        "lost {lost}, doubled {doubled}, never sent {foreign} of {count} (seed {})",
        world.seed
    );
    Ok(format!(
        "{count} acknowledged, {} effects, lost 0, doubled 0; {} kills, {crashes} crashes of the database, {ambiguous} sends without an answer; {forwarded}, the last after {:.1} s",
        effects.len(),
        kills - crashes,
        drained.as_secs_f64(),
    ))
}

/// What the app got: all that was stored, and of each call one after another. What was in flight at a kill comes again.
fn forwarded(app: &Recorder, stored: &[Identity], bodies: &[Vec<u8>]) -> anyhow::Result<String> {
    let mut call_of = BTreeMap::new();
    for body in bodies {
        let webhook = Webhook::parse(body)?;
        let call = webhook.text("conversation_uuid").map(std::borrow::Cow::into_owned);
        call_of.insert(webhook.identity(), call);
    }
    let arrivals = app.arrivals();
    let mut last: BTreeMap<&String, Instant> = BTreeMap::new();
    let mut repeats = 0;
    for identity in stored {
        let key = Some(identity.clone());
        let times = arrivals.get(&key).with_context(|| format!("{identity:?} was not forwarded"))?;
        repeats += times.len() - 1;
        let (Some(Some(call)), Some(first)) = (call_of.get(&key), times.first()) else { continue };
        if let Some(before) = last.insert(call, *first) {
            ensure!(before < *first, "of call {call}, {identity:?} was forwarded before an earlier webhook");
        }
    }
    ensure!(arrivals.len() == stored.len(), "what was forwarded was not all stored");
    Ok(format!("{} forwarded in order per call, {repeats} of them again", stored.len()))
}

/// At how many acknowledged webhooks the receiver is killed: sorted, from the seed.
fn kill_points(seed: u64, campaign: Campaign) -> Vec<usize> {
    let mut state = seed;
    let mut points: Vec<_> = std::iter::repeat_with(|| {
        // SplitMix64.
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = state;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((word ^ (word >> 31)) % (campaign.deliveries as u64 - 100)).unwrap_or_default()
    })
    .take(campaign.kills)
    .collect();
    points.sort_unstable();
    points
}

/// Sends what waits until all is acknowledged; says how many sends got no answer.
async fn deliver(address: String, deliveries: Arc<Deliveries>) -> anyhow::Result<u64> {
    let mut connection = None;
    let mut ambiguous = 0;
    loop {
        let next = deliveries.waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        let Some(next) = next else {
            if *deliveries.acknowledged.borrow() == deliveries.requests.len() {
                return Ok(ambiguous);
            }
            // What another client has in its hands may come back.
            sleep(Duration::from_millis(5)).await;
            continue;
        };
        let answered = match connection.take() {
            Some(open) => Ok(open),
            None => Connection::open(&address).await,
        };
        let status = match answered {
            Ok(mut open) => {
                let status = open.send(&deliveries.requests[next]).await;
                ambiguous += u64::from(status.is_err());
                if status.is_ok() {
                    connection = Some(open);
                }
                status
            }
            Err(error) => Err(error),
        };
        match status {
            Ok(200..=299) => deliveries.acknowledged.send_modify(|count| *count += 1),
            Ok(status @ (100..=199 | 300..=499)) => anyhow::bail!("a webhook was answered {status}"),
            Ok(_) | Err(_) => {
                deliveries.waiting.lock().unwrap_or_else(PoisonError::into_inner).push_back(next);
                sleep(Duration::from_millis(5)).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{SHORT, kill_points};

    #[test]
    fn kills_come_while_webhooks_do() {
        let points = kill_points(7, SHORT);
        assert_eq!(points.len(), SHORT.kills);
        assert!(points.is_sorted() && points.iter().all(|point| *point < SHORT.deliveries));
        assert_eq!(points, kill_points(7, SHORT));
        assert_ne!(points, kill_points(8, SHORT));
    }
}
