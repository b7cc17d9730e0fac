//! The folder that a failed check leaves behind.

use std::io;
use std::path::{Path, PathBuf};

use super::explore::Explored;
use super::rounds::Ran;
use super::{Observation, Run};
use crate::judge::check::{
    CaseEvidence, CaseFile, Check, Composer, Failed, Outcome, Verdict, conclude, minimal,
};
use crate::judge::explore::SCHEDULE;
use crate::judge::report::Exploration;
use crate::judge::reproducer::{File, Matters, Saw, curl_line, files};

/// What was left.
pub(super) struct Left {
    pub(super) folder: String,
    pub(super) curl: Option<String>,
}

/// What the folder is of.
struct Failure<'a> {
    id: &'a str,
    title: &'a str,
    check: &'static Check,
    outcome: &'a Outcome,
}

impl Run<'_> {
    /// Writes the folder of a check that failed or was inconclusive, if one is wanted; takes its cases. Where that
    /// cannot be done, it says why.
    pub(super) fn leave(&self, ran: &mut Ran, outcome: &Outcome) -> Result<Option<Left>, String> {
        let check = ran.check;
        let failure = Failure { id: check.id, title: check.title, check, outcome };
        self.leave_folder(&failure, || std::mem::take(&mut ran.cases))
    }

    /// Writes the folder of each random schedule that failed, and notes where it is.
    pub(super) async fn leave_finds(&self, explored: Explored) -> Exploration {
        let Explored { mut told, evidence } = explored;
        for (find, cases) in told.findings.iter_mut().zip(evidence) {
            let outcome = Outcome::new(find.verdict, find.detail.clone());
            let failure = Failure { id: &find.id, title: &find.title, check: &SCHEDULE, outcome: &outcome };
            match self.leave_folder(&failure, || cases.to_vec()) {
                Ok(None) => {}
                Ok(Some(left)) => {
                    find.reproducer.folder = Some(left.folder);
                    find.reproducer.curl = left.curl;
                }
                Err(trouble) => self.unwritten.lock().await.push(trouble),
            }
        }
        told
    }

    fn leave_folder(
        &self,
        failure: &Failure<'_>,
        cases: impl FnOnce() -> Vec<CaseEvidence>,
    ) -> Result<Option<Left>, String> {
        let Some(failures) = &self.options.failures else { return Ok(None) };
        if !matches!(failure.outcome.verdict, Verdict::Fail | Verdict::Inconclusive) {
            return Ok(None);
        }
        let folder = failures.join(failure.id);
        let file = self.case_file(failure, cases());
        write(&folder, &files(&file))
            .map_err(|error| format!("the reproducer {} cannot be written: {error}", folder.display()))?;
        Ok(Some(Left { folder: folder.display().to_string(), curl: curl_line(&file) }))
    }

    fn case_file(&self, failure: &Failure<'_>, all: Vec<CaseEvidence>) -> CaseFile {
        let judge = |cases: &[CaseEvidence]| self.findings(failure.check, cases);
        let conclude =
            |cases: &[CaseEvidence]| conclude(failure.check, &judge(cases), self.terms.is_observed);
        let (count, Outcome { verdict, is_timing, .. }) = (all.len(), conclude(&all));
        let fails = |cases: &[CaseEvidence]| conclude(cases).verdict == verdict;
        // What takes too long now and then does so with the n-th request, whichever that is: it takes all of them.
        let cases = if is_timing { all } else { minimal(all, judge, fails) };
        let matters = Matters::of(&cases, is_timing, fails);
        let mut saw: Vec<Saw> = cases.iter().map(|case| Saw::of(case, matters)).collect();
        let findings = judge(&cases);
        let named = |case: &CaseEvidence| {
            let name = &case.case.name;
            // What breaks plain webhooks as well is seen in what is sent, unless they alone are broken.
            let is_plain = |rest: &str| rest.starts_with(", plain webhook ");
            let looks_beside = matters.canary || matters.bystander;
            let is_own = |found: &str| {
                found.strip_prefix(name).is_some_and(|rest| {
                    rest.is_empty() || (rest.starts_with(", ") && (looks_beside || !is_plain(rest)))
                })
            };
            findings.all().any(|(found, word, _)| word == verdict && is_own(found))
        };
        // What is late now and then is so in any of them.
        if !matters.late && cases.iter().any(named) {
            for (saw, case) in saw.iter_mut().zip(&cases) {
                saw.is_wrong = named(case);
            }
        }
        let mut composer = Composer::new("canary", 0, self.sources.clone());
        CaseFile::of(Failed {
            id: failure.id,
            title: failure.title,
            outcome: failure.outcome,
            terms: &self.terms,
            sources: &self.sources,
            target: self.target.shown(),
            observation: self.options.observation.as_ref().map_or("none", Observation::name),
            observe: self.options.observation.as_ref().and_then(Observation::place),
            left_out: count - cases.len(),
            cases,
            canary: self.plain_script(&mut composer),
            saw,
        })
    }
}

/// Writes a folder beside and renames it, so that nobody finds half of it, or what an older one has left.
fn write(folder: &Path, files: &[File]) -> io::Result<()> {
    let mut beside = folder.as_os_str().to_owned();
    beside.push(format!(".{}.part", std::process::id()));
    let beside = PathBuf::from(beside);
    clear(&beside)?;
    std::fs::create_dir_all(&beside)?;
    for file in files {
        let path = beside.join(&file.name);
        std::fs::write(&path, &file.bytes)?;
        if file.is_program {
            make_executable(&path)?;
        }
    }
    clear(folder)?;
    std::fs::rename(&beside, folder)
}

fn clear(folder: &Path) -> io::Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(unix)]
fn make_executable(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))
}

#[cfg(not(unix))]
fn make_executable(_path: &Path) -> io::Result<()> {
    Ok(())
}
