use std::borrow::Cow;

use piopiy_events::{CallDirection, Form, Profile};

use super::draw::{mix, split_mix};
use super::{CallBuffer, Nonce, PlanOptions, PlannedWebhook, Scenario, Seed, Simulator};

/// What one webhook on its own is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SingleOptions {
    /// What its values follow from, together with the index.
    pub seed: Seed,
    /// What its ids follow from, together with the seed and the index. They are never those of a simulated call.
    pub nonce: Nonce,
    /// Which of several single webhooks of one run it is: each has values and ids of its own.
    pub index: u64,
    /// The present, for its times: milliseconds since 1970.
    pub now_ms: u64,
    /// Leg `a` or `b`; `None` for the one that is documented best.
    pub leg: Option<String>,
    /// The direction of its call; `None` for the one that is documented best.
    pub direction: Option<CallDirection>,
}

impl Default for SingleOptions {
    fn default() -> Self {
        let PlanOptions { seed, nonce, epoch_ms, .. } = PlanOptions::default();
        Self { seed, nonce, index: 0, now_ms: epoch_ms, leg: None, direction: None }
    }
}

/// Why there is no webhook of a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SingleError {
    /// The profile has no event of the name.
    #[error("{profile} has no event {name:?}{hint}")]
    UnknownEvent {
        /// The profile.
        profile: Profile,
        /// The name.
        name: String,
        /// The likeliest name that it has, or where the names are listed.
        hint: String,
    },
    /// It has, but not on that leg of such a call.
    #[error("{name} of {profile} is not on that leg of such a call: it is on {known}")]
    NoSuchLeg {
        /// The profile.
        profile: Profile,
        /// The name.
        name: String,
        /// The legs and calls that have it.
        known: String,
    },
    /// No call was found that has it.
    #[error("no simulated call has {name} on leg {leg}")]
    NotSimulated {
        /// The name.
        name: String,
        /// The leg.
        leg: String,
    },
}

/// Keeps the ids of single webhooks apart from those of calls.
const SINGLE: u64 = 0x7369_6e67_6c65_2e31;

/// How many calls are searched: the rarest event is in one of a few hundred.
const MOST_CALLS: u64 = 20_000;

/// One webhook by its name, as the first simulated call of the seed that has one has it.
///
/// # Errors
/// Where the profile has no such event, or not on that leg.
///
/// # Examples
/// ```
/// use piopiy_events::Profile;
/// use piopiy_mock_platform::plan::{SingleOptions, single};
///
/// let webhook = single("cdr.inbound.missed", Profile::Global, &SingleOptions::default())?;
/// assert!(String::from_utf8_lossy(&webhook.body).contains(r#""status":"missed""#));
///
/// let error = single("cdr.inbound.mised", Profile::Global, &SingleOptions::default()).unwrap_err();
/// assert!(error.to_string().ends_with("did you mean cdr.inbound.missed?"));
/// # Ok::<(), piopiy_mock_platform::plan::SingleError>(())
/// ```
pub fn single(name: &str, profile: Profile, options: &SingleOptions) -> Result<PlannedWebhook, SingleError> {
    let (form, leg) = choose(name, profile, options)?;
    let mut plan = PlanOptions::new(profile, Seed(options.seed.0.wrapping_add(options.index)));
    plan.nonce = Nonce(split_mix(mix(options.nonce.0 ^ SINGLE), options.index));
    let simulator = Simulator::new(&Scenario::default(), plan.clone());
    let mut buffer = CallBuffer::default();
    for index in 0..MOST_CALLS {
        simulator.write_call(index, &mut buffer);
        let found = buffer.webhooks().position(|(webhook, _)| webhook.form == form && webhook.leg == leg);
        let Some(place) = found else { continue };
        // The same call again, at a time that makes this webhook happen now.
        let at_ms = buffer.webhooks().nth(place).map_or(0, |(webhook, _)| webhook.at_ms);
        plan.epoch_ms = options.now_ms.saturating_sub(at_ms);
        simulator.with_options(plan).write_call(index, &mut buffer);
        let body = buffer.webhooks().nth(place).map(|(_, body)| body.to_vec()).unwrap_or_default();
        let name = Cow::Borrowed(form.name);
        return Ok(PlannedWebhook::new(0, 0, 0, name, Some(form.kind), form.evidence, body));
    }
    Err(SingleError::NotSimulated { name: name.to_owned(), leg: leg.to_owned() })
}

/// The form that is asked for; of several the best documented, then leg a's, then that of an inbound call.
fn choose(
    name: &str,
    profile: Profile,
    options: &SingleOptions,
) -> Result<(&'static Form, &'static str), SingleError> {
    let of_name: Vec<_> =
        Form::named(profile, name).flat_map(|form| form.legs.iter().map(move |leg| (form, *leg))).collect();
    if of_name.is_empty() {
        return Err(unknown_event(name, profile));
    }
    let wanted = |(form, leg): &&(&'static Form, &'static str)| {
        options.leg.as_deref().is_none_or(|wanted| wanted == *leg)
            && options.direction.is_none_or(|wanted| wanted == form.call)
    };
    let best = of_name.iter().filter(wanted).min_by_key(|(form, leg)| (form.evidence, *leg, form.call));
    best.copied().ok_or_else(|| {
        let known = of_name.iter().map(|(form, leg)| format!("leg {leg} of {} calls", form.call));
        SingleError::NoSuchLeg { profile, name: name.to_owned(), known: known.collect::<Vec<_>>().join(", ") }
    })
}

/// That a profile has no event of a name, with the likeliest that it has.
pub(crate) fn unknown_event(name: &str, profile: Profile) -> SingleError {
    let hint = closest(name, profile).map_or_else(
        || "; `piopiy-mock events` lists them".to_owned(),
        |close| format!(": did you mean {close}?"),
    );
    SingleError::UnknownEvent { profile, name: name.to_owned(), hint }
}

fn closest(name: &str, profile: Profile) -> Option<&'static str> {
    let scored = Form::all(profile).iter().map(|form| (strsim::jaro_winkler(name, form.name), form.name));
    scored
        .max_by(|one, other| one.0.total_cmp(&other.0))
        .filter(|(score, _)| *score > 0.8)
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use piopiy_events::{Evidence, Webhook};

    #[test]
    fn every_event_on_every_leg_can_be_had() {
        for profile in Profile::ALL {
            for form in Form::all(profile) {
                for leg in form.legs {
                    let mut options =
                        SingleOptions { direction: Some(form.call), ..SingleOptions::default() };
                    options.leg = Some((*leg).to_owned());
                    let webhook = single(form.name, profile, &options).unwrap();
                    assert_eq!((webhook.kind, webhook.evidence), (Some(form.kind), form.evidence));
                    let parsed = Webhook::parse(&webhook.body).unwrap();
                    assert_eq!(parsed.text("leg").as_deref(), Some(*leg));
                    assert!(parsed.validate(profile).findings.is_empty());
                    if form.kind == piopiy_events::Kind::LiveEvent {
                        let now = options.now_ms.to_string();
                        assert_eq!(parsed.text("time").as_deref(), Some(&*now));
                    }
                }
            }
        }
    }

    #[test]
    fn the_documented_leg_comes_first() {
        let chosen = |name| {
            let (form, leg) = choose(name, Profile::Global, &SingleOptions::default()).unwrap();
            (form.evidence, form.call, leg)
        };
        assert_eq!(chosen("live.out_started"), (Evidence::Documented, CallDirection::Outbound, "a"));
        assert_eq!(chosen("live.stream_connected"), (Evidence::Documented, CallDirection::Inbound, "b"));
    }

    #[test]
    fn ids_are_never_those_of_a_call_or_of_another() {
        let id = |body: &[u8]| Webhook::parse(body).unwrap().text("cmiuuid").unwrap().into_owned();
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..4 {
            let options = PlanOptions::new(Profile::Global, Seed(seed));
            let simulator = Simulator::new(&Scenario::default(), options);
            for call in (0..100).map(|index| simulator.call(index)) {
                seen.extend(call.webhooks.iter().map(|webhook| id(&webhook.body)));
            }
        }
        for (seed, index) in (0..4).flat_map(|seed| (0..20).map(move |index| (seed, index))) {
            let options = SingleOptions { seed: Seed(seed), index, ..SingleOptions::default() };
            let webhook = single("cdr.inbound.missed", Profile::Global, &options).unwrap();
            assert!(seen.insert(id(&webhook.body)), "seed {seed}, index {index}");
        }
    }

    #[test]
    fn a_leg_that_has_it_not_is_named() {
        let options = SingleOptions { leg: Some("b".to_owned()), ..SingleOptions::default() };
        let error = single("live.in_answered", Profile::Global, &options).unwrap_err();
        assert_eq!(
            error.to_string(),
            "live.in_answered of global is not on that leg of such a call: it is on leg a of inbound calls"
        );
    }
}
