//! The crash campaign: killed again and again while webhooks come in, the receiver loses and doubles none.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{anyhow, ensure};
use piopiy_events::{Identity, Profile, Webhook};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::World;
use crate::http1::{Connection, post};
use crate::observe;
use crate::receivers::Kept;
use crate::traffic;

const DELIVERIES: usize = 5_000;
const KILLS: usize = 20;
/// How many clients post at once.
const CLIENTS: usize = 16;
/// How long the whole of the deliveries may take.
const WITHIN: Duration = Duration::from_secs(120);

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
/// Where a webhook is lost or has its effect twice.
pub(super) async fn run(world: &World) -> anyhow::Result<String> {
    let folder = tempfile::tempdir()?;
    let store = folder.path().join("store.sqlite");
    let serve = |listen: String| {
        let store = store.clone();
        async move { world.durable.serve(&listen, Kept::Sqlite(&store), &["--observe"]).await }
    };
    let mut receiver = serve("127.0.0.1:0".to_owned()).await?;
    let address = receiver.address().to_owned();

    let bodies: Vec<_> = traffic::bodies(Profile::Global, world.nonce).take(DELIVERIES).collect();
    let deliveries = Arc::new(Deliveries {
        requests: bodies.iter().map(|body| post(&address, traffic::PATH, body)).collect(),
        waiting: Mutex::new((0..DELIVERIES).collect()),
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
    let campaign = async {
        for point in kill_points(world.seed) {
            acknowledged.wait_for(|count| *count >= point).await?;
            receiver.kill().await?;
            receiver = serve(address.clone()).await?;
        }
        Ok::<_, anyhow::Error>(receiver)
    };
    let both = async { tokio::try_join!(campaign, clients_done()) };
    let (receiver, ambiguous) = timeout(WITHIN, both)
        .await
        .map_err(|_| anyhow!("not every webhook was acknowledged within {WITHIN:?}"))??;

    let mut effects: BTreeMap<Identity, u32> = BTreeMap::new();
    for effect in observe::effects(&receiver).await? {
        *effects.entry(observe::identity(&effect)?).or_default() += 1;
    }
    receiver.stop().await?;
    let doubled = effects.values().filter(|count| **count > 1).count();
    let sent =
        bodies.iter().map(|body| Ok(Webhook::parse(body)?.identity())).collect::<anyhow::Result<Vec<_>>>()?;
    let sent: BTreeSet<_> = sent.into_iter().flatten().collect();
    let lost = sent.iter().filter(|identity| !effects.contains_key(identity)).count();
    let foreign = effects.keys().filter(|identity| !sent.contains(identity)).count();
    ensure!(
        (lost, doubled, foreign) == (0, 0, 0),
        "lost {lost}, doubled {doubled}, never sent {foreign} of {DELIVERIES} (seed {})",
        world.seed
    );
    Ok(format!(
        "{DELIVERIES} acknowledged, {} effects, lost 0, doubled 0; {KILLS} kills, {ambiguous} sends without an answer",
        effects.len()
    ))
}

/// At how many acknowledged webhooks the receiver is killed: sorted, from the seed.
fn kill_points(seed: u64) -> Vec<usize> {
    let mut state = seed;
    let mut points: Vec<_> = std::iter::repeat_with(|| {
        // SplitMix64.
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = state;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((word ^ (word >> 31)) % (DELIVERIES as u64 - 100)).unwrap_or_default()
    })
    .take(KILLS)
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
            if *deliveries.acknowledged.borrow() == DELIVERIES {
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
    use super::{DELIVERIES, KILLS, kill_points};

    #[test]
    fn kills_come_while_webhooks_do() {
        let points = kill_points(7);
        assert_eq!(points.len(), KILLS);
        assert!(points.is_sorted() && points.iter().all(|point| *point < DELIVERIES));
        assert_eq!(points, kill_points(7));
        assert_ne!(points, kill_points(8));
    }
}
