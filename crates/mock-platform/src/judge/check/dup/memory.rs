//! What a receiver keeps in memory to know duplicates by.

use super::super::{Check, Findings, Fixes, Flow, Need, Observability, Severity, Tag, growth};

pub(super) const MEMORY: Check = Check {
    id: "DUP-013",
    title: "memory under a million webhooks with ids of their own",
    severity: Severity::May,
    observability: Observability::Effects,
    tags: &[Tag::Soak, Tag::Load],
    needs: &[Need::Process],
    source: "good practice: what is remembered for ever is remembered on disk",
    why: "A set of all ids ever seen grows until the process is ended for it, and then it has forgotten them all.",
    fixes: Fixes::all(
        "Let the unique index of the store be the memory of ids; if there is a cache before it, give it a size.",
    ),
    stimulus: |composer| {
        let flow = Flow { count: composer.sources.unique_ids, rate: None, samples: 60 };
        vec![growth::case(flow)]
    },
    judge: |evidence| {
        let mut findings = Findings::default();
        for flowed in evidence.cases.iter().flat_map(|case| &case.flows) {
            // An id alone is longer.
            growth::judge(flowed, 32, &mut findings);
        }
        findings.decided_by_answers();
        findings
    },
    ..Check::BASE
};
