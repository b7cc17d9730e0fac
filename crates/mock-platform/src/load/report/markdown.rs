use std::fmt::Write as _;

use super::{LoadReport, Percentiles};

/// Markdown as GitHub and GitLab read it.
pub(super) fn render(report: &LoadReport) -> String {
    let summary = &report.summary;
    let mut text = format!("## piopiy-mock load: {}\n\n", report.verdict());
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "{} · {} · {} connections, {} threads · profile {} · seed {} · {}\n",
        code(&report.target),
        report.pace,
        report.connections,
        report.threads,
        report.profile,
        code(&report.seed),
        code(&format!("piopiy-mock {}", report.version)),
    );
    if report.stopped {
        let unsent = report.summary.unsent_at_stop;
        let _ = writeln!(text, "The run was stopped before its end: {unsent} were due, and not sent.\n");
    }
    if let Some(reason) = &report.saturation {
        let _ = writeln!(text, "The generator was the bottleneck: {reason}\n");
    }
    if let Some(reason) = &report.gave_way {
        let _ = writeln!(text, "Not all was sent. Gave way: {reason}\n");
    }
    if let Some(capacity) = &report.capacity {
        let _ = writeln!(text, "```text\n{}```\n", capacity.to_string().replace("```", "` ` `"));
    }
    if let Some(reason) = &report.audit_failed {
        let _ = writeln!(text, "What the receiver did could not be seen to the end: {}\n", code(reason));
    }
    if let Some(reason) = &report.ledger_failed {
        let _ = writeln!(text, "It ended early: {}\n", code(reason));
    }
    for threshold in &report.thresholds {
        let Some(reason) = &threshold.broken else { continue };
        let _ = writeln!(text, "- {} {}", if threshold.is_undecided() { "?" } else { "✗" }, code(reason));
    }
    for threshold in report.thresholds.iter().filter(|threshold| threshold.broken.is_none()) {
        let _ = writeln!(text, "- ✓ {} holds", code(&threshold.threshold));
    }
    if !report.thresholds.is_empty() {
        text.push('\n');
    }
    text.push_str("| planned | sent | acknowledged | errors | dropped by the generator | lost | duplicated | per second |\n");
    text.push_str("|--:|--:|--:|--:|--:|--:|--:|--:|\n");
    let known = |count: Option<u64>| count.map_or_else(|| "unknown".to_owned(), |count| count.to_string());
    let _ = writeln!(
        text,
        "| {} | {} | {} | {} | {} | {} | {} | {:.1} |\n",
        summary.planned,
        summary.attempts,
        summary.acknowledged,
        summary.errors,
        summary.dropped(),
        known(summary.lost),
        known(summary.duplicated),
        summary.sent_per_second,
    );
    text.push_str("| ms | p50 | p90 | p99 | p99.9 | max |\n|---|--:|--:|--:|--:|--:|\n");
    for (name, times) in report.times() {
        let Percentiles { p50, p90, p99, p999, max } = times;
        let _ = write!(text, "| {name} |");
        for us in [p50, p90, p99, p999, max] {
            let _ = write!(text, " {:.3} |", *us as f64 / 1e3);
        }
        text.push('\n');
    }
    if let Some(audit) = &report.audit {
        // Its lines may quote what a receiver said.
        let _ = write!(text, "\n```text\n{}```\n", audit.to_string().replace("```", "` ` `"));
    }
    table(&mut text, "errors", summary.errors_by_kind.iter());
    table(&mut text, "webhooks", report.mix.iter());
    text
}

fn table<'a>(text: &mut String, of: &str, counts: impl ExactSizeIterator<Item = (&'a String, &'a u64)>) {
    if counts.len() == 0 {
        return;
    }
    let _ = write!(text, "\n| {of} | |\n|---|--:|\n");
    for (name, count) in counts {
        let _ = writeln!(text, "| {} | {count} |", code(name));
    }
}

/// Code, whatever is in it.
fn code(text: &str) -> String {
    let text = text.replace('|', "\\|").replace(['\n', '\r'], " ");
    if text.contains('`') { format!("`` {text} ``") } else { format!("`{text}`") }
}
