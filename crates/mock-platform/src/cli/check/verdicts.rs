use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use piopiy_mock_platform::deliver::check_run::CheckOptions;
use piopiy_mock_platform::judge::check::{KnownFailures, Severity, Verdict};
use piopiy_mock_platform::judge::report::{CheckReport, CheckResult};

use crate::cli::duration;
use crate::cli::exit::{Exit, Failure, OrExit};

/// What a run comes to.
#[derive(Debug, Args)]
#[command(next_help_heading = "Verdict")]
pub(crate) struct VerdictArgs {
    /// The lowest severity whose failure fails the run
    #[arg(long, value_name = "SEVERITY", default_value = "must")]
    fail_on: FailOn,
    /// End with the first failure that counts
    #[arg(long, conflicts_with = "max_fail")]
    fail_fast: bool,
    /// End with so many failures that count
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    max_fail: Option<u32>,
    /// Run all of it so many times, with fresh ids: a check passes only if it passes each time
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) repeat: u32,
    /// What takes longer than this is broken off, and told as an error
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = duration::parse)]
    check_limit: Duration,
    /// End with 0 whatever was found
    #[arg(long)]
    pub(crate) exit_zero: bool,
    /// Failures that are put up with: a TOML file with `[[known]]` tables: id, reason, until
    #[arg(long, value_name = "FILE")]
    known_failures: Option<PathBuf>,
}

/// The lowest severity whose failure fails a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FailOn {
    /// A MUST
    Must,
    /// A MUST or a SHOULD
    Should,
    /// Nothing
    Never,
}

impl VerdictArgs {
    pub(crate) fn apply(&self, options: &mut CheckOptions) -> Result<(), Failure> {
        options.check_limit = self.check_limit;
        // Nothing counts where nothing fails the run.
        if let Some(lowest) = self.fail_on.lowest() {
            options.fail_on = lowest;
            options.max_fail = self.max_fail.or(self.fail_fast.then_some(1)).map(|most| most as usize);
        }
        if let Some(path) = &self.known_failures {
            let place = path.display().to_string();
            let text = std::fs::read_to_string(path)
                .map_err(|error| anyhow::anyhow!("the known failures {place} cannot be read: {error}"))
                .or_exit(Exit::Usage)?;
            options.known = KnownFailures::parse(&place, &text).or_exit(Exit::Usage)?;
        }
        Ok(())
    }

    /// The exit code of a report.
    pub(crate) fn exit(&self, report: &CheckReport) -> Exit {
        if self.exit_zero { Exit::Fine } else { exit(report, self.fail_on.lowest()) }
    }
}

impl FailOn {
    fn lowest(self) -> Option<Severity> {
        match self {
            Self::Must => Some(Severity::Must),
            Self::Should => Some(Severity::Should),
            Self::Never => None,
        }
    }
}

/// The exit code of a report. Where several hold, the first: broken, failed, inconclusive.
fn exit(report: &CheckReport, lowest: Option<Severity>) -> Exit {
    let any = |test: &dyn Fn(&CheckResult) -> bool| report.checks.iter().any(test);
    let counts = |check: &CheckResult| lowest.is_some_and(|lowest| check.severity <= lowest);
    let found = |verdict: Verdict| {
        let findings = report.exploration.iter().flat_map(|exploration| &exploration.findings);
        findings.into_iter().any(|find| find.verdict == verdict)
    };
    let broke = report.exploration.as_ref().is_some_and(|exploration| exploration.error.is_some());
    let ran = !report.checks.is_empty() || report.exploration.as_ref().is_some_and(|it| it.schedules > 0);
    if broke || !report.unwritten.is_empty() || any(&|check| check.outcome.verdict == Verdict::Error) {
        Exit::Environment
    } else if (lowest.is_some() && found(Verdict::Fail))
        || any(&|check| {
            check.is_stale_known_failure || (check.outcome.verdict == Verdict::Fail && counts(check))
        })
    {
        Exit::Failed
    } else if !ran
        || found(Verdict::Inconclusive)
        || any(&|check| check.outcome.verdict == Verdict::Inconclusive)
    {
        Exit::Inconclusive
    } else {
        Exit::Fine
    }
}
