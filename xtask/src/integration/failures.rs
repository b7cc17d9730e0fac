//! Receivers that fail in every way, and what the mock platform makes of each.

use std::fmt;
use std::time::Duration;

use anyhow::ensure;
use piopiy_events::Profile;
use piopiy_mock_platform::deliver::DeliveryOptions;
use piopiy_mock_platform::deliver::Pace;
use piopiy_mock_platform::deliver::ledger::{AttemptOutcome, DeliveryOutcome};
use tokio::net::TcpListener;
use wiremock::matchers::{any, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::recorder::{Reaction, Recorder};
use crate::{mock, traffic};

/// One way to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    /// 503, then 200.
    BusyThenWell,
    /// No answer in time.
    TimeOut,
    /// A redirect to where a webhook would be taken.
    Redirect,
    /// An answer just in time.
    Slow,
    /// An answer without end, to all intents.
    Huge,
    /// The connection is reset, then all is well.
    ResetThenWell,
    /// The connection is always reset.
    Reset,
    /// The connection ends within the answer's head.
    HalfAnswer,
    /// Nobody listens.
    NobodyThere,
}

/// How long an attempt waits.
const TIMEOUT: Duration = Duration::from_millis(1_500);
const SLOW: Duration = Duration::from_millis(400);
const HUGE: usize = 8 << 20;

/// What must come of the one CDR that is sent.
struct Expected {
    attempts: Vec<AttemptOutcome>,
    outcome: DeliveryOutcome,
    /// Whether the receiver may have acted on attempts that were not acknowledged.
    ambiguous: bool,
}

impl Failure {
    pub(super) const ALL: [Self; 9] = [
        Self::BusyThenWell,
        Self::TimeOut,
        Self::Redirect,
        Self::Slow,
        Self::Huge,
        Self::ResetThenWell,
        Self::Reset,
        Self::HalfAnswer,
        Self::NobodyThere,
    ];

    fn expected(self) -> Expected {
        use AttemptOutcome::{Acknowledged, ConnectError, Redirect, Refused, Reset, Timeout};
        let acknowledged = |attempts: &[AttemptOutcome], ambiguous| Expected {
            attempts: attempts.to_vec(),
            outcome: DeliveryOutcome::Acknowledged,
            ambiguous,
        };
        // Four times, as often as the schedule allows.
        let never = |outcome, ambiguous| Expected {
            attempts: vec![outcome; 4],
            outcome: DeliveryOutcome::Unacknowledged,
            ambiguous,
        };
        match self {
            Self::BusyThenWell => acknowledged(&[Refused, Acknowledged], false),
            Self::Slow | Self::Huge => acknowledged(&[Acknowledged], false),
            Self::ResetThenWell => acknowledged(&[Reset, Acknowledged], true),
            Self::TimeOut => never(Timeout, true),
            Self::Redirect => never(Redirect, false),
            Self::Reset | Self::HalfAnswer => never(Reset, true),
            Self::NobodyThere => never(ConnectError, false),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::BusyThenWell => "busy-then-well",
            Self::TimeOut => "time-out",
            Self::Redirect => "redirect",
            Self::Slow => "slow",
            Self::Huge => "huge-answer",
            Self::ResetThenWell => "reset-then-well",
            Self::Reset => "reset",
            Self::HalfAnswer => "half-answer",
            Self::NobodyThere => "nobody-there",
        })
    }
}

/// A receiver that fails, for as long as this lives.
enum Failing {
    Http(MockServer),
    Raw(Recorder),
    Nobody(String),
}

impl Failing {
    async fn start(failure: Failure) -> anyhow::Result<Self> {
        let answer = match failure {
            Failure::ResetThenWell => {
                let react = |attempt| if attempt == 1 { Reaction::Reset } else { Reaction::Answer(200) };
                return Ok(Self::Raw(Recorder::start(react).await?));
            }
            Failure::Reset => return Ok(Self::Raw(Recorder::start(|_| Reaction::Reset).await?)),
            Failure::HalfAnswer => return Ok(Self::Raw(Recorder::start(|_| Reaction::HalfAnswer).await?)),
            Failure::NobodyThere => {
                // The port was free a moment ago, and is again.
                let address = TcpListener::bind("127.0.0.1:0").await?.local_addr()?;
                return Ok(Self::Nobody(format!("http://{address}{}", traffic::PATH)));
            }
            Failure::BusyThenWell => ResponseTemplate::new(503).insert_header("retry-after", "1"),
            Failure::TimeOut => ResponseTemplate::new(200).set_delay(TIMEOUT * 20),
            Failure::Redirect => ResponseTemplate::new(307).insert_header("location", "/elsewhere"),
            Failure::Slow => ResponseTemplate::new(200).set_delay(SLOW),
            Failure::Huge => ResponseTemplate::new(200).set_body_bytes(vec![b'x'; HUGE]),
        };
        let server = MockServer::start().await;
        let mut first = Mock::given(path(traffic::PATH)).respond_with(answer);
        if failure == Failure::BusyThenWell {
            first = first.up_to_n_times(1);
        }
        server.register(first).await;
        server.register(Mock::given(any()).respond_with(ResponseTemplate::new(200)).with_priority(9)).await;
        Ok(Self::Http(server))
    }

    fn url(&self) -> String {
        match self {
            Self::Http(server) => format!("{}{}", server.uri(), traffic::PATH),
            Self::Raw(recorder) => recorder.url().to_owned(),
            Self::Nobody(url) => url.clone(),
        }
    }

    /// How many requests arrived, and how many of them elsewhere than at the webhook path.
    async fn arrived(&self) -> (usize, usize) {
        match self {
            Self::Http(server) => {
                let requests = server.received_requests().await.unwrap_or_default();
                let elsewhere = requests.iter().filter(|request| request.url.path() != traffic::PATH).count();
                (requests.len(), elsewhere)
            }
            Self::Raw(recorder) => (recorder.arrivals().values().map(Vec::len).sum(), 0),
            Self::Nobody(_) => (0, 0),
        }
    }
}

/// Sends one CDR, redelivered until it is acknowledged, and compares what came of it.
///
/// # Errors
/// Where that differs from what must come of it.
pub(super) async fn run(failure: Failure) -> anyhow::Result<String> {
    let receiver = Failing::start(failure).await?;
    let mut options = DeliveryOptions::default();
    options.pace = Pace::jump();
    options.timeout_ms = TIMEOUT.as_millis() as u64;
    let mut calls = mock::cdrs(Profile::Global, traffic::fresh_nonce(), 1);
    calls[0].webhooks.truncate(1);
    let records = mock::run(&receiver.url(), calls, &options).await?;

    let attempts: Vec<_> = mock::attempts(&records).collect();
    let outcomes: Vec<_> = attempts.iter().map(|attempt| attempt.outcome).collect();
    let expected = failure.expected();
    ensure!(outcomes == expected.attempts, "the attempts were {outcomes:?}, not {:?}", expected.attempts);
    let ended: Vec<_> = mock::outcomes(&records).collect();
    ensure!(ended == [expected.outcome], "the delivery ended {ended:?}, not {:?}", expected.outcome);
    let is_ambiguous = attempts.iter().any(|attempt| attempt.ambiguous);
    ensure!(is_ambiguous == expected.ambiguous, "ambiguous: {is_ambiguous}");

    let (arrived, elsewhere) = receiver.arrived().await;
    let sent = if failure == Failure::NobodyThere { 0 } else { attempts.len() };
    ensure!(
        arrived == sent,
        "{sent} attempts were made and {arrived} requests arrived: something else sends again"
    );
    ensure!(elsewhere == 0, "{elsewhere} requests went where nothing was to be posted");
    if failure == Failure::Huge {
        let (read, limit) = (attempts[0].answer_bytes, options.answer_limit);
        ensure!(attempts[0].cut_off, "an answer of {HUGE} bytes was read to its end");
        ensure!(read < limit * 4, "{read} bytes of the answer were read, with a limit of {limit}");
    }
    let names: Vec<_> = outcomes.iter().map(|outcome| outcome.as_str()).collect();
    Ok(format!("{}: {:?}", names.join(", "), expected.outcome))
}
