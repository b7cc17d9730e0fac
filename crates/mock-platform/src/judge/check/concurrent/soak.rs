//! Half an hour of ordinary traffic.

use super::super::{Check, Findings, Fixes, Flow, Need, Observability, Severity, Tag, growth};

pub(super) const SOAK: Check = Check {
    id: "CON-006",
    title: "memory and descriptors over half an hour of 50 webhooks a second",
    severity: Severity::Should,
    observability: Observability::Effects,
    tags: &[Tag::Soak, Tag::Load],
    needs: &[Need::Process],
    source: "POSIX: a process has only so much memory, and so many file descriptors",
    why: "What is kept of each webhook and never let go ends the process within days, and always at the busiest hour.",
    fixes: Fixes::all(
        "Keep in memory only what has a bound: a cache with a size, a window of time. Close what was opened; look for lists and maps that only grow.",
    ),
    stimulus: |composer| {
        const RATE: u32 = 50;
        let seconds = (30 * composer.sources.slow_limit).as_secs_f64();
        let count = (f64::from(RATE) * seconds) as u32;
        vec![growth::case(Flow { count, rate: Some(RATE), samples: 60 })]
    },
    judge: |evidence| {
        let mut findings = Findings::default();
        for flowed in evidence.cases.iter().flat_map(|case| &case.flows) {
            // An id of a window of half an hour may be kept.
            growth::judge(flowed, 100, &mut findings);
        }
        findings.decided_by_answers();
        findings
    },
    ..Check::BASE
};
