//! `doctor`: whether this machine and a receiver are fit for a run, a line for each thing.

mod machine;
mod receiver;

use std::io::Write as _;
use std::path::PathBuf;

use clap::{Args, Command};
use piopiy_mock_platform::judge::check::all;
use serde::Serialize;

use super::config;
use super::exit::{Exit, Failure};

pub(crate) const EXAMPLES: &str = "\
Examples:
  piopiy-mock doctor
  piopiy-mock doctor http://localhost:5000/webhook/cdr --observe-url http://localhost:5000/__observe

Exit codes:
    0  nothing keeps a run from being right
    2  the command line is wrong
    3  something does, and it says what to do";

/// Say whether this machine, and a receiver, are fit for a run
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// The URL of the receiver
    url: Option<String>,
    /// Where the receiver says what it did
    #[arg(long, value_name = "URL")]
    observe_url: Option<String>,
    /// Allow a host that is not this machine, as HOST or HOST:PORT; may be given several times
    #[arg(long, value_name = "HOST")]
    allow_host: Vec<String>,
    /// As one JSON array
    #[arg(long)]
    json: bool,
}

/// What was looked at.
#[derive(Debug, Serialize)]
struct Finding {
    name: &'static str,
    verdict: Fitness,
    /// What is so.
    found: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    todo: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Fitness {
    Ok,
    Warn,
    Fail,
}

impl Finding {
    fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Self { name, verdict: Fitness::Ok, found: found.into(), todo: None }
    }

    fn warn(name: &'static str, found: impl Into<String>, todo: impl Into<String>) -> Self {
        Self { name, verdict: Fitness::Warn, found: found.into(), todo: Some(todo.into()) }
    }

    fn fail(name: &'static str, found: impl Into<String>, todo: impl Into<String>) -> Self {
        Self { name, verdict: Fitness::Fail, found: found.into(), todo: Some(todo.into()) }
    }
}

pub(crate) async fn run(args: DoctorArgs, given: Option<PathBuf>, cli: Command) -> Result<Exit, Failure> {
    let version = format!("piopiy-mock {}, {} checks", env!("CARGO_PKG_VERSION"), all().len());
    let mut findings = vec![Finding::ok("version", version), configuration(given, &cli)];
    findings.extend(machine::look().await);
    if let Some(url) = &args.url {
        findings.extend(receiver::look(url, &args.allow_host).await);
    }
    if let Some(url) = &args.observe_url {
        findings.extend(receiver::look_at_effects(url, &args.allow_host).await);
    }
    let text =
        if args.json { format!("{}\n", serde_json::to_string_pretty(&findings)?) } else { told(&findings) };
    std::io::stdout().lock().write_all(text.as_bytes())?;
    let is_unfit = findings.iter().any(|finding| finding.verdict == Fitness::Fail);
    Ok(if is_unfit { Exit::Environment } else { Exit::Fine })
}

fn configuration(given: Option<PathBuf>, cli: &Command) -> Finding {
    let Some(path) = config::found(given) else {
        return Finding::ok("config", format!("no {}; `piopiy-mock init` writes one", config::FILE_NAME));
    };
    match config::check(&path, cli) {
        Ok(()) => Finding::ok("config", path.display().to_string()),
        Err(failure) => {
            Finding::fail("config", format!("{:#}", failure.error), "put it right, or take it away")
        }
    }
}

fn told(findings: &[Finding]) -> String {
    let mut text = String::new();
    for Finding { name, verdict, found, todo } in findings {
        let verdict = match verdict {
            Fitness::Ok => "ok",
            Fitness::Warn => "warn",
            Fitness::Fail => "fail",
        };
        text.push_str(&format!("{verdict:<5} {name:<11} {found}\n"));
        if let Some(todo) = todo {
            text.push_str(&format!("{:<17} -> {todo}\n", ""));
        }
    }
    text
}
