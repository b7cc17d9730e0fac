//! What a failed test shows: what was expected, and what passed in each call.

use std::fmt::Write as _;

use super::expect::Counted;
use crate::platform::board::CallView;
use crate::platform::console::rungs::{Rung, rungs};
use crate::platform::console::words;

/// How many calls are drawn: the newest.
const CALLS: usize = 10;
/// How many lines of one call are.
const LINES: usize = 60;

/// Expectations of which one at least does not hold, and what happened.
pub(super) fn failed(counted: &[Counted], calls: &[CallView], time_scale: f64) -> String {
    let failed = counted.iter().filter(|counted| !counted.holds()).count();
    let mut text = format!("expected of the mock platform, and not met: {failed} of {}\n", counted.len());
    for counted in counted {
        let mark = if counted.holds() { '✓' } else { '✗' };
        let _ = write!(text, "  {mark} {}: expected {}, seen {}", counted.what, counted.times, counted.seen);
        if let Some(besides) = counted.besides.as_ref().filter(|_| !counted.holds()) {
            let _ = write!(text, "; {besides}");
        }
        text.push('\n');
    }
    text + "\n" + &happened(calls, time_scale)
}

/// What passed in each call, the oldest first.
pub(super) fn happened(calls: &[CallView], time_scale: f64) -> String {
    if calls.is_empty() {
        return "There was no live call.\n".to_owned();
    }
    let mut text = String::new();
    if calls.len() > CALLS {
        let _ = writeln!(text, "The last {CALLS} of {} calls:\n", calls.len());
    }
    let shown: Vec<String> = calls.iter().take(CALLS).rev().map(|view| ladder(view, time_scale)).collect();
    text + &shown.join("\n")
}

/// One call.
pub(super) fn ladder(view: &CallView, time_scale: f64) -> String {
    let begin = &view.begin;
    let state = if view.is_over { "over" } else { "still on" };
    let mut text = format!(
        "call {}, {} from {} to {}, {state} ({})\n",
        view.call, begin.direction, begin.from, begin.to, begin.cmiuuid
    );
    let rungs = rungs(view, time_scale);
    if rungs.len() > LINES {
        let _ = writeln!(text, "  … {} lines before", rungs.len() - LINES);
    }
    for rung in rungs.iter().skip(rungs.len().saturating_sub(LINES)) {
        line(&mut text, rung, begin.at_ms);
    }
    text
}

fn line(text: &mut String, rung: &Rung, began_ms: u64) {
    let at = words::seconds(rung.at_ms.saturating_sub(began_ms));
    let (from, to) = (rung.from.names().1, rung.to.names().1);
    let between = if from == to { from.to_owned() } else { format!("{from:<8} → {to}") };
    let _ = write!(text, "  {at:>10}  {between:<19}  {}", rung.text);
    if let Some((status, _)) = &rung.status {
        let _ = write!(text, "  [{status}]");
    }
    text.push('\n');
}
