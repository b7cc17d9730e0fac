//! What schemathesis makes of the OpenAPI documents: thousands of requests, right and wrong ones.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use piopiy_events::pcmo::Pcmo;
use piopiy_mock_platform::platform::{Config, Exchange, Inbound, ServeOptions, Serving, rest_openapi};
use serde_json::{Value, json};
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
/// How many calls are on for it to act on, and how many it has to place by itself, or it was let in nowhere.
const CALLS: u64 = 30;
const FEWEST: u64 = 100;
/// Answers 501, as documented.
const UNKNOWN: &str = "/v3/voice/agent/call";

/// Installs it.
pub(super) fn set_up() -> anyhow::Result<()> {
    venv(&workspace::root().join("fixtures/sdk/schemathesis"))
}

/// Runs it on the REST APIs: as a stranger, with the document as it is served, and as one of the account, with its
/// credentials and the ids of calls that are on, for a stranger is let in nowhere in v1 and v2.
///
/// # Errors
/// Where it finds something, or where one of the account places no calls.
pub(super) async fn rest(world: &World) -> anyhow::Result<String> {
    let config = Config::parse("schemathesis", "[platform.choices]\nafter-last-action = \"stay\"")?;
    let exchange = Exchange::start(config, None)?;
    let mut options = ServeOptions::default();
    (options.rest, options.control) = (([127, 0, 0, 1], 0).into(), ([127, 0, 0, 1], 0).into());
    let serving = Serving::start(exchange, &options).await?;
    let (.., number) = Config::ZERO;
    let url = format!("http://{}", serving.rest());
    let as_stranger = explore(world, &format!("{url}/openapi.json"), &url).await?;
    let placed: Vec<_> = (0..CALLS)
        .map(|n| {
            let mut inbound = Inbound::from_to(447_700_900_200 + n, number);
            inbound.then = Some(Pcmo::parse(br#"[{"action":"speak","text":"Hello."}]"#)?);
            Ok(serving.exchange().call_in(inbound)?.cmiuuid)
        })
        .collect::<anyhow::Result<_>>()?;
    let mut document = rest_openapi();
    let_in(&mut document, &json!(placed));
    let file = tempfile::Builder::new().suffix(".json").tempfile()?;
    serde_json::to_writer(&file, &document)?;
    let before = newest(&serving);
    let as_account = explore(world, &file.path().to_string_lossy(), &url).await?;
    let calls = newest(&serving) - before;
    ensure!(calls >= FEWEST, "with credentials it placed {calls} calls, {FEWEST} at least were expected");
    Ok(format!("a stranger: {as_stranger}; the account: {as_account}, {calls} calls placed"))
}

/// The number of the newest call: they are counted, and only so many are remembered.
fn newest(serving: &Serving) -> u64 {
    serving.exchange().board().calls().iter().map(|view| view.call).max().unwrap_or_default()
}

async fn explore(world: &World, document: &str, url: &str) -> anyhow::Result<String> {
    let (_, _, token, _) = Config::ZERO;
    let folder = workspace::root().join("fixtures/sdk/schemathesis");
    // It leaves its notes where it is started.
    let notes = tempfile::tempdir()?;
    let mut command = Command::new(venv_python(&folder.join(".venv")));
    command.current_dir(notes.path()).args(["-m", "schemathesis.cli", "run", document, "--url", url]);
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

/// Puts what only the account knows in place of what the document takes.
fn let_in(document: &mut Value, ids: &Value) {
    let (appid, secret, ..) = Config::ZERO;
    let known = |name: &str| match name {
        "appid" => Some(json!({ "const": appid })),
        "secret" => Some(json!({ "const": secret })),
        "app_id" => Some(json!({ "const": appid.to_string() })),
        "id" | "call_id" | "cmiuuid" | "cmiuid" => Some(json!({ "enum": ids })),
        _ => None,
    };
    let paths = document["paths"].as_object_mut().into_iter().flat_map(|paths| paths.values_mut());
    for operation in paths.filter_map(Value::as_object_mut).flat_map(|operations| operations.values_mut()) {
        let parameters = operation.get_mut("parameters").and_then(Value::as_array_mut);
        for parameter in parameters.into_iter().flatten() {
            if let Some(schema) = parameter["name"].as_str().and_then(known) {
                parameter["schema"] = schema;
            }
        }
        let members = operation.pointer_mut("/requestBody/content/application~1json/schema/properties");
        for (name, member) in members.and_then(Value::as_object_mut).into_iter().flatten() {
            if let Some(schema) = known(name) {
                *member = schema;
            }
        }
    }
}
