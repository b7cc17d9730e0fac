use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use piopiy_mock_platform::deliver::{Target, Trust};
use piopiy_mock_platform::plan::Seed;
use piopiy_mock_platform::platform::{StreamCheck, StreamCheckError, StreamFaults};
use serde_json::json;

use super::duration;
use super::exit::{Exit, Failure, OrExit};
use super::session;
use super::target::Format;

pub(crate) const EXAMPLES: &str = "\
Examples:
  # What an application sounds like: its first audio, its gaps
  piopiy-mock stream-check ws://127.0.0.1:5000/stream
  # In CI: fails where it answers late or stutters
  piopiy-mock stream-check ws://127.0.0.1:5000/stream --says hello.wav --max-first-audio 800ms --max-gaps 0

Exit codes:
    0  measured, and within what was asked for
    1  a figure is beyond what was asked for, or the connection broke
    2  the command line, or a file that it names, is wrong
    3  the application cannot be connected to";

/// Measure an application's audio stream: dial it, speak to it, and listen
#[derive(Debug, Args)]
pub(crate) struct StreamCheckArgs {
    /// Where the application takes streams: ws:// or wss://
    #[arg(value_name = "URL")]
    url: String,
    /// Allow a host that is not this machine, as HOST or HOST:PORT; may be given several times
    #[arg(long, value_name = "HOST")]
    allow_host: Vec<String>,
    /// Trust the certificates of this PEM file, in place of the public roots
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// How long it may take until the application is on the line
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration::parse)]
    connect_timeout: Duration,
    /// How long to speak and listen
    #[arg(long = "for", value_name = "DURATION", default_value = "10s", value_parser = duration::parse)]
    lasts: Duration,
    /// Samples per second
    #[arg(long, value_name = "HERTZ", default_value = "8000", value_parser = ["8000", "16000"])]
    sample_rate: String,
    /// Say what is in this file (WAV, MP3, Ogg); made-up speech where none is given
    #[arg(long, value_name = "FILE")]
    says: Option<PathBuf>,
    /// What made-up speech and faults follow from, decimal or 0x…
    #[arg(long, default_value = "0")]
    seed: Seed,
    /// Write what the application heard to a WAV file
    #[arg(long, value_name = "FILE")]
    heard: Option<PathBuf>,
    /// Write what the application said to a WAV file
    #[arg(long, value_name = "FILE")]
    said: Option<PathBuf>,
    /// Fail where the first audio comes later, or none
    #[arg(long, value_name = "DURATION", value_parser = duration::parse_ms)]
    max_first_audio: Option<u64>,
    /// Fail where there are more gaps
    #[arg(long, value_name = "COUNT")]
    max_gaps: Option<u64>,
    /// Fail where more audio waits to be heard
    #[arg(long, value_name = "DURATION", value_parser = duration::parse_ms)]
    max_ahead: Option<u64>,
    /// Fail where `break` comes later after the caller's first word into what is played, or never
    #[arg(long, value_name = "DURATION", value_parser = duration::parse_ms)]
    max_break: Option<u64>,
    /// Send each frame up to so late
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = duration::parse_ms)]
    jitter: u64,
    /// What goes to stdout: text for people, or one line of JSON
    #[arg(long, default_value = "text")]
    format: Format,
}

pub(crate) async fn run(args: StreamCheckArgs) -> Result<Exit, Failure> {
    let mut target = Target::parse_websocket(&args.url, &args.allow_host).or_exit(Exit::Usage)?;
    if let Some(path) = &args.ca {
        let unread = |error| anyhow::anyhow!("{} cannot be read: {error}", path.display());
        let pem = std::fs::read(path).map_err(unread).or_exit(Exit::Usage)?;
        target = target.trusting(Trust::certificates(&pem).or_exit(Exit::Usage)?);
    }
    if let Some(path) = args.says.as_ref().filter(|path| !path.is_file()) {
        return Err(Failure::new(
            Exit::Usage,
            anyhow::anyhow!("--says: there is no file {}", path.display()),
        ));
    }
    for (option, path) in [("--heard", &args.heard), ("--said", &args.said)] {
        if let Some(path) = path {
            let unwritten =
                |error| anyhow::anyhow!("{option}: {} cannot be written: {error}", path.display());
            std::fs::File::create(path).map_err(unwritten).or_exit(Exit::Usage)?;
        }
    }
    let faults = StreamFaults { jitter_ms: args.jitter, ..StreamFaults::default() };
    faults.check().map_err(anyhow::Error::msg).or_exit(Exit::Usage)?;
    let mut check = StreamCheck::new(target);
    (check.lasts, check.seed, check.faults) = (args.lasts, args.seed.0, faults);
    check.connect_timeout = args.connect_timeout;
    check.sample_rate = if args.sample_rate == "16000" { 16_000 } else { 8_000 };
    (check.says, check.heard, check.said) = (args.says.clone(), args.heard.clone(), args.said.clone());
    let (figures, code, notes) = match check.run().await {
        Ok(measured) => measured,
        Err(error @ StreamCheckError::Says { .. }) => return Err(Failure::new(Exit::Usage, error)),
        Err(error) => return Err(Failure::new(Exit::Environment, error)),
    };

    let mut beyond = Vec::new();
    for (what, measured, most) in [
        ("first audio", figures.first_audio_ms, args.max_first_audio),
        ("gaps", Some(figures.gaps), args.max_gaps),
        ("ahead", Some(figures.ahead_ms), args.max_ahead),
        ("break", figures.break_ms, args.max_break),
    ] {
        match (measured, most) {
            (_, None) => {}
            (Some(measured), Some(most)) if measured <= most => {}
            (Some(measured), Some(most)) => beyond.push(format!("{what} {measured}, at most {most} allowed")),
            (None, Some(most)) => beyond.push(format!("{what} never came, at most {most} ms allowed")),
        }
    }
    // What an application never closes with on purpose.
    if matches!(code, 1002 | 1006 | 1007 | 1009 | 1011) {
        beyond.push(format!("the connection broke after {} ms: {code}", figures.lasted_ms));
    }
    if args.format == Format::Json {
        let line = json!({ "figures": figures, "close_code": code, "notes": notes, "beyond": beyond });
        std::io::Write::write_fmt(&mut std::io::stdout().lock(), format_args!("{line}\n"))?;
    } else {
        let mut text = format!("{figures} · {} ms heard · closed {code}", figures.played_ms);
        notes.iter().for_each(|note| text.push_str(&format!("\n  {note}")));
        beyond.iter().for_each(|what| text.push_str(&format!("\n  FAILED {what}")));
        session::text(args.format, &text)?;
    }
    Ok(if beyond.is_empty() { Exit::Fine } else { Exit::Failed })
}
