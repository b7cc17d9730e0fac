use std::fmt::Write as _;

use super::{Change, ComparedFigure, LoadComparison, Unit};

/// A table, and what it comes to.
pub(super) fn text(comparison: &LoadComparison) -> String {
    let [before, after] = comparison.runs;
    let mut text = format!("{}: {before} run(s) before, {after} after\n", comparison.pace);
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "{:<11}{:>12}{:>12}{:>10}  {:<20}{:>10}  ",
        "", "before", "after", "worse by", "95 % interval", "tolerated"
    );
    for figure in &comparison.figures {
        let [before, after, worse, interval, tolerated, change] = cells(figure);
        let line = format!(
            "{:<11}{before:>12}{after:>12}{worse:>10}  {interval:<20}{tolerated:>10}  {change}",
            figure.name
        );
        let _ = writeln!(text, "{}", line.trim_end());
    }
    for warning in &comparison.warnings {
        let _ = writeln!(text, "warning: {warning}");
    }
    text.push_str(&verdict(comparison));
    text.push('\n');
    text
}

/// The same as GitHub and GitLab show it.
pub(super) fn markdown(comparison: &LoadComparison) -> String {
    let [before, after] = comparison.runs;
    let mut text = format!("## piopiy-mock load compare: {}\n\n", verdict(comparison));
    let _ = writeln!(text, "{}: {before} run(s) before, {after} after\n", comparison.pace);
    for warning in &comparison.warnings {
        let _ = writeln!(text, "⚠ {}\n", code(warning));
    }
    text.push_str(
        "| | before | after | worse by | 95 % interval | tolerated | |\n|---|--:|--:|--:|---|--:|---|\n",
    );
    for figure in &comparison.figures {
        let [before, after, worse, interval, tolerated, change] = cells(figure);
        let change = if figure.change == Change::Worse { format!("**{change}**") } else { change };
        let _ = writeln!(
            text,
            "| {} | {before} | {after} | {worse} | {interval} | {tolerated} | {change} |",
            figure.name
        );
    }
    text
}

/// Code, whatever is in it: the names of others' scenarios.
fn code(text: &str) -> String {
    format!("`` {} ``", text.replace("``", "` `").replace(['\n', '\r'], " "))
}

fn verdict(comparison: &LoadComparison) -> String {
    let worse: Vec<&str> = comparison.regressions().map(|figure| figure.name).collect();
    match &comparison.inconclusive {
        Some(reason) => format!("inconclusive: {reason}"),
        None if worse.is_empty() => "no regression".to_owned(),
        None => format!("regression: {}", worse.join(", ")),
    }
}

fn cells(figure: &ComparedFigure) -> [String; 6] {
    let value = |value: Option<f64>| match (value, figure.unit) {
        (None, _) => "unknown".to_owned(),
        (Some(us), Unit::Us) => format!("{:.3} ms", us / 1e3),
        (Some(share), Unit::Share) => format!("{:.4} %", share * 100.0),
        (Some(rate), Unit::PerSecond) => format!("{rate:.1}/s"),
    };
    let digits = if figure.unit == Unit::Share { 3 } else { 1 };
    // No -0.0, which says nothing.
    let signed = |part: f64| format!("{:+.digits$}", part * 100.0 + 0.0).replace("-0.0", "+0.0");
    let interval = figure.interval.map(|[low, high]| format!("{} to {} %", signed(low), signed(high)));
    let change = match figure.change {
        Change::Same if figure.tolerated.is_none() => "not judged",
        Change::Worse => "worse",
        Change::Better => "better",
        Change::Same => "same",
        Change::Unclear => "unclear",
        Change::Unknown => "unknown",
    };
    [
        value(figure.before),
        value(figure.after),
        figure.worse_by.map(|by| format!("{} %", signed(by))).unwrap_or_default(),
        interval.unwrap_or_default(),
        figure.tolerated.map(|most| format!("{} %", most * 100.0)).unwrap_or_default(),
        change.to_owned(),
    ]
}
