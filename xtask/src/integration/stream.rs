//! Audio streams against an application in a process of its own.

use std::io::Write as _;
use std::path::Path;
use std::process::{ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::{SinkExt as _, StreamExt as _};
use piopiy_events::pcmo::Pcmo;
use piopiy_events::stream::StreamMessage;
use piopiy_mock_platform::platform::{CallView, Config, Exchange, Inbound};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::TcpListener;
use tokio_tungstenite::tungstenite::Message;

use crate::workspace;

const FRAME: Duration = Duration::from_millis(20);
const STREAMS: usize = 100;
/// How far a frame may be off its time, of 99 in 100.
const JITTER: Duration = Duration::from_millis(10);

/// The process that [`Echo`] starts.
///
/// # Errors
/// Where it cannot listen.
pub(crate) fn serve_echo() -> anyhow::Result<ExitCode> {
    tokio::runtime::Runtime::new().context("cannot start a runtime")?.block_on(echo())?;
    Ok(ExitCode::SUCCESS)
}

/// An application that sends back what it hears; for each stream it prints when its frames came: microseconds.
///
/// # Errors
/// Where it cannot listen.
async fn echo() -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("ws://{}/", listener.local_addr()?);
    let (tell, told) = std::sync::mpsc::channel::<String>();
    // Whoever is slow to read makes no stream wait.
    std::thread::spawn(move || {
        let mut stdout = std::io::stdout().lock();
        for line in told {
            if stdout.write_all(line.as_bytes()).and_then(|()| stdout.flush()).is_err() {
                return;
            }
        }
    });
    loop {
        let (stream, _) = listener.accept().await?;
        let tell = tell.clone();
        tokio::spawn(async move {
            stream.set_nodelay(true)?;
            let mut socket = tokio_tungstenite::accept_async(stream).await?;
            let (origin, mut times) = (Instant::now(), Vec::new());
            while let Some(Ok(message)) = socket.next().await {
                if let Message::Binary(bytes) = message {
                    times.push(origin.elapsed().as_micros().to_string());
                    let audio = StreamMessage::raw_audio(8_000, &STANDARD.encode(&bytes)).to_json();
                    socket.send(Message::text(audio)).await?;
                }
            }
            // Whoever reads may be gone.
            let _ = tell.send(times.join(" ") + "\n");
            anyhow::Ok(())
        });
    }
}

/// The application, and what it prints.
struct Echo {
    process: tokio::process::Child,
    lines: tokio::io::Lines<BufReader<tokio::process::ChildStdout>>,
    url: String,
}

impl Echo {
    async fn start() -> anyhow::Result<Self> {
        let own = std::env::current_exe().context("cannot tell which program this is")?;
        let mut command = tokio::process::Command::new(own);
        command.arg("echo-application").stdout(Stdio::piped()).kill_on_drop(true);
        let mut process = command.spawn().context("cannot start the echo application")?;
        let mut lines = BufReader::new(process.stdout.take().context("it has no stdout")?).lines();
        let url = lines.next_line().await?.context("the echo application did not say where it is")?;
        Ok(Self { process, lines, url })
    }

    /// When the frames of the next stream that ended came.
    async fn times(&mut self) -> anyhow::Result<Vec<u64>> {
        let line = self.lines.next_line().await?.context("the echo application is gone")?;
        line.split_whitespace().map(|time| time.parse().context("it printed no time")).collect()
    }
}

/// A call whose application echoes: it hears the caller's file, and its answer is recorded sample by sample.
///
/// # Errors
/// Where a sample differs, or it is not in real time.
pub(super) async fn one() -> anyhow::Result<String> {
    const SECONDS: usize = 10;
    let mut echo = Echo::start().await?;
    let folder = tempfile::tempdir()?;
    let says = folder.path().join("says.wav");
    // No sample is 0, so that silence is told from it.
    let voice: Vec<i16> = (0..8_000 * (SECONDS as i64 - 1))
        .map(|n| i16::try_from(n * 7_919 % 20_011 + 1))
        .collect::<Result<_, _>>()?;
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 8_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(&says, spec)?;
    voice.iter().try_for_each(|&sample| writer.write_sample(sample))?;
    writer.finalize()?;
    let text = format!(
        "[platform]\nrecordings = {:?}\n[platform.caller]\nhangs-up-after = \"{SECONDS}s\"\nsays = {says:?}",
        folder.path()
    );
    let exchange = Exchange::start(Config::parse("echo", &text)?, None)?;
    let began = Instant::now();
    let call = inbound(&exchange, &echo)?;
    let view = over(&exchange, call, began + Duration::from_secs(60)).await?;
    let read =
        |direction: &str| samples(&folder.path().join(format!("{}-{direction}.wav", view.begin.cmiuuid)));
    let (heard, said) = (read("heard")?, read("said")?);
    ensure!(heard.get(..voice.len()) == Some(&voice[..]), "the application did not hear the caller's file");
    let begin = said.iter().position(|&sample| sample != 0).context("nothing came back")?;
    ensure!(
        said.get(begin..begin + voice.len()) == Some(&voice[..]),
        "what came back is not what was sent, sample by sample"
    );
    let times = echo.times().await?;
    let lasted = Duration::from_micros(times.last().context("no frame came")? - times[0]);
    let due = FRAME * u32::try_from(times.len() - 1)?;
    let off = lasted.abs_diff(due);
    ensure!(off <= FRAME * SECONDS as u32, "{} frames took {lasted:?}, {off:?} off", times.len());
    echo.process.kill().await?;
    let figures = view.streams().next().context("nothing was measured")?;
    Ok(format!("{} samples there and back, {off:.1?} off in {lasted:.1?}; {figures}", voice.len()))
}

/// A hundred calls with a stream at once, each frame at its time: by the release build, as it is delivered. Without optimisation the
/// two sides alone take more than half of two cores.
///
/// # Errors
/// Where one in a hundred frames is more than 10 ms off.
pub(super) async fn hundred() -> anyhow::Result<String> {
    if !cfg!(debug_assertions) {
        return at_once().await;
    }
    let build = || workspace::build("xtask", "xtask", workspace::Profile::Release);
    let xtask = tokio::task::spawn_blocking(build).await.context("the build broke off")??;
    let mut command = tokio::process::Command::new(xtask);
    command.arg("hundred-streams").stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let output = command.output().await.context("cannot start the release build of xtask")?;
    let (told, why) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "{}", why.trim().trim_start_matches("error: "));
    Ok(told.trim().to_owned())
}

/// The process that [`hundred`] starts.
///
/// # Errors
/// As [`hundred`].
pub(crate) fn measure_hundred() -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Runtime::new().context("cannot start a runtime")?;
    println!("{}", runtime.block_on(at_once())?);
    Ok(ExitCode::SUCCESS)
}

async fn at_once() -> anyhow::Result<String> {
    let mut echo = Echo::start().await?;
    let exchange =
        Exchange::start(Config::parse("hundred", "[platform.caller]\nhangs-up-after = \"10s\"")?, None)?;
    let began = Instant::now();
    let mut calls = Vec::new();
    for n in 0..STREAMS {
        // Calls do not all begin in the same millisecond.
        tokio::time::sleep_until((began + Duration::from_millis(7 * n as u64)).into()).await;
        calls.push(inbound(&exchange, &echo)?);
    }
    let mut gaps = 0;
    for call in calls {
        let view = over(&exchange, call, began + Duration::from_secs(60)).await?;
        gaps += view.streams().next().context("a call has no stream")?.gaps;
    }
    let mut off = Vec::new();
    for _ in 0..STREAMS {
        let times = tokio::time::timeout(Duration::from_secs(10), echo.times()).await??;
        ensure!(times.len() > 450, "only {} frames of a stream came", times.len());
        // Against the schedule that fits best, so that a late first frame makes the others no worse.
        let lateness = |(n, time): (usize, &u64)| i64::try_from(*time).map(|time| time - 20_000 * n as i64);
        let late: Vec<i64> = times.iter().enumerate().map(lateness).collect::<Result<_, _>>()?;
        let first = late.iter().min().copied().unwrap_or_default();
        off.extend(late.iter().map(|late| late.abs_diff(first)));
    }
    echo.process.kill().await?;
    off.sort_unstable();
    let at = |part: usize| Duration::from_micros(off[(off.len() - 1) * part / 100]);
    let (half, most) = (at(50), at(99));
    let told = format!(
        "{STREAMS} streams, {} frames: p50 {half:.1?}, p99 {most:.1?}, max {:.1?} behind their time; {gaps} gaps",
        off.len(),
        at(100)
    );
    ensure!(most < JITTER, "{told}");
    Ok(told)
}

/// A call whose answer is a stream to the application.
fn inbound(exchange: &Exchange, echo: &Echo) -> anyhow::Result<u64> {
    let flow = format!(r#"[{{"action":"stream","ws_url":"{}","listen_mode":"caller"}}]"#, echo.url);
    let mut inbound = Inbound::from_to(447_700_900_123, Config::ZERO.3);
    inbound.then = Some(Pcmo::parse(flow.as_bytes())?);
    Ok(exchange.call_in(inbound)?.call)
}

/// What is known of a call at its end.
async fn over(exchange: &Exchange, call: u64, deadline: Instant) -> anyhow::Result<CallView> {
    let mut changes = exchange.board().changes();
    loop {
        let view = exchange.board().call(call).context("the call is forgotten")?;
        if view.is_over {
            return Ok(view);
        }
        ensure!(Instant::now() < deadline, "the call does not come to its end");
        // Who missed some looks all the same.
        let _ = tokio::time::timeout(Duration::from_secs(1), changes.recv()).await;
    }
}

fn samples(path: &Path) -> anyhow::Result<Vec<i16>> {
    let mut reader =
        hound::WavReader::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(reader.samples().collect::<Result<_, _>>()?)
}
