//! LAT: latency of acknowledgement.

mod downstream;

use std::time::Duration;

use super::{
    Action, Answer, Case, CaseEvidence, Check, Composer, Count, Evidence, Findings, Fixes, Script, Severity,
    Split, Tag, criteria,
};

const FIXES: Fixes = Fixes {
    axum: "Commit, answer, and do the rest in a task of its own (`tokio::spawn`, a queue); use `spawn_blocking` for what blocks.",
    express: "Commit, `res.sendStatus(200)`, and do the rest from a queue; nothing synchronous in the handler.",
    flask: "Commit, return, and do the rest from a queue (Celery, RQ); more than one worker.",
};

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "LAT-001",
        title: "200 webhooks, one after the other",
        severity: Severity::Should,
        tags: &[Tag::Latency],
        source: "good practice: an idle receiver acknowledges within a second",
        why: "What takes a second when nothing is going on takes more than the platform's patience when much is.",
        fixes: FIXES,
        stimulus: |composer| vec![in_a_row(composer, Case::new(""), 200)],
        judge: |evidence| {
            let limit = Duration::from_secs(1).min(evidence.terms.ack_limit / 4);
            let mut findings = criteria::acknowledged(evidence);
            findings.extend(within(evidence, limit, |_| true));
            findings
        },
        ..Check::BASE
    },
    Check {
        id: "LAT-002",
        title: "every webhook there is, within the limit",
        tags: &[Tag::Latency],
        source: "piopiy docs: what is not acknowledged in time is sent again",
        why: "An answer that comes too late is none: the platform sends again what was taken long ago.",
        fixes: FIXES,
        stimulus: |composer| {
            let forms = composer.forms().into_iter();
            forms.map(|(name, payload)| Case::new(name).send(&composer.post(&payload))).collect()
        },
        // The standing oracle's: no answer within the limit.
        ..Check::BASE
    },
    downstream::SLOW,
    Check {
        id: "LAT-004",
        title: "the first webhook after ten idle minutes",
        severity: Severity::Should,
        tags: &[Tag::Soak, Tag::Latency],
        source: "good practice: an idle receiver is ready",
        why: "Platforms that put idle programs to sleep take longer to wake them than the platform waits.",
        fixes: Fixes::all(
            "Keep one instance awake (a minimum of 1, or a health check each minute), and connections to the store alive.",
        ),
        stimulus: |composer| {
            let wait = 10 * composer.sources.slow_limit;
            let idle = Case::new("").step(super::Step::Pause(wait));
            // It is signed when it is sent.
            composer.sources.now_s += wait.as_secs();
            let cdr = composer.cdr();
            vec![idle.send(&composer.post(&cdr)).expect(&cdr, Count::Once)]
        },
        judge: criteria::acknowledged,
        ..Check::BASE
    },
    Check {
        id: "LAT-005",
        title: "100 webhooks within 100 ms",
        tags: &[Tag::Latency, Tag::Load],
        source: "piopiy docs: each leg and each change of a call is a webhook of its own",
        why: "A campaign that ends hangs up a hundred calls at once; what is done one after the other is late for the last.",
        fixes: FIXES,
        stimulus: |composer| {
            let mut case = Case::new("");
            let mut scripts = Vec::new();
            for n in 0..100 {
                let cdr = composer.cdr();
                let wait = Action::Pause(Duration::from_millis(n));
                scripts.push(
                    Script::default().act(Action::Barrier).act(wait).request(&composer.post(&cdr)).answered(),
                );
                case = case.expect(&cdr, Count::Once);
            }
            vec![case.scripts(scripts)]
        },
        judge: criteria::acknowledged,
        ..Check::BASE
    },
    Check {
        id: "LAT-006",
        title: "plain webhooks beside one that is large and slow",
        severity: Severity::Should,
        tags: &[Tag::Latency],
        source: "good practice: clients do not wait for one another",
        why: "One client on a bad line must not hold up the platform.",
        fixes: FIXES,
        stimulus: beside_a_slow_one,
        judge: |evidence| {
            let Some((alone, beside)) = evidence.cases.split_first() else { return Findings::default() };
            // What this machine makes of the same arrivals without the slow one, busy as it is.
            let alone = p99_of_last_step(alone).unwrap_or_default();
            let limit = (2 * evidence.terms.baseline.max(alone)).max(Duration::from_millis(100));
            let beside = Evidence { cases: beside, terms: evidence.terms };
            within(&beside, limit, |transcript| !transcript.requests.is_empty())
        },
        ..Check::BASE
    },
];

/// So many webhooks, each on a connection of its own and after the answer to the one before.
fn in_a_row(composer: &mut Composer, case: Case, count: usize) -> Case {
    (0..count).fold(case, |case, _| {
        let cdr = composer.cdr();
        case.send(&composer.post(&cdr)).expect(&cdr, Count::Once)
    })
}

/// A body of 200 kB that takes about a second, and 150 plain webhooks meanwhile, ten at a time on ten arrivals.
fn beside_a_slow_one(composer: &mut Composer) -> Vec<Case> {
    let (cdr, filler) = (composer.cdr(), vec![b' '; 200_000]);
    let slow = cdr.clone().of_bytes([&cdr.bytes[..], &filler].concat());
    let bytes = composer.post(&slow).bytes();
    let split = Some(Split { every: bytes.len() / 100, pause: Duration::from_millis(8) });
    let mut beside = vec![Script::default().act(Action::Send { bytes, split, ends_request: false })];
    let alone = plain_arrivals(composer);
    beside.extend(plain_arrivals(composer));
    vec![Case::new("without the slow one").scripts(alone), Case::new("beside it").scripts(beside)]
}

fn plain_arrivals(composer: &mut Composer) -> Vec<Script> {
    const PLAIN: u32 = 150;
    let arrival = |n| {
        let cdr = composer.cdr();
        let script = Script::default().request(&composer.post(&cdr)).answered();
        script.arriving_after(Duration::from_millis(5) * n)
    };
    (0..PLAIN).map(arrival).collect()
}

/// The 99th percentile of the answer times stays within a limit, and all are 2xx.
pub(super) fn within(
    evidence: &Evidence<'_>,
    limit: Duration,
    counts: fn(&super::Transcript) -> bool,
) -> Findings {
    let mut findings = Findings::default();
    for case in evidence.cases {
        let transcripts: Vec<_> = case.transcripts().filter(|transcript| counts(transcript)).collect();
        let refused = transcripts.iter().flat_map(|it| &it.answers).find(|answer| !answer.is_2xx());
        if let Some(Answer { status, .. }) = refused {
            findings.fail(&case.case.name, format!("answered {status}"));
        }
        let Some(p99) = p99(transcripts.iter().filter_map(|it| it.latency(0)).collect()) else { continue };
        if p99 > limit {
            findings.too_slow(&case.case.name, format!("p99 is {p99:.1?}, limit {limit:.1?}"));
        }
    }
    findings
}

/// The 99th percentile by nearest rank.
fn p99(mut times: Vec<Duration>) -> Option<Duration> {
    times.sort_unstable();
    let rank = (times.len() * 99).div_ceil(100);
    times.get(rank.checked_sub(1)?).copied()
}

/// The answer times of the last step alone.
pub(super) fn p99_of_last_step(case: &CaseEvidence) -> Option<Duration> {
    p99(case.steps.last()?.iter().filter_map(|it| it.latency(0)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_by_nearest_rank() {
        let times = |count: u64| (1..=count).map(Duration::from_millis).collect::<Vec<_>>();
        assert_eq!(p99(times(200)), Some(Duration::from_millis(198)));
        assert_eq!(p99(times(1)), Some(Duration::from_millis(1)));
        assert_eq!(p99(Vec::new()), None);
    }
}
