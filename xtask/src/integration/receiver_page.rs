//! The page of `piopiy-receiver serve` in a real browser: Chromium, driven as a person would.

use std::path::Path;

use anyhow::{Context as _, ensure};
use piopiy_events::Profile;
use serde_json::json;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::World;
use super::every_page::{self, picture, pictures};
use super::webdriver::Browser;
use crate::http1::{Connection, post};
use crate::process::Process;
use crate::receivers::Kept;
use crate::traffic;

/// So many webhooks of the simulator's calls are there to begin with.
const WEBHOOKS: usize = 40;
const TOKEN: &str = "s3cret-of-the-page";

/// Looks at calls, finds one, has a body read again, holds a destination; with keys, on a telephone, without script.
///
/// # Errors
/// Where something is not seen, or not done.
pub(super) async fn run(world: &World) -> anyhow::Result<String> {
    let folder = tempfile::tempdir()?;
    let store = folder.path().join("store.sqlite");
    let app = MockServer::start().await;
    Mock::given(method("POST")).and(path("/hook")).respond_with(ResponseTemplate::new(204)).mount(&app).await;
    // A configuration that took one webhook for a stranger's.
    let narrow = world.durable.serve("127.0.0.1:0", Kept::Sqlite(&store), &["--allow-appid", "1"]).await?;
    ensure!(send(&narrow, &call("kept-aside")).await? == 202, "it was to be kept aside");
    narrow.stop().await?;

    let hook = format!("{}/hook", app.uri());
    let options = ["--page", "127.0.0.1:0", "--forward-to", &hook];
    let receiver = world.durable.serve("127.0.0.1:0", Kept::Sqlite(&store), &options).await?;
    for body in traffic::bodies(Profile::Global, world.nonce).take(WEBHOOKS) {
        ensure!(send(&receiver, &body).await? == 200, "a webhook was refused");
    }
    let browser = Browser::start().await?;
    let pictures = pictures();
    let pictures = pictures.as_deref();
    let result = tour(&browser, &receiver, pictures).await;
    let errors = browser.errors().await;
    let asked = match &result {
        Ok(()) => asks_for_its_token(world, &browser, receiver, &store).await,
        Err(_) => Ok(()),
    };
    browser.stop().await?;
    result?;
    asked?;
    let errors = errors?;
    ensure!(errors.is_empty(), "the browser's console has errors: {errors:#?}");
    Ok(format!(
        "{WEBHOOKS} webhooks were looked at, searched and seen coming in; one was read again from quarantine"
    ))
}

async fn tour(browser: &Browser, receiver: &Process, pictures: Option<&Path>) -> anyhow::Result<()> {
    let page = page_of(receiver)?;
    let at = |path: &str| format!("{page}{path}");
    browser.open(&at("")).await?;
    browser.until("document.querySelectorAll('a.call').length > 3").await?;
    out_of_sight(browser, receiver).await?;
    comes_in(browser, receiver).await?;
    // A call, a webhook of it, its bytes.
    browser.element("a.call").await?.click().await?;
    browser.until("location.pathname === '/call' && document.querySelector('svg.wide .rung')").await?;
    browser.element("svg.wide .rung").await?.click().await?;
    browser.until("document.querySelector('#raw')?.textContent.includes('\"cmiuuid\":\"comes-in\"')").await?;
    keyboard(browser).await?;
    picture(browser, pictures, "page").await?;
    fits(browser, pictures).await?;

    browser.open(&at("")).await?;
    browser.element("#q").await?.set("comes-in").await?;
    browser.element("#search").await?.click().await?;
    browser
        .until("location.search === '?q=comes-in' && document.querySelectorAll('a.call').length === 1")
        .await?;
    browser.open(&at("webhooks?q=cdr")).await?;
    browser.until("document.querySelectorAll('tbody tr').length > 3").await?;
    named(browser).await?;
    picture(browser, pictures, "page-webhooks").await?;

    browser.open(&at("quarantine")).await?;
    browser
        .until("document.querySelector('#quarantine').innerText.includes('the appid is not on the list')")
        .await?;
    named(browser).await?;
    picture(browser, pictures, "page-quarantine").await?;
    refused(browser).await?;
    browser.element("#read-1").await?.click().await?;
    browser.until("document.querySelector('#notice').innerText.startsWith('It is webhook ')").await?;
    browser.until("document.querySelector('#quarantine').innerText.includes('it is webhook')").await?;

    without_script(browser, &page).await?;
    picture(browser, pictures, "page-forwarding").await
}

/// What is stored is put in place: the page was loaded once, and keeps what was typed and where the focus is.
async fn comes_in(browser: &Browser, receiver: &Process) -> anyhow::Result<()> {
    browser
        .evaluate(
            "(document.body.dataset.once = 'yes', document.querySelector('#q').value = 'half a wo',
              document.querySelector('a.call').focus(), window.focused = document.activeElement.id)",
        )
        .await?;
    ensure!(send(receiver, &call("comes-in")).await? == 200, "a webhook was refused");
    browser.until("document.querySelector('a.call').id === 'call-comes-in'").await?;
    let kept = browser
        .evaluate(
            "[document.body.dataset.once, document.querySelector('#q').value, document.activeElement.id === window.focused]",
        )
        .await?;
    ensure!(kept == json!(["yes", "half a wo", true]), "{kept}");
    Ok(())
}

/// A page that nobody sees holds no connection, of which a browser has six, and is up to date when it is seen again.
async fn out_of_sight(browser: &Browser, receiver: &Process) -> anyhow::Result<()> {
    let turned = |is_hidden: bool| {
        format!(
            "(Object.defineProperty(document, 'hidden', {{ value: {is_hidden}, configurable: true }}),
              document.dispatchEvent(new Event('visibilitychange')), window.closed_one)"
        )
    };
    let counted = "((close) => (EventSource.prototype.close = function () { window.closed_one = true; close.call(this); }, true))
                   (EventSource.prototype.close)";
    browser.evaluate(counted).await?;
    ensure!(
        browser.evaluate(&turned(true)).await? == json!(true),
        "a page that is hidden keeps its connection"
    );
    ensure!(send(receiver, &call("meanwhile")).await? == 200, "a webhook was refused");
    browser.evaluate(&turned(false)).await?;
    browser.until("document.querySelector('a.call').id === 'call-meanwhile'").await?;
    ensure!(send(receiver, &call("afterwards")).await? == 200, "a webhook was refused");
    browser.until("document.querySelector('a.call').id === 'call-afterwards'").await
}

/// What is refused by something that makes no page is told all the same.
async fn refused(browser: &Browser) -> anyhow::Result<()> {
    let once = "((real) => (window.fetch = async (to, how) => {
                  if (how.method !== 'POST') return real(to, how);
                  window.fetch = real;
                  return new Response('not you', { status: 403 });
                }, true))(window.fetch)";
    browser.evaluate(once).await?;
    browser.element("#read-1").await?.click().await?;
    browser.until("document.querySelector('#notice .notice')?.innerText === '403: not you'").await
}

/// Everything can be reached and done with keys, and has a name.
async fn keyboard(browser: &Browser) -> anyhow::Result<()> {
    named(browser).await?;
    browser.evaluate("document.querySelector('svg.wide .rung').focus()").await?;
    // Enter opens what has the focus, and the focus goes to what it has opened.
    browser.press('\u{E007}').await?;
    browser.until("document.activeElement.id === 'detail-title'").await?;
    // Escape goes back to it.
    browser.press('\u{E00C}').await?;
    browser.until("document.activeElement.matches('.rung.selected')").await
}

async fn named(browser: &Browser) -> anyhow::Result<()> {
    every_page::named(browser).await?;
    let unreached = browser
        .evaluate(
            "[...document.querySelectorAll('main *')]
               .filter(it => ['auto', 'scroll'].includes(getComputedStyle(it).overflowX) && it.scrollWidth > it.clientWidth)
               .filter(it => it.tabIndex < 0 && !it.querySelector('a,button,input'))
               .map(it => it.outerHTML.slice(0, 200))",
        )
        .await?;
    ensure!(unreached == json!([]), "no key reaches what these hide: {unreached}");
    let landmarks = browser
        .evaluate("document.querySelectorAll('header,nav[aria-label],main,section[aria-label],section[aria-labelledby]').length")
        .await?;
    ensure!(landmarks.as_u64() >= Some(4), "{landmarks} landmarks");
    Ok(())
}

/// On a telephone, in light and dark, at every width nothing is wider than the page.
async fn fits(browser: &Browser, pictures: Option<&Path>) -> anyhow::Result<()> {
    for (name, width, height, scheme) in [
        ("page-phone", 390, 844, "light"),
        ("page-phone-dark", 390, 844, "dark"),
        ("page-tablet", 900, 1000, "light"),
        ("page-dark", 1400, 900, "dark"),
        ("page-light", 1400, 900, "light"),
    ] {
        every_page::fits(browser, width, height, scheme).await?;
        if width == 390 {
            let ladder = browser.element("svg.narrow .rung").await?;
            ensure!(ladder.is_shown().await?, "a telephone shows no ladder");
            browser.look(width, 2_000, scheme).await?;
        }
        picture(browser, pictures, name).await?;
    }
    Ok(())
}

/// The page says the same, and its forms do the same, where no script runs.
async fn without_script(browser: &Browser, page: &str) -> anyhow::Result<()> {
    browser.scripts(false).await?;
    browser.open(&format!("{page}call?id=comes-in")).await?;
    let text = browser.text("#shown").await?;
    ensure!(text.contains("CDR missed"), "{text}");
    browser.open(&format!("{page}forwarding")).await?;
    browser.element("#pause-app").await?.click().await?;
    // A click ends before the page that answers the form is there.
    browser.until("document.querySelector('#notice')?.innerText.startsWith('Paused')").await?;
    browser.element("#resume-app").await?.click().await?;
    browser.until("document.querySelector('#notice')?.innerText.startsWith('Resumed')").await?;
    browser.scripts(true).await
}

/// Started again with a token, it shows nothing to whoever has none.
async fn asks_for_its_token(
    world: &World,
    browser: &Browser,
    receiver: Process,
    store: &Path,
) -> anyhow::Result<()> {
    // While the page is open: it must not hold up the end.
    receiver.stop().await.context("with a page open")?;
    let options = ["--page", "127.0.0.1:0", "--page-token", TOKEN];
    let receiver = world.durable.serve("127.0.0.1:0", Kept::Sqlite(store), &options).await?;
    let page = page_of(&receiver)?;
    let answer = reqwest::Client::builder().no_proxy().build()?.get(&page).send().await?;
    ensure!(
        answer.status() == 401 && !answer.text().await?.contains("comes-in"),
        "it was shown without a token"
    );
    let with_token = page.replace("://", &format!("://me:{TOKEN}@"));
    browser.open(&with_token).await?;
    browser.until("document.querySelector('#call-comes-in')").await?;
    // The browser shows it again by itself, also for what the script asks for.
    browser.element("#call-comes-in").await?.click().await?;
    browser.until("document.querySelector('svg.wide .rung')").await?;
    browser.open("about:blank").await?;
    receiver.stop().await
}

fn page_of(receiver: &Process) -> anyhow::Result<String> {
    receiver.told("page: ").context("it does not say where the page is")
}

async fn send(receiver: &Process, body: &[u8]) -> anyhow::Result<u16> {
    let mut connection = Connection::open(receiver.address()).await?;
    Ok(connection.send(&post(receiver.address(), traffic::PATH, body)).await?)
}

/// The CDR of a missed call.
fn call(cmiuuid: &str) -> Vec<u8> {
    format!(
        r#"{{"cmiuuid":"{cmiuuid}","appid":2222222,"leg":"a","status":"missed","duration":0,"direction":"inbound","from":447700900456,"to":441632960000}}"#
    )
    .into_bytes()
}
