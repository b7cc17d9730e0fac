use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::judge::check::{Answer, CaseEvidence, End, Seen, Transcript};

/// What of the evidence a failure shows in. Judging is a function: with that part put right, the verdict is another.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Matters {
    /// Whether there are answers, and their statuses.
    pub(crate) answers: bool,
    /// Their header lines.
    pub(crate) headers: bool,
    /// Their bodies.
    pub(crate) bodies: bool,
    /// How long they took.
    pub(crate) time: bool,
    /// Whether one did not come in time, whichever that is: another time it is another request's.
    #[serde(default)]
    pub(crate) late: bool,
    /// Whether a connection that was answered is reset, and not closed. Which of the two is seen is chance, often.
    #[serde(default)]
    pub(crate) resets: bool,
    /// How many effects there are.
    pub(crate) effects: bool,
    /// What the effects say.
    pub(crate) contents: bool,
    /// The plain webhook after a case.
    pub(crate) canary: bool,
    /// The plain webhook beside it.
    pub(crate) bystander: bool,
    /// How much the receiver took.
    pub(crate) amount: bool,
    /// What its processes take up, or write.
    pub(crate) usage: bool,
}

impl Matters {
    /// Of cases that fail, as `fails` says of any; `is_timing` where they do so by the time that something took.
    pub(crate) fn of(
        cases: &[CaseEvidence],
        is_timing: bool,
        fails: impl Fn(&[CaseEvidence]) -> bool,
    ) -> Self {
        let mut all = cases.iter().flat_map(|case| case.transcripts().chain([&case.canary]));
        if is_timing && all.any(is_late) {
            return Self { late: true, ..Self::default() };
        }
        let decides = |change: &dyn Fn(&mut CaseEvidence)| {
            let mut changed = cases.to_vec();
            changed.iter_mut().for_each(change);
            !fails(&changed)
        };
        let each = |change: fn(&mut Transcript)| {
            move |case: &mut CaseEvidence| case.steps.iter_mut().flatten().for_each(change)
        };
        let canary = decides(&|case| case.canary = well());
        let bystander = decides(&|case| case.bystander = None);
        if canary || bystander {
            return Self { canary, bystander, ..Self::default() };
        }
        if decides(&|case| case.usage.clear()) || decides(&|case| case.log.clear()) {
            return Self { usage: true, ..Self::default() };
        }
        let effects = decides(&|case| {
            case.seen = Seen::Nothing;
            case.looks.clear();
        });
        let contents = effects && decides(&without_contents);
        let timed_out = cases.iter().flat_map(CaseEvidence::transcripts).any(|it| it.timed_out);
        let time = !effects && !timed_out && decides(&each(at_once));
        let amount = !effects && decides(&each(|it| (it.sent_bytes, it.was_blocked) = (0, false)));
        let answers = !effects && !time;
        let headers = answers
            && (decides(&each(|it| it.answers.iter_mut().for_each(|answer| answer.headers.clear())))
                || decides(&each(|it| it.answers.iter_mut().for_each(say_all))));
        let bodies = answers
            && decides(&each(|it| {
                for answer in &mut it.answers {
                    answer.body.clear();
                    answer.body_bytes = 0;
                }
            }));
        let resets = decides(&each(|it| {
            if let End::Reset { at } = it.end {
                it.end = End::Closed { at };
            }
        }));
        Self { answers, headers, bodies, time, resets, effects, contents, amount, ..Self::default() }
    }
}

/// Whether an answer was waited for and did not come.
fn is_late(transcript: &Transcript) -> bool {
    transcript.timed_out && transcript.answers.len() < transcript.sent_at.len()
}

/// A plain webhook that was acknowledged at once.
fn well() -> Transcript {
    let answer = Answer { minor: 1, status: 200, ..Answer::default() };
    Transcript {
        sent_at: vec![Duration::ZERO],
        answers: vec![answer],
        end: End::Open,
        ..Transcript::default()
    }
}

fn without_contents(case: &mut CaseEvidence) {
    let seen = match &mut case.seen {
        Seen::Records(records) => records.as_mut_slice(),
        _ => &mut [],
    };
    for effect in seen.iter_mut().chain(case.looks.iter_mut().flatten()) {
        (effect.fields, effect.state) = (None, None);
    }
}

fn at_once(transcript: &mut Transcript) {
    for (answer, sent) in transcript.answers.iter_mut().zip(&transcript.sent_at) {
        answer.at = *sent;
    }
}

/// Header lines that a check may miss.
fn say_all(answer: &mut Answer) {
    for (name, value) in [("Allow", "POST"), ("Retry-After", "1"), ("WWW-Authenticate", "Basic")] {
        if answer.header(name).is_none() {
            answer.headers.push((name.to_owned(), value.as_bytes().to_vec()));
        }
    }
}
