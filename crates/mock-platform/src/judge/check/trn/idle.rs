//! A request that meets the end of an idle connection.

use std::time::Duration;

use super::reuse::announces_close;
use crate::judge::check::{
    Action, Case, Check, Composer, Count, End, Evidence, Findings, Fixes, Observability, Script, Severity,
    Tag, Transcript, criteria,
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
    let answer = transcript.answer(0).filter(|answer| !announces_close(answer))?;
    let (End::Closed { at } | End::Reset { at }) = transcript.end else { return None };
    Some(at.saturating_sub(answer.at)).filter(|idle| *idle >= SHORTEST_IDLE)
}

fn race(composer: &mut Composer, evidence: &Evidence<'_>) -> Vec<Case> {
    let [idle] = evidence.cases else { return Vec::new() };
    let Some(limit) = idle.transcripts().next().and_then(idle_limit) else { return Vec::new() };
    let mut case = Case::new("at the idle limit, and once more on a new connection");
    let (mut racing, mut again) = (Vec::new(), Vec::new());
    for n in 0..RACERS {
        let (first, second) = (composer.cdr(), composer.cdr());
        let pause = (limit + Duration::from_millis(n.into())).saturating_sub(Duration::from_millis(16));
        let request = composer.post(&second);
        let script = Script::default().request(&composer.post(&first)).answered().act(Action::Pause(pause));
        racing.push(script.request(&request).answered());
        again.push(Script::default().request(&request).answered());
        case = case.expect(&first, Count::Once).expect(&second, Count::Once);
    }
    vec![case.scripts(racing).scripts(again)]
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
        [_, race, ..] => {
            for transcript in race.steps.last().into_iter().flatten() {
                match transcript.answer(0) {
                    Some(answer) if answer.is_2xx() || answer.is_5xx() => {}
                    None if transcript.timed_out => {}
                    _ => findings.fail(
                        &race.case.name,
                        format!("{} when it was sent again, expected 2xx", transcript.outcome()),
                    ),
                }
            }
        }
        [] => {}
    }
    findings
}
