use std::collections::BTreeSet;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use piopiy_mock_platform::load::{KINDS, LoadReport, Progress, Render};

use super::scraped::Scraped;
use crate::cli::check::sinks::{prepare, unwritable, write_whole};
use crate::cli::exit::{Exit, Failure};

/// Which reports, and where to.
#[derive(Debug, Args)]
#[command(next_help_heading = "Reports")]
pub(crate) struct SinkArgs {
    /// Write a report, as KIND=PATH, `-` for stdout; may be given several times. Kinds: hlog (a log for HdrHistogram's tools),
    /// html, json, markdown, text; prometheus=127.0.0.1:PORT can be scraped at /metrics while it runs
    #[arg(long, value_name = "KIND=PATH", value_parser = parse)]
    report: Vec<Sink>,
}

/// A report, and where it goes.
#[derive(Debug, Clone)]
enum Sink {
    /// A document, written in the end; to stdout where there is no path.
    Document { render: Render, path: Option<PathBuf> },
    /// What can be scraped meanwhile.
    Prometheus(SocketAddr),
}

const PROMETHEUS: &str = "prometheus";

impl SinkArgs {
    /// Refuses two documents in one place, and sees that there is a place for each, before a run of many minutes.
    pub(crate) fn begin(&self) -> Result<(), Failure> {
        let mut places = BTreeSet::new();
        for sink in &self.report {
            let Sink::Document { path, .. } = sink else { continue };
            if !places.insert(path) {
                let place = path.as_ref().map_or("stdout".to_owned(), |path| path.display().to_string());
                let error = anyhow::anyhow!("two reports cannot both go to {place}");
                return Err(Failure::new(Exit::Usage, error));
            }
            if let Some(path) = path {
                prepare(path).map_err(|error| unwritable(&path.display().to_string(), &error))?;
            }
        }
        Ok(())
    }

    /// Whether a document goes to stdout, where nothing else may.
    pub(crate) fn has_stdout(&self) -> bool {
        self.report.iter().any(|sink| matches!(sink, Sink::Document { path: None, .. }))
    }

    /// Refuses what only a load that goes on has.
    pub(super) fn check_saved(&self) -> Result<(), Failure> {
        if self.report.iter().any(|sink| matches!(sink, Sink::Prometheus(_))) {
            let error = anyhow::anyhow!(
                "`{PROMETHEUS}` is for a load that goes on, and these are over: leave it out"
            );
            return Err(Failure::new(Exit::Usage, error));
        }
        Ok(())
    }

    /// Lets be scraped what is to be, until it is dropped.
    pub(super) async fn serve(&self, progress: &Arc<Progress>) -> Result<Vec<Scraped>, Failure> {
        let mut scraped = Vec::new();
        for sink in &self.report {
            if let Sink::Prometheus(at) = sink {
                scraped.push(Scraped::begin(*at, Arc::clone(progress)).await?);
            }
        }
        Ok(scraped)
    }

    /// Writes all of them; one that cannot be written holds up no other.
    pub(crate) fn write(&self, report: &LoadReport) -> Result<(), Failure> {
        self.report.iter().map(|sink| sink.write(report)).fold(Ok(()), Result::and)
    }
}

impl Sink {
    fn write(&self, report: &LoadReport) -> Result<(), Failure> {
        let Self::Document { render, path } = self else { return Ok(()) };
        let text = render(report);
        match path {
            Some(path) => {
                write_whole(path, &text).map_err(|error| unwritable(&path.display().to_string(), &error))
            }
            None => print(&text),
        }
    }
}

/// Prints, for whoever reads it: where nobody does any more, that says nothing of what was measured.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(|error| unwritable("stdout", &error)),
    }
}

fn parse(text: &str) -> Result<Sink, String> {
    let kinds = KINDS.iter().map(|(kind, _)| *kind).chain([PROMETHEUS]);
    let known = kinds.collect::<Vec<_>>().join(", ");
    let (kind, path) =
        text.split_once('=').ok_or_else(|| format!("write it like json=load.json; kinds: {known}"))?;
    if kind == PROMETHEUS {
        return scrape(path).map(Sink::Prometheus);
    }
    let (_, render) = KINDS
        .iter()
        .find(|(name, _)| *name == kind)
        .ok_or_else(|| format!("there is no kind {kind:?}; kinds: {known}"))?;
    if path.is_empty() {
        return Err(format!("{text:?} names no file; `-` is stdout"));
    }
    Ok(Sink::Document { render: *render, path: (path != "-").then(|| path.into()) })
}

fn scrape(address: &str) -> Result<SocketAddr, String> {
    match address.parse::<SocketAddr>() {
        Ok(address) if address.ip().is_loopback() => Ok(address),
        Ok(_) => Err(format!("{address} is not of this machine alone; take 127.0.0.1, and forward it")),
        Err(_) => {
            Err(format!("{address:?} is no address to listen on; write it like prometheus=127.0.0.1:9464"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_lists_every_kind() {
        let command = SinkArgs::augment_args(clap::Command::new("test"));
        let help = command.get_arguments().next().unwrap().get_help().unwrap().to_string();
        for kind in KINDS.iter().map(|(kind, _)| *kind).chain([PROMETHEUS]) {
            assert!(help.contains(kind), "{kind} is not in {help:?}");
        }
    }

    #[test]
    fn sinks_are_a_kind_and_a_path() {
        let path = |text| match parse(text) {
            Ok(Sink::Document { path, .. }) => path,
            other => panic!("{text}: {other:?}"),
        };
        assert_eq!(path("hlog=a/b.hlog"), Some("a/b.hlog".into()));
        assert_eq!(path("json=-"), None);
        assert!(matches!(parse("prometheus=[::1]:0"), Ok(Sink::Prometheus(_))));
        for text in ["json", "nothing=x", "json=", "prometheus=9464", "prometheus=0.0.0.0:1", "prometheus=-"]
        {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
