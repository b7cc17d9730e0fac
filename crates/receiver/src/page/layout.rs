//! What is around every page.

use axum::response::Response;
use http::StatusCode;
use maud::{DOCTYPE, Markup, html};

use super::Pages;
use super::ask::Ask;
use super::window::Window;

/// The parts of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tab {
    Calls,
    Webhooks,
    Quarantine,
    Forwarding,
    None,
}

impl Tab {
    const ALL: [(Self, &'static str, &'static str); 4] = [
        (Self::Calls, "Calls", "/"),
        (Self::Webhooks, "Webhooks", "/webhooks"),
        (Self::Quarantine, "Quarantine", "/quarantine"),
        (Self::Forwarding, "Forwarding", "/forwarding"),
    ];
}

/// A page that is about to be shown.
pub(super) struct Shell<'a> {
    title: &'a str,
    tab: Tab,
    /// Whether the store takes webhooks, and the last of them; `None` where nobody asked.
    facts: Option<(bool, u64)>,
    /// Why something is not shown, or was not done.
    pub(super) refusal: Option<String>,
    /// What was done.
    pub(super) done: Option<String>,
    /// What is between the header and the end.
    pub(super) body: Markup,
}

impl<'a> Shell<'a> {
    pub(super) fn new(title: &'a str, tab: Tab) -> Self {
        Self { title, tab, facts: None, refusal: None, done: None, body: html! {} }
    }

    /// A page of what is stored.
    pub(super) fn of(title: &'a str, tab: Tab, ask: &Ask, pages: &Pages, window: &Window) -> Self {
        let mut shell = Self::new(title, tab);
        shell.facts = Some((pages.parts.commits.is_healthy(), window.upto));
        shell.done = done(ask);
        shell
    }

    pub(super) fn respond(&self, status: StatusCode) -> Response {
        super::html(status, self.markup().into_string())
    }

    pub(super) fn markup(&self) -> Markup {
        html! {
            (DOCTYPE)
            html lang="en" {
                (piopiy_ladder::head(&format!("{} · piopiy-receiver", self.title), "/page.css"))
                body {
                    a.skip href="#shown" { "Skip to what is shown" }
                    (self.header())
                    div id="notice" role="alert" {
                        @if let Some(refusal) = &self.refusal { p.notice { (refusal) } }
                        @if let Some(done) = &self.done { p.notice.done { (done) } }
                    }
                    p.sr id="spoken" role="status" {}
                    main.(if self.tab == Tab::Calls { "two" } else { "one" }) { (self.body) }
                }
            }
        }
    }

    fn header(&self) -> Markup {
        html! {
            header {
                h1 { a href="/" { "piopiy-receiver" } }
                nav aria-label="Pages" {
                    @for (tab, name, path) in Tab::ALL {
                        a href=(path) aria-current=[(tab == self.tab).then_some("page")] { (name) }
                    }
                }
                div.facts id="facts" data-live {
                    @if let Some((is_healthy, last)) = self.facts {
                        @if is_healthy { span.tag.ok { "storing" } } @else { span.tag.bad { "the store fails" } }
                        span.num { span.mute { "last record " } (last) }
                    }
                }
                span.tag.mute id="connection" data-gone="the receiver has stopped" hidden {}
            }
        }
    }

    /// The form by which something is looked for on a page, and what is looked at.
    pub(super) fn search(ask: &Ask, path: &str, what: &str, such_as: &str) -> Markup {
        html! {
            form.search method="get" action=(path) role="search" {
                label for="q" { "Search " (what) }
                input id="q" name="q" type="search" value=(ask.q) autocomplete="off" spellcheck="false"
                    placeholder=(such_as) aria-describedby="q-hint";
                button id="search" { "Search" }
                p.hint id="q-hint" { "Every word must be found, or a part of it." }
            }
        }
    }

    /// Which records were looked at, and the way to others.
    pub(super) fn reach(ask: &Ask, path: &str, window: &Window) -> Markup {
        let older = window.older().map(|seq| seq.to_string());
        html! {
            @if let Some(before) = ask.before() {
                p.hint {
                    "Of the records up to " (before) ". "
                    a href=(ask.to(path, &[("before", ""), ("id", &ask.id)])) { "Show the last ones" }
                }
            }
            @if let (Some(older), Some(first)) = (older, window.digests.front()) {
                p.hint {
                    "Records before " (first.seq) " were not looked at. "
                    a href=(ask.to(path, &[("before", &older), ("id", &ask.id)])) { "Look further back" }
                }
            }
        }
    }

    /// The way to what is listed before and behind.
    pub(super) fn turn(ask: &Ask, path: &str, listed: usize, all: usize) -> Markup {
        let skip = ask.skip();
        let at = |skip: usize| {
            ask.to(path, &[("skip", &if skip == 0 { String::new() } else { skip.to_string() })])
        };
        html! {
            @if skip > 0 || skip + listed < all {
                p.turn {
                    @if skip > 0 { a href=(at(skip.saturating_sub(super::calls::LISTED))) { "Newer" } " " }
                    span.mute { (skip + 1) " to " (skip + listed) " of " (all) } " "
                    @if skip + listed < all { a href=(at(skip + listed)) { "Older" } }
                }
            }
        }
    }
}

/// What was done, as the address of the page that followed has it.
fn done(ask: &Ask) -> Option<String> {
    let n = ask.n()?;
    Some(match ask.done.as_str() {
        "became" => format!("It is webhook {n} now."),
        "was" => format!("It is webhook {n} already, and was not stored again."),
        "read" => format!("Became webhooks: {n}."),
        "paused" => "Paused: nothing is delivered there until it is resumed.".to_owned(),
        "resumed" => "Resumed.".to_owned(),
        "replayed" => format!("To be delivered again: {n}."),
        _ => return None,
    })
}
