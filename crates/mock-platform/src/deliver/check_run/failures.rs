//! The folder that a failed check leaves behind.

use std::io;
use std::path::{Path, PathBuf};

use super::rounds::Ran;
use super::{Observation, Run};
use crate::judge::check::{CaseEvidence, CaseFile, Composer, Failed, Outcome, Verdict, conclude, minimal};
use crate::judge::reproducer::{File, Matters, Saw, curl_line, files};

/// What was left.
pub(super) struct Left {
    pub(super) folder: String,
    pub(super) curl: Option<String>,
}

impl Run<'_> {
    /// Writes the folder of a check that failed or was inconclusive, if one is wanted; takes its cases. Where that
    /// cannot be done, it says why.
    pub(super) fn leave(&self, ran: &mut Ran, outcome: &Outcome) -> Result<Option<Left>, String> {
        let Some(failures) = &self.options.failures else { return Ok(None) };
        if !matches!(outcome.verdict, Verdict::Fail | Verdict::Inconclusive) {
            return Ok(None);
        }
        let folder = failures.join(ran.check.id);
        let file = self.case_file(ran, outcome);
        write(&folder, &files(&file))
            .map_err(|error| format!("the reproducer {} cannot be written: {error}", folder.display()))?;
        Ok(Some(Left { folder: folder.display().to_string(), curl: curl_line(&file) }))
    }

    fn case_file(&self, ran: &mut Ran, outcome: &Outcome) -> CaseFile {
        let judge = |cases: &[CaseEvidence]| self.findings(ran.check, cases);
        let conclude = |cases: &[CaseEvidence]| conclude(ran.check, &judge(cases), self.terms.is_observed);
        let all = std::mem::take(&mut ran.cases);
        let (count, Outcome { verdict, is_timing, .. }) = (all.len(), conclude(&all));
        let fails = |cases: &[CaseEvidence]| conclude(cases).verdict == verdict;
        // What takes too long now and then does so with the n-th request, whichever that is: it takes all of them.
        let cases = if is_timing { all } else { minimal(all, judge, fails) };
        let matters = Matters::of(&cases, fails);
        let mut saw: Vec<Saw> = cases.iter().map(|case| Saw::of(case, matters)).collect();
        let findings = judge(&cases);
        let named = |case: &CaseEvidence| {
            let name = &case.case.name;
            let is_own = |found: &str| {
                found.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with(", "))
            };
            findings.all().any(|(found, word, _)| word == verdict && is_own(found))
        };
        if cases.iter().any(named) {
            for (saw, case) in saw.iter_mut().zip(&cases) {
                saw.is_wrong = named(case);
            }
        }
        let mut composer = Composer::new("canary", 0, self.sources.clone());
        CaseFile::of(Failed {
            check: ran.check,
            outcome,
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
