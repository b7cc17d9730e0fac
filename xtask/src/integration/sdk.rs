//! PIOPIY's own Python SDKs, unmodified, against the REST APIs of the mock platform.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use piopiy_mock_platform::platform::{Config, Exchange, Inbound, ServeOptions, Serving};
use tokio::io::AsyncWriteExt as _;
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
    let text = "[platform.choices]\nafter-last-action = \"stay\"";
    let exchange = Exchange::start(Config::parse("sdk", text)?, None)?;
    let mut options = ServeOptions::default();
    (options.rest, options.control) = (([127, 0, 0, 1], 0).into(), ([127, 0, 0, 1], 0).into());
    let serving = Serving::start(exchange, &options).await?;
    let (appid, secret, token, number) = Config::ZERO;
    let folder = sdk.folder();
    let mut driver = Command::new(venv_python(&folder.join(".venv")));
    driver.current_dir(&folder).arg("drive.py");
    let (base, appid, number) = (format!("http://{}", serving.rest()), appid.to_string(), number.to_string());
    match sdk {
        Sdk::Python => driver.args([format!("{base}/v3"), token.to_owned(), appid, number]),
        Sdk::PythonLegacy => driver.args([base, appid, secret.to_owned(), number]),
    };
    driver.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut driver = driver.spawn().context("cannot start the driver")?;
    // A call that stays until it is hung up, for what acts on one.
    let (.., number) = Config::ZERO;
    let mut inbound = Inbound::from_to(447_700_900_124, number);
    inbound.then = Some(piopiy_events::pcmo::Pcmo::parse(br#"[{"action":"speak","text":"Hello."}]"#)?);
    let placed = serving.exchange().call_in(inbound)?;
    let mut stdin = driver.stdin.take().context("the driver has no stdin")?;
    let line = format!("{}\n", serde_json::json!({ "cmiuuid": placed.cmiuuid }));
    // The driver of the new SDK asks for none, and may be gone.
    let _ = stdin.write_all(line.as_bytes()).await;
    drop(stdin);
    let output = timeout(PATIENCE, driver.wait_with_output()).await.context("the driver does not end")??;
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "the driver ended with {}: {errors}", output.status);
    Ok(said.lines().next_back().unwrap_or_default().to_owned())
}
