//! A request that meets the end of an idle connection.

use std::time::Duration;

use crate::judge::check::{
    Action, Answer, Case, CaseEvidence, Check, Composer, Count, End, Evidence, Findings, Fixes,
    Observability, Script, Severity, Tag, Transcript, criteria,
};

pub(super) const TRN_022: Check = Check {
    id: "TRN-022",
    title: "a request just when the connection idles out",
    severity: Severity::Should,
    observability: Observability::Partly,
    tags: &[Tag::Slow],
    source: "RFC 9112 §9.5, §9.3.1",
    why: "Sooner or later a webhook crosses the FIN of an idle connection. It is sent again, and must count once.",
    fixes: Fixes::all(
        "Close idle connections without writing anything, after longer than clients keep them (65 s, say); make repeats harmless with a unique index.",
    ),
    stimulus: |composer| {
        let cdr = composer.cdr();
        let script =
            Script::default().request(&composer.post(&cdr)).answered().act(Action::AwaitClose(LONGEST_IDLE));
        vec![Case::new("idle").script(script).may_be_silent().expect(&cdr, Count::Once)]
    },
    then: Some(race),
    judge: no_half_answer,
    ..Check::BASE
};

/// Idle limits beyond this are not waited for: two of them fit into the time of a slow check.
const LONGEST_IDLE: Duration = Duration::from_secs(50);
/// An end sooner than this after an answer is no idle limit.
const SHORTEST_IDLE: Duration = Duration::from_millis(100);
/// Connections that race, a millisecond apart, as many before the limit as after.
const RACERS: u32 = 32;

/// How long the connection was idle before it was closed.
fn idle_limit(transcript: &Transcript) -> Option<Duration> {
    let answer = transcript.answer(0).filter(|answer| !answer.announces_close())?;
    let (End::Closed { at } | End::Reset { at }) = transcript.end else { return None };
    Some(at.saturating_sub(answer.at)).filter(|idle| *idle >= SHORTEST_IDLE)
}

fn race(composer: &mut Composer, evidence: &Evidence<'_>) -> Vec<Case> {
    match evidence.cases {
        [idle] => idle.transcripts().next().and_then(idle_limit).map(|limit| at_the_limit(composer, limit)),
        [_, race] => once_more(composer, race),
        _ => None,
    }
    .into_iter()
    .collect()
}

fn at_the_limit(composer: &mut Composer, limit: Duration) -> Case {
    let mut case = Case::new("at the idle limit");
    let mut racing = Vec::new();
    for n in 0..RACERS {
        let (first, second) = (composer.cdr(), composer.cdr());
        let pause = (limit + Duration::from_millis(n.into())).saturating_sub(Duration::from_millis(16));
        let script = Script::default().request(&composer.post(&first)).answered_and_kept();
        racing.push(script.act(Action::Pause(pause)).request(&composer.post(&second)).answered());
        case = case.expect(&first, Count::Once).expect(&second, Count::Once);
    }
    case.scripts(racing)
}

/// As a client would: what was answered is not sent again.
fn once_more(composer: &Composer, race: &CaseEvidence) -> Option<Case> {
    let mut case = Case::new("once more, on a new connection");
    let mut scripts = Vec::new();
    for expected in &race.case.expected {
        let payload = &expected.payload;
        if race.answers_to(payload.id).next().is_none() {
            scripts.push(Script::default().request(&composer.post(payload)).answered());
            case = case.expect(payload, Count::Once);
        }
    }
    (!scripts.is_empty()).then(|| case.scripts(scripts))
}

fn no_half_answer(evidence: &Evidence<'_>) -> Findings {
    let mut findings = criteria::effects(evidence);
    for case in evidence.cases {
        let broken = case.transcripts().find_map(|transcript| transcript.garbled.as_ref());
        if let Some(garbled) = broken {
            findings.fail(&case.case.name, format!("half an answer when it idles out: {garbled}"));
        }
    }
    match evidence.cases {
        [idle] => {
            let found = idle.transcripts().next().and_then(idle_limit);
            if found.is_none() {
                findings.not_applicable("", format!("no idle limit was found within {LONGEST_IDLE:?}"));
            }
        }
        [_, _, again] => {
            criteria::every_answer(again, &mut findings, "2xx when it is sent again", Answer::is_2xx);
        }
        _ => {}
    }
    findings
}
