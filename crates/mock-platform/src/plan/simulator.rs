mod untold;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, LazyLock, OnceLock};

use piopiy_events::{CallDirection, Form, Kind, Profile};

use super::arrivals::{ArrivalTimes, BlockMemo};
use super::behaviour::Behaviour;
use super::compiled::CompiledForms;
use super::draw::{Draws, Purpose};
use super::filling::{Charge, Filling, price};
use super::ids::{REQUEST_ID_LEN, RunIds, UUID_LEN};
use super::story::Story;
use super::timeline::{Entry, Happening, Leg, Timeline};
use super::weights::Weights;
use super::words::{CLOSINGS, STREAM_ERRORS, write_extra_params};
use super::{PlanOptions, PlannedCall, PlannedWebhook, Scenario, ScenarioError};

pub use untold::Untold;

/// Makes whole legal calls from a scenario and a seed.
///
/// Every call is a function of the scenario, the options and its index: nothing is remembered between calls, and
/// calls may be asked for in any order, from any thread.
///
/// # Examples
/// ```
/// use piopiy_events::{Profile, Webhook};
/// use piopiy_mock_platform::plan::{PlanOptions, Scenario, Seed, Simulator};
///
/// let scenario = Scenario::builtin("inbound-answered")?;
/// let simulator = Simulator::new(&scenario, PlanOptions::new(Profile::Global, Seed(0x5eed)));
/// let call = simulator.call(0);
/// let names: Vec<_> = call.webhooks.iter().map(|webhook| &*webhook.name).collect();
/// assert_eq!(names, ["live.in_answered", "live.in_hangup", "cdr.inbound.answered"]);
/// for webhook in &call.webhooks {
///     let parsed = Webhook::parse(&webhook.body).unwrap();
///     assert!(parsed.validate(Profile::Global).findings.is_empty());
/// }
/// # Ok::<(), piopiy_mock_platform::plan::ScenarioError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Simulator {
    options: PlanOptions,
    scenario: Arc<Origin>,
    behaviour: Arc<Behaviour>,
    arrivals: ArrivalTimes,
    forms: Arc<CompiledForms>,
    ids: RunIds,
    extra_params: Weights,
    appid: u64,
    price_per_minute: u64,
    opening_balance: u64,
    /// The most that one call can cost, in millionths.
    most_per_call: u64,
}

/// What is known of the scenario besides what follows from it.
#[derive(Debug)]
struct Origin {
    name: String,
    digest: String,
}

/// A call as [`Simulator::write_call`] leaves it; kept for the next one, it spares all allocation.
#[derive(Debug, Clone, Default)]
pub struct CallBuffer {
    bytes: Vec<u8>,
    webhooks: Vec<WrittenWebhook>,
    story: Option<Story>,
    starts_at_ms: u64,
    scratch: Scratch,
}

#[derive(Debug, Clone, Default)]
struct Scratch {
    block: BlockMemo,
    timeline: Timeline,
    leg_ids: Vec<[u8; UUID_LEN]>,
    extra_params: Vec<u8>,
}

/// One webhook in a [`CallBuffer`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct WrittenWebhook {
    /// When its first attempt is due: virtual milliseconds from the start of the run.
    pub at_ms: u64,
    /// The form of its payload: name, kind, evidence.
    pub form: &'static Form,
    /// The leg that it tells of, `a` or `b`.
    pub leg: &'static str,
    body: Range<usize>,
}

impl Simulator {
    /// A simulator for one run.
    #[must_use]
    pub fn new(scenario: &Scenario, options: PlanOptions) -> Self {
        let behaviour = Behaviour::new(scenario);
        let price_per_minute = scenario.account.price_per_minute;
        Self {
            scenario: Arc::new(Origin { name: scenario.name.clone(), digest: scenario.digest() }),
            arrivals: ArrivalTimes::new(&scenario.arrivals, options.seed.0),
            forms: Arc::new(CompiledForms::new(
                options.profile,
                scenario.account.appid,
                options.documented_only,
            )),
            appid: scenario.account.appid,
            ids: RunIds::new(options.seed, options.nonce),
            extra_params: Weights::new(&scenario.extra_params.weights()),
            price_per_minute,
            opening_balance: scenario.account.opening_balance,
            // Each leg's price is rounded up by itself.
            most_per_call: price(price_per_minute, behaviour.most_billed_seconds())
                .saturating_add(price_per_minute.min(1)),
            behaviour: Arc::new(behaviour),
            options,
        }
    }

    /// A simulator for one run of a built-in scenario. What follows from the scenario alone is made once in a process: it takes
    /// far longer than a call.
    pub(crate) fn builtin(name: &str, options: PlanOptions) -> Result<Self, ScenarioError> {
        static MADE: LazyLock<BTreeMap<&'static str, OnceLock<Simulator>>> =
            LazyLock::new(|| Scenario::builtin_names().map(|name| (name, OnceLock::new())).collect());
        let slot = MADE.get(name);
        if let Some(made) = slot.and_then(OnceLock::get) {
            return Ok(made.with_options(options));
        }
        let made = Self::new(&Scenario::builtin(name)?, options);
        if let Some(slot) = slot {
            slot.get_or_init(|| made.clone());
        }
        Ok(made)
    }

    /// The same scenario with other options. What follows from the scenario alone is shared, not made again.
    ///
    /// # Examples
    /// ```
    /// use piopiy_events::Profile;
    /// use piopiy_mock_platform::plan::{PlanOptions, Scenario, Seed, Simulator};
    ///
    /// let scenario = Scenario::default();
    /// let one = Simulator::new(&scenario, PlanOptions::new(Profile::Global, Seed(1)));
    /// let other = one.with_options(PlanOptions::new(Profile::India, Seed(2)));
    /// let anew = Simulator::new(&scenario, PlanOptions::new(Profile::India, Seed(2)));
    /// assert_eq!(other.call(3), anew.call(3));
    /// ```
    #[must_use]
    pub fn with_options(&self, options: PlanOptions) -> Self {
        let wire = |options: &PlanOptions| (options.profile, options.documented_only);
        let forms = if wire(&options) == wire(&self.options) {
            Arc::clone(&self.forms)
        } else {
            Arc::new(CompiledForms::new(options.profile, self.appid, options.documented_only))
        };
        Self {
            arrivals: self.arrivals.with_seed(options.seed.0),
            forms,
            ids: RunIds::new(options.seed, options.nonce),
            options,
            ..self.clone()
        }
    }

    /// The options that it was made with.
    #[must_use]
    pub fn options(&self) -> &PlanOptions {
        &self.options
    }

    /// The calls of the options, in order: a later one never starts before an earlier one.
    ///
    /// # Examples
    /// ```
    /// use piopiy_mock_platform::plan::{PlanOptions, Scenario, Simulator};
    /// let mut options = PlanOptions::default();
    /// options.calls = Some(3);
    /// assert_eq!(Simulator::new(&Scenario::default(), options).calls().count(), 3);
    /// ```
    pub fn calls(&self) -> impl Iterator<Item = PlannedCall> + '_ {
        let mut buffer = CallBuffer::default();
        self.options.indices().map(move |index| {
            self.write_call(index, &mut buffer);
            self.planned(index, &buffer)
        })
    }

    /// One call.
    #[must_use]
    pub fn call(&self, index: u64) -> PlannedCall {
        let mut buffer = CallBuffer::default();
        self.write_call(index, &mut buffer);
        self.planned(index, &buffer)
    }

    /// When a call starts: virtual milliseconds from the start of the run.
    #[must_use]
    pub fn starts_at_ms(&self, index: u64) -> u64 {
        self.arrivals.at_ms(index, &mut BlockMemo::default())
    }

    fn planned(&self, index: u64, buffer: &CallBuffer) -> PlannedCall {
        let webhooks = buffer.webhooks().enumerate().map(|(seq, (webhook, body))| {
            PlannedWebhook::new(
                index,
                seq as u32,
                webhook.at_ms,
                Cow::Borrowed(webhook.form.name),
                Some(webhook.form.kind),
                webhook.form.evidence,
                body.to_vec(),
            )
        });
        let story = buffer.story().map(|story| story.to_string()).unwrap_or_default();
        let call = PlannedCall::new(index, self.options.profile, story.into(), webhooks.collect());
        PlannedCall { starts_at_ms: buffer.starts_at_ms, ..call }
    }

    /// Writes one call into a buffer: the same as [`Simulator::call`], without allocation once the buffer has
    /// grown.
    pub fn write_call(&self, index: u64, buffer: &mut CallBuffer) {
        let start = self.arrivals.at_ms(index, &mut buffer.scratch.block);
        self.write_call_that_starts(index, start, None, buffer);
    }

    /// The same, with the start that the call is known to have: to compute it takes longer than all else, where calls are not written one
    /// after another. Of all its webhooks or of that `only` one; the payloads of the others are empty then.
    pub(crate) fn write_call_that_starts(
        &self,
        index: u64,
        start: u64,
        only: Option<usize>,
        buffer: &mut CallBuffer,
    ) {
        let CallBuffer { bytes, webhooks, story, starts_at_ms, scratch } = buffer;
        bytes.clear();
        webhooks.clear();
        let draws = Draws::new(self.options.seed.0, index);
        self.behaviour.play(draws, self.options.profile, start, &mut scratch.timeline);
        let timeline = &scratch.timeline;
        *story = Some(timeline.story);
        *starts_at_ms = start;

        let ids = self.ids.call(index);
        scratch.leg_ids.clear();
        scratch.leg_ids.extend(timeline.legs.iter().map(|leg| ids.leg(leg.id)));
        let outbound = timeline.story.direction == CallDirection::Outbound;
        let request = if outbound { ids.request() } else { [0; REQUEST_ID_LEN] };
        scratch.extra_params.clear();
        let style = self.extra_params.at(draws.bits(Purpose::ExtraParams, 0));
        write_extra_params(style, draws, &mut scratch.extra_params);

        let mut balance = self.balance_before(index);
        for entry in &timeline.entries {
            let leg = &timeline.legs[entry.leg as usize];
            let billed =
                if entry.happening == Happening::Talked { self.charge(leg) } else { Charge::default() };
            // Billed even where the profile, or the choice of documented payloads, does not show it.
            balance -= i128::from(billed.rate);
            let has_extra_params = !scratch.extra_params.is_empty();
            let form = self.forms.get(timeline.story.direction, entry.happening, leg.is_b, has_extra_params);
            let Some(form) = form else { continue };
            if only.is_some_and(|only| only != webhooks.len()) {
                let body = bytes.len()..bytes.len();
                webhooks.push(WrittenWebhook { at_ms: entry.at_ms, form: form.form, leg: form.leg, body });
                continue;
            }
            let is_record = form.form.kind == Kind::Cdr;
            let at_ms = if is_record { leg.start } else { entry.at_ms };
            let time = self.options.epoch_ms.saturating_add(at_ms);
            let conversation: &[u8] = if outbound && self.options.profile != Profile::India {
                &request
            } else {
                &scratch.leg_ids[0]
            };
            let from = bytes.len();
            let filling = Filling {
                time,
                start: self.seconds(leg.start),
                answer: self.seconds(leg.answer.unwrap_or(leg.start)),
                end: self.seconds(leg.end),
                charge: billed,
                balance,
                from: &timeline.from,
                to: &leg.to,
                account: &timeline.account,
                leg_id: &scratch.leg_ids[entry.leg as usize],
                conversation,
                request: &request,
                extra_params: &scratch.extra_params,
                ws_message: ws_message(entry),
            };
            filling.write(form, bytes);
            webhooks.push(WrittenWebhook {
                at_ms: entry.at_ms,
                form: form.form,
                leg: form.leg,
                body: from..bytes.len(),
            });
        }
    }

    /// The call that has a leg of this `cmiuuid`; `None` where no call of the run has. It is computed from the id, and nothing
    /// is remembered for it.
    ///
    /// # Examples
    /// ```
    /// use piopiy_events::Webhook;
    /// use piopiy_mock_platform::plan::{PlanOptions, Scenario, Simulator};
    ///
    /// let simulator = Simulator::new(&Scenario::default(), PlanOptions::default());
    /// let webhook = Webhook::parse(&simulator.call(7_000_000).webhooks[0].body)?;
    /// assert_eq!(simulator.call_of(&webhook.text("cmiuuid").unwrap()), Some(7_000_000));
    /// assert_eq!(simulator.call_of("c4ec1d2a-0b5e-4c7f-9d3a-6f1e2b8a7c90"), None);
    /// # Ok::<(), piopiy_events::ParseError>(())
    /// ```
    #[must_use]
    pub fn call_of(&self, cmiuuid: &str) -> Option<u64> {
        self.ids.find(cmiuuid, self.behaviour.most_leg_ids()).map(|(call, _)| call)
    }

    /// The name of the scenario.
    pub(crate) fn scenario(&self) -> &str {
        &self.scenario.name
    }

    /// Its [digest](Scenario::digest).
    pub(crate) fn scenario_digest(&self) -> &str {
        &self.scenario.digest
    }

    /// How many webhooks a call has: as many as [`Simulator::write_call`] writes, in a fraction of the time.
    #[must_use]
    pub fn count_webhooks(&self, index: u64, buffer: &mut CallBuffer) -> usize {
        self.time_webhooks(index, buffer).1.count()
    }

    /// When a call starts, and when its webhooks are due: virtual milliseconds from the start of the run.
    pub(crate) fn time_webhooks<'a>(
        &'a self,
        index: u64,
        buffer: &'a mut CallBuffer,
    ) -> (u64, impl Iterator<Item = u64> + 'a) {
        let scratch = &mut buffer.scratch;
        let start = self.arrivals.at_ms(index, &mut scratch.block);
        let draws = Draws::new(self.options.seed.0, index);
        self.behaviour.play(draws, self.options.profile, start, &mut scratch.timeline);
        scratch.extra_params.clear();
        let style = self.extra_params.at(draws.bits(Purpose::ExtraParams, 0));
        write_extra_params(style, draws, &mut scratch.extra_params);
        let timeline = &scratch.timeline;
        let has_extra_params = !scratch.extra_params.is_empty();
        let due = timeline.entries.iter().filter(move |entry| {
            let is_b = timeline.legs[entry.leg as usize].is_b;
            self.forms.get(timeline.story.direction, entry.happening, is_b, has_extra_params).is_some()
        });
        (start, due.map(|entry| entry.at_ms))
    }

    /// The balance before a call, in millionths. A call before it is taken to have cost as much as a call can: so
    /// the balance follows from the index alone, and never rises with it.
    fn balance_before(&self, index: u64) -> i128 {
        i128::from(self.opening_balance) - i128::from(index) * i128::from(self.most_per_call)
    }

    /// Whole seconds since 1970, as CDRs have them: the milliseconds of events, rounded down.
    fn seconds(&self, at_ms: u64) -> u64 {
        self.options.epoch_ms.saturating_add(at_ms) / 1_000
    }

    fn charge(&self, leg: &Leg) -> Charge {
        let Some(answer) = leg.answer else {
            return Charge::default();
        };
        Charge::of(self.price_per_minute, self.seconds(leg.end) - self.seconds(answer))
    }
}

/// What an audio stream's WebSocket said, where the entry is of one.
fn ws_message(entry: &Entry) -> &'static [u8] {
    let words: &[&str] = match entry.happening {
        Happening::StreamError => &STREAM_ERRORS,
        Happening::StreamDisconnected => &CLOSINGS,
        _ => return &[],
    };
    words[entry.word as usize].as_bytes()
}

impl CallBuffer {
    /// The webhooks of the call, in the order in which they are due, each with its body.
    pub fn webhooks(&self) -> impl ExactSizeIterator<Item = (&WrittenWebhook, &[u8])> {
        self.webhooks.iter().map(|webhook| (webhook, &self.bytes[webhook.body.clone()]))
    }

    /// One of them; `None` where the call has not so many.
    #[must_use]
    pub fn webhook(&self, at: usize) -> Option<(&WrittenWebhook, &[u8])> {
        self.webhooks.get(at).map(|webhook| (webhook, &self.bytes[webhook.body.clone()]))
    }

    /// When the call starts: virtual milliseconds from the start of the run.
    #[must_use]
    pub fn starts_at_ms(&self) -> u64 {
        self.starts_at_ms
    }

    /// What happens in the call; `None` before one was written.
    #[must_use]
    pub fn story(&self) -> Option<Story> {
        self.story
    }
}
