use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use piopiy_mock_platform::judge::report::{CheckReport, Comparison, KINDS, Reporter};

use super::stream::Stream;
use crate::cli::exit::{Exit, Failure, OrExit};

/// The kind that is written line by line, while the run goes on.
const LINES: &str = "jsonl";

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
    /// Refuses two documents in one place.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        let mut places = BTreeSet::new();
        match self.report.iter().find(|sink| !places.insert(&sink.path)).map(|sink| &sink.path) {
            None => Ok(()),
            Some(None) => {
                let error = anyhow::anyhow!("two reports cannot both go to stdout");
                Err(Failure::new(Exit::Usage, error))
            }
            Some(Some(path)) => {
                let error = anyhow::anyhow!("two reports cannot both go to {}", path.display());
                Err(Failure::new(Exit::Usage, error))
            }
        }
    }

    /// Sees that there is a place for each of them, before a run of many minutes; begins those that are told line by line.
    pub(super) fn begin(&self) -> Result<Stream, Failure> {
        let mut stream = Stream::default();
        for sink in &self.report {
            match &sink.path {
                None if sink.kind == LINES => stream.add("stdout".to_owned(), Box::new(io::stdout())),
                None => {}
                Some(path) => {
                    let place = prepare(path).map_err(|error| sink.unwritable(&error))?;
                    if sink.kind == LINES {
                        let file = File::create(&place).map_err(|error| sink.unwritable(&error))?;
                        stream.add(path.display().to_string(), Box::new(file));
                    }
                }
            }
        }
        Ok(stream)
    }

    /// Writes all of them that are not told line by line, and the last lines of those that are.
    pub(super) fn finish(&self, stream: &Stream, report: &CheckReport) -> Result<(), Failure> {
        let whole = self.report.iter().filter(|sink| sink.kind != LINES);
        let written = whole.map(|sink| sink.write(&sink.reporter.render(report)));
        written.fold(stream.end(report), Result::and)
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
            None => {
                let mut stdout = io::stdout().lock();
                match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
                    // Nobody reads any more, which says nothing of what was found.
                    Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
                    Err(error) => Err(unwritable("stdout", &error)),
                    Ok(()) => Ok(()),
                }
            }
            Some(path) => write_whole(path, text).map_err(|error| self.unwritable(&error)),
        }
    }

    fn unwritable(&self, error: &io::Error) -> Failure {
        let place = self.path.as_ref().map_or("stdout".to_owned(), |path| path.display().to_string());
        unwritable(&place, error)
    }
}

pub(crate) fn unwritable(place: &str, error: &io::Error) -> Failure {
    Failure::new(Exit::Environment, anyhow::anyhow!("the report {place} cannot be written: {error}"))
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

/// Writes a file beside and renames it, so that nobody reads half of it. What is no file, such as /dev/stderr or a pipe, is
/// written to as it is.
pub(crate) fn write_whole(path: &Path, text: &str) -> io::Result<()> {
    let place = prepare(path)?;
    if is_special(&place) {
        return std::fs::OpenOptions::new().write(true).open(&place)?.write_all(text.as_bytes());
    }
    let beside = beside(&place);
    let written = std::fs::write(&beside, text).and_then(|()| std::fs::rename(&beside, &place));
    if written.is_err() {
        // Half of a report is none. What went wrong first is told.
        let _ = std::fs::remove_file(&beside);
    }
    written
}

/// Makes the folder of a file, and sees that the file can be written; says where it is, behind links.
pub(crate) fn prepare(path: &Path) -> io::Result<PathBuf> {
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        std::fs::create_dir_all(parent)?;
    }
    // A link stays one, and what it names is written.
    let place = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    if place.is_dir() {
        return Err(io::Error::from(io::ErrorKind::IsADirectory));
    }
    if !is_special(&place) {
        let beside = beside(&place);
        File::create(&beside)?;
        std::fs::remove_file(&beside)?;
    }
    Ok(place)
}

fn is_special(path: &Path) -> bool {
    path.metadata().is_ok_and(|meta| !meta.is_file() && !meta.is_dir())
}

fn beside(path: &Path) -> PathBuf {
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}.part", std::process::id()));
    beside.into()
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
    fn a_report_is_whole_or_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/report.xml");
        write_whole(&path, "one").unwrap();
        write_whole(&path, "two").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "two");
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        assert_eq!(write_whole(folder.path(), "x").unwrap_err().kind(), io::ErrorKind::IsADirectory);
    }

    /// A rename would put a file in the place of a device, and of a link.
    #[cfg(unix)]
    #[test]
    fn what_is_no_file_stays_what_it_is() {
        use std::os::unix::fs::FileTypeExt as _;

        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        std::fs::write(&file, "old").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        write_whole(&link, "new").unwrap();
        assert!(link.symlink_metadata().unwrap().is_symlink());
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "new");

        let null = folder.path().join("null");
        std::os::unix::fs::symlink("/dev/null", &null).unwrap();
        write_whole(&null, "x").unwrap();
        assert!(null.metadata().unwrap().file_type().is_char_device());
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
