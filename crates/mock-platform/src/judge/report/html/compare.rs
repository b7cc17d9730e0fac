use maud::{Markup, html};

use super::{class, command, fact, result, result_class};
use crate::judge::check::Verdict;
use crate::judge::report::account::word;
use crate::judge::report::comparison::{Row, Run};
use crate::judge::report::{CheckResult, Comparison};

/// Several runs side by side: what changed first.
pub(super) fn body(comparison: &Comparison<'_>) -> Markup {
    let (changed, same): (Vec<&Row<'_>>, Vec<&Row<'_>>) =
        comparison.rows.iter().partition(|row| row.has_changed);
    html! {
        header {
            h1 { "piopiy-mock check" }
            span.mute { "runs compared" }
            span.space {}
            (fact("changed", &changed.len().to_string()))
            (fact("the same", &same.len().to_string()))
        }
        main {
            section.card aria-label="Runs" {
                h2 { "Runs" }
                div.wide {
                    table {
                        thead { tr { th { "run" } th { "result" } th { "target" } th { "seed" } th.n { "passed" } th.n { "failed" } th.n { "warned" } } }
                        tbody { @for run in &comparison.runs { (of_run(run)) } }
                    }
                }
            }
            nav.filter hidden aria-label="Filter" {
                input type="search" placeholder="Filter by id or words" aria-label="Filter by id or words";
            }
            (section("Changed", &changed, comparison))
            (section("The same", &same, comparison))
        }
    }
}

fn of_run(run: &Run<'_>) -> Markup {
    let (report, summary) = (run.report, &run.report.summary);
    html! {
        tr {
            th { (run.label) }
            td { span.tag.(result_class(report)) { (result(report)) } }
            td { code { (report.target) } }
            td { (report.seed) }
            td.n { (summary.passed) }
            td.n { (summary.failed) }
            td.n { (summary.warned) }
        }
    }
}

fn section(title: &str, rows: &[&Row<'_>], comparison: &Comparison<'_>) -> Markup {
    html! {
        @if !rows.is_empty() {
            section.card.group aria-label=(title) {
                h2 { (title) span.count { (rows.len()) " checks" } }
                @for row in rows { (compared(row, comparison)) }
            }
        }
    }
}

fn compared(row: &Row<'_>, comparison: &Comparison<'_>) -> Markup {
    html! {
        details.check open[row.has_changed] {
            summary {
                span.id { (row.id) }
                span.title { (row.title) }
                span.verdicts {
                    @for (n, result) in row.results.iter().enumerate() {
                        @if n > 0 { span.mute { "→" } }
                        (verdict(result.as_deref()))
                    }
                }
            }
            div.body id=(row.id) {
                dl.fixes {
                    @for (run, result) in comparison.runs.iter().zip(&row.results) {
                        dt { (run.label) }
                        dd {
                            @match result {
                                Some(check) if check.outcome.detail.is_empty() => (word(check.outcome.verdict)),
                                Some(check) => (check.outcome.detail),
                                None => "not run",
                            }
                            @if let Some(check) = result && check.outcome.verdict == Verdict::Fail {
                                (command("again", &check.reproducer.command))
                            }
                        }
                    }
                }
            }
        }
    }
}

fn verdict(result: Option<&CheckResult>) -> Markup {
    html! {
        @match result {
            Some(check) => span.tag.(class(check.outcome.verdict)) { (word(check.outcome.verdict)) },
            None => span.tag.unseen { "not run" },
        }
    }
}
