use maud::{Markup, html};

use super::{class, command, ladder, ticked};
use crate::judge::check::{self, Verdict};
use crate::judge::report::account::{reproducers, telling, word};
use crate::judge::report::{CaseFinding, CaseRecord, CheckResult};

/// As many cases of a check that passed are drawn.
const SHOWN: usize = 3;
/// As many findings of a case are told at once.
const FINDINGS: usize = 4;

/// One check: a line, and below it, once opened, all there is to tell.
pub(super) fn row(check: &CheckResult) -> Markup {
    let verdict = check.outcome.verdict;
    html! {
        details.check data-verdict=(verdict) open[matches!(verdict, Verdict::Fail | Verdict::Error)] {
            summary {
                span.dot.(class(verdict)) {}
                span.id { (check.id) }
                span.title { (check.title) }
                span.severity.mute { (check.severity) }
                span.tag.(class(verdict)) { (word(verdict)) }
            }
            // A link to it opens what it is in.
            div.body id=(check.id) {
                // What was found in the cases is told there.
                @if !check.outcome.detail.is_empty() && check.evidence.iter().all(|case| case.findings.is_empty()) {
                    p.detail { (check.outcome.detail) }
                }
                @if check.is_stale_known_failure {
                    p.detail { "The list of known failures is wrong about it: take it out." }
                }
                @if check.outcome.by_answers_alone {
                    p.mute { "Judged by its answers alone." }
                }
                @if !matches!(verdict, Verdict::Pass | Verdict::NotObserved | Verdict::NotApplicable) {
                    (advice(check))
                    div.reproducers {
                        @for (name, line) in reproducers(check) {
                            (command(name, line))
                        }
                    }
                }
                (cases(check))
                p.foot {
                    a href={ "#" (check.id) } { "#" (check.id) }
                    " · " (check.took_ms) " ms"
                }
            }
        }
    }
}

/// Why it matters, and how to put it right: from the catalogue, as far as it knows the check.
fn advice(result: &CheckResult) -> Markup {
    html! {
        @if let Some(check) = check::find(&result.id) {
            p { (ticked(check.why)) " " span.mute { "(" (check.source) ")" } }
            @let fixes = [("axum", check.fixes.axum), ("Express", check.fixes.express), ("Flask", check.fixes.flask)];
            @if fixes.iter().all(|(_, fix)| *fix == check.fixes.axum) {
                p { b { "To put it right: " } (ticked(check.fixes.axum)) }
            } @else {
                dl.fixes {
                    @for (framework, fix) in fixes {
                        dt { (framework) }
                        dd { (ticked(fix)) }
                    }
                }
            }
        }
    }
}

fn cases(check: &CheckResult) -> Markup {
    let cases = telling(check);
    let most = if check.outcome.verdict == Verdict::Pass { SHOWN } else { usize::MAX };
    let left_out = cases.len().saturating_sub(most);
    html! {
        @for case in cases.iter().take(most) {
            (one(case))
        }
        @if left_out > 0 {
            p.mute { "and " (left_out) " more cases" }
        }
    }
}

fn found(finding: &CaseFinding) -> Markup {
    html! {
        p.finding { span.tag.(class(finding.verdict)) { (word(finding.verdict)) } " " (finding.text) }
    }
}

fn one(case: &CaseRecord) -> Markup {
    html! {
        div.case {
            @if !case.case.is_empty() {
                h3 { (case.case) }
            }
            @let (first, rest) = case.findings.split_at(case.findings.len().min(FINDINGS));
            @for finding in first { (found(finding)) }
            @if !rest.is_empty() {
                details.stimulus {
                    summary { "and " (rest.len()) " more" }
                    @for finding in rest { (found(finding)) }
                }
            }
            @if !case.ladder.rungs.is_empty() {
                (ladder::drawn(case))
            }
            @if !case.stimulus.is_empty() {
                details.stimulus {
                    summary { "What was sent, byte for byte" }
                    pre tabindex="0" { (case.stimulus) }
                }
            }
        }
    }
}
