use clap::{Args, Subcommand};
use piopiy_events::Kind;
use piopiy_receiver::{Record, Records};

use super::call::seqs_of_call;
use super::exit::Failure;
use super::forward_state::StateArg;
use super::instant;
use super::output::{self, Output};

/// See how forwarding goes, hold it, and have webhooks delivered again
///
/// Works while `serve --forward-to` runs, and while it does not.
#[derive(Debug, Args)]
pub(crate) struct Forward {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// How far each destination is
    Status(Status),
    /// What was given up, and why
    Dead(Dead),
    /// Hold a destination's webhooks back
    Pause(Named),
    /// Let them go
    Resume(Named),
    /// Have webhooks delivered again
    ///
    /// All that fit every condition; without any, nothing is.
    Replay(Replay),
    /// Have a destination go on from an earlier place
    ///
    /// For a store that has gone back: after a failover to a PostgreSQL server that had not got everything, or with a backup that
    /// was restored. Without --to and --since it is the last place of which it is known that the store has there what it had.
    /// All behind it is delivered, what was delivered before as well. A receiver that runs does it at once, another when it starts.
    Rewind(Rewind),
    /// Forget what was given up
    Discard(Discard),
    /// Forget a destination that is not forwarded to any more
    ///
    /// With it goes how far it is, what it has yet to get, and what was given up. One that a running receiver forwards to is
    /// not removed.
    Remove(Remove),
}

#[derive(Debug, Args)]
struct Status {
    #[command(flatten)]
    state: StateArg,
    /// One JSON object per destination
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Named {
    /// The destination
    #[arg(value_name = "NAME", default_value = "app")]
    name: String,
    #[command(flatten)]
    state: StateArg,
}

#[derive(Debug, Args)]
struct Dead {
    #[command(flatten)]
    named: Named,
    /// One JSON object per webhook
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Replay {
    #[command(flatten)]
    named: Named,
    /// What was given up
    #[arg(long)]
    dead: bool,
    /// This call's, with all its legs and streams: its conversation_uuid, or the cmiuuid of a leg
    #[arg(long, value_name = "ID")]
    call: Option<String>,
    /// Of this status, such as answered
    #[arg(long)]
    status: Option<String>,
    /// CDRs or live events only
    #[arg(long, value_enum)]
    kind: Option<KindArg>,
    /// Received since this instant, such as 2026-11-28T12:00:00Z (UTC), or 24h ago
    #[arg(long, value_name = "TIME", value_parser = instant::instant)]
    since: Option<i64>,
    /// Received before this instant
    #[arg(long, value_name = "TIME", value_parser = instant::instant)]
    until: Option<i64>,
    /// Stored from this place on
    #[arg(long, value_name = "SEQ")]
    from_seq: Option<u64>,
}

#[derive(Debug, Args)]
struct Rewind {
    #[command(flatten)]
    named: Named,
    /// Go on behind this place of the store; 0 is its beginning
    #[arg(long, value_name = "SEQ")]
    to: Option<u64>,
    /// Go on with the first that was received since this instant, such as 2026-11-28T12:00:00Z (UTC), or 24h ago
    #[arg(long, value_name = "TIME", value_parser = instant::instant, conflicts_with = "to")]
    since: Option<i64>,
}

#[derive(Debug, Args)]
struct Discard {
    #[command(flatten)]
    named: Named,
    /// The webhook in this place of the store (may be repeated)
    #[arg(long, value_name = "SEQ")]
    seq: Vec<u64>,
    /// All of them
    #[arg(long, conflicts_with = "seq")]
    all: bool,
}

#[derive(Debug, Args)]
struct Remove {
    /// The destination
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    state: StateArg,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum KindArg {
    Cdr,
    LiveEvent,
}

impl Forward {
    pub(crate) fn run(self) -> Result<(), Failure> {
        match self.action {
            Action::Status(status) => status.run(),
            Action::Dead(dead) => dead.run(),
            Action::Pause(named) => named.set_paused(true),
            Action::Resume(named) => named.set_paused(false),
            Action::Replay(replay) => replay.run(),
            Action::Rewind(rewind) => rewind.run(),
            Action::Discard(discard) => discard.run(),
            Action::Remove(remove) => remove.run(),
        }
    }
}

impl Status {
    fn run(&self) -> Result<(), Failure> {
        let state = self.state.open_to_read()?;
        let records = self.state.store_of(&state)?;
        let destinations = state.status().map_err(Failure::environment)?;
        let last_seq = records.last_seq().map_err(Failure::environment)?;
        let mut output = Output::open(None)?;
        for status in destinations {
            let went_back =
                state.has_store_gone_back(&status.name, &*records).map_err(Failure::environment)?;
            let line = if self.json {
                let json = serde_json::json!({
                    "destination": status.name, "paused": status.is_paused, "read_through": status.read_through, "last_seq": last_seq,
                    "unsettled": status.unsettled, "dead": status.dead, "forwarded_to": status.is_wanted,
                    "store_went_back": went_back, "rewind_to": status.rewind_to,
                });
                format!("{json}\n")
            } else {
                let paused = if status.is_paused { ", paused" } else { "" };
                let unwanted = if status.is_wanted { "" } else { ", not forwarded to any more" };
                let held = match status.rewind_to {
                    Some(to) => format!(", to go back to {to}"),
                    None if went_back => ", held up: the store went back, see `forward rewind`".to_owned(),
                    None => String::new(),
                };
                format!(
                    "{}: came to {} of {last_seq}, {} of them to deliver, {} given up{paused}{unwanted}{held}\n",
                    status.name, status.read_through, status.unsettled, status.dead
                )
            };
            output.write(line.as_bytes())?;
        }
        output.finish()
    }
}

impl Dead {
    fn run(&self) -> Result<(), Failure> {
        let state = self.named.state.open_to_read()?;
        let letters = state.dead_letters(&self.named.name).map_err(Failure::environment)?;
        let mut output = Output::open(None)?;
        for letter in letters {
            let line = if self.json {
                let json = serde_json::json!({
                    "seq": letter.seq, "attempts": letter.attempts, "error": letter.error, "died_at": letter.died_at,
                });
                format!("{json}\n")
            } else {
                format!("{}: {} attempts, the last: {}\n", letter.seq, letter.attempts, letter.error)
            };
            output.write(line.as_bytes())?;
        }
        output.finish()
    }
}

impl Named {
    fn set_paused(&self, is_paused: bool) -> Result<(), Failure> {
        self.state.open()?.set_paused(&self.name, is_paused).map_err(Failure::environment)
    }
}

impl Rewind {
    fn run(&self) -> Result<(), Failure> {
        let mut state = self.named.state.open()?;
        let name = &self.named.name;
        let to = match (self.to, self.since) {
            (Some(to), _) => to,
            (None, Some(since)) => {
                first_since(&*self.named.state.store_of(&state)?, since)?.saturating_sub(1)
            }
            (None, None) => {
                let records = self.named.state.store_of(&state)?;
                if !state.has_store_gone_back(name, &*records).map_err(Failure::environment)? {
                    return Err(Failure::usage(format!(
                        "the store has not gone back for {name}: give --to or --since to have it go back all the same"
                    )));
                }
                let common = state.last_common(name, &*records).map_err(Failure::environment)?;
                common.ok_or_else(|| {
                    Failure::usage(format!(
                        "it is not known what {name} and the store have in common: give --since with an instant before the store went back, or --to"
                    ))
                })?
            }
        };
        state.rewind(name, to).map_err(Failure::environment)?;
        let mut output = Output::open(None)?;
        output.write(format!("{name} is to go on behind {to}\n").as_bytes())?;
        output.finish()
    }
}

/// The place of the first record that was received since an instant. Imported ones may be older than those before them.
fn first_since(records: &dyn Records, since: i64) -> Result<u64, Failure> {
    let mut after = 0;
    loop {
        let page = records.page(after, 1000, 1 << 20).map_err(Failure::environment)?;
        let Some(last) = page.last() else {
            return Err(Failure::usage("--since: nothing was received since then"));
        };
        after = last.seq;
        if let Some(first) = page.iter().find(|record| record.received_at >= since) {
            return Ok(first.seq);
        }
    }
}

impl Discard {
    fn run(&self) -> Result<(), Failure> {
        if self.seq.is_empty() && !self.all {
            return Err(Failure::usage("say what is to be discarded: --seq or --all"));
        }
        let mut state = self.named.state.open()?;
        let name = &self.named.name;
        let seqs = if self.all {
            let letters = state.dead_letters(name).map_err(Failure::environment)?;
            letters.iter().map(|letter| letter.seq).collect()
        } else {
            self.seq.clone()
        };
        let count = state.discard(name, seqs).map_err(Failure::environment)?;
        let mut output = Output::open(None)?;
        output.write(format!("discarded of {name}: {count}\n").as_bytes())?;
        output.finish()
    }
}

impl Remove {
    fn run(&self) -> Result<(), Failure> {
        let removed = self.state.open()?.remove_destination(&self.name).map_err(Failure::environment)?;
        let text = format!(
            "removed {}, which had come to {}; with it {} to deliver, and {} given up\n",
            removed.name, removed.read_through, removed.unsettled, removed.dead
        );
        let mut output = Output::open(None)?;
        output.write(text.as_bytes())?;
        output.finish()
    }
}

impl Replay {
    fn run(&self) -> Result<(), Failure> {
        let has_condition = self.dead
            || self.call.is_some()
            || self.status.is_some()
            || self.kind.is_some()
            || self.since.is_some()
            || self.until.is_some()
            || self.from_seq.is_some();
        if !has_condition {
            return Err(Failure::usage(
                "say what is to be delivered again: --dead, --call, --status, --kind, --since, --until or --from-seq",
            ));
        }
        let mut state = self.named.state.open()?;
        let records = self.named.state.store_of(&state)?;
        let name = &self.named.name;
        let dead = if self.dead {
            let letters = state.dead_letters(name).map_err(Failure::environment)?;
            Some(letters.iter().map(|letter| letter.seq).collect::<std::collections::BTreeSet<u64>>())
        } else {
            None
        };
        let of_call = self.call.as_ref().map(|id| seqs_of_call(&*records, id)).transpose()?;
        let mut seqs = Vec::new();
        output::each(&*records, self.from_seq.unwrap_or(1).saturating_sub(1), |record| {
            let is_among = [&dead, &of_call]
                .iter()
                .all(|some| some.as_ref().is_none_or(|some| some.contains(&record.seq)));
            if is_among && self.fits(record) {
                seqs.push(record.seq);
            }
            Ok(())
        })?;
        let count = state.replay(name, seqs).map_err(Failure::environment)?;
        let mut output = Output::open(None)?;
        output.write(format!("to be delivered to {name} again: {count}\n").as_bytes())?;
        output.finish()
    }

    fn fits(&self, record: &Record) -> bool {
        let at = record.received_at;
        if self.since.is_some_and(|since| at < since) || self.until.is_some_and(|until| at >= until) {
            return false;
        }
        let Some(webhook) = record.webhook() else { return false };
        let is_of_status = |wanted: &String| webhook.text("status").is_some_and(|text| text == *wanted);
        let is_of_kind = |kind| match kind {
            KindArg::Cdr => webhook.kind() == Some(Kind::Cdr),
            KindArg::LiveEvent => webhook.kind() == Some(Kind::LiveEvent),
        };
        self.status.as_ref().is_none_or(is_of_status) && self.kind.is_none_or(is_of_kind)
    }
}
