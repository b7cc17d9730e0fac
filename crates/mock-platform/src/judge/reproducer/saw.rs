use std::collections::{BTreeMap, BTreeSet};

use piopiy_events::{Calls, Raw};
use serde::{Deserialize, Serialize};

use super::Matters;
use crate::judge::Effect;
use crate::judge::check::{Action, Answer, Case, CaseEvidence, End, Script, Seen, Transcript};

/// Header lines by which answers are told apart, where those matter.
pub(super) const HEADERS: [&str; 14] = [
    "accept",
    "access-control-allow-credentials",
    "access-control-allow-headers",
    "access-control-allow-origin",
    "allow",
    "connection",
    "content-type",
    "location",
    "retry-after",
    "server",
    "set-cookie",
    "upgrade",
    "www-authenticate",
    "x-powered-by",
];

/// What was seen of a case when it failed, as far as a script can see it too.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Saw {
    pub(super) matters: Matters,
    /// Whether it is one of those that went wrong.
    pub(crate) is_wrong: bool,
    /// What became of each connection of each step.
    pub(super) steps: Vec<Vec<Connection>>,
    pub(super) canary: String,
    pub(super) bystander: String,
    /// The effects, by id; those without one below the empty text.
    pub(super) effects: Option<BTreeMap<String, Vec<Raw>>>,
    /// How many more there were, where they are only counted.
    pub(super) count: Option<i64>,
    /// How many are right, by id.
    pub(super) expected: BTreeMap<String, (usize, usize)>,
    /// The calls whose last effect leaves them in a wrong state: their legs, and where they should stand.
    pub(super) calls: Vec<StaleCall>,
    /// In seconds, where time matters.
    pub(super) slowest: f64,
    /// On one connection, where that matters.
    pub(super) sent_bytes: u64,
}

/// A call that does not stand where the model says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StaleCall {
    legs: Vec<String>,
    phase: String,
}

/// What became of a connection.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Connection {
    pub(super) outcome: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    headers: Vec<BTreeMap<String, Option<String>>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    bodies: Vec<String>,
}

impl Saw {
    pub(crate) fn of(evidence: &CaseEvidence, matters: Matters) -> Self {
        let case = &evidence.case;
        let steps = case.steps.iter().zip(&evidence.steps).map(|(step, transcripts)| {
            let pairs = step.scripts().iter().zip(transcripts);
            pairs.map(|(script, transcript)| Connection::of(script, transcript, matters)).collect()
        });
        let plain = |transcript: &Transcript| outcome(transcript, false, matters.resets);
        let mut expected: BTreeMap<String, (usize, usize)> = BTreeMap::new();
        for one in &case.expected {
            let (least, most) = one.count.range(true);
            let range = expected.entry(one.payload.cmiuuid.clone()).or_default();
            *range = (range.0 + least, range.1 + most);
        }
        let mut saw = Self {
            matters,
            is_wrong: true,
            steps: steps.collect(),
            canary: plain(&evidence.canary),
            bystander: evidence.bystander.as_ref().map_or_else(String::new, plain),
            expected,
            ..Self::default()
        };
        match &evidence.seen {
            Seen::Nothing => {}
            Seen::Count(count) => saw.count = Some(*count),
            Seen::Records(records) => {
                saw.effects = Some(saw.told(records, case.is_anonymous));
                if matters.contents {
                    saw.calls = stale_calls(case, records);
                }
            }
        }
        let slowest = |transcript: &Transcript| {
            (0..transcript.answers.len()).filter_map(|n| transcript.latency(n)).max().unwrap_or_default()
        };
        if matters.time {
            saw.slowest = evidence.transcripts().map(slowest).max().unwrap_or_default().as_secs_f64();
        } else if matters.canary {
            saw.slowest = slowest(&evidence.canary).as_secs_f64();
        }
        if matters.amount {
            saw.sent_bytes = evidence.transcripts().map(|it| it.sent_bytes).max().unwrap_or_default();
        }
        saw
    }

    fn told(&self, records: &[Effect], is_anonymous: bool) -> BTreeMap<String, Vec<Raw>> {
        let mut told: BTreeMap<String, Vec<Raw>> =
            self.expected.keys().map(|id| (id.clone(), Vec::new())).collect();
        if is_anonymous {
            told.entry(String::new()).or_default();
        }
        for effect in records.iter().filter(|effect| !effect.quarantined) {
            let id = effect.cmiuuid.as_deref().unwrap_or_default();
            if let Some(own) = told.get_mut(id) {
                own.extend(tell(effect, self.matters.contents));
            }
        }
        told
    }

    /// Whether the plain webhook after it was acknowledged.
    pub(super) fn is_alive(&self) -> bool {
        self.canary.starts_with('2')
    }

    /// Changes every text that may hold an id or a secret.
    pub(crate) fn rewrite(&mut self, change: &dyn Fn(&str) -> String) {
        let connections = self.steps.iter_mut().flatten();
        for connection in connections {
            connection.bodies.iter_mut().for_each(|body| *body = change(body));
            let values = connection.headers.iter_mut().flat_map(BTreeMap::values_mut).flatten();
            values.for_each(|value| *value = change(value));
        }
        let legs = self.calls.iter_mut().flat_map(|call| &mut call.legs);
        legs.for_each(|leg| *leg = change(leg));
        let renamed = std::mem::take(&mut self.expected);
        self.expected = renamed.into_iter().map(|(id, range)| (change(&id), range)).collect();
        if let Some(effects) = self.effects.take() {
            let rewritten = effects.into_iter().map(|(id, own)| {
                let own = own.iter().filter_map(|one| change(one.as_json()).parse().ok());
                (change(&id), own.collect())
            });
            self.effects = Some(rewritten.collect());
        }
    }
}

/// The calls whose last effect says another state than the model.
fn stale_calls(case: &Case, records: &[Effect]) -> Vec<StaleCall> {
    let webhooks: Vec<_> = case.expected.iter().filter_map(|one| one.payload.webhook()).collect();
    let mut model = Calls::default();
    for webhook in &webhooks {
        model.apply(webhook);
    }
    let mut legs: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for webhook in &webhooks {
        if let (Some(call), Some(id)) = (model.call_of(webhook), webhook.text("cmiuuid")) {
            legs.entry(call).or_default().insert(id.into_owned());
        }
    }
    let stale = legs.into_iter().filter_map(|(call, legs)| {
        let phase = model.phase(&call)?.as_str().to_owned();
        let is_own = |effect: &&Effect| effect.cmiuuid.as_ref().is_some_and(|id| legs.contains(id));
        let last = records.iter().rfind(|effect| !effect.quarantined && is_own(effect))?;
        let is_stale = last.state.as_deref().is_some_and(|state| state != phase);
        is_stale.then(|| StaleCall { legs: legs.into_iter().collect(), phase })
    });
    stale.collect()
}

/// An effect as far as it is compared.
fn tell(effect: &Effect, with_contents: bool) -> Option<Raw> {
    #[derive(Serialize)]
    struct Told<'a> {
        kind: Option<&'a str>,
        leg: Option<&'a str>,
        status: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        state: Option<Option<&'a str>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        fields: Option<Option<&'a Raw>>,
    }
    let text = serde_json::to_string(&Told {
        kind: effect.kind.as_deref(),
        leg: effect.leg.as_deref(),
        status: effect.status.as_deref(),
        state: with_contents.then_some(effect.state.as_deref()),
        fields: with_contents.then_some(effect.fields.as_ref()),
    });
    text.ok()?.parse().ok()
}

impl Connection {
    fn of(script: &Script, transcript: &Transcript, matters: Matters) -> Self {
        let answers = &transcript.answers;
        let headers = |answer: &Answer| {
            let value = |name: &str| {
                let value = answer.header(name)?;
                // What a cookie says is of that answer alone.
                let is_told = name != "set-cookie";
                Some(String::from_utf8_lossy(if is_told { value } else { b"" }).trim().to_owned())
            };
            HEADERS.into_iter().map(|name| (name.to_owned(), value(name))).collect()
        };
        let body = |answer: &Answer| String::from_utf8_lossy(&answer.body).into_owned();
        Self {
            outcome: outcome(transcript, ends_matter(script), matters.resets),
            headers: if matters.headers { answers.iter().map(headers).collect() } else { Vec::new() },
            bodies: if matters.bodies { answers.iter().map(body).collect() } else { Vec::new() },
        }
    }
}

/// Whether a script waits for the end of its connection.
pub(super) fn ends_matter(script: &Script) -> bool {
    script.actions.iter().any(|action| matches!(action, Action::AwaitClose(_)))
}

/// What became of a connection, in the words of `raw.sh`.
fn outcome(transcript: &Transcript, ends_matter: bool, resets_matter: bool) -> String {
    if transcript.connect_error.is_some() {
        return "no connection".to_owned();
    }
    let answer = |answer: &Answer| {
        let statuses = answer.interim.iter().chain([&answer.status]);
        statuses.map(u16::to_string).collect::<Vec<_>>().join(" ")
    };
    let mut said: Vec<String> = transcript.answers.iter().map(answer).collect();
    if transcript.garbled.is_some() {
        let record = match transcript.first_bytes.first() {
            Some(21) => "a TLS alert",
            Some(22) => "a TLS handshake",
            _ => "garbled",
        };
        said.push(record.to_owned());
    }
    match transcript.end {
        End::Closed { .. } if said.is_empty() => said.push("closed".to_owned()),
        End::Reset { .. } if resets_matter || said.is_empty() => said.push("reset".to_owned()),
        _ if said.is_empty() => said.push("nothing".to_owned()),
        _ => {}
    }
    if ends_matter {
        let end = match transcript.end {
            _ if transcript.timed_out => "timed out",
            End::Open => "open",
            End::Closed { .. } => "closed",
            End::Reset { .. } => "reset",
        };
        said.push(end.to_owned());
    }
    said.join(", ")
}
