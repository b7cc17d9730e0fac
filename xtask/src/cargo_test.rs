//! `cargo test` over the workspace, its output passed on and its counts added up.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;

use anyhow::Context as _;

use crate::tally::Tally;
use crate::workspace;

/// Runs every test of the workspace, doctests included.
///
/// # Errors
/// Where cargo cannot be started or its output not be read.
pub(crate) fn run(tally: &mut Tally) -> anyhow::Result<()> {
    let mut child = workspace::cargo()
        .args(["test", "--workspace", "--all-features", "--no-fail-fast"])
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start cargo")?;
    let stdout = child.stdout.take().context("cargo has no stdout")?;
    let mut failed = 0;
    for line in BufReader::new(stdout).lines() {
        let line = line.context("cannot read what cargo prints")?;
        writeln!(std::io::stdout(), "{line}")?;
        if let Some(counts) = Counts::read(&line) {
            failed += counts.failed;
            tally.add(counts.passed, counts.failed, counts.ignored);
        }
    }
    let status = child.wait().context("cannot wait for cargo")?;
    if !status.success() && failed == 0 {
        // It did not compile, or a test binary ended before it could say how many tests failed.
        tally.fail("cargo test", &anyhow::anyhow!("ended with {status}, see above"));
    }
    Ok(())
}

/// The counts of one test binary.
#[derive(Debug, PartialEq, Eq)]
struct Counts {
    passed: u64,
    failed: u64,
    ignored: u64,
}

impl Counts {
    /// Reads the line that a test binary ends with; any other line is `None`.
    fn read(line: &str) -> Option<Self> {
        let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
        let count = |word: &str| {
            let counts = counts.split("; ").find_map(|count| count.strip_suffix(word))?;
            counts.trim().parse().ok()
        };
        Some(Self { passed: count("passed")?, failed: count("failed")?, ignored: count("ignored")? })
    }
}

#[cfg(test)]
mod tests {
    use super::Counts;

    fn check(line: &str, expected: Option<(u64, u64, u64)>) {
        let counts = Counts::read(line).map(|counts| (counts.passed, counts.failed, counts.ignored));
        assert_eq!(counts, expected, "{line}");
    }

    #[test]
    fn only_the_last_line_of_a_test_binary_counts() {
        check(
            "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.02s",
            Some((12, 0, 1)),
        );
        check(
            "test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 5 filtered out; finished in 1.00s",
            Some((3, 2, 0)),
        );
        check("running 12 tests", None);
        check("test result_is_kept ... ok", None);
        check("test result: ok", None);
    }
}
