//! The documented receivers behave as documented, faults included: that is what later checks are tested against.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, ensure};

use crate::process::Process;
use crate::receivers::Documented;
use crate::tally::Tally;

const JSON: Option<&str> = Some("application/json");
const WEBHOOK: &str = r#"{"cmiuuid":"c4ec9bd2","leg":"b","status":"stream_connected","time":1725975496000}"#;

/// What is sent, and what comes of it.
struct Case {
    name: &'static str,
    content_type: Option<&'static str>,
    /// What follows the webhook path.
    after_path: &'static str,
    body: Vec<u8>,
    status: u16,
    /// The `fields` of the one effect; `None` where there must be no effect.
    effect: Option<&'static str>,
}

/// Starts the receiver and sends it every case, each counted on its own.
pub(super) fn check(receiver: Documented, tally: &mut Tally) {
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return tally.fail(receiver.name(), &error.into()),
    };
    let started = receiver.set_up().and_then(|()| {
        let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
        let process = runtime.block_on(receiver.start(&folder.path().join("effects")))?;
        Ok((folder, process))
    });
    let (folder, process) = match started {
        Ok(started) => started,
        Err(error) => return tally.fail(receiver.name(), &error),
    };
    let effects = folder.path().join("effects");
    for case in cases(receiver) {
        let name = format!("{}: {}", receiver.name(), case.name);
        tally.part(&name, || runtime.block_on(case.check(&process, &effects)).map(|()| String::new()));
    }
    tally.part(&format!("{}: ends when told to", receiver.name()), || {
        runtime.block_on(process.stop()).map(|()| String::new())
    });
}

impl Case {
    async fn check(self, process: &Process, effects: &Path) -> anyhow::Result<()> {
        let before = read_effects(effects)?.len();
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(20)).build()?;
        let mut request = client.post(format!("{}{}", process.url(), self.after_path)).body(self.body);
        if let Some(content_type) = self.content_type {
            request = request.header("content-type", content_type);
        }
        let answer = request.send().await.context("no answer")?;
        let status = answer.status().as_u16();
        ensure!(status == self.status, "answered {status} instead of {}", self.status);
        if status == 200 {
            let text = answer.text().await.context("cannot read the answer")?;
            ensure!(text == "got it", "answered {text:?} instead of \"got it\"");
        }
        let all = read_effects(effects)?;
        let new: Vec<_> =
            all[before.min(all.len())..].iter().map(|effect| effect["fields"].to_string()).collect();
        let expected: Vec<_> = self.effect.into_iter().collect();
        ensure!(new == expected, "had the effects {new:?} instead of {expected:?}");
        Ok(())
    }
}

/// The observe file's records; both receivers write before they answer.
fn read_effects(file: &Path) -> anyhow::Result<Vec<serde_json::Value>> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    text.lines()
        .map(|line| serde_json::from_str(line).with_context(|| format!("not a record: {line}")))
        .collect()
}

fn case(name: &'static str, body: impl Into<Vec<u8>>, status: u16, effect: Option<&'static str>) -> Case {
    Case { name, content_type: JSON, after_path: "", body: body.into(), status, effect }
}

fn cases(receiver: Documented) -> Vec<Case> {
    let nested = format!(r#"{{"cmiuuid":"x","n":{}{}}}"#, "[".repeat(5_000), "]".repeat(5_000));
    let long = format!(r#"{{"cmiuuid":"x","n":"{}"}}"#, "n".repeat(110_000));
    let conflicting = r#"{"cmiuuid":"x","status":"a","status":"b"}"#;
    let last_wins = Some(r#"{"cmiuuid":"x","status":"b"}"#);
    let mut cases = vec![
        case("a webhook has one effect", WEBHOOK, 200, Some(WEBHOOK)),
        case("the same webhook has its effect again", WEBHOOK, 200, Some(WEBHOOK)),
        case("an empty list is acknowledged", "[]", 200, None),
        case("of conflicting keys the last one wins", conflicting, 200, last_wins),
        case("5,000 nested arrays are a server error", nested, 500, None),
    ];
    match receiver {
        Documented::Express => cases.extend([
            Case {
                content_type: None,
                ..case("without a content type it is acknowledged and lost", WEBHOOK, 200, None)
            },
            Case {
                content_type: Some("text/plain"),
                ..case("as plain text it is acknowledged and lost", WEBHOOK, 200, None)
            },
            case("an empty body is acknowledged", "", 200, None),
            case("null is refused", "null", 400, None),
            case(
                "2^53+1 is rounded",
                r#"{"cmiuuid":"x","n":9007199254740993}"#,
                200,
                Some(r#"{"cmiuuid":"x","n":9007199254740992}"#),
            ),
            case(
                "1e400 becomes null",
                r#"{"cmiuuid":"x","n":1e400}"#,
                200,
                Some(r#"{"cmiuuid":"x","n":null}"#),
            ),
            case(
                "what is not UTF-8 is replaced",
                b"{\"cmiuuid\":\"x\",\"n\":\"\xff\"}".as_slice(),
                200,
                Some("{\"cmiuuid\":\"x\",\"n\":\"\u{fffd}\"}"),
            ),
            case("110 KB is too much", long, 413, None),
        ]),
        Documented::Flask => cases.extend([
            Case { content_type: None, ..case("without a content type it is refused", WEBHOOK, 415, None) },
            Case {
                content_type: Some("text/plain"),
                ..case("as plain text it is refused", WEBHOOK, 415, None)
            },
            case("an empty body is refused", "", 400, None),
            case("null is acknowledged", "null", 200, None),
            case(
                "NaN is taken for a number",
                r#"{"cmiuuid":"x","n":NaN}"#,
                200,
                Some(r#"{"cmiuuid":"x","n":"NaN"}"#),
            ),
            case(
                "1e400 is infinite",
                r#"{"cmiuuid":"x","n":1e400}"#,
                200,
                Some(r#"{"cmiuuid":"x","n":"Infinity"}"#),
            ),
            case("what is not UTF-8 is refused", b"{\"cmiuuid\":\"x\",\"n\":\"\xff\"}".as_slice(), 400, None),
            Case { after_path: "/", ..case("a trailing slash is another path", WEBHOOK, 404, None) },
        ]),
    }
    cases
}
