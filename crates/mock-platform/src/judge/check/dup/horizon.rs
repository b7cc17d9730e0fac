//! Duplicates that come as late as the platform sends them.

use std::time::Duration;

use super::super::{
    Case, CaseEvidence, Check, Composer, Count, Evidence, Findings, Fixes, Need, Observability, Severity,
    Step, Tag, criteria,
};

const FIXES: Fixes = Fixes::all(
    "Let the unique index be the memory: it forgets nothing. A cache with a time to live has to live for longer than 30 minutes, and survive a restart.",
);
const SOURCE: &str = "piopiy docs: a CDR is sent up to four times, the last after 30 minutes";

/// When the platform sends a webhook that it knows no answer of, in minutes.
const AGAIN: [u64; 3] = [5, 15, 30];

const fn minutes(count: u64) -> Duration {
    Duration::from_secs(60 * count)
}

pub(super) const SCHEDULE: Check = Check {
    id: "DUP-004",
    title: "the same webhook at 0, 5, 15 and 30 minutes, each time acknowledged",
    observability: Observability::Effects,
    tags: &[Tag::Time],
    needs: &[Need::Time],
    source: SOURCE,
    why: "One reading of the documentation sends a CDR four times whatever is answered; who remembers for ten minutes counts it three times.",
    fixes: FIXES,
    stimulus: |composer| {
        let cdr = composer.cdr();
        let request = composer.post(&cdr);
        let mut case = Case::new("").send(&request);
        for after in AGAIN {
            // A receiver that is started anew with another clock may not show any more what it showed.
            case = case.step(Step::Look).step(Step::Elapse(minutes(after))).send(&request);
        }
        vec![case.expect(&cdr, Count::Once)]
    },
    judge: criteria::acknowledged,
    ..Check::BASE
};

pub(super) const SEARCH: Check = Check {
    id: "DUP-012",
    title: "how late a duplicate may come and still be known",
    severity: Severity::Should,
    observability: Observability::Effects,
    tags: &[Tag::Soak, Tag::Time],
    needs: &[Need::Time],
    source: SOURCE,
    why: "The last copy comes half an hour after the first: what is forgotten by then is done again.",
    fixes: FIXES,
    stimulus: search,
    judge: horizon,
    ..Check::BASE
};

/// Copies after so many seconds, each of a webhook of its own: no copy makes another one remembered for longer. The last
/// comes a moment before the half hour is over, which a memory of half an hour lasts.
const GAPS: [u64; 8] = [30, 60, 120, 300, 600, 900, 1_200, 1_795];

fn search(composer: &mut Composer) -> Vec<Case> {
    let originals = GAPS.map(|_| composer.cdr());
    let mut case = Case::new("");
    for original in &originals {
        case = case.send(&composer.post(original)).expect(original, Count::Once);
    }
    for (gap, original) in GAPS.into_iter().zip(&originals) {
        let elapse = Step::Elapse(Duration::from_secs(gap));
        case = case.step(Step::Look).step(elapse).send(&composer.post(original));
    }
    vec![case]
}

fn horizon(evidence: &Evidence<'_>) -> Findings {
    let mut findings = criteria::acknowledged(evidence);
    for case in evidence.cases {
        let Some(known) = known(case) else {
            findings.not_observed("", "a count does not say which copy was taken for new");
            continue;
        };
        let until = known.iter().take_while(|is_known| **is_known).count();
        let said = match until.checked_sub(1).map(|last| GAPS[last]) {
            Some(gap) if until == GAPS.len() => format!("a copy is still known after {}", said(gap)),
            Some(gap) => {
                format!("a copy is known after {}, and not any more after {}", said(gap), said(GAPS[until]))
            }
            None => format!("a copy is not known any more after {}", said(GAPS[0])),
        };
        findings.note(said);
    }
    findings
}

/// Of each copy, whether it was known; `None` where single effects are not seen.
fn known(case: &CaseEvidence) -> Option<Vec<bool>> {
    let one = |expected| {
        let effects = case.effects_of(expected)?;
        Some(effects.iter().filter(|effect| !effect.quarantined).count() <= 1)
    };
    case.case.expected.iter().map(one).collect()
}

fn said(seconds: u64) -> String {
    match seconds.div_ceil(30) {
        1 => "30 seconds".to_owned(),
        2 => "a minute".to_owned(),
        halves => format!("{} minutes", halves / 2),
    }
}
