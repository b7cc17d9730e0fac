//! What GitHub Actions is told where the program runs in a step of it.

use std::fs::OpenOptions;
use std::io::Write;

use piopiy_mock_platform::deliver::fresh;
use piopiy_mock_platform::judge::report::{CheckReport, github, markdown_within};

use super::say;

/// Bytes that GitHub takes as the summary of a step.
const SUMMARY: usize = 1024 * 1024;

/// A step of a workflow. Its commands are read from stderr as from stdout, so that a report on stdout stays whole.
///
/// From begin to end it takes no commands, whatever a receiver's answers say.
#[derive(Debug)]
pub(super) struct Actions {
    token: Option<String>,
}

impl Actions {
    /// Where this is one; keeps secrets out of its log.
    pub(super) fn begin<'a>(secrets: impl Iterator<Item = &'a str>) -> Option<Self> {
        if std::env::var_os("GITHUB_ACTIONS").is_none_or(|value| value != "true") {
            return None;
        }
        for secret in secrets {
            say(github::mask(secret).trim_end());
        }
        // Nobody else knows it.
        let token = format!("piopiy-mock-{:016x}", fresh());
        say(&format!("::stop-commands::{token}"));
        Some(Self { token: Some(token) })
    }

    /// Annotates the run, and writes its summary and outputs.
    pub(super) fn tell(mut self, report: &CheckReport, result: &str, report_dir: &str) {
        self.end();
        say(github::annotations(report).trim_end());
        append("GITHUB_STEP_SUMMARY", |room| markdown_within(report, SUMMARY.saturating_sub(room)));
        append("GITHUB_OUTPUT", |_| github::outputs(report, result, report_dir));
    }

    fn end(&mut self) {
        if let Some(token) = self.token.take() {
            say(&format!("::{token}::"));
        }
    }
}

impl Drop for Actions {
    fn drop(&mut self) {
        self.end();
    }
}

/// Appends to a file that the environment names; `text` is told how many bytes are there already.
pub(crate) fn append(variable: &str, text: impl FnOnce(usize) -> String) {
    let Some(path) = std::env::var_os(variable).filter(|path| !path.is_empty()) else { return };
    let there = std::fs::metadata(&path).map_or(0, |meta| usize::try_from(meta.len()).unwrap_or(usize::MAX));
    let text = text(there);
    let file = OpenOptions::new().append(true).create(true).open(&path);
    if let Err(error) = file.and_then(|mut file| file.write_all(text.as_bytes())) {
        say(&format!("warning: ${variable} cannot be written: {error}"));
    }
}
