//! Many webhooks of which only the number is kept.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::Run;
use crate::judge::check::{Answer, Composer, Flow, Flowed, Sample, Script, Transcript};

/// Connections at a time.
const CONNECTIONS: u32 = 8;
/// Webhooks on one of them at most, where they go as fast as they are answered.
const ON_ONE: u32 = 64;
/// Between two batches, where there is a rate.
const TICK: Duration = Duration::from_millis(250);
/// After so many batches without an acknowledgement there is nobody any more.
const PATIENCE: u32 = 3;

impl Run<'_> {
    pub(super) async fn flow(&self, flow: &Flow, composer: &mut Composer) -> Flowed {
        let began = Instant::now();
        let mut flowed = Flowed::default();
        let (mut batches, mut in_vain) = (0, 0);
        while flowed.sent < flow.count && in_vain < PATIENCE {
            let batch = match flow.rate {
                Some(rate) => {
                    sleep_until(began + TICK * batches).await;
                    (f64::from(rate) * TICK.as_secs_f64()).ceil() as u32
                }
                // No more than from one sample to the next.
                None => (flow.count / flow.samples.max(1)).clamp(CONNECTIONS, CONNECTIONS * ON_ONE),
            };
            self.date(composer);
            let scripts = scripts(batch.min(flow.count - flowed.sent), composer);
            let before = (flowed.sent, flowed.acknowledged);
            for transcript in self.probe.run(&scripts, Instant::now()).await {
                count(&transcript, &mut flowed);
            }
            batches += 1;
            in_vain = if flowed.acknowledged == before.1 { in_vain + 1 } else { 0 };
            let due = |sent: u32| u64::from(sent) * u64::from(flow.samples) / u64::from(flow.count.max(1));
            if due(flowed.sent) > due(before.0) {
                flowed.samples.push(Sample { sent: flowed.sent, usage: self.usage().await });
            }
        }
        // Nobody looks at their effects: there may be a million.
        if let Some(observer) = &self.observer
            && let Err(error) = observer.pass_over().await
        {
            flowed.trouble.get_or_insert(format!("the effects could not be passed over: {error}"));
        }
        flowed
    }
}

/// So many webhooks on as many connections as there may be; each connection goes on for as long as it is kept.
fn scripts(webhooks: u32, composer: &mut Composer) -> Vec<Script> {
    let connections = CONNECTIONS.min(webhooks);
    let mut scripts = vec![Script::default(); connections as usize];
    for n in 0..webhooks {
        let cdr = composer.cdr();
        let script = &mut scripts[(n % connections) as usize];
        *script = std::mem::take(script).request(&composer.post(&cdr)).answered_and_kept();
    }
    scripts
}

/// What a connection was not kept for was not sent.
fn count(transcript: &Transcript, flowed: &mut Flowed) {
    let acknowledged = transcript.answers.iter().filter(|answer| Answer::is_2xx(answer)).count();
    let sent = transcript.sent_at.len().max(1);
    flowed.sent = flowed.sent.saturating_add(u32::try_from(sent).unwrap_or(u32::MAX));
    flowed.acknowledged += u32::try_from(acknowledged).unwrap_or(u32::MAX);
    if acknowledged < sent {
        flowed.trouble.get_or_insert_with(|| transcript.outcome());
    }
}
