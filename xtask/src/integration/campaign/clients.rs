//! Clients that send every webhook until it is acknowledged, as PIOPIY does with CDRs, only sooner.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::bail;
use futures_util::future::join_all;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::Chance;
use crate::http1::{Connection, post};
use crate::traffic;

/// How many post at once.
const CLIENTS: u64 = 16;
/// The wait before something is sent again, or looked for.
const PAUSE: Duration = Duration::from_millis(5);

/// Which of several receivers something is posted to.
#[derive(Debug, Clone, Copy)]
pub(in crate::integration) enum To {
    /// One of them, left to chance at each attempt.
    Any,
    /// All of them at the same time; it is acknowledged once all have done so.
    All,
}

/// What is posted.
#[derive(Debug)]
pub(in crate::integration) struct Posting {
    /// `host:port` of the receivers.
    pub(in crate::integration) addresses: Vec<String>,
    /// Which body goes where, in this order; one may go several times.
    pub(in crate::integration) deliveries: Vec<(usize, To)>,
    /// How long each client waits after something was acknowledged.
    pub(in crate::integration) gap: Duration,
    /// What choices follow from.
    pub(in crate::integration) seed: u64,
}

impl Posting {
    /// Each of so many bodies once, to one receiver, one at the heels of the other.
    pub(in crate::integration) fn once(address: &str, bodies: usize) -> Self {
        Self {
            addresses: vec![address.to_owned()],
            deliveries: (0..bodies).map(|body| (body, To::Any)).collect(),
            gap: Duration::ZERO,
            seed: 0,
        }
    }
}

/// What came of sends.
#[derive(Debug, Default)]
pub(in crate::integration) struct Answers {
    /// How many got no answer.
    pub(in crate::integration) ambiguous: usize,
    /// How many were answered 503.
    pub(in crate::integration) refused: usize,
    /// How long each took that was acknowledged.
    pub(in crate::integration) took: Vec<Duration>,
    /// How long the slowest answer took, whatever it was.
    pub(in crate::integration) longest: Duration,
}

/// The clients. Dropped, they stop.
#[derive(Debug)]
pub(in crate::integration) struct Clients {
    shared: Arc<Shared>,
    running: JoinSet<anyhow::Result<Answers>>,
}

#[derive(Debug)]
struct Shared {
    posting: Posting,
    requests: Vec<Vec<u8>>,
    /// What is still to be acknowledged and in nobody's hands.
    waiting: Mutex<VecDeque<(usize, To)>>,
    acknowledged: watch::Sender<usize>,
    refused: watch::Sender<usize>,
}

impl Clients {
    /// Begins to post these bodies.
    pub(in crate::integration) fn start(posting: Posting, bodies: &[Vec<u8>]) -> Self {
        let host = posting.addresses.first().map(String::as_str).unwrap_or_default();
        let shared = Arc::new(Shared {
            requests: bodies.iter().map(|body| post(host, traffic::PATH, body)).collect(),
            waiting: Mutex::new(posting.deliveries.iter().copied().collect()),
            acknowledged: watch::Sender::new(0),
            refused: watch::Sender::new(0),
            posting,
        });
        let mut running = JoinSet::new();
        for client in 0..CLIENTS {
            running.spawn(post_all(Arc::clone(&shared), client));
        }
        Self { shared, running }
    }

    /// How many deliveries are acknowledged.
    pub(in crate::integration) fn acknowledged(&self) -> watch::Receiver<usize> {
        self.shared.acknowledged.subscribe()
    }

    /// How many sends were answered 503.
    pub(in crate::integration) fn refused(&self) -> watch::Receiver<usize> {
        self.shared.refused.subscribe()
    }

    /// Waits until all is acknowledged.
    ///
    /// # Errors
    /// Where something was answered neither 2xx nor 503.
    pub(in crate::integration) async fn finished(mut self) -> anyhow::Result<Answers> {
        let mut sum = Answers::default();
        while let Some(client) = self.running.join_next().await {
            let Answers { ambiguous, refused, took, longest } = client??;
            sum.ambiguous += ambiguous;
            sum.refused += refused;
            sum.took.extend(took);
            sum.longest = sum.longest.max(longest);
        }
        Ok(sum)
    }
}

impl Answers {
    /// The time within which so many of 100 were acknowledged.
    pub(in crate::integration) fn quantile(&mut self, percent: usize) -> Duration {
        self.took.sort_unstable();
        self.took.get(self.took.len() * percent / 100).copied().unwrap_or_default()
    }
}

impl Shared {
    fn waiting(&self) -> std::sync::MutexGuard<'_, VecDeque<(usize, To)>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One client, with a connection to each receiver.
async fn post_all(shared: Arc<Shared>, client: u64) -> anyhow::Result<Answers> {
    let Posting { addresses, deliveries, gap, seed } = &shared.posting;
    let mut chance = Chance::new(seed.wrapping_add(client << 32));
    let mut lines: Vec<_> = addresses.iter().map(|address| Line { address, connection: None }).collect();
    let mut answers = Answers::default();
    loop {
        let next = shared.waiting().pop_front();
        let Some((body, to)) = next else {
            if *shared.acknowledged.borrow() == deliveries.len() {
                return Ok(answers);
            }
            // What another client has in its hands may come back.
            sleep(PAUSE).await;
            continue;
        };
        let chosen = match to {
            To::Any => {
                let one = chance.below(lines.len());
                &mut lines[one..=one]
            }
            To::All => &mut lines[..],
        };
        let began = Instant::now();
        let attempts = join_all(chosen.iter_mut().map(|line| line.send(&shared.requests[body]))).await;
        answers.longest = answers.longest.max(began.elapsed());
        let mut is_acknowledged = true;
        for attempt in attempts {
            let attempt = attempt?;
            is_acknowledged &= attempt == Attempt::Acknowledged;
            answers.ambiguous += usize::from(attempt == Attempt::Ambiguous);
            answers.refused += usize::from(attempt == Attempt::Refused);
            shared.refused.send_modify(|count| *count += usize::from(attempt == Attempt::Refused));
        }
        if is_acknowledged {
            answers.took.push(began.elapsed());
            shared.acknowledged.send_modify(|count| *count += 1);
            sleep(*gap).await;
        } else {
            shared.waiting().push_back((body, to));
            sleep(PAUSE).await;
        }
    }
}

struct Line<'a> {
    address: &'a str,
    connection: Option<Connection>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Attempt {
    Acknowledged,
    /// 503.
    Refused,
    /// Without an answer.
    Ambiguous,
    NotSent,
}

impl Line<'_> {
    async fn send(&mut self, request: &[u8]) -> anyhow::Result<Attempt> {
        let mut open = match self.connection.take() {
            Some(open) => open,
            None => match Connection::open(self.address).await {
                Ok(open) => open,
                Err(_) => return Ok(Attempt::NotSent),
            },
        };
        let Ok(status) = open.send(request).await else { return Ok(Attempt::Ambiguous) };
        self.connection = Some(open);
        match status {
            200..=299 => Ok(Attempt::Acknowledged),
            503 => Ok(Attempt::Refused),
            other => bail!("a webhook was answered {other}"),
        }
    }
}
