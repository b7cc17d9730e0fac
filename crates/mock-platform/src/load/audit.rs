//! The audit of a load: what was acknowledged, beside what the receiver did.
//!
//! The plan is the ledger: an effect's id leads back to its call, the call is made again, and of each webhook two bits say whether it
//! was sent and acknowledged, and two how often an effect of it was seen.

mod auditor;
mod following;
mod pages;
mod seen;
mod settling;
mod told;

use std::collections::BTreeMap;
use std::fmt;
use std::io;

use piopiy_events::{Phase, Webhook};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::auditor::AuditError;
pub(super) use self::auditor::{Audited, Auditor};
pub(super) use self::following::Followed;
use self::pages::Pages;
use self::seen::{Known, final_state, is_earlier, matched, webhooks_of};
use self::told::Told;
pub(super) use self::told::{Ended, Teller};
use super::progress::Seen;
use crate::judge::report::one_line;
use crate::plan::{CallBuffer, Simulator};

/// What the receiver did with a load, webhook by webhook.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[non_exhaustive]
pub struct LoadAudit {
    /// How it was seen: `observe-url`, `observe-file` or `verify-cmd`. Counts of a command are differences, and so the least
    /// that was lost or doubled.
    pub rung: String,
    /// Effects seen, all of them.
    pub effects: u64,
    /// Acknowledged, and no effect seen.
    pub lost: u64,
    /// More than one effect seen.
    pub duplicated: u64,
    /// Effects that say something else than was sent, and calls that end in a state that they never had.
    pub corrupted: u64,
    /// Calls that end in a state that they had before: something old was written over something new.
    pub stale_overwrite: u64,
    /// Effects of what was never sent.
    pub phantom: u64,
    /// Of those, the ones that name a call of the plan, or of this part of it: of a webhook that was not sent, or of none that the call has.
    pub never_sent: u64,
    /// Effects that were kept aside and name no webhook of the run.
    pub quarantined: u64,
    /// Effects of other parts of the same plan: those that other processes send.
    pub of_other_shards: u64,
    /// Effects of loads of the same receiver before this one, such as the trials of a search: they came late, and are judged with those.
    pub of_earlier_loads: u64,
    /// Sent, not answered and never acknowledged, and so not judged where there is no effect, or one. A webhook counts once, however often
    /// it was sent; in `summary` each attempt counts.
    pub ambiguous: u64,
    /// Sent, answered, and never acknowledged: not judged either.
    pub refused: u64,
    /// The receiver went on changing for so long that it was judged by what it had done until then.
    pub is_unsettled: bool,
    /// The first of each kind of trouble, by name: which webhook, effect or call it was.
    pub named: BTreeMap<String, Vec<String>>,
}

impl fmt::Display for LoadAudit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "effects {} ({}), corrupted {}, stale_overwrite {}, phantom {}, ambiguous {}, refused {}",
            self.effects,
            self.rung,
            self.corrupted,
            self.stale_overwrite,
            self.phantom,
            self.ambiguous,
            self.refused
        )?;
        if self.is_unsettled {
            writeln!(f, "the receiver did not settle: it is judged by what it had done until then")?;
        }
        for (kind, names) in &self.named {
            for name in names.iter().take(SHOWN) {
                // A name is the receiver's: it neither ends the line nor steers a terminal.
                writeln!(f, "  {kind}: {}", one_line(name))?;
            }
        }
        Ok(())
    }
}

/// How many of each kind of trouble people are shown; the report has more.
const SHOWN: usize = 3;

impl LoadAudit {
    /// Whether there was nothing to find fault with.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        [self.lost, self.duplicated, self.corrupted, self.stale_overwrite, self.phantom] == [0; 5]
    }

    /// Whether something is wrong for sure: what is lost is so only at a receiver that has come to rest, and an effect of nothing
    /// may be of somebody else.
    pub(super) fn is_proven_wrong(&self) -> bool {
        let for_sure = self.duplicated + self.corrupted + self.stale_overwrite;
        for_sure > 0 || (self.lost > 0 && !self.is_unsettled)
    }
}

/// How many of each kind of trouble are named.
pub(super) const NAMED: usize = 20;

/// What is known of a webhook: how it ended as [`Told`], 0 where it was not sent, and whether an effect of it was seen.
const TOLD: u8 = 3;
const ACKNOWLEDGED: u8 = Told::Acknowledged as u8;
const AMBIGUOUS: u8 = Told::Ambiguous as u8;
const REFUSED: u8 = Told::Refused as u8;
const SEEN: u8 = 4;
const SEEN_AGAIN: u8 = 8;

/// Of a call: the state that its last effect says, from 1, and what was found to be wrong with it.
const STATE: u8 = 15;
const STALE: u8 = 16;
const WRONG: u8 = 32;

/// Counts as it goes.
pub(super) struct Audit {
    simulator: Simulator,
    pages: Pages,
    buffer: CallBuffer,
    /// The call in the buffer.
    call: Option<u64>,
    /// Webhooks, by what is known of them.
    states: [u64; 16],
    /// What is not a sum of those.
    found: LoadAudit,
    /// Effects that were seen when it was over.
    late: u64,
    /// Why it cannot go on.
    failed: Option<io::Error>,
}

impl Audit {
    pub(super) fn new(simulator: &Simulator) -> Self {
        Self {
            simulator: simulator.clone(),
            pages: Pages::new(simulator),
            buffer: CallBuffer::default(),
            call: None,
            states: [0; 16],
            found: LoadAudit::default(),
            late: 0,
            failed: None,
        }
    }

    /// Webhooks that have ended.
    pub(super) fn ended(&mut self, batch: &[Ended]) {
        for ended in batch {
            let noted = self.note(ended.call, ended.webhook as usize, ended.how as u8);
            // It may be what its call waited for.
            let done = noted.and_then(|()| self.judge_state(ended.call));
            self.keep(done);
        }
    }

    /// An effect that was seen, and the call whose id it has, if it is one of the plan's.
    fn saw(&mut self, known: &Known, call: Option<u64>) {
        self.found.effects += 1;
        let done = self.attribute(known, call);
        self.keep(done);
    }

    /// What was found so far.
    pub(super) fn figures(&self) -> LoadAudit {
        let count = |is: fn(u8) -> bool| -> u64 {
            (0..16).zip(self.states).filter(|(state, _)| is(*state)).map(|(_, count)| count).sum()
        };
        let unsent = count(|state| state & TOLD == 0 && state & SEEN != 0);
        LoadAudit {
            lost: count(|state| state & TOLD == ACKNOWLEDGED && state & SEEN == 0),
            duplicated: count(|state| state & TOLD != 0 && state & SEEN_AGAIN != 0),
            phantom: self.found.phantom + unsent,
            never_sent: self.found.never_sent + unsent,
            ambiguous: count(|state| state & TOLD == AMBIGUOUS),
            refused: count(|state| state & TOLD == REFUSED),
            ..self.found.clone()
        }
    }

    /// The same in short, while it goes on.
    pub(super) fn seen(&self) -> Seen {
        let figures = self.figures();
        Seen {
            effects: figures.effects,
            unseen: figures.lost,
            duplicated: figures.duplicated,
            wrong: figures.corrupted + figures.stale_overwrite + figures.phantom,
        }
    }

    /// How many webhooks were acknowledged.
    pub(super) fn acknowledged(&self) -> u64 {
        let acknowledged = (0..16_u8).zip(self.states).filter(|(state, _)| state & TOLD == ACKNOWLEDGED);
        acknowledged.map(|(_, count)| count).sum()
    }

    /// All that was found, with names.
    fn close(&mut self) -> io::Result<LoadAudit> {
        let figures = self.figures();
        if figures.lost + figures.duplicated + figures.phantom > self.found.phantom {
            let named = self.name_all(&figures);
            self.keep(named);
        }
        match self.failed.take() {
            Some(error) => Err(error),
            None => {
                let mut named = std::mem::take(&mut self.found.named);
                // A call that was wrong for a while is not named for it.
                named.retain(|kind, _| {
                    (kind != "stale_overwrite" || figures.stale_overwrite > 0)
                        && (kind != "corrupted" || figures.corrupted > 0)
                });
                Ok(LoadAudit { named, ..figures })
            }
        }
    }

    fn keep(&mut self, done: io::Result<()>) {
        if let Err(error) = done {
            self.failed.get_or_insert(error);
        }
    }

    fn attribute(&mut self, known: &Known, call: Option<u64>) -> io::Result<()> {
        let Some(call) = call else {
            if known.is_quarantined() {
                self.found.quarantined += 1;
            } else {
                self.found.phantom += 1;
                self.name("phantom", || known.to_string());
            }
            return Ok(());
        };
        if let Some((shard, shards)) = self.simulator.options().shard
            && call % shards != shard
        {
            self.found.of_other_shards += 1;
            return Ok(());
        }
        self.make(call);
        let entry = self.pages.call(call)?;
        let is_new = |webhook: usize| entry.webhook(webhook) & SEEN == 0;
        let Some((webhook, wrong)) = matched(known, &self.buffer, is_new) else {
            self.found.phantom += 1;
            self.found.never_sent += 1;
            self.name("phantom", || known.to_string());
            return Ok(());
        };
        if let Some(wrong) = wrong {
            self.found.corrupted += 1;
            self.name("corrupted", || format!("{known}: {wrong}"));
        }
        let again = self.pages.call(call)?.webhook(webhook) & SEEN != 0;
        self.note(call, webhook, if again { SEEN | SEEN_AGAIN } else { SEEN })?;
        if let Some(state) = known.state() {
            let mut entry = self.pages.call(call)?;
            let kept = entry.call();
            entry.set_call((kept & !STATE) | (state + 1));
        }
        self.judge_state(call)
    }

    /// More is known of a webhook.
    fn note(&mut self, call: u64, webhook: usize, what: u8) -> io::Result<()> {
        let mut entry = self.pages.call(call)?;
        let before = entry.webhook(webhook);
        // How it ended is no bit beside others: what says most stays.
        let after = ((before | what) & !TOLD) | (before & TOLD).max(what & TOLD);
        entry.set_webhook(webhook, after);
        if before != 0 {
            self.states[usize::from(before)] -= 1;
        }
        self.states[usize::from(after)] += 1;
        Ok(())
    }

    /// Where a call stands, once all of it was acknowledged and seen.
    fn judge_state(&mut self, call: u64) -> io::Result<()> {
        if self.pages.call(call)?.call() & STATE == 0 {
            return Ok(());
        }
        self.make(call);
        let count = self.buffer.webhooks().len();
        let mut entry = self.pages.call(call)?;
        let whole = ACKNOWLEDGED | SEEN;
        if (0..count).any(|webhook| entry.webhook(webhook) & (TOLD | SEEN) != whole) {
            return Ok(());
        }
        let before = entry.call();
        let state = Phase::ALL[usize::from(before & STATE).saturating_sub(1).min(Phase::ALL.len() - 1)];
        let webhooks = webhooks_of(&self.buffer);
        let right = final_state(&webhooks);
        let verdict = match right {
            Some(right) if right == state => 0,
            None => 0,
            Some(_) if is_earlier(&webhooks, state) => STALE,
            Some(_) => WRONG,
        };
        entry.set_call((before & STATE) | verdict);
        if before & STALE != verdict & STALE {
            let stale = &mut self.found.stale_overwrite;
            *stale = if verdict == STALE { *stale + 1 } else { *stale - 1 };
        }
        if before & WRONG != verdict & WRONG {
            let corrupted = &mut self.found.corrupted;
            *corrupted = if verdict == WRONG { *corrupted + 1 } else { *corrupted - 1 };
        }
        if verdict != 0
            && let (Some(right), Some(webhook)) = (right, webhooks.first())
        {
            let id = webhook.text("cmiuuid").unwrap_or_default().into_owned();
            let kind = if verdict == STALE { "stale_overwrite" } else { "corrupted" };
            self.name(kind, || format!("call {id} ends as `{state}`, expected `{right}`"));
        }
        Ok(())
    }

    /// Puts a call into the buffer.
    fn make(&mut self, call: u64) {
        if self.call != Some(call) {
            self.simulator.write_call(call, &mut self.buffer);
            self.call = Some(call);
        }
    }

    fn name(&mut self, kind: &str, what: impl FnOnce() -> String) {
        let names = self.found.named.entry(kind.to_owned()).or_default();
        if names.len() < NAMED {
            names.push(what());
        }
    }

    /// Goes through the whole ledger for what is wrong in the end.
    fn name_all(&mut self, figures: &LoadAudit) -> io::Result<()> {
        let mut wanted = [figures.lost, figures.duplicated, figures.phantom - self.found.phantom]
            .map(|count| count.min(NAMED as u64));
        for call in self.pages.calls() {
            if wanted == [0; 3] {
                return Ok(());
            }
            self.make(call);
            let count = self.buffer.webhooks().len();
            for webhook in 0..count {
                let state = self.pages.call(call)?.webhook(webhook);
                let (place, kind) = if state & TOLD == 0 && state & SEEN != 0 {
                    (2, "phantom")
                } else if state & SEEN_AGAIN != 0 {
                    (1, "duplicated")
                } else if state & TOLD == ACKNOWLEDGED && state & SEEN == 0 {
                    (0, "lost")
                } else {
                    continue;
                };
                wanted[place] = u64::saturating_sub(wanted[place], 1);
                let body = self.buffer.webhook(webhook).map_or(&b""[..], |(_, body)| body);
                let identity = Webhook::parse(body).ok().and_then(|webhook| webhook.identity());
                let name = identity.map_or_else(|| format!("call {call}"), |identity| identity.to_string());
                self.name(kind, || name);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
