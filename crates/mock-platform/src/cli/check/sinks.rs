use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use piopiy_mock_platform::judge::report::{CheckReport, KINDS, Reporter, reporter};

use crate::cli::exit::{Exit, Failure, OrExit};

/// Which reports, and where to.
#[derive(Debug, Args)]
#[command(next_help_heading = "Verdict")]
pub(super) struct SinkArgs {
    /// Write a report, as KIND=PATH, `-` for stdout; may be given several times. Kinds: html, json, jsonl, junit,
    /// markdown, tap, text
    #[arg(long, value_name = "KIND=PATH", value_parser = parse)]
    report: Vec<Sink>,
}

impl SinkArgs {
    /// Refuses two documents on stdout.
    pub(super) fn check(&self) -> Result<(), Failure> {
        if self.report.iter().filter(|sink| sink.path.is_none()).count() > 1 {
            let error = anyhow::anyhow!("two reports cannot both go to stdout");
            return Err(Failure::new(Exit::Usage, error));
        }
        Ok(())
    }

    /// Writes all of them.
    pub(super) fn write(&self, report: &CheckReport) -> Result<(), Failure> {
        for sink in &self.report {
            let text = sink.reporter.render(report);
            match &sink.path {
                None => std::io::stdout().lock().write_all(text.as_bytes())?,
                Some(path) => write_whole(path, &text)
                    .map_err(|error| {
                        anyhow::anyhow!("the report {} cannot be written: {error}", path.display())
                    })
                    .or_exit(Exit::Environment)?,
            }
        }
        Ok(())
    }
}

/// Where a report goes.
#[derive(Clone)]
struct Sink {
    reporter: &'static dyn Reporter,
    /// `None` for stdout.
    path: Option<PathBuf>,
}

impl std::fmt::Debug for Sink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sink").field("path", &self.path).finish_non_exhaustive()
    }
}

fn parse(text: &str) -> Result<Sink, String> {
    let known = KINDS.iter().map(|(kind, _)| *kind).collect::<Vec<_>>().join(", ");
    let (kind, path) =
        text.split_once('=').ok_or_else(|| format!("write it like json=report.json; kinds: {known}"))?;
    let reporter = reporter(kind).ok_or_else(|| format!("there is no kind {kind:?}; kinds: {known}"))?;
    if path.is_empty() {
        return Err(format!("{text:?} names no file; `-` is stdout"));
    }
    Ok(Sink { reporter, path: (path != "-").then(|| path.into()) })
}

/// Writes a file beside and renames it, so that nobody reads half of it.
fn write_whole(path: &std::path::Path, text: &str) -> std::io::Result<()> {
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        std::fs::create_dir_all(parent)?;
    }
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}.part", std::process::id()));
    std::fs::write(&beside, text)?;
    std::fs::rename(&beside, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sinks_are_a_kind_and_a_path() {
        assert_eq!(parse("json=a/b.json").unwrap().path, Some("a/b.json".into()));
        assert_eq!(parse("json=-").unwrap().path, None);
        for text in ["json", "nothing=x", "json="] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
