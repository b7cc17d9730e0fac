//! PIOPIY's own Python SDKs, unmodified, against the REST APIs of the mock platform.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use piopiy_mock_platform::platform::{Config, Exchange, ServeOptions, Serving};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::Command;
use tokio::time::timeout;

use crate::receivers::{venv, venv_python};
use crate::tally::Missing;
use crate::workspace;

/// An SDK.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sdk {
    /// 1.2.2: v3.
    Python,
    /// 1.0.7.1: v1 and v2.
    PythonLegacy,
}

const PATIENCE: Duration = Duration::from_secs(120);

impl Sdk {
    pub(super) const ALL: [Self; 2] = [Self::Python, Self::PythonLegacy];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::PythonLegacy => "python-legacy",
        }
    }

    /// What it needs that this machine has not.
    pub(super) fn missing(self) -> Option<Missing> {
        let has_python = workspace::works("python3", &["-c", "import ensurepip, venv"]);
        (!has_python).then_some(Missing("python3 with venv"))
    }

    /// Installs it.
    pub(super) fn set_up(self) -> anyhow::Result<()> {
        venv(&self.folder())
    }

    fn folder(self) -> PathBuf {
        workspace::root().join("fixtures/sdk").join(self.name())
    }
}

/// Calls every method of the SDK.
///
/// # Errors
/// Where an answer is not what the SDK, or its driver, expects.
pub(super) async fn run(sdk: Sdk) -> anyhow::Result<String> {
    match sdk {
        Sdk::Python => in_process().await,
        Sdk::PythonLegacy => by_tls().await,
    }
}

/// The SDK is told where the platform is.
async fn in_process() -> anyhow::Result<String> {
    let exchange = Exchange::start(Config::parse("sdk", STAYING)?, None)?;
    let mut options = ServeOptions::default();
    (options.rest, options.control) = (([127, 0, 0, 1], 0).into(), ([127, 0, 0, 1], 0).into());
    let serving = Serving::start(exchange, &options).await?;
    let (appid, _, token, number) = Config::ZERO;
    let base = format!("http://{}/v3", serving.rest());
    let arguments = [base, token.to_owned(), appid.to_string(), number.to_string()];
    drive(Sdk::Python, &arguments, None, None).await
}

/// The SDK knows its own https addresses alone: they are looked up on this machine, at `serve --tls`, and it trusts what
/// `piopiy-mock ca` wrote.
async fn by_tls() -> anyhow::Result<String> {
    let program = workspace::build("piopiy-mock-platform", "piopiy-mock", workspace::Profile::Dev)?;
    let folder = tempfile::tempdir()?;
    let config = folder.path().join("piopiy-mock.toml");
    std::fs::write(&config, STAYING)?;
    let authority = folder.path().join("ca.pem");
    let mock = || {
        let mut command = Command::new(&program);
        command.env("XDG_DATA_HOME", folder.path()).stdin(Stdio::null()).kill_on_drop(true);
        command
    };
    let written = mock().arg("ca").arg("--out").arg(&authority).output().await?;
    ensure!(written.status.success(), "`ca` failed: {}", String::from_utf8_lossy(&written.stderr));

    let mut serving = mock();
    serving.arg("--config").arg(&config).args(["serve", "--format", "json", "--tls", "127.0.0.1:0"]);
    serving.args(["--listen", "127.0.0.1:0", "--control", "127.0.0.1:0"]).stdout(Stdio::piped());
    let mut serving = serving.stderr(Stdio::null()).spawn().context("cannot start piopiy-mock")?;
    let mut lines = BufReader::new(serving.stdout.take().context("no stdout")?).lines();
    let line = timeout(PATIENCE, lines.next_line()).await.context("it is not ready in time")??;
    let ready: Value = serde_json::from_str(&line.context("it ended before it was ready")?)?;
    let port = ready["rest_tls"].as_str().and_then(|url| url.rsplit(':').next()).context("no TLS")?;

    // A call that stays until it is hung up, for what acts on one.
    let control = ready["control"].as_str().context("no control API")?;
    let call = json!({ "from": 447_700_900_124_u64, "flow": [{ "action": "speak", "text": "Hello." }] });
    let placed = reqwest::Client::new().post(format!("{control}/api/calls")).body(call.to_string());
    let placed: Value = serde_json::from_slice(&placed.send().await?.bytes().await?)?;
    let line = json!({ "cmiuuid": placed["cmiuuid"] });

    let arguments = [port.to_owned(), text(&ready, "appid"), text(&ready, "secret"), text(&ready, "number")];
    drive(Sdk::PythonLegacy, &arguments, Some(&authority), Some(&line)).await
}

/// Calls stay on when their flow is over.
const STAYING: &str = "[platform.choices]\nafter-last-action = \"stay\"";

/// A member of the ready line, as an argument.
fn text(ready: &Value, member: &str) -> String {
    ready[member].as_str().map_or_else(|| ready[member].to_string(), str::to_owned)
}

/// Runs the SDK's driver; its last line.
async fn drive(
    sdk: Sdk,
    arguments: &[String],
    trusting: Option<&Path>,
    told: Option<&Value>,
) -> anyhow::Result<String> {
    let folder = sdk.folder();
    let mut driver = Command::new(venv_python(&folder.join(".venv")));
    driver.current_dir(&folder).arg("drive.py").args(arguments);
    // What the machine has set for other ends is not meant.
    driver.env_remove("CURL_CA_BUNDLE").env_remove("REQUESTS_CA_BUNDLE").env_remove("SSL_CERT_FILE");
    if let Some(authority) = trusting {
        driver.env("REQUESTS_CA_BUNDLE", authority);
    }
    driver.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut driver = driver.spawn().context("cannot start the driver")?;
    let mut stdin = driver.stdin.take().context("the driver has no stdin")?;
    if let Some(told) = told {
        stdin.write_all(format!("{told}\n").as_bytes()).await?;
    }
    drop(stdin);
    let output = timeout(PATIENCE, driver.wait_with_output()).await.context("the driver does not end")??;
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "the driver ended with {}: {errors}", output.status);
    Ok(said.lines().next_back().unwrap_or_default().to_owned())
}
