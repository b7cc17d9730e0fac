//! How the rate of a load goes on, as it is told on the command line.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use piopiy_mock_platform::deliver::Redelivery;
use piopiy_mock_platform::load::{CallLengths, Expected, LoadOptions, Rate};
use piopiy_mock_platform::plan::{Simulator, Spacing, Stage, arrivals_from_text};

use crate::cli::duration;
use crate::cli::exit::{Exit, Failure, OrExit};

/// What `--arrivals` says.
#[derive(Debug, Clone)]
pub(super) enum Arrivals {
    Spaced(Spacing),
    File(PathBuf),
}

impl Arrivals {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        match (text, text.strip_prefix("file:")) {
            ("poisson", _) => Ok(Self::Spaced(Spacing::Poisson)),
            ("constant", _) => Ok(Self::Spaced(Spacing::Constant)),
            (_, Some(path)) if !path.is_empty() => Ok(Self::File(path.into())),
            _ => Err(format!("{text:?} is no arrival process; there are poisson, constant and file:PATH")),
        }
    }

    pub(super) fn spacing(&self) -> Option<Spacing> {
        match self {
            Self::Spaced(spacing) => Some(*spacing),
            Self::File(_) => None,
        }
    }

    /// The instants of a file.
    pub(super) fn read(&self) -> Result<Option<Arc<[u64]>>, Failure> {
        let Self::File(path) = self else { return Ok(None) };
        let place = path.display();
        let text = std::fs::read_to_string(path)
            .map_err(|error| anyhow::anyhow!("the arrivals {place} cannot be read: {error}"))
            .or_exit(Exit::Usage)?;
        let arrivals = arrivals_from_text(&text)
            .map_err(|error| anyhow::anyhow!("{place}: {error}"))
            .or_exit(Exit::Usage)?;
        Ok(Some(arrivals.into()))
    }
}

/// Reads `ramp:200:30s`, `step:400:1m`, `burst:1000:5s` or `soak:2h`.
pub(super) fn stage(text: &str) -> Result<Stage, String> {
    let wrong =
        || format!("{text:?} is no stage: write it like ramp:200:30s, step:400:1m, burst:1000:5s or soak:2h");
    let parts: Vec<&str> = text.split(':').collect();
    let (kind, rate, over) = match parts[..] {
        ["soak", over] => return Ok(Stage::Soak { over: duration::parse(over)? }),
        [kind, rate, over] => (kind, rate, duration::parse(over)?),
        _ => return Err(wrong()),
    };
    let to: f64 = rate.parse().map_err(|_| wrong())?;
    match kind {
        "ramp" => Ok(Stage::Ramp { to, over }),
        "step" => Ok(Stage::Step { to, over }),
        "burst" => Ok(Stage::Burst { to, over }),
        _ => Err(wrong()),
    }
}

/// What is sent more than once.
#[derive(Debug, Args)]
#[command(next_help_heading = "Delivery")]
pub(super) struct RedeliveryArgs {
    /// Whether CDRs are sent again: until-ack, always or never
    #[arg(long, value_name = "POLICY", default_value = "never")]
    cdr_policy: Redelivery,
    /// Whether live events are sent again: until-ack, always or never
    #[arg(long, value_name = "POLICY", default_value = "never")]
    live_policy: Redelivery,
    /// When a webhook is sent again, from the start of its first attempt; goes by as fast as --time-scale says
    /// [default: 0s,5m,15m,30m]
    #[arg(long, value_name = "DURATIONS", value_delimiter = ',', value_parser = duration::parse_ms)]
    schedule: Vec<u64>,
}

impl RedeliveryArgs {
    pub(super) fn apply(&self, options: &mut LoadOptions) {
        (options.live_policy, options.cdr_policy) = (self.live_policy, self.cdr_policy);
        if !self.schedule.is_empty() {
            options.schedule_ms.clone_from(&self.schedule);
        }
    }
}

/// The calls of a file, per second.
pub(super) fn mean_rate(instants: &[u64]) -> Rate {
    let seconds = instants.last().map_or(1.0, |last| (*last as f64 / 1e9).max(1.0));
    Rate::Calls((instants.len() as f64 / seconds).max(0.001))
}

/// A warning where a load of so many erlangs is over before as many calls are in progress: it begins with none.
pub(super) fn empty_erlangs(simulator: &Simulator, options: &LoadOptions) -> Option<String> {
    const NEARLY: f64 = 0.95;
    let Rate::Erlangs(erlangs) = options.rate else { return None };
    let lasts = Duration::try_from_secs_f64(Expected::of(simulator, options).seconds?).ok()?;
    let lengths = CallLengths::of(simulator, options.time_scale);
    let part = lengths.part_in_progress(lasts);
    let needed = lengths.until_in_progress(NEARLY).as_secs_f64();
    (part < NEARLY).then(|| {
        format!(
            "warning: calls last {:.1} s on average, and begin for {:.1} s: {:.0} of {erlangs} are in progress by then; nearly all would be with --duration {:.0}s, or --time-scale {:.0}\n",
            lengths.mean().as_secs_f64(),
            lasts.as_secs_f64(),
            part * erlangs,
            needed.ceil(),
            (options.time_scale * needed / lasts.as_secs_f64().max(1e-3)).ceil(),
        )
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn stages_have_a_kind_a_rate_and_a_length() {
        let over = Duration::from_secs(30);
        assert_eq!(stage("ramp:200:30s"), Ok(Stage::Ramp { to: 200.0, over }));
        assert_eq!(stage("step:0.5:30s"), Ok(Stage::Step { to: 0.5, over }));
        assert_eq!(stage("burst:1000:30s"), Ok(Stage::Burst { to: 1_000.0, over }));
        assert_eq!(stage("soak:30s"), Ok(Stage::Soak { over }));
        for text in ["", "soak", "ramp:200", "ramp:fast:3s", "soak:2:3s", "leap:2:3s", "ramp:1:2s:3"] {
            assert!(stage(text).is_err(), "{text}");
        }
    }
}
