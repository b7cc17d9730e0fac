use std::sync::Arc;

use piopiy_events::{Kind, Phase, Webhook};

use super::BY_HAND;
use crate::deliver::ledger::{
    AttemptEntry, CallEntry, DeliveryOutcome, FaultEntry, MessageEntry, MessageKind, PlanEntry, StreamFigures,
};

/// One call, as far as it has come.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CallView {
    /// Which call of the run, from 0.
    pub call: u64,
    /// How it began.
    pub begin: CallEntry,
    /// How far it is, as its webhooks tell.
    pub phase: Phase,
    /// Every phase that it was in, this one included, in order; none before its first webhook.
    pub phases: Vec<Phase>,
    /// Whether it is over, and the first attempt of each of its webhooks was made.
    pub is_over: bool,
    /// What happened, in order.
    pub rows: Vec<Row>,
}

/// A row of a ladder. It is shared with the board, so that a copy costs nothing.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Row {
    /// Something passed between two parties.
    Message(Arc<MessageEntry>),
    /// A webhook.
    Webhook(Arc<WebhookRow>),
}

/// A webhook with what became of it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct WebhookRow {
    /// What was to be sent.
    pub plan: PlanEntry,
    /// Its attempts so far.
    pub attempts: Vec<AttemptEntry>,
    /// What went wrong on purpose.
    pub faults: Vec<FaultEntry>,
    /// How it ended, once it has.
    pub outcome: Option<DeliveryOutcome>,
}

/// What is remembered of a call for longer than other things.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weight {
    /// What passed between two parties.
    Message,
    /// A webhook, sent or not.
    Webhook,
    /// One that says what became of a leg.
    Cdr,
}

impl CallView {
    /// What passed between two parties, webhooks apart.
    pub fn messages(&self) -> impl Iterator<Item = &MessageEntry> {
        self.rows.iter().filter_map(|row| match row {
            Row::Message(message) => Some(&**message),
            Row::Webhook(_) => None,
        })
    }

    /// The webhooks, in the order in which they were sent.
    pub fn webhooks(&self) -> impl Iterator<Item = &WebhookRow> {
        self.rows.iter().filter_map(|row| match row {
            Row::Webhook(row) => Some(&**row),
            Row::Message(_) => None,
        })
    }

    /// What was measured of its audio streams that are over.
    pub fn streams(&self) -> impl Iterator<Item = &StreamFigures> {
        self.messages().filter_map(|message| message.figures.as_ref())
    }

    /// Whether nothing more will come of the webhooks that were sent so far.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        is_settled(&self.rows)
    }
}

/// Whether nothing more will come of the webhooks among these rows.
pub(super) fn is_settled(rows: &[Row]) -> bool {
    rows.iter().all(|row| match row {
        Row::Webhook(row) => row.outcome.is_some(),
        Row::Message(_) => true,
    })
}

impl Row {
    /// How much it matters that it is remembered.
    pub(super) fn weight(&self) -> Weight {
        let kind = match self {
            Self::Message(message) if message.what == MessageKind::Unsent => {
                let body = message.request.as_ref().map(|body| body.as_bytes()).unwrap_or_default();
                Webhook::parse(body).ok().and_then(|webhook| webhook.kind())
            }
            Self::Message(_) => return Weight::Message,
            // Copies that are sent by hand have no end.
            Self::Webhook(row) => row.plan.payload.filter(|_| row.plan.webhook < BY_HAND),
        };
        if kind == Some(Kind::Cdr) { Weight::Cdr } else { Weight::Webhook }
    }

    /// How many bytes of texts, payloads and answers it has.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Message(message) => {
                let bodies = [&message.request, &message.answer].into_iter().flatten();
                let texts = [&message.choice, &message.url, &message.error].into_iter().flatten();
                let bodies: usize = bodies.map(|body| body.as_bytes().len()).sum();
                bodies + message.label.len() + texts.map(String::len).sum::<usize>()
            }
            Self::Webhook(webhook) => webhook.plan.body.as_bytes().len(),
        }
    }
}
