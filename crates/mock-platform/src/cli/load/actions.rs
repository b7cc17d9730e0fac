use super::say;
use crate::cli::check::actions::append;

/// Tells GitHub Actions, where this is a step of it: annotations, a summary, outputs.
pub(super) fn tell(annotations: &str, summary: &str, outputs: &str) {
    if std::env::var_os("GITHUB_ACTIONS").is_none_or(|value| value != "true") {
        return;
    }
    say(annotations);
    // A few tables: far from what GitHub takes.
    append("GITHUB_STEP_SUMMARY", |_| summary.to_owned());
    append("GITHUB_OUTPUT", |_| outputs.to_owned());
}
