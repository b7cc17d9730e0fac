//! What a receiver did, as it tells itself: `/__observe`, an observe file, `/metrics`.

use std::path::Path;

use anyhow::{Context as _, ensure};
use piopiy_events::{Identity, Webhook};
use piopiy_mock_platform::deliver::{Target, effects_from_file, effects_from_url};
use piopiy_mock_platform::judge::Effect;

use crate::process::Process;

/// Every effect that the receiver tells of over HTTP.
///
/// # Errors
/// Where it does not answer, or with something else.
pub(crate) async fn effects(receiver: &Process) -> anyhow::Result<Vec<Effect>> {
    Ok(effects_from_url(&Target::parse(&receiver.at("/__observe"), &[])?, 0).await?)
}

/// Every effect in an observe file.
///
/// # Errors
/// Where it cannot be read or is something else.
pub(crate) fn effects_in(file: &Path) -> anyhow::Result<Vec<Effect>> {
    Ok(effects_from_file(file, 0)?)
}

/// Which webhook an effect is of.
///
/// # Errors
/// Where it has no fields or they are no webhook.
pub(crate) fn identity(effect: &Effect) -> anyhow::Result<Identity> {
    let fields = effect.fields.as_ref().with_context(|| format!("effect {} has no fields", effect.seq))?;
    let webhook =
        Webhook::parse(fields.as_json().as_bytes()).with_context(|| format!("effect {}", effect.seq))?;
    webhook.identity().with_context(|| format!("effect {} is of no webhook", effect.seq))
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
