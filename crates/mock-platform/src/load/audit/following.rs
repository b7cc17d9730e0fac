use std::collections::VecDeque;
use std::io;

use super::auditor::Eye;
use super::seen::Known;
use super::{Audit, LoadAudit};
use crate::judge::Effect;
use crate::plan::Simulator;

/// Where an audit has read to, and the loads that it was of: whoever audits the next load of the same receiver reads on from there.
pub(in crate::load) struct Followed {
    pub(super) eye: Eye,
    pub(super) earlier: Earlier,
}

impl Followed {
    /// What is known by now of the loads before the last, the nearest first; as many as are remembered.
    pub(in crate::load) fn earlier(&self) -> impl Iterator<Item = Late> {
        // The nearest of all is the one that has just ended, and its figures were told.
        self.earlier.known().skip(1)
    }
}

/// A load that is over, and what was seen of it later.
#[derive(Debug, Clone)]
pub(in crate::load) struct Late {
    pub(in crate::load) audit: LoadAudit,
    /// Effects that were seen after it was over.
    pub(in crate::load) effects: u64,
}

/// Loads of the same receiver that are over. An effect is of the load whose ids it has, however late it comes.
#[derive(Default)]
pub(super) struct Earlier {
    /// The nearest first.
    audits: VecDeque<Audit>,
    /// Of those that are further back it is known what their ids are.
    forgotten: Vec<Simulator>,
}

/// So many are remembered webhook by webhook: a megabyte each.
const REMEMBERED: usize = 4;

impl Earlier {
    /// What is known of those that are remembered, the nearest first.
    pub(super) fn known(&self) -> impl Iterator<Item = Late> {
        self.audits.iter().map(|audit| Late { audit: audit.figures(), effects: audit.late })
    }

    /// Another is over.
    fn push(&mut self, audit: Audit) {
        self.audits.push_front(audit);
        while self.audits.len() > REMEMBERED
            && let Some(audit) = self.audits.pop_back()
        {
            self.forgotten.push(audit.simulator);
        }
    }

    /// Whether it was an effect of one of them.
    fn saw(&mut self, known: &Known) -> bool {
        let Some(id) = known.cmiuuid() else { return false };
        for audit in &mut self.audits {
            if let Some(call) = audit.simulator.call_of(id) {
                audit.late += 1;
                audit.saw(known, Some(call));
                return true;
            }
        }
        self.forgotten.iter().any(|simulator| simulator.call_of(id).is_some())
    }
}

/// The audit of a load that follows others.
pub(super) struct Following {
    pub(super) audit: Audit,
    earlier: Earlier,
}

impl Following {
    pub(super) fn new(audit: Audit, earlier: Earlier) -> Self {
        Self { audit, earlier }
    }

    /// An effect that was seen.
    pub(super) fn saw(&mut self, effect: &Effect) {
        let known = Known::of(effect);
        let call = known.cmiuuid().and_then(|id| self.audit.simulator.call_of(id));
        if call.is_none() && self.earlier.saw(&known) {
            self.audit.found.effects += 1;
            self.audit.found.of_earlier_loads += 1;
            return;
        }
        self.audit.saw(&known, call);
    }

    /// All that was found of the load, which is an earlier one from now on, whatever came of it.
    pub(super) fn close(mut self) -> (io::Result<LoadAudit>, Earlier) {
        let found = self.audit.close();
        self.earlier.push(self.audit);
        (found, self.earlier)
    }
}
