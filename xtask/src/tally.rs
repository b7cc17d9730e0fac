//! What came of a task's parts, and the plain line that sums it up.

use std::fmt;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::process;

/// How many parts passed and failed, and which were skipped.
#[derive(Debug)]
pub(crate) struct Tally {
    began: Instant,
    passed: u64,
    failed: u64,
    skipped: u64,
    notes: Vec<String>,
}

/// What a part needs and this machine has not.
#[derive(Debug)]
pub(crate) struct Missing(pub(crate) &'static str);

/// Nothing yet; the time of the whole counts from the command.
impl Default for Tally {
    fn default() -> Self {
        let now = Instant::now();
        let began = now.checked_sub(process::since_the_command()).unwrap_or(now);
        Self { began, passed: 0, failed: 0, skipped: 0, notes: Vec::new() }
    }
}

impl Tally {
    /// Counts the outcome of many tests at once.
    pub(crate) fn add(&mut self, passed: u64, failed: u64, skipped: u64) {
        self.passed += passed;
        self.failed += failed;
        self.skipped += skipped;
    }

    /// Counts a part that failed, and names it at the end.
    pub(crate) fn fail(&mut self, name: &str, error: &anyhow::Error) {
        println!("{name}: FAILED: {error:#}");
        self.failed += 1;
        self.notes.push(format!("failed: {name}: {error:#}"));
    }

    /// Counts a part that could not run; where everything is required, that is a failure.
    pub(crate) fn skip(&mut self, name: &str, missing: &Missing, require_all: bool) {
        let Missing(what) = missing;
        if require_all {
            self.fail(name, &anyhow::anyhow!("{what} is required here, and not found"));
        } else {
            println!("{name}: skipped ({what} not found)");
            self.skipped += 1;
            self.notes.push(format!("skipped: {name} ({what} not found)"));
        }
    }

    /// Runs a part, says its name, its outcome and its seconds, and counts it.
    pub(crate) fn part(&mut self, name: &str, run: impl FnOnce() -> anyhow::Result<String>) {
        let began = Instant::now();
        match run() {
            Ok(numbers) => {
                self.passed += 1;
                let colon = if numbers.is_empty() { "" } else { ": " };
                println!("{name}: ok{colon}{numbers} ({:.1} s)", began.elapsed().as_secs_f64());
            }
            Err(error) => self.fail(name, &error),
        }
    }

    /// Prints what was skipped or failed, how long all of it took, builds included, then the summary alone on its line; success
    /// where nothing failed.
    pub(crate) fn finish(&self) -> ExitCode {
        println!("{}", self.told(self.began.elapsed()));
        if self.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }

    fn told(&self, took: Duration) -> String {
        let notes: String = self.notes.iter().map(|note| format!("{note}\n")).collect();
        format!("\n{notes}{:.1} s in all\n{self}", took.as_secs_f64())
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Missing, Tally};

    #[test]
    fn the_whole_time_is_told_and_the_summary_stands_alone_at_the_end() {
        let mut tally = Tally::default();
        tally.add(12, 0, 0);
        tally.skip("pages/node", &Missing("Node"), false);
        let told = "\nskipped: pages/node (Node not found)\n83.2 s in all\n12 passed, 0 failed, 1 skipped";
        assert_eq!(tally.told(Duration::from_millis(83_210)), told);
    }
}
