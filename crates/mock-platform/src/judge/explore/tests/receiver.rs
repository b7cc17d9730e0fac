use std::collections::BTreeMap;
use std::time::Duration;

use piopiy_events::{CallState, Calls, Identity, JsonType, Kind, Phase, Raw, Webhook};

use crate::judge::Effect;
use crate::judge::check::{Action, Answer, Case, CaseEvidence, Script, Seen, Step, Transcript};

/// What is wrong with a receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flaw {
    None,
    /// Correct: it has no use for live events.
    NoneButCdrs,
    /// Two that come within 5 ms of one another both find that they are new, in so many of 100 cases.
    AsksThenInserts {
        percent: u64,
    },
    StoresRepeats,
    AnswersRepeatsWith409,
    DedupesByCmiuuid,
    LastWriteWins,
    ReopensByLateEvents,
    DropsUnknownMembers,
    RefusesQuotedNumbers,
    DropsThePlus,
    BreaksAtThreeSideBySide,
    HasOneCurrentCall,
    ForgetsAfterTenMs,
}

/// A receiver that takes cases without a network, with a clock of its own.
pub(super) struct Receiver {
    flaw: Flaw,
    /// When each webhook was first taken.
    seen: BTreeMap<String, u64>,
    effects: Vec<Effect>,
    calls: Calls,
    /// The last call of this case, and its state.
    current: Option<(String, String)>,
    now_ms: u64,
    draw: u64,
}

impl Receiver {
    pub(super) fn new(flaw: Flaw) -> Self {
        Self {
            flaw,
            seen: BTreeMap::new(),
            effects: Vec::new(),
            calls: Calls::default(),
            current: None,
            now_ms: 1,
            draw: 1,
        }
    }

    /// Takes all that a case sends.
    pub(super) fn take(&mut self, case: Case) -> CaseEvidence {
        let before = self.effects.len();
        self.current = None;
        let mut steps = Vec::new();
        for step in &case.steps {
            match step {
                Step::Connections(scripts) => steps.push(self.side_by_side(scripts)),
                Step::Pause(pause) => {
                    self.now_ms += pause.as_millis() as u64;
                    steps.push(Vec::new());
                }
                other => panic!("schedules have no {other:?}"),
            }
        }
        CaseEvidence {
            case,
            steps,
            canary: answered(200),
            bystander: None,
            seen: Seen::Records(self.effects[before..].to_vec()),
            looks: Vec::new(),
            starts: Vec::new(),
            flows: Vec::new(),
            printed: Vec::new(),
            usage: Vec::new(),
            log: Vec::new(),
            error: None,
        }
    }

    fn side_by_side(&mut self, scripts: &[Script]) -> Vec<Transcript> {
        let mut due: Vec<(u64, usize, Webhook)> = Vec::new();
        for (number, script) in scripts.iter().enumerate() {
            let (body, after) = sent(script);
            due.push((after, number, Webhook::parse(&body).unwrap()));
        }
        due.sort_by_key(|(after, number, _)| (*after, *number));
        let breaks = self.flaw == Flaw::BreaksAtThreeSideBySide && scripts.len() >= 3;
        let mut answers = BTreeMap::new();
        // When each webhook that is new was asked for in this wave.
        let mut asked: BTreeMap<String, u64> = BTreeMap::new();
        let begun = self.now_ms;
        for (after, number, webhook) in due {
            self.now_ms = begun + after;
            let key = webhook.identity().unwrap().key();
            let races = match self.flaw {
                Flaw::AsksThenInserts { percent } => {
                    asked.get(&key).is_some_and(|first| after - first < 5) && self.chance() < percent
                }
                _ => false,
            };
            asked.entry(key).or_insert(after);
            let status = if breaks { 500 } else { self.one(&webhook, races) };
            answers.insert(number, status);
        }
        let transcript = |(number, script): (usize, &Script)| Transcript {
            requests: script.requests.clone(),
            ..answered(answers[&number])
        };
        scripts.iter().enumerate().map(transcript).collect()
    }

    fn one(&mut self, webhook: &Webhook, races: bool) -> u16 {
        let identity = webhook.identity().unwrap();
        let is_live = identity.kind() == Kind::LiveEvent;
        match self.flaw {
            Flaw::NoneButCdrs if is_live => return 200,
            Flaw::RefusesQuotedNumbers if is_text(webhook, "duration") || is_text(webhook, "appid") => {
                return 422;
            }
            Flaw::DropsUnknownMembers if webhook.get("something_new").is_some() => return 200,
            _ => {}
        }
        let key = match self.flaw {
            Flaw::DedupesByCmiuuid => identity.cmiuuid().to_owned(),
            _ => identity.key(),
        };
        let before = self.seen.get(&key).copied();
        let is_forgotten =
            self.flaw == Flaw::ForgetsAfterTenMs && before.is_some_and(|before| self.now_ms - before >= 10);
        let is_new = before.is_none() || is_forgotten || races || self.flaw == Flaw::StoresRepeats;
        if !is_new {
            return if self.flaw == Flaw::AnswersRepeatsWith409 { 409 } else { 200 };
        }
        self.seen.insert(key, self.now_ms);
        self.keep(webhook, &identity);
        200
    }

    fn keep(&mut self, webhook: &Webhook, identity: &Identity) {
        self.calls.apply(webhook);
        let key = self.calls.call_of(webhook).unwrap();
        let mut state = self.calls.phase(&key).unwrap();
        let alone = || {
            let mut alone = CallState::default();
            alone.apply(webhook);
            alone.phase()
        };
        match self.flaw {
            Flaw::LastWriteWins => state = alone(),
            Flaw::ReopensByLateEvents if alone() < Phase::EndedAnswered => state = alone(),
            _ => {}
        }
        let mut state = state.as_str().to_owned();
        if self.flaw == Flaw::HasOneCurrentCall {
            // What it says of a call is what it knows of the one before.
            let before = self.current.replace((key.clone(), state.clone()));
            if let Some((_, of_other)) = before.filter(|(other, _)| *other != key) {
                state = of_other;
            }
        }
        let mut fields = webhook.clone();
        if let Some(from) = webhook.text("from").filter(|_| self.flaw == Flaw::DropsThePlus) {
            fields.set("from", Some(Raw::string(from.trim_start_matches('+'))));
        }
        self.effects.push(Effect {
            seq: self.effects.len() as u64 + 1,
            cmiuuid: Some(identity.cmiuuid().to_owned()),
            leg: identity.leg().map(str::to_owned),
            kind: Some(identity.kind().as_str().to_owned()),
            status: Some(identity.status().to_owned()),
            fields: Some(fields.to_json().parse().unwrap()),
            state: Some(state),
            quarantined: false,
        });
    }

    /// From 0 to 99.
    fn chance(&mut self) -> u64 {
        self.draw = self.draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.draw >> 33) % 100
    }
}

fn is_text(webhook: &Webhook, key: &str) -> bool {
    webhook.get(key).is_some_and(|value| value.json_type() == JsonType::String)
}

/// The body that a script sends, and how many milliseconds after the others.
fn sent(script: &Script) -> (Vec<u8>, u64) {
    let (mut bytes, mut after) = (Vec::new(), Duration::ZERO);
    for action in &script.actions {
        match action {
            Action::Send { bytes: more, .. } => bytes.extend_from_slice(more),
            Action::Pause(pause) => after += *pause,
            _ => {}
        }
    }
    let head = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    (bytes.split_off(head + 4), after.as_millis() as u64)
}

fn answered(status: u16) -> Transcript {
    let answer = Answer { status, minor: 1, ..Answer::default() };
    Transcript { sent_at: vec![Duration::ZERO], answers: vec![answer], ..Transcript::default() }
}
