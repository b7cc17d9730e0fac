//! What a receiver did, as it tells itself: `/__observe`, an observe file, `/metrics`.

use std::path::Path;

use anyhow::{Context as _, ensure};
use piopiy_events::{Identity, Webhook};
use serde::Deserialize;

use crate::process::Process;

/// One thing that a receiver did once per webhook.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Effect {
    /// Its place in the order of effects, from 1.
    pub(crate) seq: u64,
    /// The payload as it was stored.
    #[serde(default)]
    pub(crate) fields: Option<Box<serde_json::value::RawValue>>,
}

impl Effect {
    /// Which webhook it is the effect of.
    ///
    /// # Errors
    /// Where it has no fields or they are no webhook.
    pub(crate) fn identity(&self) -> anyhow::Result<Identity> {
        let fields = self.fields.as_ref().with_context(|| format!("effect {} has no fields", self.seq))?;
        let webhook =
            Webhook::parse(fields.get().as_bytes()).with_context(|| format!("effect {}", self.seq))?;
        webhook.identity().with_context(|| format!("effect {} is of no webhook", self.seq))
    }
}

/// Every effect that the receiver tells of over HTTP.
///
/// # Errors
/// Where it does not answer, or with something else.
pub(crate) async fn effects(receiver: &Process) -> anyhow::Result<Vec<Effect>> {
    let url = receiver.at("/__observe?since=0");
    read(&get(&url).await?).with_context(|| url)
}

/// Every effect in an observe file.
///
/// # Errors
/// Where it cannot be read or is something else.
pub(crate) fn effects_in(file: &Path) -> anyhow::Result<Vec<Effect>> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    read(&text).with_context(|| file.display().to_string())
}

fn read(text: &str) -> anyhow::Result<Vec<Effect>> {
    let mut effects = Vec::new();
    for line in text.lines() {
        let effect: Effect =
            serde_json::from_str(line).with_context(|| format!("not an effect record: {line}"))?;
        let before = effects.last().map_or(0, |before: &Effect| before.seq);
        ensure!(effect.seq > before, "effect {} stands after effect {before}", effect.seq);
        effects.push(effect);
    }
    Ok(effects)
}

/// The sum of a counter over all its labels, as `/metrics` tells it.
///
/// # Errors
/// Where the receiver does not answer or has no such metric.
pub(crate) async fn metric(receiver: &Process, name: &str) -> anyhow::Result<f64> {
    let text = get(&receiver.at("/metrics")).await?;
    sum(&text, name).with_context(|| format!("/metrics has no `{name}`"))
}

fn sum(text: &str, name: &str) -> Option<f64> {
    let values = text.lines().filter_map(|line| {
        let rest = line.strip_prefix(name)?;
        let rest = if rest.starts_with('{') { rest.rsplit_once('}')?.1 } else { rest };
        rest.strip_prefix(' ')?.split(' ').next()?.parse::<f64>().ok()
    });
    values.reduce(|sum, value| sum + value)
}

async fn get(url: &str) -> anyhow::Result<String> {
    let client = reqwest::Client::builder().no_proxy().build()?;
    let answer = client.get(url).send().await.with_context(|| format!("GET {url}"))?;
    let status = answer.status();
    ensure!(status.is_success(), "GET {url}: answered {status}");
    answer.text().await.with_context(|| format!("GET {url}"))
}

#[cfg(test)]
mod tests {
    use super::sum;

    #[test]
    fn a_metric_is_the_sum_over_its_labels() {
        let text = "# TYPE got counter\ngot_total{kind=\"a b\"} 3\ngot_total{kind=\"c\"} 4 1700000000\ngot 9\nother 1\n";
        assert_eq!(sum(text, "got_total"), Some(7.0));
        assert_eq!(sum(text, "got"), Some(9.0));
        assert_eq!(sum(text, "go"), None);
    }
}
