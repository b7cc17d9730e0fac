//! What is answered: the ledger's own records, by call.

use schemars::JsonSchema;
use serde::Serialize;

use super::requests::objects;
use super::whole;
use crate::deliver::ledger::{AttemptEntry, Body, DeliveryOutcome, FaultEntry, MessageEntry};
use crate::deliver::{Target, without_secrets};
use crate::judge::Summary;
use crate::platform::board::{Brief, CallView, Row, WebhookRow};
use crate::platform::config::{Config, FaultRates};
use crate::platform::rest::{Failure, RestRules};

/// A call.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct CallAnswer {
    /// Which call of the run, from 0: its id, as are its `cmiuuid` and its `request_id`.
    pub(super) call: u64,
    /// The id of leg a.
    cmiuuid: String,
    /// What the make-call request returned, of an outbound call.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
    /// `inbound` or `outbound`.
    direction: String,
    /// Who calls.
    from: u64,
    /// Who is called.
    to: u64,
    /// The app.
    appid: u64,
    /// How far it is: `offered`, `ringing`, `active`, `streaming`, `bridged`, `ended_answered`, `ended_missed`.
    phase: &'static str,
    /// Every phase that it was in, this one included, in order; none before its first webhook.
    phases: Vec<&'static str>,
    /// Whether it was in the phase that was waited for, now or before; only where one was. Where it is `false` the wait
    /// was over, or the call.
    #[serde(skip_serializing_if = "Option::is_none")]
    has_reached: Option<bool>,
    /// Whether it is over, and the first attempt of each of its webhooks was made.
    is_over: bool,
    /// Whether nothing more will come of the webhooks that were sent so far.
    is_settled: bool,
    /// When it began: virtual milliseconds since the platform started.
    at_ms: u64,
    /// When it began: milliseconds since 1970.
    ts_ms: u64,
    /// How many webhooks were sent.
    webhooks: usize,
    /// What happened, in order; only where one call is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    rows: Option<Vec<RowAnswer>>,
}

/// A row of a call's ladder.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum RowAnswer {
    /// Something passed between two parties.
    Message(Box<MessageEntry>),
    /// A webhook.
    Webhook(Box<DeliveryAnswer>),
}

/// A webhook on its way to its URL.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct DeliveryAnswer {
    /// By which it is sent again.
    id: String,
    /// Which call.
    call: u64,
    /// Which webhook of its call; above 10,000 what was sent again by hand.
    webhook: u32,
    /// Its name, as in `piopiy-mock events`.
    name: String,
    /// When it was due: virtual milliseconds since the platform started.
    at_ms: u64,
    /// The payload, byte for byte.
    body: Body,
    /// Its attempts so far.
    attempts: Vec<AttemptEntry>,
    /// What went wrong on purpose.
    faults: Vec<FaultEntry>,
    /// How it ended; absent while it has not.
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<DeliveryOutcome>,
}

/// Calls, the newest first.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct CallsAnswer {
    pub(super) calls: Vec<CallAnswer>,
    /// How many are remembered.
    pub(super) remembered: usize,
}

/// Requests that belong to no call, the newest first: they were refused, or nothing is where they went.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct RequestsAnswer {
    /// The newest 200 at most, without secrets.
    pub(super) requests: Vec<MessageEntry>,
    /// How many there were in all.
    pub(super) seen: u64,
}

/// Webhooks: the newest call's first, and each call's in order.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct DeliveriesAnswer {
    pub(super) deliveries: Vec<DeliveryAnswer>,
}

/// What goes wrong with webhooks on purpose: probabilities from 0 to 1.
#[derive(Debug, Default, Serialize, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Rates {
    /// Of a second copy.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub(super) duplicate: f64,
    /// Of being sent behind the next one of its call.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub(super) reorder: f64,
    /// Of being held back.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub(super) delay: f64,
    /// Of never being sent.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub(super) loss: f64,
}

/// What goes wrong with audio streams on purpose, of those that are opened from now on.
#[derive(Debug, Default, Serialize, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct StreamRates {
    /// The connection breaks after so many milliseconds, without a word: 1006.
    #[schemars(range(max = 86_400_000))]
    #[serde(deserialize_with = "whole::or_null")]
    pub(super) drop_after_ms: Option<u64>,
    /// It is closed after so many milliseconds, with `close_code`.
    #[schemars(range(max = 86_400_000))]
    #[serde(deserialize_with = "whole::or_null")]
    pub(super) close_after_ms: Option<u64>,
    /// The code that it is closed with, then and at the end of the call.
    #[schemars(range(min = 1000, max = 4999))]
    #[serde(deserialize_with = "whole::or_null")]
    pub(super) close_code: Option<u16>,
    /// Of a frame being held back: a probability.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub(super) late: f64,
    /// For how many milliseconds.
    #[schemars(range(max = 600_000))]
    #[serde(deserialize_with = "whole::number")]
    pub(super) late_ms: u64,
    /// Each frame comes up to so many milliseconds after its time.
    #[schemars(range(max = 600_000))]
    #[serde(deserialize_with = "whole::number")]
    pub(super) jitter_ms: u64,
}

/// What the REST APIs do on purpose, besides answering.
#[derive(Debug, Default, Serialize, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RestFaults {
    /// The most requests per second; more are answered 429. None for no limit.
    #[serde(deserialize_with = "whole::or_null")]
    pub(super) rate_limit: Option<u32>,
    /// Requests that fail, the first that fits each time.
    #[schemars(length(max = 1000))]
    #[serde(deserialize_with = "objects")]
    pub(super) fail: Vec<RestFailure>,
}

/// Requests that fail.
#[derive(Debug, Serialize, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RestFailure {
    /// The path, as in the OpenAPI document of the REST APIs; every path where none is given.
    #[serde(default)]
    path: Option<String>,
    /// How many of them, and how many are left; every one where none is given.
    #[serde(default, deserialize_with = "whole::or_null")]
    times: Option<u32>,
    /// What they are answered with.
    #[schemars(range(min = 200, max = 599))]
    #[serde(deserialize_with = "whole::number")]
    status: u16,
}

impl RestFaults {
    pub(super) fn of(rules: &RestRules) -> Self {
        let fail = rules.fail.iter().map(|failure| RestFailure {
            path: failure.path.clone(),
            times: failure.times,
            status: failure.status,
        });
        Self { rate_limit: rules.rate_limit, fail: fail.collect() }
    }

    pub(super) fn rules(&self) -> RestRules {
        let fail = self.fail.iter().map(|failure| Failure {
            path: failure.path.clone(),
            times: failure.times,
            status: failure.status,
        });
        RestRules { rate_limit: self.rate_limit, fail: fail.collect() }
    }
}

/// The virtual clock.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ClockAnswer {
    /// Virtual milliseconds since the platform started.
    pub(super) now_ms: u64,
}

/// What is left after a reset.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ResetAnswer {
    /// Calls that did not come to an end in time, and are not forgotten.
    pub(super) calls: usize,
}

/// What came of it so far.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct SummaryAnswer {
    /// Virtual milliseconds since the platform started.
    pub(super) now_ms: u64,
    /// What random choices follow from.
    pub(super) seed: String,
    /// Calls that are on.
    pub(super) calls_on: usize,
    /// What became of the webhooks.
    pub(super) summary: Summary,
}

/// What the platform is like; secrets are left out.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ConfigAnswer {
    version: &'static str,
    profile: &'static str,
    time_scale: f64,
    documented_only: bool,
    allow_hosts: Vec<String>,
    apps: Vec<AppAnswer>,
    numbers: Vec<NumberAnswer>,
    /// How many people have habits of their own.
    people: usize,
    /// What goes wrong at the start.
    faults: Rates,
}

#[derive(Debug, Serialize, JsonSchema)]
struct AppAnswer {
    appid: u64,
    /// Whether it may use v3.
    has_token: bool,
}

#[derive(Debug, Serialize, JsonSchema)]
struct NumberAnswer {
    number: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    appid: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    answer_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cdr_url: Option<String>,
}

impl CallAnswer {
    /// Without its rows.
    pub(super) fn brief(view: &Brief) -> Self {
        let begin = &view.begin;
        Self {
            call: view.call,
            cmiuuid: begin.cmiuuid.clone(),
            request_id: begin.request_id.clone(),
            direction: begin.direction.clone(),
            from: begin.from,
            to: begin.to,
            appid: begin.appid,
            phase: view.phase.as_str(),
            phases: view.phases.iter().map(|phase| phase.as_str()).collect(),
            has_reached: None,
            is_over: view.is_over,
            is_settled: view.is_settled(),
            at_ms: begin.at_ms,
            ts_ms: begin.ts_ms,
            webhooks: view.webhooks.len(),
            rows: None,
        }
    }

    /// Whether it was in the phase that was waited for, where one was.
    pub(super) fn reaching(self, has_reached: Option<bool>) -> Self {
        Self { has_reached, ..self }
    }

    /// With them.
    pub(super) fn whole(view: &CallView) -> Self {
        let rows = view.rows.iter().map(|row| match row {
            Row::Message(message) => RowAnswer::Message(Box::new(MessageEntry::clone(message))),
            Row::Webhook(webhook) => RowAnswer::Webhook(Box::new(DeliveryAnswer::new(webhook))),
        });
        Self { rows: Some(rows.collect()), ..Self::brief(&view.brief()) }
    }
}

impl DeliveryAnswer {
    pub(super) fn new(row: &WebhookRow) -> Self {
        Self {
            id: format!("{}-{}", row.plan.call, row.plan.webhook),
            call: row.plan.call,
            webhook: row.plan.webhook,
            name: row.plan.name.clone(),
            at_ms: row.plan.at_ms,
            body: row.plan.body.clone(),
            attempts: row.attempts.clone(),
            faults: row.faults.clone(),
            outcome: row.outcome,
        }
    }
}

impl From<FaultRates> for Rates {
    fn from(rates: FaultRates) -> Self {
        Self { duplicate: rates.duplicate, reorder: rates.reorder, delay: rates.delay, loss: rates.loss }
    }
}

impl ConfigAnswer {
    pub(super) fn new(config: &Config) -> Self {
        let shown = |url: &Option<String>| {
            let shown = |url: &String| match Target::parse(url, &config.allow_hosts) {
                Ok(target) => target.shown(),
                Err(_) => without_secrets(url),
            };
            url.as_ref().map(shown)
        };
        let apps = config.apps.iter();
        let numbers = config.numbers.iter().map(|number| NumberAnswer {
            number: number.number,
            appid: config.app_of(number).map(|app| app.appid),
            answer_url: shown(&number.answer_url),
            event_url: shown(&number.event_url),
            cdr_url: shown(&number.cdr_url),
        });
        Self {
            version: env!("CARGO_PKG_VERSION"),
            profile: config.profile.as_str(),
            time_scale: config.time_scale,
            documented_only: config.documented_only,
            allow_hosts: config.allow_hosts.clone(),
            apps: apps.map(|app| AppAnswer { appid: app.appid, has_token: app.token.is_some() }).collect(),
            numbers: numbers.collect(),
            people: config.people.len(),
            faults: config.faults.into(),
        }
    }
}
