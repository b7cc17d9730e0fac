//! One HTML file: no network, readable without script, light and dark.

mod check;
mod compare;
mod ladder;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::account::{explored, has_failed, is_undecided, word};
use super::{CheckReport, CheckResult, Comparison, Reporter, unlock};
use crate::judge::check::{Group, Verdict};

/// A page for people.
pub(super) struct Html;

const STYLE: &str = include_str!("html/style.css");
const SCRIPT: &str = include_str!("html/script.js");
/// Nothing is fetched, whatever stands in a report.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

impl Reporter for Html {
    fn render(&self, report: &CheckReport) -> String {
        let title = format!("{} of {} · {}", result(report), report.target, report.seed);
        page(
            &title,
            "",
            &html! {
                (header(report))
                main {
                    (summary(report))
                    (filter(report))
                    @for group in Group::ALL {
                        (section(group, &report.checks))
                    }
                    @let explored = explored(report);
                @if let Some(exploration) = &report.exploration {
                    section.card.group id="EXP" aria-label="exploration" {
                        h2 {
                            "EXP " span { "exploration" }
                            span.count {
                                (exploration.schedules) " random schedules, " (exploration.findings.len()) " found"
                            }
                        }
                        @for find in &explored { (check::row(find)) }
                        @for reason in &exploration.not_observed { p.mute.note { "Not observed: " (reason) } }
                    }
                }
                @if !report.not_run.is_empty() {
                        section.card {
                            h2 { "Not run" }
                            p.mute { (report.not_run.join(", ")) }
                        }
                    }
                }
            },
        )
    }

    fn compare(&self, comparison: &Comparison<'_>) -> Option<String> {
        Some(page("Runs compared", "", &compare::body(comparison)))
    }
}

/// The whole page, with what a kind of report adds to the style.
pub(crate) fn page(title: &str, more_style: &str, body: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                style { (PreEscaped(STYLE)) (PreEscaped(more_style)) }
            }
            body {
                (body)
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    page.into_string()
}

fn result(report: &CheckReport) -> &'static str {
    match () {
        () if report.error.is_some() => "not run",
        () if report.interrupted => "stopped",
        () if has_failed(report) => "failed",
        () if is_undecided(report) => "inconclusive",
        () => "passed",
    }
}

/// The class that colours a result.
fn result_class(report: &CheckReport) -> &'static str {
    match result(report) {
        "passed" => "pass",
        "failed" | "not run" => "fail",
        _ => "warn",
    }
}

fn header(report: &CheckReport) -> Markup {
    html! {
        header {
            h1 { "piopiy-mock check" }
            span.tag.(result_class(report)) { (result(report)) }
            code.target { (report.target) }
            span.space {}
            (fact("profile", report.profile.as_str()))
            (fact("seed", &report.seed))
            (fact("observation", &report.observation))
            (fact("took", &format!("{}.{} s", report.took_ms / 1_000, report.took_ms / 100 % 10)))
            @if report.started_ms > 0 {
                time.fact data-ms=(report.started_ms) { (utc(report.started_ms)) }
            }
        }
    }
}

pub(crate) fn fact(name: &str, value: &str) -> Markup {
    html! { span.fact { span.mute { (name) " " } span { (value) } } }
}

fn summary(report: &CheckReport) -> Markup {
    let summary = &report.summary;
    let other = summary.inconclusive + summary.errors + summary.known_failures;
    let unseen = summary.not_observed + summary.not_applicable;
    let parts = [
        ("pass", summary.passed, "passed"),
        ("fail", summary.failed, "failed"),
        ("warn", summary.warned, "warned"),
        ("other", other, "undecided"),
        ("unseen", unseen, "not seen"),
    ];
    let total = parts.iter().map(|(_, count, _)| count).sum::<u64>().max(1);
    html! {
        section.card.summary aria-label="Summary" {
            @if let Some(error) = &report.error {
                p.trouble { "The checks could not be run: " (error) }
            } @else if report.interrupted {
                p.trouble { "The run was stopped before its end: " (report.not_run.len()) " checks were not run." }
            }
            div.numbers {
                @for (class, count, name) in parts {
                    div.number.(class).none[count == 0] { b { (count) } span { (name) } }
                }
            }
            div.bar aria-hidden="true" {
                @for (class, count, _) in parts {
                    @if count > 0 {
                        span.(class) style={ "width:" (permille(count, total)) "%" } {}
                    }
                }
            }
            @let explored = explored(report);
            @let failed: Vec<&CheckResult> =
                report.checks.iter().chain(&explored).filter(|check| check.outcome.verdict == Verdict::Fail).collect();
            @if !failed.is_empty() {
                p.fail.links {
                    @for check in failed {
                        a href={ "#" (check.id) } title=(check.title) { (check.id) } " "
                    }
                }
            }
            @if summary.passed_by_answers_alone > 0 {
                p.mute {
                    (summary.passed_by_answers_alone)
                    " of those that passed were judged by their answers alone: nobody saw their effects."
                }
            }
            @let locked = unlock::locked(report);
            @if !locked.is_empty() {
                details.locked {
                    summary { "What would unlock those not seen" }
                    ul {
                        @for locked in locked {
                            li { (ticked(&locked.text)) span.mute { " " (locked.ids.join(", ")) } }
                        }
                    }
                }
            }
            (command("Run it again", &report.rerun))
        }
    }
}

/// A share in percent, with one decimal.
fn permille(count: u64, total: u64) -> String {
    let permille = count * 1_000 / total;
    format!("{}.{}", permille / 10, permille % 10)
}

/// Text of ours, in which backticks are code.
fn ticked(text: &str) -> Markup {
    html! {
        @for (n, part) in text.split('`').enumerate() {
            @if n % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}

/// A command that can be copied.
fn command(name: &str, command: &str) -> Markup {
    html! {
        div.command {
            span.mute { (name) }
            pre tabindex="0" { (command) }
            button type="button" hidden data-copy { "Copy" }
        }
    }
}

/// Chips and a search, which the script shows.
fn filter(report: &CheckReport) -> Markup {
    let count = |verdict| report.checks.iter().filter(|check| check.outcome.verdict == verdict).count();
    html! {
        nav.filter hidden aria-label="Filter" {
            input type="search" placeholder="Filter by id or words" aria-label="Filter by id or words";
            button type="button" data-verdict="" aria-pressed="true" { "all " (report.checks.len()) }
            @for verdict in Verdict::ALL {
                @if count(verdict) > 0 {
                    button.(class(verdict)) type="button" data-verdict=(verdict) aria-pressed="false" {
                        (word(verdict)) " " (count(verdict))
                    }
                }
            }
        }
    }
}

fn section(group: Group, checks: &[CheckResult]) -> Markup {
    let checks: Vec<&CheckResult> = checks.iter().filter(|check| check.group == group).collect();
    let passed = checks.iter().filter(|check| check.outcome.verdict == Verdict::Pass).count();
    html! {
        @if !checks.is_empty() {
            section.card.group id=(group) aria-label=(group.title()) {
                h2 { (group) " " span { (group.title()) } span.count { (passed) " of " (checks.len()) " passed" } }
                @for check in checks {
                    (check::row(check))
                }
            }
        }
    }
}

/// The class that colours a verdict.
fn class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "pass",
        Verdict::Fail | Verdict::Error => "fail",
        Verdict::Warn | Verdict::Inconclusive | Verdict::KnownFailure => "warn",
        Verdict::NotObserved | Verdict::NotApplicable => "unseen",
    }
}

/// `2026-12-31 23:59 UTC`.
pub(crate) fn utc(ms: u64) -> String {
    let (year, month, day) = crate::judge::day::of(ms / 86_400_000);
    let minute = ms / 60_000 % 1_440;
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02} UTC", minute / 60, minute % 60)
}
