//! The pages of the console, and what their forms do.

mod audio;

use std::time::Duration;

use piopiy_mock_platform::platform::{Config, Exchange, Inbound, ServeOptions, Serving};
use reqwest::{Client, Response, StatusCode};

use super::app::{App, config, over};

const CALLER: u64 = 447_700_900_123;
const NUMBER: u64 = 441_632_960_000;
const HOSTILE: &str = "</pre><script>alert(1)</script><img src=x onerror=alert(2)>";

/// A console in this process, and a client that follows nothing.
struct Console {
    serving: Serving,
    client: Client,
}

impl Console {
    async fn start(config: Config) -> Self {
        let exchange = Exchange::start(config, None).unwrap();
        let mut options = ServeOptions::default();
        (options.rest, options.control) = (([127, 0, 0, 1], 0).into(), ([127, 0, 0, 1], 0).into());
        let serving = Serving::start(exchange, &options).await.unwrap();
        let client =
            Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { serving, client }
    }

    fn at(&self, path: &str) -> String {
        format!("http://{}{path}", self.serving.control())
    }

    async fn get(&self, path: &str) -> (StatusCode, String) {
        let answer = self.client.get(self.at(path)).send().await.unwrap();
        (answer.status(), answer.text().await.unwrap())
    }

    async fn post(&self, path: &str, form: &str) -> Response {
        let request =
            self.client.post(self.at(path)).header("content-type", "application/x-www-form-urlencoded");
        request.body(form.to_owned()).send().await.unwrap()
    }

    /// Posts a form that does what it says; where it leads.
    async fn done(&self, path: &str, form: &str) -> String {
        let answer = self.post(path, form).await;
        let location = answer.headers().get("location").and_then(|to| to.to_str().ok()).map(str::to_owned);
        assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{path} {form}: {}", answer.text().await.unwrap());
        location.unwrap()
    }
}

#[tokio::test]
async fn a_call_is_placed_and_told_without_script() {
    let (app, url) = App::start().await;
    app.answer("/answer", 200, r#"[{"action":"speak","text":"Hello."},{"action":"hangup"}]"#);
    let console = Console::start(config(&url, "")).await;
    assert_eq!(
        console.done("/calls", "scenario=inbound&from=%2B44+7700+900123&to=441632960000").await,
        "/calls/0"
    );
    let view = over(console.serving.exchange(), 0).await;
    let (status, page) = console.get("/calls/0").await;
    assert_eq!(status, StatusCode::OK);
    for said in ["+447700900123 → +441632960000", "CDR answered · a", "POST answer URL", "CDR acknowledged"]
    {
        assert!(page.contains(said), "{said} is missing: {page}");
    }
    // Every message has a page with its bytes.
    for row in 0..view.rows.len() {
        let (status, page) = console.get(&format!("/calls/0/rows/{row}")).await;
        assert_eq!((status, page.contains("id=\"detail-title\"")), (StatusCode::OK, true), "row {row}");
        let (status, lines) = console.get(&format!("/calls/0/rows/{row}/ledger")).await;
        assert_eq!(status, StatusCode::OK);
        for line in lines.lines() {
            serde_json::from_str::<serde_json::Value>(line).unwrap();
        }
    }
    let webhook = view.webhooks().last().unwrap().plan.clone();
    let row = view.rows.len() - 1;
    let (_, page) = console.get(&format!("/calls/0/rows/{row}")).await;
    let text = String::from_utf8(webhook.body.as_bytes().to_vec()).unwrap();
    assert!(page.contains(&text.replace('"', "&quot;")), "{text} is missing: {page}");
    assert!(page.contains("curl -i -X POST"), "{page}");
    // And once more by hand.
    let before = app.posted("/webhooks").len();
    let to = console.done(&format!("/calls/0/webhooks/{}/resend", webhook.webhook), "row=2").await;
    assert_eq!(to, "/calls/0/rows/2");
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while app.posted("/webhooks").len() == before && tokio::time::Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(app.posted("/webhooks").len(), before + 1);
    assert!(console.get("/calls/0").await.1.contains("sent again by hand"));
}

#[tokio::test]
async fn keys_and_hang_ups_reach_the_call() {
    let (app, url) = App::start().await;
    let ask = format!(
        r#"[{{"action":"play_get_input","file_name":"a.wav","max_digit":1,"timeout":1200,"action_url":"{url}/digits"}}]"#
    );
    app.answer("/answer", 200, &ask);
    app.answer("/digits", 200, &ask);
    let console = Console::start(config(&url, "[platform.choices]\nunknown-file = \"100ms\"")).await;
    console.done("/calls", "scenario=inbound&from=447700900123&to=441632960000").await;
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while app.posted("/digits").is_empty() && tokio::time::Instant::now() < deadline {
        // What is pressed before anybody asks counts for nothing.
        assert_eq!(console.done("/calls/0/digits", "digits=7").await, "/calls/0");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(
        app.posted("/digits").iter().any(|body| body.contains(r#""dtmf":"7""#)),
        "{:?}",
        app.posted("/digits")
    );
    console.done("/calls/0/hangup", "by=caller").await;
    over(console.serving.exchange(), 0).await;
    let late = console.post("/calls/0/digits", "digits=1").await;
    assert_eq!(late.status(), StatusCode::CONFLICT);
    assert!(late.text().await.unwrap().contains("no call 0 is on"));
}

#[tokio::test]
async fn what_an_application_says_is_text_and_nothing_else() {
    let (app, url) = App::start().await;
    app.answer(
        "/answer",
        200,
        &format!(r#"[{{"action":"{HOSTILE}"}},{{"action":"play","file_name":"{HOSTILE}"}}]"#),
    );
    let console = Console::start(config(&url, "")).await;
    let mut pages = vec!["/".to_owned()];
    for call in 0..2 {
        console.serving.exchange().call_in(Inbound::from_to(CALLER, NUMBER)).unwrap();
        let rows = over(console.serving.exchange(), call).await.rows.len();
        pages.extend((0..rows).map(|row| format!("/calls/{call}/rows/{row}")));
        app.answer("/answer", 500, HOSTILE);
    }
    let mut shown = 0;
    for path in pages {
        let answer = console.client.get(console.at(&path)).send().await.unwrap();
        let policy = answer.headers()["content-security-policy"].to_str().unwrap().to_owned();
        assert!(policy.contains("script-src 'self'") && policy.contains("default-src 'none'"), "{policy}");
        let page = answer.text().await.unwrap();
        assert!(!page.contains("<script>alert") && !page.contains("<img src=x"), "{path}: {page}");
        shown += page.matches("&lt;script&gt;").count();
    }
    assert!(shown > 2, "it is shown as it is");
    let notice = console.post("/calls", &format!("scenario=inbound&from=1&to=2&flow={HOSTILE}")).await;
    assert_eq!(notice.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert!(!notice.text().await.unwrap().contains("<script>alert"));
}

#[tokio::test]
async fn what_cannot_be_done_is_told_and_never_an_error_of_ours() {
    let console = Console::start(Config::default().completed()).await;
    let long = "9".repeat(100);
    for (path, form, status, says) in [
        ("/calls", "", 422, "pick a scenario"),
        ("/calls", "scenario=inbound&from=x&to=441632960000", 422, "From is no telephone number"),
        ("/calls", "scenario=inbound&from=1&to=2", 422, "2 is no number of the account"),
        ("/calls", "scenario=outbound&from=1&to=441632960000", 422, "the number has no answer-url"),
        ("/calls", "scenario=inbound-stream&from=1&to=441632960000", 422, "needs the WebSocket URL"),
        ("/calls", "scenario=inbound-stream&from=1&to=441632960000&ws=ws://app.example/", 422, "app.example"),
        ("/calls", "scenario=inbound&from=1&to=441632960000&flow={", 422, "this is no call flow"),
        ("/calls", "scenario=inbound&from=1&to=441632960000&digits=a", 422, "keys are 0 to 9"),
        ("/calls", "scenario=inbound&from=1&to=441632960000&says=../x.wav", 422, "that file is not there"),
        ("/calls", "scenario=inbound&from=1&to=441632960000&hangs-up=-1", 422, "whole seconds"),
        ("/calls/7/digits", "digits=1", 409, "no call 7 is on"),
        ("/calls/7/digits", &format!("digits={long}"), 422, "Keys are 0 to 9"),
        ("/calls/7/hangup", "", 409, "no call 7 is on"),
        ("/calls/7/stream", "code=1006", 422, "close code"),
        ("/calls/7/webhooks/0/resend", "", 409, "there is no such webhook"),
        ("/faults", "duplicate=101", 422, "`duplicate` must be a percentage"),
        ("/faults", "loss=NaN", 422, "`loss` must be a percentage"),
        ("/checks", "", 409, "no number has a webhook URL"),
    ] {
        let answer = console.post(path, form).await;
        let got = answer.status().as_u16();
        let page = answer.text().await.unwrap();
        assert!(got == status && page.contains(says), "{path} {form}: {got}, {page}");
    }
    assert!(console.serving.exchange().board().calls().is_empty(), "no call was placed");
    let huge = console.post("/calls", &"a".repeat(1 << 20)).await;
    assert_eq!(huge.status(), StatusCode::PAYLOAD_TOO_LARGE);
    for path in [
        "/calls/7",
        "/calls/7/rows/0",
        "/calls/7/rows/0/ledger",
        "/calls/7/recordings/x.wav",
        "/checks/report",
    ] {
        assert_eq!(console.get(path).await.0, StatusCode::NOT_FOUND, "{path}");
    }
    for path in ["/calls/x", "/calls/0/rows/-1"] {
        assert_eq!(console.get(path).await.0, StatusCode::BAD_REQUEST, "{path}");
    }
}

#[tokio::test]
async fn a_page_of_another_origin_changes_nothing() {
    let console = Console::start(Config::default().completed()).await;
    let form = "scenario=inbound-speak&from=1&to=441632960000";
    let post = |name: &'static str, value: &'static str| {
        let request = console.client.post(console.at("/calls")).header(name, value).body(form);
        request.header("content-type", "application/x-www-form-urlencoded").send()
    };
    for (name, value) in [
        ("origin", "http://evil.example"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
        ("host", "evil.example"),
    ] {
        assert_eq!(post(name, value).await.unwrap().status(), StatusCode::FORBIDDEN, "{name}: {value}");
    }
    assert!(console.serving.exchange().board().calls().is_empty());
    let rebound =
        console.client.get(console.at("/")).header("host", "evil.example:8081").send().await.unwrap();
    assert_eq!(rebound.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn faults_hold_from_now_on_and_a_change_is_told_at_once() {
    let (app, url) = App::start().await;
    app.answer("/answer", 200, r#"[{"action":"hangup"}]"#);
    let console = Console::start(config(&url, "")).await;
    assert_eq!(console.done("/faults", "duplicate=100&delay=&back=/calls/0").await, "/calls/0");
    assert_eq!(console.done("/faults", "duplicate=100&back=//evil.example/").await, "/");
    let mut events = console.client.get(console.at("/events")).send().await.unwrap();
    assert_eq!(events.headers()["content-type"], "text/event-stream");
    console.done("/calls", "scenario=inbound&from=447700900123&to=441632960000").await;
    let event = tokio::time::timeout(Duration::from_secs(5), events.chunk()).await.unwrap().unwrap().unwrap();
    assert_eq!(event, "event: change\ndata: something\n\n");
    over(console.serving.exchange(), 0).await;
    let (_, page) = console.get("/calls/0").await;
    assert!(page.contains("duplicate, injected") && page.contains("duplicate 100 %"), "{page}");
}

#[tokio::test]
async fn a_recording_is_drawn_and_played() {
    let folder = tempfile::tempdir().unwrap();
    let recordings = format!("[platform]\nseed = 7\ntime-scale = 300\nrecordings = {:?}\n", folder.path());
    let console = Console::start(Config::parse("test", &recordings).unwrap()).await;
    let placed = console.serving.exchange().call_in(Inbound::from_to(CALLER, NUMBER)).unwrap();
    let name = format!("{}-caller.wav", placed.cmiuuid);
    let mut wav =
        b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0data\x80\x3e\0\0"
            .to_vec();
    wav.resize(wav.len() + 16_000, 0x20);
    std::fs::write(folder.path().join(&name), &wav).unwrap();
    std::fs::write(folder.path().join("another.wav"), &wav).unwrap();
    let (_, page) = console.get("/calls/0").await;
    assert!(
        page.contains("Waveform, 1.0 seconds") && page.contains(&name) && !page.contains("another.wav"),
        "{page}"
    );
    let path = console.at(&format!("/calls/0/recordings/{name}"));
    let whole = console.client.get(&path).send().await.unwrap();
    assert_eq!(whole.headers()["content-type"], "audio/wav");
    assert_eq!(whole.bytes().await.unwrap(), wav);
    let part = console.client.get(&path).header("range", "bytes=0-3").send().await.unwrap();
    assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(part.headers()["content-range"], format!("bytes 0-3/{}", wav.len()));
    assert_eq!(part.bytes().await.unwrap(), "RIFF");
    for other in ["another.wav", "..%2fanother.wav", "%2e%2e%2f%2e%2e%2fetc%2fpasswd"] {
        assert_eq!(
            console.get(&format!("/calls/0/recordings/{other}")).await.0,
            StatusCode::NOT_FOUND,
            "{other}"
        );
    }
    // As many as a call can have: those behind the first ones are not drawn, and played all the same.
    let more: Vec<String> = (2..=20).map(|n| format!("{}-{n}-heard.wav", placed.cmiuuid)).collect();
    more.iter().for_each(|name| std::fs::write(folder.path().join(name), &wav).unwrap());
    let (_, page) = console.get("/calls/0").await;
    assert_eq!(page.matches("Waveform, 1.0 seconds").count(), 16);
    for name in &more {
        assert!(page.contains(name.as_str()), "{name}");
        assert_eq!(console.get(&format!("/calls/0/recordings/{name}")).await.0, StatusCode::OK, "{name}");
    }
}

#[tokio::test]
async fn requests_without_a_call_are_shown_with_what_was_answered() {
    let console = Console::start(config("http://127.0.0.1:9", "")).await;
    let (_, page) = console.get("/").await;
    assert!(!page.contains("Requests without a call"), "there are none");
    let rest = format!("http://{}", console.serving.rest());
    let body = format!(r#"{{"appid":2222222,"secret":"{HOSTILE}","note":"{HOSTILE}"}}"#);
    for path in ["/v2/global_pcmo_make_call", "/voice/ai/call"] {
        console.client.post(format!("{rest}{path}")).body(body.clone()).send().await.unwrap();
    }
    let (_, page) = console.get("/").await;
    for told in [
        "Requests without a call",
        "unknown path 404",
        "nothing is at /voice/ai/call",
        "appid or secret is wrong",
    ] {
        assert!(page.contains(told), "{told}: {page}");
    }
    assert!(!page.contains(HOSTILE), "what was sent is text, not markup");
    let (_, all) = console.get("/api/requests").await;
    let all: serde_json::Value = serde_json::from_str(&all).unwrap();
    assert_eq!((&all["seen"], all["requests"].as_array().unwrap().len()), (&2.into(), 2));
    assert_eq!(all["requests"][0]["label"], "unknown path 404", "the newest first");
    for _ in 0..250 {
        console.client.post(format!("{rest}/x")).send().await.unwrap();
    }
    let (_, all) = console.get("/api/requests").await;
    let all: serde_json::Value = serde_json::from_str(&all).unwrap();
    assert_eq!(
        (&all["seen"], all["requests"].as_array().unwrap().len()),
        (&252.into(), 200),
        "it has an end"
    );
    let (_, page) = console.get("/").await;
    assert!(page.contains("232 older ones are not listed."));
}
