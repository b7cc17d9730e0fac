use std::borrow::Cow;

use piopiy_events::{Evidence, Kind, Profile};

/// One call of a plan: its webhooks, in the order in which the platform would first send them.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PlannedCall {
    /// Which call of the run, from 0.
    pub index: u64,
    /// The profile that its webhooks have.
    pub profile: Profile,
    /// When it starts: virtual milliseconds from the start of the run. Its first webhook may be due much later: nobody
    /// is told of an inbound call before it is picked up. Plan files and ledgers hold webhooks only; a call that was read
    /// from one starts with its first webhook.
    pub starts_at_ms: u64,
    /// What happens in it, for people: `inbound answered, streamed`.
    pub story: Cow<'static, str>,
    /// Its webhooks, by `at_ms`, then `seq`.
    pub webhooks: Vec<PlannedWebhook>,
}

/// One webhook of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PlannedWebhook {
    /// Which call of the run, from 0.
    pub call: u64,
    /// Which webhook of its call, from 0.
    pub seq: u32,
    /// When its first attempt is due: virtual milliseconds from the start of the run.
    pub at_ms: u64,
    /// `live.<status>` or `cdr.<direction>.<outcome>`, as in [`piopiy_events::Form::name`].
    pub name: Cow<'static, str>,
    /// Live event or CDR; `None` where the body is no webhook (sent on purpose).
    pub kind: Option<Kind>,
    /// What supports the payload; a guess is marked in the ledger and in every listing.
    pub evidence: Evidence,
    /// The payload, byte for byte.
    pub body: Vec<u8>,
}

impl PlannedWebhook {
    /// A planned webhook.
    #[must_use]
    pub fn new(
        call: u64,
        seq: u32,
        at_ms: u64,
        name: Cow<'static, str>,
        kind: Option<Kind>,
        evidence: Evidence,
        body: Vec<u8>,
    ) -> Self {
        Self { call, seq, at_ms, name, kind, evidence, body }
    }
}

impl PlannedCall {
    /// A planned call that starts with its first webhook; set [`starts_at_ms`](Self::starts_at_ms) where it does not.
    #[must_use]
    pub fn new(
        index: u64,
        profile: Profile,
        story: Cow<'static, str>,
        webhooks: Vec<PlannedWebhook>,
    ) -> Self {
        let starts_at_ms = webhooks.iter().map(|webhook| webhook.at_ms).min().unwrap_or(0);
        Self { index, profile, starts_at_ms, story, webhooks }
    }
}
