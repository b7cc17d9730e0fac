//! The ledger of a load: when webhooks were to be sent, and how many calls were in progress.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use serde::Deserialize;

/// What `piopiy-mock load --ledger` has written.
#[derive(Debug)]
pub(crate) struct LoadLedger {
    started_ns: u64,
    webhooks: Vec<Line>,
}

#[derive(Debug, Deserialize)]
struct Head {
    started_at_monotonic_ns: u64,
}

#[derive(Debug, Deserialize)]
struct Line {
    call: u64,
    planned_ns: u64,
    sent_ns: Option<u64>,
    ended_ns: Option<u64>,
}

impl LoadLedger {
    /// # Errors
    /// Where it is no such file.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path).context("cannot read the ledger")?;
        Self::parse(&text)
    }

    fn parse(text: &str) -> anyhow::Result<Self> {
        let mut lines = text.lines();
        let head: Head = serde_json::from_str(lines.next().context("the ledger is empty")?)?;
        let webhooks = lines.map(serde_json::from_str).collect::<Result<_, _>>()?;
        Ok(Self { started_ns: head.started_at_monotonic_ns, webhooks })
    }

    /// The planned instants by the monotonic clock, in order.
    pub(crate) fn planned_ns(&self) -> Vec<u64> {
        let mut planned: Vec<u64> =
            self.webhooks.iter().map(|line| self.started_ns + line.planned_ns).collect();
        planned.sort_unstable();
        planned
    }

    /// How late each webhook was sent that was sent at all, in order.
    pub(crate) fn late_ns(&self) -> Vec<u64> {
        let late = |line: &Line| Some(line.sent_ns?.saturating_sub(line.planned_ns));
        let mut late: Vec<u64> = self.webhooks.iter().filter_map(late).collect();
        late.sort_unstable();
        late
    }

    /// Of how many calls the first webhook had been sent and the last not yet answered, when they were most.
    pub(crate) fn most_in_progress(&self) -> usize {
        let mut calls: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
        for line in &self.webhooks {
            let (Some(sent), Some(ended)) = (line.sent_ns, line.ended_ns) else { continue };
            let (first, last) = calls.entry(line.call).or_insert((sent, ended));
            (*first, *last) = ((*first).min(sent), (*last).max(ended));
        }
        // At one instant what ends goes before what begins.
        let mut turns: Vec<(u64, bool)> =
            calls.values().flat_map(|(first, last)| [(*first, true), (*last, false)]).collect();
        turns.sort_unstable();
        let (mut on, mut most) = (0_usize, 0);
        for (_, begins) in turns {
            on = if begins { on + 1 } else { on.saturating_sub(1) };
            most = most.max(on);
        }
        most
    }
}

#[cfg(test)]
mod tests {
    use super::LoadLedger;

    #[test]
    fn calls_are_in_progress_from_their_first_webhook_to_the_answer_to_their_last() {
        let ledger = "{\"started_at_monotonic_ns\":1000}\n\
            {\"call\":1,\"webhook\":0,\"planned_ns\":20,\"sent_ns\":22,\"ended_ns\":30,\"status\":200}\n\
            {\"call\":0,\"webhook\":0,\"planned_ns\":10,\"sent_ns\":11,\"ended_ns\":12,\"status\":200}\n\
            {\"call\":0,\"webhook\":1,\"planned_ns\":40,\"sent_ns\":40,\"ended_ns\":50,\"status\":200}\n\
            {\"call\":2,\"webhook\":0,\"planned_ns\":50,\"sent_ns\":50,\"ended_ns\":60,\"status\":200}\n\
            {\"call\":2,\"webhook\":1,\"planned_ns\":70,\"error\":\"dropped\"}\n";
        let ledger = LoadLedger::parse(ledger).unwrap();
        assert_eq!(ledger.planned_ns(), [1010, 1020, 1040, 1050, 1070]);
        assert_eq!(ledger.late_ns(), [0, 0, 1, 2]);
        assert_eq!(ledger.most_in_progress(), 2);
    }
}
