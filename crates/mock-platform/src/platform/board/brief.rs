use std::sync::Arc;

use piopiy_events::Phase;

use super::view::{CallView, Row, WebhookRow};
use super::{BY_HAND, Seen};
use crate::deliver::ledger::CallEntry;

/// A call as a list shows it: without what passed between the parties.
#[derive(Debug, Clone)]
pub(in crate::platform) struct Brief {
    pub(in crate::platform) call: u64,
    pub(in crate::platform) begin: CallEntry,
    pub(in crate::platform) phase: Phase,
    pub(in crate::platform) phases: Vec<Phase>,
    pub(in crate::platform) is_over: bool,
    /// Its webhooks, in the order in which they were sent.
    pub(in crate::platform) webhooks: Vec<Arc<WebhookRow>>,
    /// When the last thing happened that was no redelivery and no copy: virtual milliseconds.
    pub(in crate::platform) last_ms: u64,
}

impl Brief {
    /// Whether nothing more will come of the webhooks that were sent so far.
    pub(in crate::platform) fn is_settled(&self) -> bool {
        self.webhooks.iter().all(|row| row.outcome.is_some())
    }
}

impl Seen {
    pub(super) fn brief(&self, call: u64) -> Brief {
        Brief {
            call,
            begin: self.begin.clone(),
            phase: self.state.phase(),
            phases: self.phases.clone(),
            is_over: self.is_over,
            webhooks: webhooks(&self.rows),
            last_ms: self.last_ms,
        }
    }
}

impl CallView {
    /// The same without what passed between the parties.
    pub(in crate::platform) fn brief(&self) -> Brief {
        Brief {
            call: self.call,
            begin: self.begin.clone(),
            phase: self.phase,
            phases: self.phases.clone(),
            is_over: self.is_over,
            webhooks: webhooks(&self.rows),
            last_ms: self.rows.iter().filter_map(Row::at_ms).max().unwrap_or(self.begin.at_ms),
        }
    }
}

impl Row {
    /// When it happened; none of a copy that was sent by hand.
    pub(super) fn at_ms(&self) -> Option<u64> {
        match self {
            Self::Message(message) => Some(message.at_ms),
            Self::Webhook(row) => (row.plan.webhook < BY_HAND).then_some(row.plan.at_ms),
        }
    }
}

fn webhooks(rows: &[Row]) -> Vec<Arc<WebhookRow>> {
    let webhook = |row: &Row| match row {
        Row::Webhook(row) => Some(Arc::clone(row)),
        Row::Message(_) => None,
    };
    rows.iter().filter_map(webhook).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deliver::ledger::{Entry, Lane, MessageEntry, MessageKind};
    use crate::platform::board::State;

    #[test]
    fn a_view_shares_its_rows_and_a_list_has_no_messages() {
        let mut state = State::default();
        state.read(&Entry::Call(Box::new(CallEntry {
            call: 0,
            at_ms: 5,
            ts_ms: 0,
            direction: "inbound".to_owned(),
            from: 1,
            to: 2,
            account: 2,
            appid: 3,
            cmiuuid: "leg".to_owned(),
            request_id: None,
        })));
        assert_eq!(state.calls[&0].brief(0).last_ms, 5);
        for at_ms in [9, 7] {
            let mut message =
                MessageEntry::new(at_ms, Lane::Caller, Lane::Platform, MessageKind::Person, "hello");
            message.call = Some(0);
            state.read(&Entry::Message(Box::new(message)));
        }
        let seen = &state.calls[&0];
        let view = seen.view(0);
        for rows in view.rows.iter().zip(&seen.rows) {
            assert!(matches!(rows, (Row::Message(one), Row::Message(other)) if Arc::ptr_eq(one, other)));
        }
        let brief = seen.brief(0);
        assert_eq!((brief.last_ms, brief.webhooks.len(), brief.is_settled()), (9, 0, true));
        assert_eq!((view.brief().last_ms, view.brief().phase), (brief.last_ms, brief.phase));
    }
}
