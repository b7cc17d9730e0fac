use std::collections::{BTreeMap, BTreeSet};

use piopiy_events::{Form, FormValue, JsonType, Kind, Profile, Webhook};

use super::Step;
use crate::plan::{CallBuffer, PlanOptions, Scenario, Seed, Simulator};

/// What the model has produced, in any profile.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// By kind, status and key.
    types: BTreeMap<(Kind, String, String), BTreeSet<JsonType>>,
    /// By kind and key, where there are few.
    words: BTreeMap<(Kind, String), BTreeSet<String>>,
    /// What comes right behind what, on one leg.
    pairs: BTreeSet<(Step, Step)>,
}

/// Calls that are simulated, of each profile and scenario, to see what follows what.
const CALLS: u64 = 400;

impl Known {
    pub(super) fn of_the_model() -> Self {
        let mut known = Self::default();
        for profile in Profile::ALL {
            for form in Form::all(profile) {
                known.read(form);
            }
            for name in Scenario::builtin_names() {
                if let Ok(scenario) = Scenario::builtin(name) {
                    known.watch(&scenario, profile);
                }
            }
        }
        known
    }

    pub(super) fn has_status(&self, kind: Kind, status: &str) -> bool {
        self.words.get(&(kind, "status".to_owned())).is_some_and(|words| words.contains(status))
    }

    /// The types that a field has; where the status is not known, those that it has with any.
    pub(super) fn types(&self, kind: Kind, status: &str, key: &str) -> Option<BTreeSet<JsonType>> {
        if self.has_status(kind, status) {
            return self.types.get(&(kind, status.to_owned(), key.to_owned())).cloned();
        }
        let of_any = self.types.iter().filter(|((of, _, named), _)| *of == kind && named == key);
        of_any.map(|(_, types)| types.clone()).reduce(|mut all, types| {
            all.extend(types);
            all
        })
    }

    pub(super) fn words(&self, kind: Kind, key: &str) -> Option<&BTreeSet<String>> {
        self.words.get(&(kind, key.to_owned()))
    }

    pub(super) fn follows(&self, before: &Step, after: &Step) -> bool {
        self.pairs.contains(&(before.clone(), after.clone()))
    }

    fn read(&mut self, form: &Form) {
        for field in form.fields {
            let key = field.key.to_owned();
            let of = (form.kind, form.status.to_owned(), key.clone());
            self.types.entry(of).or_default().insert(json_type(field.value));
            let words: &[&str] = match field.value {
                FormValue::Status => &[form.status],
                FormValue::Direction => &[form.direction],
                FormValue::Leg => form.legs,
                FormValue::Type => &[form.kind.as_str()],
                _ => continue,
            };
            let known = self.words.entry((form.kind, key)).or_default();
            known.extend(words.iter().map(|&word| word.to_owned()));
        }
    }

    fn watch(&mut self, scenario: &Scenario, profile: Profile) {
        let simulator = Simulator::new(scenario, PlanOptions::new(profile, Seed(0)));
        let mut buffer = CallBuffer::default();
        for index in 0..CALLS {
            simulator.write_call(index, &mut buffer);
            let mut last: BTreeMap<(String, String), Step> = BTreeMap::new();
            for (_, body) in buffer.webhooks() {
                let Ok(webhook) = Webhook::parse(body) else { continue };
                let (Some(kind), Some(identity)) = (webhook.kind(), webhook.identity()) else { continue };
                let leg = (identity.cmiuuid().to_owned(), identity.leg().unwrap_or_default().to_owned());
                let step = (kind, webhook.text("status").unwrap_or_default().into_owned());
                if let Some(before) = last.insert(leg, step.clone()) {
                    self.pairs.insert((before, step));
                }
            }
        }
    }
}

fn json_type(value: FormValue) -> JsonType {
    match value {
        FormValue::AppId
        | FormValue::EpochMillis
        | FormValue::EpochSeconds
        | FormValue::Phone
        | FormValue::Seconds
        | FormValue::Zero => JsonType::Number,
        FormValue::True => JsonType::Boolean,
        _ => JsonType::String,
    }
}
