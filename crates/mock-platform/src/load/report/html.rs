//! One HTML file: no network, readable without script, light and dark. It has the style of the report of checks.

mod chart;
mod plots;

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::{FULL_SPEED, LoadReport, Percentiles};
use crate::judge::report::html::{fact, page, utc};
use crate::load::audit::LoadAudit;

const STYLE: &str = include_str!("html/style.css");

/// A page for people.
pub(super) fn render(report: &LoadReport) -> String {
    let title = format!("load of {} · {} · {}", report.target, report.pace, report.seed);
    page(
        &title,
        STYLE,
        &html! {
            (header(report))
            main.series {
                (summary(report))
                (times(report))
                @if !report.series.is_empty() {
                    section.card aria-label="Percentiles" { h2 { "Percentiles" } (plots::percentiles(report)) }
                    section.card aria-label="Latency over time" { h2 { "Latency over time" } (plots::heat(report)) }
                    section.card aria-label="Rates" { h2 { "Rates" span { "webhooks per second" } } (plots::rates(report)) }
                }
                div.pair {
                    section.card aria-label="Call mix" {
                        h2 { "Call mix" span.count { (report.mix.values().sum::<u64>()) " webhooks" } }
                        (counted(&report.mix, ""))
                    }
                    section.card aria-label="Errors" {
                        h2 { "Errors" span.count { (report.summary.errors) " of " (report.summary.attempts) } }
                        @if report.summary.errors == 0 { p.mute { "None." } }
                        (counted(&report.summary.errors_by_kind, "fail"))
                    }
                }
                @if let Some(audit) = &report.audit { (effects(audit)) }
                (saturation(report))
            }
        },
    )
}

/// The class that colours a verdict.
fn class(report: &LoadReport) -> &'static str {
    match report.verdict() {
        "passed" => "pass",
        "failed" => "fail",
        _ => "warn",
    }
}

fn header(report: &LoadReport) -> Markup {
    html! {
        header {
            h1 { "piopiy-mock load" }
            span.tag.(class(report)) { (report.verdict()) }
            code.target { (report.target) }
            span.space {}
            (fact("profile", &report.profile))
            (fact("seed", &report.seed))
            @if let Some(shard) = &report.shard { (fact("shard", shard)) }
            (fact("took", &format!("{:.1} s", report.summary.seconds)))
            @if report.started_ms > 0 {
                time.fact data-ms=(report.started_ms) { (utc(report.started_ms)) }
            }
        }
    }
}

fn summary(report: &LoadReport) -> Markup {
    let summary = &report.summary;
    let numbers = [
        ("", summary.planned, "planned"),
        ("pass", summary.acknowledged, "acknowledged"),
        ("fail", summary.errors, "errors"),
        ("warn", summary.dropped(), "dropped by the generator"),
        ("", summary.unsent_at_stop, "not sent, for it was stopped"),
    ];
    html! {
        section.card.summary aria-label="Summary" {
            @if let Some(reason) = &report.saturation {
                p.trouble { "The generator was the bottleneck, and nothing is said of how fast the receiver is: " (reason) }
            }
            @if let Some(reason) = &report.gave_way { p.trouble { "Not all was sent. Gave way: " (reason) } }
            @if let Some(capacity) = &report.capacity {
                @for line in capacity.to_string().lines() { p { (line) } }
            }
            @if let Some(reason) = &report.audit_failed {
                p.trouble { "What the receiver did could not be seen to the end: " (reason) }
            }
            @if let Some(reason) = &report.ledger_failed { p.trouble { "It ended early: " (reason) } }
            @if report.stopped { p.trouble { "The run was stopped before its end." } }
            div.numbers {
                @for (class, count, name) in numbers {
                    div.number.(class).none[count == 0] { b { (count) } span { (name) } }
                }
                @for (count, name) in [(summary.lost, "lost"), (summary.duplicated, "duplicated")] {
                    @match count {
                        Some(count) => div.number.fail.none[count == 0] { b { (count) } span { (name) } },
                        None => div.number.unseen { b { "?" } span { (name) ": unknown, for nobody looked" } },
                    }
                }
            }
            p { (report.pace) ", connections: " (report.connections) ", threads: " (report.threads) "; "
                b { (format!("{:.1}", summary.sent_per_second)) } " webhooks per second over "
                (format!("{:.1}", summary.seconds)) " s" }
            @if !report.thresholds.is_empty() {
                ul.held {
                    @for threshold in &report.thresholds {
                        @match &threshold.broken {
                            Some(reason) if threshold.is_undecided() => li.warn { b { "?" } (reason) },
                            Some(reason) => li.fail { b { "✗" } (reason) },
                            None => li.pass { b { "✓" } (threshold.threshold) " holds" },
                        }
                    }
                }
            }
        }
    }
}

fn times(report: &LoadReport) -> Markup {
    html! {
        section.card.times aria-label="Times" {
            h2 { "Times" span { "in milliseconds" } }
            div.wide {
                table {
                    thead { tr { th {} th.n { "p50" } th.n { "p90" } th.n { "p99" } th.n { "p99.9" } th.n { "max" } } }
                    tbody {
                        @for (name, Percentiles { p50, p90, p99, p999, max }) in report.times() {
                            tr {
                                th scope="row" { (name) }
                                @for us in [p50, p90, p99, p999, max] { td.n { (format!("{:.3}", *us as f64 / 1e3)) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Counts by name, with bars.
fn counted(counts: &BTreeMap<String, u64>, class: &str) -> Markup {
    let most = counts.values().copied().max().unwrap_or_default().max(1);
    html! {
        @if !counts.is_empty() {
            table.mixed {
                tbody {
                    @for (name, count) in counts {
                        tr {
                            th scope="row" { (name) }
                            td.n { (count) }
                            td { span.share.(class) style={ "width:" (format!("{:.1}", *count as f64 / most as f64 * 100.0)) "%" } {} }
                        }
                    }
                }
            }
        }
    }
}

fn effects(audit: &LoadAudit) -> Markup {
    let facts = [
        ("effects seen", audit.effects),
        ("lost", audit.lost),
        ("duplicated", audit.duplicated),
        ("corrupted", audit.corrupted),
        ("stale overwrites", audit.stale_overwrite),
        ("of what was never sent", audit.phantom),
        ("kept aside", audit.quarantined),
        ("ambiguous", audit.ambiguous),
        ("refused", audit.refused),
    ];
    html! {
        section.card aria-label="Effects" {
            h2 { "Effects" span { "what the receiver did, seen by " (audit.rung) } }
            dl.fixes { @for (name, count) in facts { dt { (name) } dd { (count) } } }
            @if audit.is_unsettled { p.warn { "The receiver did not settle: it is judged by what it had done until then." } }
            @for (kind, names) in &audit.named {
                h3 { (kind) }
                ul { @for name in names { li { code { (name) } } } }
            }
        }
    }
}

fn saturation(report: &LoadReport) -> Markup {
    let summary = &report.summary;
    let lag = &summary.scheduling_lag_us;
    let ms = |us: u64| format!("{:.3} ms", us as f64 / 1e3);
    let facts = [
        ("awake after a webhook was due", format!("{} for half, {} for 99 in 100", ms(lag.p50), ms(lag.p99))),
        ("CPU of its threads", summary.cpu.map_or_else(unknown, |cpu| format!("{:.1} %", cpu * 100.0))),
        ("CPU per webhook", summary.cpu_us_per_attempt.map_or_else(unknown, |us| format!("{us:.1} µs"))),
        ("most that waited for a connection", summary.most_waiting.to_string()),
        ("dropped", summary.dropped().to_string()),
        ("connections opened", summary.connections_opened.to_string()),
        ("connections that could not be opened", summary.connections_failed.to_string()),
    ];
    html! {
        section.card aria-label="Saturation" {
            h2 { "Saturation" span { "whether the generator was the bottleneck" } }
            dl.fixes { @for (name, value) in facts { dt { (name) } dd { (value) } } }
            @match &report.saturation {
                Some(reason) => p.warn { b { "Inconclusive: " } (reason) },
                None if report.pace == FULL_SPEED => p.mute { "Not judged: at full speed it is at its limit, or the receiver is." },
                None => p.mute { "It was not." },
            }
        }
    }
}

fn unknown() -> String {
    "unknown on this system".to_owned()
}
