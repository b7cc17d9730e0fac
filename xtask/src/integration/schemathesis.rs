//! What schemathesis makes of the OpenAPI documents: thousands of requests, right and wrong ones.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use piopiy_mock_platform::platform::{Config, Exchange, ServeOptions, Serving};
use tokio::process::Command;
use tokio::time::timeout;

use super::World;
use crate::receivers::{venv, venv_python};
use crate::workspace;

const PATIENCE: Duration = Duration::from_secs(600);
/// Requests for each operation and phase.
const EXAMPLES: &str = "30";
/// No server error, and no answer that the document does not tell of. That a refusal has status 200 in the first generation
/// of the REST API is meant, so what it thinks of those is not asked.
const CHECKS: &str =
    "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance";
/// Answers 501, as documented.
const UNKNOWN: &str = "/v3/voice/agent/call";

/// Installs it.
pub(super) fn set_up() -> anyhow::Result<()> {
    venv(&workspace::root().join("fixtures/sdk/schemathesis"))
}

/// Runs it on the REST APIs.
///
/// # Errors
/// Where it finds something.
pub(super) async fn rest(world: &World) -> anyhow::Result<String> {
    let exchange = Exchange::start(Config::default().completed(), None)?;
    let mut options = ServeOptions::default();
    (options.rest, options.control) = (([127, 0, 0, 1], 0).into(), ([127, 0, 0, 1], 0).into());
    let serving = Serving::start(exchange, &options).await?;
    let (_, _, token, _) = Config::ZERO;
    let document = format!("http://{}/openapi.json", serving.rest());
    let folder = workspace::root().join("fixtures/sdk/schemathesis");
    // It leaves its notes where it is started.
    let notes = tempfile::tempdir()?;
    let mut command = Command::new(venv_python(&folder.join(".venv")));
    command.current_dir(notes.path()).args(["-m", "schemathesis.cli", "run", &document]);
    command.args(["--header", &format!("Authorization: Bearer {token}"), "--checks", CHECKS]);
    command.args(["--max-examples", EXAMPLES, "--exclude-path", UNKNOWN, "--no-color"]);
    command.args(["--seed", &world.seed.to_string()]);
    command.stdin(Stdio::null()).kill_on_drop(true);
    let output = timeout(PATIENCE, command.output()).await.context("it does not end")??;
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "it ended with {}: {said}{errors}", output.status);
    let told = said.lines().find(|line| line.contains(" generated, ")).context("it does not say how many")?;
    Ok(told.trim().to_owned())
}
