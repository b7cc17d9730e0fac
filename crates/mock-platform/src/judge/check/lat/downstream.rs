//! Latency while what comes after the receiver is slow.

use std::time::Duration;

use super::super::{Case, Check, Count, Hook, Need, Observability, Severity, Step, Tag, Turn};
use super::{FIXES, within};

pub(super) const SLOW: Check = Check {
    id: "LAT-003",
    title: "plain webhooks while what comes after the receiver takes 3 seconds",
    severity: Severity::Should,
    observability: Observability::Partly,
    tags: &[Tag::Latency],
    needs: &[Need::Hook(Hook::Slow)],
    source: "good practice: what has to be done is done after the acknowledgement",
    why: "A CRM on a bad day must not make the platform send everything four times.",
    fixes: FIXES,
    stimulus: |composer| {
        const WEBHOOKS: usize = 3;
        let mut case = Case::new("").step(Step::Hook(Hook::Slow, Turn::On));
        for _ in 0..WEBHOOKS {
            let cdr = composer.cdr();
            // When its effect comes is up to what comes after.
            case = case.send(&composer.post(&cdr)).expect(&cdr, Count::AtMostOnce);
        }
        vec![case.step(Step::Hook(Hook::Slow, Turn::Off))]
    },
    judge: |evidence| {
        let limit = (2 * evidence.terms.baseline).max(Duration::from_secs(1));
        within(evidence, limit, |_| true)
    },
    ..Check::BASE
};
