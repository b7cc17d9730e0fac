//! `cargo xtask demo`: simulated calls arrive at the durable receiver, and nothing is lost or doubled.

use std::path::Path;
use std::process::{ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use piopiy_mock_platform::judge::Summary;
use tokio::process::Command;
use tokio::time::timeout;

use crate::process::{self, Process};
use crate::receivers::{Durable, Kept};
use crate::workspace;

/// What the demonstration shows.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// With duplicates, other orders, delays and losses, and with every CDR sent four times
    #[arg(long)]
    chaos: bool,
    /// How many calls come together, after the ones that are drawn
    #[arg(long, value_name = "N", default_value_t = 200)]
    calls: u64,
}

/// The calls that are drawn, with a seed that makes them neither long nor short.
const DRAWN: [(&str, &str); 2] = [("inbound-streamed", "1"), ("outbound-bridged", "12")];
/// How much faster than life they are drawn.
const DRAWN_SCALE: &str = "15";
/// How much faster than life the others come: half an hour of redelivery in six seconds.
const SCALE: &str = "300";
/// How long the demonstration may take to end once it is interrupted.
const END_WITHIN: Duration = Duration::from_secs(5);

/// Runs the demonstration.
///
/// # Errors
/// Where something does not build or start.
pub(crate) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    println!("building piopiy-receiver and piopiy-mock");
    let durable = Durable::build(workspace::Profile::Dev)?;
    let mock = workspace::build("piopiy-mock-platform", "piopiy-mock", workspace::Profile::Dev)?;
    let runtime = tokio::runtime::Runtime::new().context("cannot start a runtime")?;
    runtime.block_on(async {
        let mut show = std::pin::pin!(show(options, &durable, &mock));
        tokio::select! {
            shown = &mut show => shown,
            interrupted = tokio::signal::ctrl_c() => {
                interrupted?;
                // The terminal told the others too: they end by themselves, and what is left is ended with us.
                timeout(END_WITHIN, show).await.ok();
                println!("interrupted");
                Ok(ExitCode::from(130))
            }
        }
    })
}

/// The demonstration of what is built.
async fn show(options: &Options, durable: &Durable, mock: &Path) -> anyhow::Result<ExitCode> {
    let began = Instant::now();
    let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
    let store = folder.path().join("demo.sqlite");
    println!("\n$ piopiy-receiver serve --listen 127.0.0.1:0 --store sqlite:demo.sqlite --observe");
    let receiver = durable.serve("127.0.0.1:0", Kept::Sqlite(&store), &["--observe"]).await?;
    println!("ready: listening on {}", receiver.url());

    let observe = receiver.at("/__observe");
    for (scenario, seed) in DRAWN {
        let to = ["call", scenario, "--to", receiver.url(), "--observe-url", &observe];
        let arguments = [to.as_slice(), &["--seed", seed, "--time-scale", DRAWN_SCALE]].concat();
        println!("\n$ piopiy-mock {}", arguments.join(" "));
        let status = command(mock, &arguments).status().await.context("cannot start piopiy-mock")?;
        ensure!(status.success(), "piopiy-mock ended with {status}");
    }
    println!("\n$ piopiy-receiver calls --store sqlite:demo.sqlite");
    let place = format!("sqlite:{}", store.display());
    let status = command(durable.binary(), &["calls", "--store", &place]).status().await?;
    ensure!(status.success(), "piopiy-receiver calls ended with {status}");
    let summary = together(options, mock, &receiver).await?;
    receiver.stop().await?;

    println!("\n{} ({})", summary.equation(), times(began.elapsed(), process::since_the_command()));
    let effects = summary.observed.as_ref().map_or(0, |observed| observed.effects);
    let holds =
        summary.is_clean() && summary.meant() == summary.acknowledged && summary.acknowledged == effects;
    Ok(if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// How long the calls took, and all of it since the command was given, with what was compiled before.
fn times(calls: Duration, whole: Duration) -> String {
    format!("{:.1} s, with all that was built for it {:.1} s", calls.as_secs_f64(), whole.as_secs_f64())
}

/// Many calls at once, and what came of them.
async fn together(options: &Options, mock: &Path, receiver: &Process) -> anyhow::Result<Summary> {
    let (calls, observe) = (options.calls.to_string(), receiver.at("/__observe"));
    let mut arguments = vec!["run", "--to", receiver.url(), "--calls", &calls, "--time-scale", SCALE];
    if options.chaos {
        arguments.extend(["--chaos", "--cdr-policy", "always"]);
    }
    arguments.extend(["--observe-url", &observe]);
    println!("\n$ piopiy-mock {}", arguments.join(" "));
    // The document is for us; what people read then goes to stderr.
    let mut run = command(mock, &arguments);
    let run =
        run.args(["--format", "json"]).stdout(Stdio::piped()).spawn().context("cannot start piopiy-mock")?;
    let output = run.wait_with_output().await.context("cannot wait for piopiy-mock")?;
    let mut document: serde_json::Value = serde_json::from_slice(&output.stdout)
        .with_context(|| format!("piopiy-mock ended with {} and without a summary", output.status))?;
    serde_json::from_value(document["summary"].take()).context("cannot read the summary of piopiy-mock")
}

fn command(program: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    command
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    #[test]
    fn the_time_of_the_builds_is_told_too() {
        let told = super::times(Duration::from_millis(27_340), Duration::from_millis(95_100));
        assert_eq!(told, "27.3 s, with all that was built for it 95.1 s");
    }
}
