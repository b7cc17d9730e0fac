//! Duplicates that come to another process: the same receiver after a restart, or another instance of it.

use super::super::{
    Case, Check, Composer, Count, Evidence, Findings, Need, Observability, Payload, Script, Seen, Severity,
    Signal, Step, criteria,
};
use super::FIXES;

pub(super) const RESTART: Check = Check {
    id: "DUP-008",
    title: "the same bytes after a restart of the receiver",
    observability: Observability::Effects,
    needs: &[Need::Process],
    source: "piopiy docs: a CDR is sent up to four times in 30 minutes",
    why: "A deployment within those 30 minutes is enough: what only memory knew comes again and is taken for new.",
    fixes: FIXES,
    stimulus: |composer| {
        let mut cases = Vec::new();
        for (name, signal) in
            [("SIGTERM", Signal::Terminate), ("SIGKILL, and a body of two lines", Signal::Kill)]
        {
            let kinds = composer.kinds().map(|(_, payload)| {
                if signal == Signal::Terminate {
                    return payload;
                }
                // Who keeps bodies as lines of a file, as they came, finds two that are none when it starts again.
                let text = payload.text().replacen(',', ",\n", 1);
                payload.of_bytes(text)
            });
            let (cdrs, events): (Vec<_>, Vec<_>) = kinds.into_iter().partition(Payload::is_cdr);
            for (of, kinds) in [("CDRs", cdrs), ("live events", events)] {
                let send = |case: Case| kinds.iter().fold(case, |case, it| case.send(&composer.post(it)));
                let case = Case::new(format!("{of}, {name}"));
                let case = send(case).step(Step::Look).step(Step::Stop(signal)).step(Step::Start);
                cases.push(send(case.step(Step::Look)).expect_call(&kinds));
            }
        }
        cases
    },
    judge: criteria::acknowledged,
    ..Check::BASE
};

pub(super) const SECOND_INSTANCE: Check = Check {
    id: "DUP-009",
    title: "the same bytes to a second instance behind the same store",
    severity: Severity::Should,
    observability: Observability::Effects,
    needs: &[Need::SecondUrl],
    source: "piopiy docs: a CDR is sent up to four times in 30 minutes",
    why: "A balancer gives the copy to whichever instance is free; what one process remembers the other does not.",
    fixes: FIXES,
    stimulus: second_instance,
    judge: seen_through_the_first,
    ..Check::BASE
};

const ALONE: &str = "to the second alone";

fn second_instance(composer: &mut Composer) -> Vec<Case> {
    let alone = composer.cdr();
    let to_second = |composer: &Composer, payload: &Payload| Script {
        to_second: true,
        ..Script::default().request(&composer.post(payload)).answered()
    };
    let mut cases =
        vec![Case::new(ALONE).script(to_second(composer, &alone)).expect(&alone, Count::AtMostOnce)];
    for name in ["one after the other", "at the same time"] {
        let cdr = composer.cdr();
        let scripts = [Script::default().request(&composer.post(&cdr)).answered(), to_second(composer, &cdr)];
        let case = Case::new(name).expect(&cdr, Count::Once);
        cases.push(if name == "at the same time" {
            case.scripts(scripts.into())
        } else {
            scripts.into_iter().fold(case, Case::script)
        });
    }
    let cdr = composer.cdr();
    let first = Case::new("looked at in between").send(&composer.post(&cdr)).step(Step::Glance);
    cases.push(first.script(to_second(composer, &cdr)).expect(&cdr, Count::Once));
    cases
}

/// Where the effects of the second are not seen, that there are no doubles says nothing.
fn seen_through_the_first(evidence: &Evidence<'_>) -> Findings {
    let mut findings = criteria::acknowledged(evidence);
    for case in evidence.cases.iter().filter(|case| case.case.name == ALONE) {
        if case.seen != Seen::Nothing && case.seen.count() == Some(0) {
            findings.not_observed(
                ALONE,
                "what the second instance does is not seen where the effects are looked at",
            );
        }
    }
    findings
}
