use std::pin::pin;

use super::{CheckOptions, CheckRunError, Progress, Run, head, unstarted};
use crate::deliver::Target;
use crate::judge::check::CaseFile;
use crate::judge::report::CheckReport;

/// Sends again what a check failed with, and has it judged by that check.
///
/// Nothing is generated: the steps, bytes and expectations are those of the file. Its ids get new values of the same
/// shape, so that a receiver that keeps its data does not take them for repeats, unless `exact_ids` is set.
/// [`CheckOptions::of`] has the terms of the failed run.
///
/// # Errors
/// If there is no receiver, its effects cannot be looked at, or the file leaves out a secret that is not in `headers`.
///
/// # Examples
/// ```no_run
/// use piopiy_mock_platform::deliver::{Target, check_run::{CheckOptions, replay_case}};
/// use piopiy_mock_platform::judge::check::{CaseFile, Verdict};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let file = CaseFile::parse("case.json", &std::fs::read_to_string("failures/DUP-002/case.json")?)?;
/// let target = Target::parse("http://127.0.0.1:5000/webhook/cdr", &[])?;
/// let report = replay_case(&target, &file, &CheckOptions::of(&file), &(), std::future::pending()).await?;
/// assert_eq!(report.checks[0].outcome.verdict, Verdict::Pass);
/// # Ok(())
/// # }
/// ```
pub async fn replay_case(
    target: &Target,
    file: &CaseFile,
    options: &CheckOptions,
    progress: &dyn Progress,
    stop: impl Future<Output = ()>,
) -> Result<CheckReport, CheckRunError> {
    let head =
        CheckReport { rerun: format!("{}{}", options.again, options.again_tail), ..head(target, options) };
    let mut stop = pin!(stop);
    match Run::start(target, options, Some(file), stop.as_mut()).await? {
        Some(run) => Ok(Box::pin(run.whole(&[file.check()], head, progress, stop)).await),
        None => Ok(unstarted(head, &[file.check()], options)),
    }
}
