use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use piopiy_mock_platform::judge::report::{CheckReport, Comparison, KINDS, Reporter};

use crate::cli::exit::{Exit, Failure, OrExit};

/// Which reports, and where to.
#[derive(Debug, Args)]
#[command(next_help_heading = "Reports")]
pub(crate) struct SinkArgs {
    /// Write a report, as KIND=PATH, `-` for stdout; may be given several times. Kinds: html, json, jsonl, junit,
    /// markdown, tap, text
    #[arg(long, value_name = "KIND=PATH", value_parser = parse)]
    report: Vec<Sink>,
}

impl SinkArgs {
    /// Refuses two documents on stdout.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        if self.report.iter().filter(|sink| sink.path.is_none()).count() > 1 {
            let error = anyhow::anyhow!("two reports cannot both go to stdout");
            return Err(Failure::new(Exit::Usage, error));
        }
        Ok(())
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.report.is_empty()
    }

    /// The folder of the first that is a file.
    pub(crate) fn folder(&self) -> Option<&Path> {
        self.report.iter().find_map(|sink| sink.path.as_ref()?.parent())
    }

    /// Writes all of them; one that cannot be written holds up no other.
    pub(crate) fn write(&self, report: &CheckReport) -> Result<(), Failure> {
        let written = self.report.iter().map(|sink| sink.write(&sink.reporter.render(report)));
        written.fold(Ok(()), Result::and)
    }

    /// Writes a comparison to all of them.
    pub(crate) fn write_comparison(&self, comparison: &Comparison<'_>) -> Result<(), Failure> {
        let mut texts = Vec::new();
        for sink in &self.report {
            let text = sink.reporter.compare(comparison);
            let text = text.ok_or_else(|| {
                anyhow::anyhow!("`{}` holds one run, not several: take html, markdown or text", sink.kind)
            });
            texts.push(text.or_exit(Exit::Usage)?);
        }
        self.report.iter().zip(&texts).map(|(sink, text)| sink.write(text)).fold(Ok(()), Result::and)
    }
}

/// Where a report goes.
#[derive(Clone)]
struct Sink {
    kind: &'static str,
    reporter: &'static dyn Reporter,
    /// `None` for stdout.
    path: Option<PathBuf>,
}

impl Sink {
    fn write(&self, text: &str) -> Result<(), Failure> {
        match &self.path {
            None => Ok(std::io::stdout().lock().write_all(text.as_bytes())?),
            Some(path) => write_whole(path, text)
                .map_err(|error| anyhow::anyhow!("the report {} cannot be written: {error}", path.display()))
                .or_exit(Exit::Environment),
        }
    }
}

impl std::fmt::Debug for Sink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sink").field("kind", &self.kind).field("path", &self.path).finish_non_exhaustive()
    }
}

fn parse(text: &str) -> Result<Sink, String> {
    let known = KINDS.iter().map(|(kind, _)| *kind).collect::<Vec<_>>().join(", ");
    let (kind, path) =
        text.split_once('=').ok_or_else(|| format!("write it like json=report.json; kinds: {known}"))?;
    let unknown = || format!("there is no kind {kind:?}; kinds: {known}");
    let (kind, reporter) = KINDS.iter().find(|(name, _)| *name == kind).ok_or_else(unknown)?;
    if path.is_empty() {
        return Err(format!("{text:?} names no file; `-` is stdout"));
    }
    Ok(Sink { kind, reporter: *reporter, path: (path != "-").then(|| path.into()) })
}

/// Writes a file beside and renames it, so that nobody reads half of it.
fn write_whole(path: &Path, text: &str) -> std::io::Result<()> {
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

    #[test]
    fn the_help_lists_every_kind() {
        let command = SinkArgs::augment_args(clap::Command::new("test"));
        let help = command.get_arguments().next().unwrap().get_help().unwrap().to_string();
        for (kind, _) in KINDS {
            assert!(help.contains(kind), "{kind} is not in {help:?}");
        }
    }
}
