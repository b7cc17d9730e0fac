//! What holds for every page, wherever it is: what can be done has a name, and nothing is wider than the window.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use serde_json::json;

use super::webdriver::Browser;

/// Where pictures go that somebody wants to look at.
const PICTURES: &str = "PIOPIY_CONSOLE_PICTURES";

/// The folder for pictures, where somebody wants any.
pub(super) fn pictures() -> Option<PathBuf> {
    std::env::var_os(PICTURES).map(PathBuf::from)
}

pub(super) async fn picture(browser: &Browser, folder: Option<&Path>, name: &str) -> anyhow::Result<()> {
    match folder {
        Some(folder) => save(folder, name, &browser.screenshot().await?),
        None => Ok(()),
    }
}

pub(super) fn save(folder: &Path, name: &str, png: &[u8]) -> anyhow::Result<()> {
    let file = folder.join(format!("{name}.png"));
    std::fs::write(&file, png).with_context(|| format!("cannot write {}", file.display()))
}

/// Whoever hears a page is told what everything is that can be done on it.
pub(super) async fn named(browser: &Browser) -> anyhow::Result<()> {
    let nameless = browser
        .evaluate(
            "[...document.querySelectorAll('button,a,input:not([type=hidden]),select,textarea,summary,audio')]
               .filter(it => !(it.textContent.trim() || it.getAttribute('aria-label') || it.labels?.length))
               .map(it => it.outerHTML)",
        )
        .await?;
    ensure!(nameless == json!([]), "these have no name: {nameless}");
    Ok(())
}

/// In a window of that size nothing is wider than it, and the page is light or dark as it is wanted.
pub(super) async fn fits(browser: &Browser, width: u32, height: u32, scheme: &str) -> anyhow::Result<()> {
    browser.look(width, height, scheme).await?;
    let over = browser.evaluate("document.documentElement.scrollWidth - innerWidth").await?;
    ensure!(over.as_i64() <= Some(0), "at {width} px the page is {over} px wider than the window");
    let dark = browser.evaluate("getComputedStyle(document.body).backgroundColor").await?;
    ensure!((dark == "rgb(15, 18, 22)") == (scheme == "dark"), "{scheme}: the background is {dark}");
    Ok(())
}
