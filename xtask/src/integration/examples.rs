//! The applications in `examples/`: each is started as its readers start it, and called by the mock platform.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use futures_util::future::try_join_all;
use piopiy_mock_platform::platform::{Config, Exchange, Inbound, Placed};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

use crate::receivers::{npm_ci, venv, venv_python};
use crate::tally::Missing;
use crate::workspace;

/// An application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Example {
    Express,
    Flask,
    FastApi,
    Axum,
    Php,
}

/// How much faster than wall time the calls run: the menu rings for seconds.
const SCALE: u32 = 20;
/// How long an application may take to start, and a call to come to its end.
const PATIENCE: Duration = Duration::from_secs(60);
const NUMBER: u64 = 441_632_960_000;
const CUSTOMER: u64 = 447_700_900_123;
/// So many call at once: their webhooks come beside one another, each in a thread where an application has threads.
const CROWD: usize = 60;

impl Example {
    pub(super) const ALL: [Self; 5] = [Self::Express, Self::Flask, Self::FastApi, Self::Axum, Self::Php];

    /// Its folder.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Express => "express",
            Self::Flask => "flask",
            Self::FastApi => "fastapi",
            Self::Axum => "axum",
            Self::Php => "php",
        }
    }

    /// What it needs that this machine has not.
    pub(super) fn missing(self) -> Option<Missing> {
        match self {
            Self::Express if !workspace::works("node", &["--version"]) => Some(Missing("node")),
            Self::Express if !workspace::works("npm", &["--version"]) => Some(Missing("npm")),
            Self::Flask | Self::FastApi
                if !workspace::works("python3", &["-c", "import ensurepip, venv"]) =>
            {
                Some(Missing("python3 with venv"))
            }
            Self::Php if !workspace::works("php", &["--version"]) => Some(Missing("php")),
            _ => None,
        }
    }

    /// Installs what its lock file names.
    pub(super) fn set_up(self) -> anyhow::Result<()> {
        match self {
            Self::Express => npm_ci(&self.folder()),
            Self::Flask | Self::FastApi => venv(&self.folder()),
            Self::Axum | Self::Php => Ok(()),
        }
    }

    /// Its receiver, which `docs/receivers` shows: program and arguments.
    ///
    /// # Errors
    /// Where it does not build, or a path is no text.
    pub(super) fn receiver(self, port: u16) -> anyhow::Result<Vec<String>> {
        let text = |path: PathBuf| path.into_os_string().into_string().ok().context("a path that is no text");
        let script = |name: &str| text(self.folder().join(name));
        let python = || text(venv_python(&self.folder().join(".venv")));
        Ok(match self {
            Self::Express => vec!["node".to_owned(), script("receiver.js")?],
            Self::Flask | Self::FastApi => vec![python()?, script("receiver.py")?],
            Self::Axum => {
                vec![text(workspace::build("piopiy-example-axum", "receiver", workspace::Profile::Dev)?)?]
            }
            Self::Php => {
                let address = format!("127.0.0.1:{port}");
                vec!["php".to_owned(), "-S".to_owned(), address, script("receiver.php")?]
            }
        })
    }

    /// Where it lies.
    pub(super) fn folder(self) -> PathBuf {
        workspace::root().join("examples").join(self.name())
    }

    /// The programs that it consists of.
    fn commands(self, port: u16) -> anyhow::Result<Vec<Command>> {
        let folder = self.folder();
        let python = |folder: &Path| Command::new(venv_python(&folder.join(".venv")));
        let mut commands = match self {
            Self::Express => vec![with(Command::new("node"), &["app.js"])],
            Self::Flask | Self::FastApi => vec![with(python(&folder), &["app.py"])],
            Self::Axum => {
                let profile = workspace::Profile::Dev;
                let program = workspace::build("piopiy-example-axum", "piopiy-example-axum", profile)?;
                vec![Command::new(program)]
            }
            Self::Php => {
                let address = format!("127.0.0.1:{port}");
                let stream = with(Command::new("php"), &["stream.php"]);
                vec![stream, with(Command::new("php"), &["-S", &address, "app.php"])]
            }
        };
        for command in &mut commands {
            command.current_dir(&folder).env("PORT", port.to_string());
        }
        Ok(commands)
    }
}

/// Calls it: one caller listens to the echo, one is put through, and a crowd gives up at once. Every webhook comes twice,
/// and counts once.
///
/// # Errors
/// Where it does not come up, or does not do what its README says.
pub(super) async fn run(example: Example) -> anyhow::Result<String> {
    let port = free_ports().await?;
    let app = Application::start(example, port).await?;
    let text = format!(
        "[platform]\ntime-scale = {SCALE}\n[[platform.number]]\nnumber = {NUMBER}\n\
         answer-url = \"http://127.0.0.1:{port}/answer\"\nevent-url = \"http://127.0.0.1:{port}/webhook/cdr\"\n\
         [platform.faults]\nduplicate = 1.0"
    );
    let config = Config::parse("examples", &text)?;
    let exchange = Exchange::start(config, None)?;

    let streamed = call(&exchange, "1", "60s").await?;
    let frames = app.line("stream over after ").await?;
    let frames: u64 = frames.split(' ').next().unwrap_or_default().parse().context("a number of frames")?;
    ensure!(frames > 50, "it heard {frames} frames only: {}", app.said().join("\n"));
    let expected =
        ["in_answered a", "stream_connected b", "STREAM_DISCONNECTED b", "in_hangup a", "answered a"];
    app.told(&expected).await.with_context(|| format!("call {}", streamed.call))?;

    call(&exchange, "2", "600s").await?;
    let more =
        ["in_answered a", "out_started b", "out_bridged b", "out_hangup b", "in_hangup a", "answered a"];
    let mut all: Vec<&str> = expected.iter().chain(&more).copied().chain(["answered b"]).collect();
    app.told(&all).await?;

    try_join_all((0..CROWD).map(|_| call(&exchange, "9", "1s"))).await?;
    all.extend(["in_answered a", "in_hangup a", "answered a"].repeat(CROWD));
    app.told(&all).await?;
    takes_anything(port).await?;
    app.stop().await?;
    Ok(format!(
        "{} calls, {} webhooks, each sent twice and counted once; {frames} frames of audio",
        2 + CROWD,
        all.len()
    ))
}

/// Whatever is posted where digits go, there is a call flow in the answer: it says goodbye.
async fn takes_anything(port: u16) -> anyhow::Result<()> {
    for body in ["[1]", "1", "\"1\"", "null", "{}", "{\"dtmf\":null}", "{", ""] {
        let request = reqwest::Client::new().post(format!("http://127.0.0.1:{port}/digits"));
        let answer = request.header("content-type", "application/json").body(body).send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        // What is no JSON may be refused.
        let refused = status == 400 && matches!(body, "{" | "" | "1" | "\"1\"" | "null");
        ensure!(refused || (status == 200 && text.contains("Goodbye")), "{body}: {status} {text}");
    }
    Ok(())
}

/// A call whose caller presses a key, and hangs up after a while; waits until it is over.
async fn call(exchange: &Exchange, key: &str, hangs_up_after: &str) -> anyhow::Result<Placed> {
    let text = format!("[platform.caller]\ndigits = [\"{key}\"]\nhangs-up-after = \"{hangs_up_after}\"");
    let mut inbound = Inbound::from_to(CUSTOMER, NUMBER);
    inbound.caller = Some(Config::parse("caller", &text)?.caller);
    let placed = exchange.call_in(inbound)?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        let view = exchange.board().call(placed.call).context("the call is forgotten")?;
        if view.is_over && view.is_settled() {
            return Ok(placed);
        }
        let said: Vec<&str> = view.messages().map(|message| message.label.as_str()).collect();
        ensure!(Instant::now() < deadline, "the call does not end: {said:?}");
        sleep(Duration::from_millis(20)).await;
    }
}

/// An application that runs. Dropped, it is killed.
pub(super) struct Application {
    children: Vec<Child>,
    lines: Arc<Mutex<Vec<String>>>,
    marks: tempfile::TempDir,
}

impl Application {
    pub(super) async fn start(example: Example, port: u16) -> anyhow::Result<Self> {
        let marks = tempfile::tempdir().context("there is no temporary folder")?;
        let mut app = Self { children: Vec::new(), lines: Arc::default(), marks };
        for mut command in example.commands(port)? {
            // What PHP has seen is gone with it.
            command.env("TMPDIR", app.marks.path());
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
            let mut child = command.spawn().with_context(|| format!("cannot start {}", example.name()))?;
            app.read(child.stdout.take().context("no stdout")?);
            app.read(child.stderr.take().context("no stderr")?);
            app.children.push(child);
        }
        // PHP's own server says it in words of its own; it is there when it takes a connection.
        let deadline = Instant::now() + PATIENCE;
        let ports = if example == Example::Php { vec![port, port + 1] } else { vec![port] };
        for port in ports {
            while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
                ensure!(Instant::now() < deadline, "it does not listen: {}", app.said().join("\n"));
                sleep(Duration::from_millis(20)).await;
            }
        }
        Ok(app)
    }

    fn read(&self, from: impl AsyncRead + Unpin + Send + 'static) {
        let lines = Arc::clone(&self.lines);
        tokio::spawn(async move {
            let mut from = BufReader::new(from).lines();
            while let Ok(Some(line)) = from.next_line().await {
                lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
            }
        });
    }

    fn said(&self) -> Vec<String> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What comes behind the beginning of a line, once there is such a line.
    async fn line(&self, begins: &str) -> anyhow::Result<String> {
        let found = timeout(PATIENCE, async {
            loop {
                if let Some(line) =
                    self.said().iter().find_map(|line| line.strip_prefix(begins).map(str::to_owned))
                {
                    return line;
                }
                sleep(Duration::from_millis(20)).await;
            }
        });
        found.await.with_context(|| format!("it never said {begins:?}: {}", self.said().join("\n")))
    }

    /// Which webhooks it counted: `status leg` each, in any order, as copies overtake one another.
    async fn told(&self, expected: &[&str]) -> anyhow::Result<()> {
        let mut expected: Vec<&str> = expected.to_vec();
        expected.sort_unstable();
        let told = || {
            let tell = |line: &String| {
                let (_, rest) = line.split_once("webhook ")?;
                rest.strip_prefix("cdr ").or_else(|| rest.strip_prefix("event ")).map(str::to_owned)
            };
            let mut told: Vec<String> = self.said().iter().filter_map(tell).collect();
            told.sort_unstable();
            told
        };
        let deadline = Instant::now() + PATIENCE;
        while told().len() < expected.len() && Instant::now() < deadline {
            sleep(Duration::from_millis(20)).await;
        }
        // A copy that counts would come about now.
        sleep(Duration::from_millis(100)).await;
        ensure!(told() == expected, "it counted {:?}, expected {expected:?}", told());
        Ok(())
    }

    /// Asks it to end, and waits until it has.
    pub(super) async fn stop(mut self) -> anyhow::Result<()> {
        for child in &mut self.children {
            let id = child.id().with_context(|| "it has ended by itself")?;
            workspace::run(workspace::command("sh").args(["-c", &format!("kill -TERM {id}")]))?;
            timeout(PATIENCE, child.wait()).await.context("it does not end")??;
        }
        Ok(())
    }
}

fn with(mut command: Command, arguments: &[&str]) -> Command {
    command.args(arguments);
    command
}

/// A port where nobody listens, with another one behind it.
pub(super) async fn free_ports() -> anyhow::Result<u16> {
    for _ in 0..50 {
        let port = tokio::net::TcpListener::bind("127.0.0.1:0").await?.local_addr()?.port();
        let Some(behind) = port.checked_add(1) else { continue };
        if tokio::net::TcpListener::bind(("127.0.0.1", behind)).await.is_ok() {
            return Ok(port);
        }
    }
    anyhow::bail!("no two free ports beside one another")
}
