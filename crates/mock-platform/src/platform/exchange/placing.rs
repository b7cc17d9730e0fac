use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use piopiy_events::CallDirection;
use piopiy_events::pcmo::Pcmo;
use tokio::sync::mpsc;

use super::{Exchange, Line, lock};
use crate::deliver::TargetError;
use crate::deliver::ledger::{CallEntry, Entry};
use crate::platform::call::{self, Setting};
use crate::platform::config::Person;

/// How many calls may be on at once.
const MOST_CALLS: usize = 1_000;

/// A customer calls a number of the account.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Inbound {
    /// Who calls.
    pub from: u64,
    /// The number of the account.
    pub to: u64,
    /// How the caller behaves; as the configuration says where nothing is given.
    pub caller: Option<Person>,
    /// How everybody behaves whom it is put through to, whatever their number; likewise.
    pub callee: Option<Person>,
    /// What happens, in place of what the answer URL says.
    pub then: Option<Pcmo>,
}

impl Inbound {
    /// Somebody calls a number of the account.
    #[must_use]
    pub fn from_to(from: u64, to: u64) -> Self {
        Self { from, to, caller: None, callee: None, then: None }
    }
}

/// An application calls a customer.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Outbound {
    /// The app.
    pub appid: u64,
    /// The number that is shown; one of the account's.
    pub from: u64,
    /// Who is called.
    pub to: u64,
    /// How they behave; as the configuration says where nothing is given.
    pub customer: Option<Person>,
    /// What happens when they pick up.
    pub then: Then,
    /// What comes back as `extra_params`.
    pub extra_params: Option<String>,
    /// How long it may ring: seconds.
    pub ring_seconds: Option<u64>,
    /// How long it may last: seconds.
    pub talk_seconds: Option<u64>,
    /// Whether it is recorded from the start.
    pub record: bool,
}

impl Outbound {
    /// A call of an app.
    #[must_use]
    pub fn new(appid: u64, from: u64, to: u64, then: Then) -> Self {
        Self {
            appid,
            from,
            to,
            customer: None,
            then,
            extra_params: None,
            ring_seconds: None,
            talk_seconds: None,
            record: false,
        }
    }
}

/// What happens when a call is picked up.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Then {
    /// This call flow.
    Flow(Pcmo),
    /// What the URL answers.
    Ask(String),
}

/// A call that is on.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Placed {
    /// Which call of the run, from 0.
    pub call: u64,
    /// Leg a's `cmiuuid`; v3 calls it `call_id`.
    pub cmiuuid: String,
    /// The `request_id` of an outbound call.
    pub request_id: Option<String>,
}

/// Why a call was not placed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlaceCallError {
    /// The number is not the account's.
    #[error("{0} is no number of the account: add a [[platform.number]]")]
    NoSuchNumber(u64),
    /// There is no such app.
    #[error("there is no app {0}: add a [[platform.app]]")]
    NoSuchApp(u64),
    /// The URL may not be asked.
    #[error(transparent)]
    Url(#[from] TargetError),
    /// Nobody would end it any more.
    #[error("the platform stops")]
    Stopping,
    /// So many are on already.
    #[error("{0} calls are on: end some of them first")]
    TooMany(usize),
}

impl Exchange {
    /// A customer calls.
    ///
    /// # Errors
    /// If the number called is not the account's, or too many calls are on.
    pub fn call_in(&self, inbound: Inbound) -> Result<Placed, PlaceCallError> {
        let config = self.config();
        let number = config.number(inbound.to).ok_or(PlaceCallError::NoSuchNumber(inbound.to))?;
        let app = config.app_of(number).ok_or(PlaceCallError::NoSuchApp(number.app.unwrap_or_default()))?;
        let answer_url = number.answer_url.as_deref().map(|url| self.target(&config, url)).transpose()?;
        let person = inbound.caller.unwrap_or_else(|| config.person(inbound.from, true));
        let setting = Setting {
            direction: CallDirection::Inbound,
            appid: app.appid,
            from: inbound.from,
            to: inbound.to,
            account: inbound.to,
            person,
            callee: inbound.callee,
            flow: inbound.then,
            answer_url,
            extra_params: None,
            ring_ms: None,
            talk_ms: config.choices.longest_call.millis(),
            record: false,
            is_foreign: false,
        };
        self.begin(setting)
    }

    /// An application calls.
    ///
    /// # Errors
    /// If there is no such app, its answer URL may not be asked, or too many calls are on. A number that is not the app's is shown all the
    /// same; the webhooks go where those of the app's first number go.
    pub fn call_out(&self, outbound: Outbound) -> Result<Placed, PlaceCallError> {
        let config = self.config();
        let app = config.app(outbound.appid).ok_or(PlaceCallError::NoSuchApp(outbound.appid))?;
        let own = config.number_of(app.appid, outbound.from);
        let mut numbers = config.numbers.iter();
        let first = numbers.find(|number| config.number_of(app.appid, number.number).is_some());
        // Without one nothing is known that webhooks could be sent to.
        let account = own.or(first).map_or(outbound.from, |number| number.number);
        let is_foreign = own.is_none();
        let (flow, answer_url) = match outbound.then {
            Then::Flow(flow) => (Some(flow), None),
            Then::Ask(url) => (None, Some(self.target(&config, &url)?)),
        };
        let longest = config.choices.longest_call.millis();
        let setting = Setting {
            direction: CallDirection::Outbound,
            appid: app.appid,
            from: outbound.from,
            to: outbound.to,
            account,
            person: outbound.customer.unwrap_or_else(|| config.person(outbound.to, true)),
            callee: None,
            flow,
            answer_url,
            extra_params: outbound.extra_params,
            ring_ms: outbound.ring_seconds.map(|seconds| seconds.saturating_mul(1_000)),
            talk_ms: outbound
                .talk_seconds
                .map_or(longest, |seconds| seconds.saturating_mul(1_000).min(longest)),
            record: outbound.record,
            is_foreign,
        };
        self.begin(setting)
    }

    fn begin(&self, setting: Setting) -> Result<Placed, PlaceCallError> {
        let config = self.config();
        let (commands, heard) = mpsc::unbounded_channel();
        let on_leg_b = Arc::new(AtomicBool::new(false));
        let index = {
            let mut on = lock(&self.shared().calls);
            if self.shared().is_stopping.load(Ordering::Relaxed) {
                return Err(PlaceCallError::Stopping);
            }
            if on.len() >= MOST_CALLS {
                return Err(PlaceCallError::TooMany(MOST_CALLS));
            }
            let index = self.next_call();
            on.insert(index, Line { commands, on_leg_b: Arc::clone(&on_leg_b) });
            index
        };
        let at_ms = self.now_ms();
        let live = self.live_calls(&config, setting.appid).call(
            index,
            setting.direction,
            setting.from,
            setting.to,
            at_ms,
        );
        let outbound = setting.direction == CallDirection::Outbound;
        let placed = Placed {
            call: index,
            cmiuuid: live.leg_id(0).to_owned(),
            request_id: outbound.then(|| live.request_id().to_owned()),
        };
        self.shared().ledger.append(Entry::Call(Box::new(CallEntry {
            call: index,
            at_ms,
            ts_ms: crate::deliver::wall_ms(),
            direction: setting.direction.to_string(),
            from: setting.from,
            to: setting.to,
            account: setting.account,
            appid: setting.appid,
            cmiuuid: placed.cmiuuid.clone(),
            request_id: placed.request_id.clone(),
        })));
        tokio::spawn(call::run(self.clone(), config, live, setting, (heard, on_leg_b)));
        Ok(placed)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Exchange, Inbound, PlaceCallError};
    use crate::platform::config::Config;

    #[tokio::test]
    async fn a_platform_that_stops_takes_no_calls() {
        let exchange = Exchange::start(Config::default().completed(), None).unwrap();
        assert_eq!(exchange.stop(Duration::from_secs(5)).await.unwrap().planned, 0);
        let refused = exchange.call_in(Inbound::from_to(447_700_900_123, Config::ZERO.3));
        assert_eq!(refused, Err(PlaceCallError::Stopping));
    }
}
