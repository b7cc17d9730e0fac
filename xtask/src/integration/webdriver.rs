//! A browser that is told what to do: the few calls of WebDriver that the tests need, over HTTP, to chromedriver.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

use crate::tally::Missing;
use crate::workspace;

/// How long anything may take to be seen.
const PATIENCE: Duration = Duration::from_secs(30);
/// The key by which WebDriver names elements.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A browser of its own, without a window. Dropped, it is killed.
pub(super) struct Browser {
    driver: Child,
    client: reqwest::Client,
    session: String,
    _profile: tempfile::TempDir,
}

/// Something on the page.
pub(super) struct Element<'a> {
    browser: &'a Browser,
    id: String,
}

/// What it needs that this machine has not.
pub(super) fn missing() -> Option<Missing> {
    ["chromium", "chromedriver"].into_iter().find(|name| !workspace::works(name, &["--version"])).map(Missing)
}

impl Browser {
    pub(super) async fn start() -> anyhow::Result<Self> {
        let mut command = Command::new("chromedriver");
        command
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        let mut driver = command.spawn().context("cannot start chromedriver")?;
        let mut lines = BufReader::new(driver.stdout.take().context("no stdout")?).lines();
        let port = timeout(PATIENCE, async {
            while let Some(line) = lines.next_line().await? {
                if let Some((_, port)) = line.split_once("started successfully on port ") {
                    return Ok(port.trim_end_matches('.').to_owned());
                }
            }
            bail!("chromedriver ended before it listened")
        });
        let port = port.await.context("chromedriver does not listen")??;
        // It would block where nobody reads what else it says.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let profile = tempfile::tempdir().context("cannot make a temporary folder")?;
        let data = format!("--user-data-dir={}", profile.path().display());
        // Root, as in a container, has no sandbox; /dev/shm is small there.
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-dev-shm-usage",
            "--disable-gpu",
            "--hide-scrollbars",
            "--window-size=1400,900",
            "--no-first-run",
            &data,
        ];
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": {"args": arguments},
            "goog:loggingPrefs": {"browser": "ALL"},
        }}});
        let client = reqwest::Client::builder().no_proxy().timeout(2 * PATIENCE).build()?;
        let root = format!("http://127.0.0.1:{port}/session");
        let mut browser = Self { driver, client, session: root, _profile: profile };
        let session = browser.post("", wanted).await.context("the browser does not start")?;
        let id = session["sessionId"].as_str().context("no session")?;
        browser.session = format!("{}/{id}", browser.session);
        browser.look(1400, 900, "light").await?;
        Ok(browser)
    }

    pub(super) async fn open(&self, url: &str) -> anyhow::Result<()> {
        self.post("/url", json!({"url": url})).await.map(drop)
    }

    /// The first element that fits.
    pub(super) async fn element(&self, selector: &str) -> anyhow::Result<Element<'_>> {
        let found = self.post("/element", json!({"using": "css selector", "value": selector})).await?;
        let id = found[ELEMENT].as_str().context("no element")?.to_owned();
        Ok(Element { browser: self, id })
    }

    /// The value of an expression; a promise is waited for.
    pub(super) async fn evaluate(&self, expression: &str) -> anyhow::Result<Value> {
        let script = format!("return ({expression})");
        self.post("/execute/sync", json!({"script": script, "args": []})).await
    }

    /// What people read in an element. In one step: a page that is rendered anew meanwhile takes an element away.
    pub(super) async fn text(&self, selector: &str) -> anyhow::Result<String> {
        let text = self.evaluate(&format!("document.querySelector({selector:?}).innerText")).await?;
        text.as_str().map(str::to_owned).with_context(|| format!("no text in {selector}"))
    }

    /// Waits until an expression is true.
    pub(super) async fn until(&self, expression: &str) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            // A page that is left takes its answer along.
            let last = self.evaluate(&format!("!!({expression})")).await;
            match &last {
                Ok(Value::Bool(true)) => return Ok(()),
                _ if Instant::now() < deadline => sleep(Duration::from_millis(50)).await,
                _ => {
                    let text = self.evaluate("document.body.innerText").await?;
                    bail!("never true: {expression} ({last:?}); the page says:\n{text}");
                }
            }
        }
    }

    /// Presses a key, where the focus is.
    pub(super) async fn press(&self, key: char) -> anyhow::Result<()> {
        let actions = json!([{"type": "keyDown", "value": key}, {"type": "keyUp", "value": key}]);
        let keys = json!({"actions": [{"type": "key", "id": "keys", "actions": actions}]});
        self.post("/actions", keys).await.map(drop)
    }

    /// The size of what is seen, and whether it is light or dark.
    pub(super) async fn look(&self, width: u32, height: u32, scheme: &str) -> anyhow::Result<()> {
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.devtools("Emulation.setDeviceMetricsOverride", size).await?;
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.devtools("Emulation.setEmulatedMedia", features).await
    }

    /// Whether pages may run scripts; those of the driver run all the same.
    pub(super) async fn scripts(&self, may_run: bool) -> anyhow::Result<()> {
        self.devtools("Emulation.setScriptExecutionDisabled", json!({"value": !may_run})).await
    }

    /// What is seen, as PNG.
    pub(super) async fn screenshot(&self) -> anyhow::Result<Vec<u8>> {
        decoded(&self.get("/screenshot").await?)
    }

    /// What went wrong on the pages so far.
    pub(super) async fn errors(&self) -> anyhow::Result<Vec<String>> {
        let log = self.post("/se/log", json!({"type": "browser"})).await?;
        let lines = log.as_array().context("no log")?;
        let bad = lines.iter().filter(|line| line["level"] == "SEVERE" || line["level"] == "WARNING");
        Ok(bad.map(ToString::to_string).collect())
    }

    pub(super) async fn stop(mut self) -> anyhow::Result<()> {
        let ended = self.client.delete(&self.session).send().await.map(drop);
        self.driver.kill().await?;
        ended.context("the browser does not end")
    }

    async fn devtools(&self, command: &str, parameters: Value) -> anyhow::Result<()> {
        self.post("/goog/cdp/execute", json!({"cmd": command, "params": parameters})).await.map(drop)
    }

    async fn get(&self, path: &str) -> anyhow::Result<Value> {
        answer(self.client.get(format!("{}{path}", self.session)), path).await
    }

    async fn post(&self, path: &str, body: Value) -> anyhow::Result<Value> {
        answer(self.client.post(format!("{}{path}", self.session)).body(body.to_string()), path).await
    }
}

impl Element<'_> {
    pub(super) async fn click(&self) -> anyhow::Result<()> {
        self.browser.post(&self.at("/click"), json!({})).await.map(drop)
    }

    /// Puts a text in the place of what is there.
    pub(super) async fn set(&self, text: &str) -> anyhow::Result<()> {
        self.browser.post(&self.at("/clear"), json!({})).await?;
        self.browser.post(&self.at("/value"), json!({"text": text})).await.map(drop)
    }

    pub(super) async fn is_shown(&self) -> anyhow::Result<bool> {
        Ok(self.browser.get(&self.at("/displayed")).await? == true)
    }

    pub(super) async fn screenshot(&self) -> anyhow::Result<Vec<u8>> {
        decoded(&self.browser.get(&self.at("/screenshot")).await?)
    }

    fn at(&self, path: &str) -> String {
        format!("/element/{}{path}", self.id)
    }
}

async fn answer(request: reqwest::RequestBuilder, what: &str) -> anyhow::Result<Value> {
    let answer = request.send().await?;
    let status = answer.status();
    let body: Value = serde_json::from_slice(&answer.bytes().await?)?;
    ensure!(status.is_success(), "{what}: {}", body["value"]["message"]);
    Ok(body["value"].clone())
}

fn decoded(png: &Value) -> anyhow::Result<Vec<u8>> {
    Ok(STANDARD.decode(png.as_str().context("no picture")?)?)
}
