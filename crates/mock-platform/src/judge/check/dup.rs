//! DUP: duplicates.

use super::{Action, Case, Check, Composer, Count, Fixes, Observability, Script, criteria};

const FIXES: Fixes = Fixes {
    axum: "A unique index on (cmiuuid, leg, kind, status, time) and `INSERT … ON CONFLICT DO NOTHING`; answer 200 either way.",
    express: "A unique index on (cmiuuid, leg, kind, status, time) and `INSERT … ON CONFLICT DO NOTHING`; `res.sendStatus(200)` either way.",
    flask: "A unique index on (cmiuuid, leg, kind, status, time) and `INSERT … ON CONFLICT DO NOTHING`; return 200 either way.",
};

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "DUP-001",
        title: "the same bytes twice, one after the other",
        observability: Observability::Partly,
        source: "piopiy docs: a CDR is sent up to four times in 30 minutes",
        why: "The platform repeats what it has no answer to, and may repeat what it has: twice charged, twice called back.",
        fixes: FIXES,
        stimulus: |composer| {
            let cdr = composer.cdr();
            let request = composer.post(&cdr);
            vec![Case::new("").send(&request).send(&request).expect(&cdr, Count::Once)]
        },
        judge: criteria::acknowledged,
        ..Check::BASE
    },
    Check {
        id: "DUP-002",
        title: "the same bytes at the same time, 2 to 32 times",
        observability: Observability::Partly,
        source: "piopiy docs: a CDR is sent up to four times in 30 minutes",
        why: "Asking whether it is there before writing it leaves a moment in between, in which the copy asks too.",
        fixes: FIXES,
        stimulus: at_once,
        judge: criteria::acknowledged,
        ..Check::BASE
    },
];

/// All but the last byte is sent before, so that the copies arrive within microseconds.
fn at_once(composer: &mut Composer) -> Vec<Case> {
    let mut cases = Vec::new();
    for copies in [2, 2, 2, 4, 8, 32] {
        let cdr = composer.cdr();
        let request = composer.post(&cdr);
        let last = request.bytes().len() - 1;
        let script = Script::default().request_around(&request, last, Action::Barrier).answered();
        let name = format!("{copies} copies, try {}", cases.len() + 1);
        cases.push(Case::new(name).scripts(vec![script; copies]).expect(&cdr, Count::Once));
    }
    cases
}
