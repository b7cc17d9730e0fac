use std::time::SystemTime;

use clap::Args;
use piopiy_mock_platform::load::{LoadOptions, start_instant};
use piopiy_mock_platform::plan::PlanOptions;

use crate::cli::plan::Shard;

/// One process of several that send one plan.
#[derive(Debug, Args)]
#[command(next_help_heading = "Shards")]
pub(super) struct ShardArgs {
    /// Send one part of the plan, as I/N: `0/4` is the first of four, each of which needs the same seed, nonce and options
    #[arg(long, value_name = "I/N", requires_all = ["seed", "nonce", "start_at"])]
    shard: Option<Shard>,
    /// Begin at this instant, such as 2026-11-28T12:00:00Z, or in milliseconds since 1970
    #[arg(long, value_name = "TIME", value_parser = instant)]
    start_at: Option<SystemTime>,
}

impl ShardArgs {
    pub(super) fn apply(&self, is_epoch_given: bool, plan: &mut PlanOptions, options: &mut LoadOptions) {
        plan.shard = self.shard.map(|shard| (shard.part, shard.parts));
        options.start_at = self.start_at;
        if let Some(start_at) = self.start_at.filter(|_| !is_epoch_given)
            && let Ok(since) = start_at.duration_since(SystemTime::UNIX_EPOCH)
        {
            // The payloads of all shards have to be of one run.
            plan.epoch_ms = u64::try_from(since.as_millis()).unwrap_or(plan.epoch_ms);
        }
    }
}

fn instant(text: &str) -> Result<SystemTime, String> {
    start_instant(text).ok_or_else(|| {
        format!("{text:?} is no instant: write it like 2026-11-28T12:00:00Z, or in milliseconds since 1970")
    })
}
