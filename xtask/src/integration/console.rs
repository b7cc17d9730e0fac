//! The console in a real browser: `piopiy-mock serve`, an application, Chromium, driven as a person would.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use crate::integration::every_page::{self, picture, pictures, save};
use crate::integration::webdriver::Browser;
use crate::workspace;

/// How long anything may take to be seen.
const PATIENCE: Duration = Duration::from_secs(30);

/// Places a call, follows it, acts on it, and runs checks.
pub(super) async fn run() -> anyhow::Result<String> {
    let app = App::start().await;
    let platform = Platform::start(&app).await?;
    let browser = Browser::start().await?;
    let pictures = pictures();
    let pictures = pictures.as_deref();
    let result = tour(&browser, &platform, &app, pictures).await;
    let errors = browser.errors().await;
    browser.stop().await?;
    result?;
    let errors = errors?;
    ensure!(errors.is_empty(), "the browser's console has errors: {errors:#?}");
    Ok("a call was placed, followed and acted on; a delivery was sent again; checks were run".to_owned())
}

async fn tour(
    browser: &Browser,
    platform: &Platform,
    app: &App,
    pictures: Option<&Path>,
) -> anyhow::Result<()> {
    let console = &platform.console;
    browser.open(&format!("{console}/")).await?;
    // A call that waits for a key.
    browser.element("#call").await?.click().await?;
    browser.until("location.pathname === '/calls/0'").await?;
    browser.until("document.querySelector('svg.wide').textContent.includes('play_get_input')").await?;
    browser.element("#key-1").await?.click().await?;
    seen(browser, "presses 1").await?;
    for rung in
        ["POST action URL", "out_bridged · b", "in_hangup · a", "CDR answered · a", "CDR answered · b"]
    {
        seen(browser, rung).await.with_context(|| format!("the ladder never showed {rung}"))?;
    }
    let text = "document.querySelector('#call-0').textContent";
    browser.until(&format!("{text}.includes('both CDRs acknowledged')")).await?;
    let before = app.webhooks();
    // A message, its bytes and its answer; and the same again.
    let rung = browser.element("svg.wide a[aria-label*='CDR answered · b']").await?;
    rung.click().await?;
    browser.until("document.querySelector('#detail pre')?.textContent.includes('\"leg\":\"b\"')").await?;
    browser.until("location.pathname.startsWith('/calls/0/rows/')").await?;
    let detail = browser.text("#detail").await?;
    ensure!(detail.contains("1 attempt, acknowledged") && detail.contains("200"), "{detail}");
    browser.element("#resend").await?.click().await?;
    seen(browser, "sent again by hand").await?;
    ensure!(app.webhooks() == before + 1, "{} webhooks, expected {}", app.webhooks(), before + 1);
    keyboard(browser).await?;
    live_only(browser).await?;
    picture(browser, pictures, "console").await?;
    if let Some(folder) = pictures {
        // High enough for all of it.
        browser.look(1_400, 1_080, "light").await?;
        let ladder = browser.element("#ladder").await?;
        save(folder, "ladder", &ladder.screenshot().await?)?;
    }
    fits(browser, pictures).await?;
    without_script(browser, console).await?;
    checked(browser, console, pictures).await
}

/// A rung that says so.
async fn seen(browser: &Browser, text: &str) -> anyhow::Result<()> {
    let text = Value::from(text);
    let script = format!(
        "[...document.querySelectorAll('svg.wide .rung')].some(it => it.getAttribute('aria-label').includes({text}))"
    );
    browser.until(&script).await
}

/// Everything can be reached and done with keys, and has a name.
async fn keyboard(browser: &Browser) -> anyhow::Result<()> {
    every_page::named(browser).await?;
    // Whoever tells the machine what to press says what is to be seen.
    let otherwise = browser
        .evaluate(
            "[...document.querySelectorAll('a[aria-label],button[aria-label],summary[aria-label]')]
               .map(it => [it.getAttribute('aria-label'), it.matches('svg a')
                 ? [...it.querySelectorAll('text')].map(text => text.textContent).join(' ') : it.innerText])
               .filter(([name, seen]) => !name.includes(seen.replace(/…$/, '').replace(/\\s+/g, ' ').trim()))",
        )
        .await?;
    ensure!(otherwise == json!([]), "these have another name than the one that is seen: {otherwise}");
    browser.evaluate("document.querySelector('svg.wide .rung').focus()").await?;
    // Enter opens what has the focus, and the focus goes to what it has opened.
    browser.press('\u{E007}').await?;
    browser.until("document.activeElement.id === 'detail-title'").await?;
    browser.until("location.pathname === '/calls/0/rows/0'").await?;
    // Escape goes back to it.
    browser.press('\u{E00C}').await?;
    browser.until("document.activeElement.matches('.rung.selected')").await?;
    browser.evaluate("history.back()").await?;
    browser.until("location.pathname !== '/calls/0/rows/0'").await?;
    let landmarks = browser
        .evaluate(
            "document.querySelectorAll('header,main,section[aria-label],section[aria-labelledby]').length",
        )
        .await?;
    ensure!(landmarks.as_u64() >= Some(6), "{landmarks} landmarks");
    Ok(())
}

/// What changes is put in place: the page was loaded once, and keeps what was typed and where the focus is.
async fn live_only(browser: &Browser) -> anyhow::Result<()> {
    browser.evaluate("(document.body.dataset.once = 'yes', document.querySelector('#from').value = '+44 7700 900456', document.querySelector('#call-0').focus())").await?;
    browser
        .evaluate("fetch('/calls', {method: 'POST', body: new URLSearchParams({scenario: 'outbound-busy', from: '447700900111', to: '441632960000'})}).then(() => true)")
        .await?;
    browser.until("document.querySelector('#call-1')?.textContent.includes('missed')").await?;
    let kept = browser
        .evaluate(
            "[document.body.dataset.once, document.querySelector('#from').value, document.activeElement.id]",
        )
        .await?;
    ensure!(kept == json!(["yes", "+44 7700 900456", "call-0"]), "{kept}");
    browser.evaluate("document.querySelector('#from').value = '+447700900123'").await?;
    Ok(())
}

/// On a telephone, in light and dark, at every width nothing is wider than the page.
async fn fits(browser: &Browser, pictures: Option<&Path>) -> anyhow::Result<()> {
    for (name, width, height, scheme) in [
        ("phone", 390, 844, "light"),
        ("phone-dark", 390, 844, "dark"),
        ("tablet", 900, 1000, "light"),
        ("dark", 1400, 900, "dark"),
        ("light", 1400, 900, "light"),
    ] {
        every_page::fits(browser, width, height, scheme).await?;
        let cut = browser
            .evaluate(
                "[...document.querySelectorAll('main>*, main>.left>*')]
                   .filter(it => it.clientWidth && it.scrollWidth > it.clientWidth)
                   .map(it => [it.className, it.scrollWidth, it.clientWidth])",
            )
            .await?;
        ensure!(cut == json!([]), "at {width} px these hold more than is seen: {cut}");
        picture(browser, pictures, name).await?;
        if width == 390 {
            let ladder = browser.element("svg.narrow .rung").await?;
            ensure!(ladder.is_shown().await?, "a telephone shows no ladder");
            browser.look(width, 2_400, scheme).await?;
            picture(browser, pictures, &format!("{name}-whole")).await?;
        }
    }
    Ok(())
}

/// The page says the same, and its forms do the same, where no script runs.
async fn without_script(browser: &Browser, console: &str) -> anyhow::Result<()> {
    browser.scripts(false).await?;
    browser.open(&format!("{console}/calls/0")).await?;
    let text = browser.text("#shown").await?;
    ensure!(text.contains("CDR answered · b"), "{text}");
    browser.element("#fault-duplicate").await?.set("5").await?;
    browser.element("#set-faults").await?.click().await?;
    // A click ends before the page that answers the form is there.
    browser.until("document.querySelector('#facts').innerText.includes('duplicate 5 %')").await?;
    browser.scripts(true).await
}

/// The conformance suite, from the button to the report.
async fn checked(browser: &Browser, console: &str, pictures: Option<&Path>) -> anyhow::Result<()> {
    browser.open(&format!("{console}/checks")).await?;
    browser.evaluate("document.querySelector('#group').value = 'JSN'").await?;
    browser.element("#start-checks").await?.click().await?;
    browser.until("document.querySelector('#report')").await?;
    picture(browser, pictures, "checks").await?;
    browser.element("#report").await?.click().await?;
    browser.until("document.querySelectorAll('details.check').length > 5").await?;
    picture(browser, pictures, "report").await
}

/// An application: it asks for a key, and puts whoever presses one through.
struct App {
    server: MockServer,
    webhooks: Arc<AtomicU64>,
}

impl App {
    async fn start() -> Self {
        let server = MockServer::start().await;
        let digits = format!("{}/digits", server.uri());
        let answers = [
            (
                "/answer",
                json!([{"action": "play_get_input", "file_name": "menu.wav", "max_digit": 1, "timeout": 120, "action_url": digits}]),
            ),
            (
                "/digits",
                json!([{"action": "bridge", "connect": [{"type": "pstn", "number": 442_079_460_000_u64}]}, {"action": "hangup"}]),
            ),
        ];
        for (at, flow) in answers {
            let answer = ResponseTemplate::new(200).set_body_json(flow);
            Mock::given(method("POST")).and(path(at)).respond_with(answer).mount(&server).await;
        }
        let webhooks = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&webhooks);
        let take = move |_: &Request| {
            count.fetch_add(1, Ordering::Relaxed);
            ResponseTemplate::new(200).set_body_string("got it")
        };
        Mock::given(method("POST")).and(path("/webhooks")).respond_with(take).mount(&server).await;
        Self { server, webhooks }
    }

    fn webhooks(&self) -> u64 {
        self.webhooks.load(Ordering::Relaxed)
    }
}

/// `piopiy-mock serve`. Dropped, it is killed.
struct Platform {
    _child: Child,
    console: String,
}

impl Platform {
    async fn start(app: &App) -> anyhow::Result<Self> {
        let uri = app.server.uri();
        let program = workspace::build("piopiy-mock-platform", "piopiy-mock", workspace::Profile::Dev)?;
        let mut command = Command::new(program);
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--control", "127.0.0.1:0", "--format", "json"])
            .args(["--time-scale", "20", "--seed", "0x5eed", "--answer-url"])
            .arg(format!("{uri}/answer"))
            .arg("--webhook-url")
            .arg(format!("{uri}/webhooks"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        let mut child = command.spawn().context("cannot start piopiy-mock")?;
        let mut lines = BufReader::new(child.stdout.take().context("no stdout")?).lines();
        let line = timeout(PATIENCE, lines.next_line()).await.context("it is not ready in time")??;
        let ready: Value = serde_json::from_str(&line.context("it ended before it was ready")?)?;
        let console = ready["console"].as_str().context("it does not say where the console is")?;
        Ok(Self { _child: child, console: console.to_owned() })
    }
}
