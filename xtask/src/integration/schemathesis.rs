//! What schemathesis makes of the OpenAPI documents: thousands of requests, right and wrong ones.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use piopiy_events::pcmo::Pcmo;
use piopiy_mock_platform::platform::{
    Config, Exchange, Inbound, Row, ServeOptions, Serving, control_openapi, rest_openapi,
};
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::time::timeout;

use super::World;
use crate::receivers::{venv, venv_python};
use crate::workspace;

const PATIENCE: Duration = Duration::from_secs(600);
/// Requests for each operation and phase.
const EXAMPLES: &str = "30";

/// What is asked, and what of the answers.
struct Asking {
    checks: &'static str,
    without: &'static [&'static str],
}

/// No server error, no answer that the document does not tell of, and nothing refused that the document takes. That a refusal has status 200 in the first generation
/// of the REST API is meant, so what it thinks of those is not asked. The endpoint that is left out answers 501, as documented.
const REST: Asking = Asking {
    checks: "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,\
             positive_data_acceptance",
    without: &["/v3/voice/agent/call"],
};
/// The control API refuses what its document does not take, too; a number that is none of the account's it refuses as well,
/// which no document can say. One path never ends, as documented, and one ends the
/// calls that are there to be acted on.
const CONTROL: Asking = Asking {
    checks: "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,\
             negative_data_rejection,unsupported_method",
    without: &[ENDLESS, "/api/reset"],
};
const ENDLESS: &str = "/api/events";
/// How many calls are on for it to act on, and how many it has to place by itself, or it was let in nowhere.
const CALLS: u64 = 30;
const FEWEST: u64 = 100;

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
    let serving = serve("").await?;
    let (.., number) = Config::ZERO;
    let url = format!("http://{}", serving.rest());
    let as_stranger = explore(world, &format!("{url}/openapi.json"), &url, &REST).await?;
    let placed = place(&serving, number)?;
    let mut document = rest_openapi();
    let_in(&mut document, &json!(placed));
    let before = newest(&serving);
    let as_account = explore_file(world, &document, &url, &REST).await?;
    let calls = newest(&serving) - before;
    ensure!(calls >= FEWEST, "with credentials it placed {calls} calls, {FEWEST} at least were expected");
    Ok(format!("a stranger: {as_stranger}; the account: {as_account}, {calls} calls placed"))
}

/// Runs it on the control API: as somebody who guesses ids, and as one who knows those of calls and deliveries.
///
/// # Errors
/// Where it finds something, or where nothing was done to a call.
pub(super) async fn control(world: &World) -> anyhow::Result<String> {
    let (.., number) = Config::ZERO;
    // Nobody is there: webhooks fail, and can be sent again all the same.
    let serving =
        serve(&format!("[[platform.number]]\nnumber = {number}\nevent-url = \"http://127.0.0.1:1/\""))
            .await?;
    let url = format!("http://{}", serving.control());
    let mut document = control_openapi();
    let parameters = document.pointer_mut("/paths/~1api~1calls~1{id}/get/parameters");
    let parameters = parameters.and_then(Value::as_array_mut).context("calls have no parameters")?;
    // What is waited for may never come.
    parameters.retain(|it| it["name"] != "wait_ms");
    let by_guess = explore_file(world, &document, &url, &Asking { without: &[ENDLESS], ..CONTROL }).await?;

    let placed = place(&serving, number)?;
    let calls = serving.exchange().board().calls();
    let ids: Vec<u64> = calls.iter().map(|view| view.call).collect();
    let deliveries: Vec<String> = ids.iter().map(|call| format!("{call}-0")).collect();
    let paths = document["paths"].as_object_mut().context("the document has no paths")?;
    for (path, operations) in paths {
        let known = if path.contains("deliveries") { json!(deliveries) } else { json!(placed) };
        let operations = operations.as_object_mut().into_iter().flat_map(|it| it.values_mut());
        let parameters = operations.filter_map(|it| it.get_mut("parameters")?.as_array_mut()).flatten();
        for parameter in parameters.filter(|it| it["name"] == "id" || it["name"] == "call") {
            parameter["schema"] = json!({ "enum": known });
        }
    }
    let by_id = explore_file(world, &document, &url, &CONTROL).await?;
    let rows: Vec<_> = serving.exchange().board().calls().iter().flat_map(|view| view.rows.clone()).collect();
    let pressed =
        rows.iter().filter(|row| matches!(row, Row::Message(it) if it.label.starts_with("presses"))).count();
    let copies =
        rows.iter().filter(|row| matches!(row, Row::Webhook(it) if it.plan.webhook > 10_000)).count();
    ensure!(pressed > 0 && copies > 0, "keys were pressed {pressed} times, {copies} webhooks sent again");
    Ok(format!(
        "by guess: {by_guess}; by id: {by_id}, {pressed} times keys pressed, {copies} webhooks sent again"
    ))
}

/// A platform whose calls stay on.
async fn serve(more: &str) -> anyhow::Result<Serving> {
    let text = format!("[platform.choices]\nafter-last-action = \"stay\"\n{more}");
    let exchange = Exchange::start(Config::parse("schemathesis", &text)?, None)?;
    let mut options = ServeOptions::default();
    (options.rest, options.control) = (([127, 0, 0, 1], 0).into(), ([127, 0, 0, 1], 0).into());
    Ok(Serving::start(exchange, &options).await?)
}

/// Calls that stay until they are hung up: their ids.
fn place(serving: &Serving, number: u64) -> anyhow::Result<Vec<String>> {
    let place = |n| {
        let mut inbound = Inbound::from_to(447_700_900_200 + n, number);
        inbound.then = Some(Pcmo::parse(br#"[{"action":"speak","text":"Hello."}]"#)?);
        Ok(serving.exchange().call_in(inbound)?.cmiuuid)
    };
    (0..CALLS).map(place).collect()
}

/// The number of the newest call: they are counted, and only so many are remembered.
fn newest(serving: &Serving) -> u64 {
    serving.exchange().board().calls().iter().map(|view| view.call).max().unwrap_or_default()
}

async fn explore_file(world: &World, document: &Value, url: &str, asking: &Asking) -> anyhow::Result<String> {
    let file = tempfile::Builder::new().suffix(".json").tempfile()?;
    serde_json::to_writer(&file, document)?;
    explore(world, &file.path().to_string_lossy(), url, asking).await
}

async fn explore(world: &World, document: &str, url: &str, asking: &Asking) -> anyhow::Result<String> {
    let (_, _, token, _) = Config::ZERO;
    let folder = workspace::root().join("fixtures/sdk/schemathesis");
    // It leaves its notes where it is started.
    let notes = tempfile::tempdir()?;
    let mut command = Command::new(venv_python(&folder.join(".venv")));
    command.current_dir(notes.path()).args(["-m", "schemathesis.cli", "run", document, "--url", url]);
    command.args(["--header", &format!("Authorization: Bearer {token}"), "--checks", asking.checks]);
    command.args(["--max-examples", EXAMPLES, "--no-color"]);
    command.args(asking.without.iter().flat_map(|path| ["--exclude-path", path]));
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
