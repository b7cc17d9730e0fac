//! The page around it all.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use axum::response::Response;
use maud::{DOCTYPE, Markup, html};
use piopiy_ladder::POLICY;

use super::{Console, audio, detail, ladder, list, loose, place, recordings, words};
use crate::deliver::Target;
use crate::platform::board::CallView;
use crate::platform::exchange::{Exchange, lock};

/// How long it is believed that somebody listens, or nobody.
const BELIEVED: Duration = Duration::from_secs(1);
/// How long a connection may take.
const CONNECT: Duration = Duration::from_millis(300);
const KEYS: [&str; 12] = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "*", "0", "#"];

/// A page that is about to be shown.
pub(super) struct Page<'a> {
    console: &'a Console,
    status: StatusCode,
    notice: Option<String>,
    call: Option<CallView>,
    row: Option<usize>,
    other: Option<(&'static str, Markup)>,
}

/// Whether somebody listens at a URL, remembered for a moment.
#[derive(Debug, Default)]
pub(super) struct Listening {
    last: Mutex<Option<(String, Instant, bool)>>,
}

impl Listening {
    async fn at(&self, target: &Target) -> bool {
        let authority = target.authority();
        if let Some((known, when, listens)) = &*lock(&self.last)
            && *known == authority
            && when.elapsed() < BELIEVED
        {
            return *listens;
        }
        let connected = tokio::time::timeout(CONNECT, tokio::net::TcpStream::connect(&authority)).await;
        let listens = matches!(connected, Ok(Ok(_)));
        *lock(&self.last) = Some((authority, Instant::now(), listens));
        listens
    }
}

impl<'a> Page<'a> {
    pub(super) fn new(console: &'a Console) -> Self {
        Self { console, status: StatusCode::OK, notice: None, call: None, row: None, other: None }
    }

    /// Shows a call, and a message of it.
    pub(super) fn of(mut self, call: CallView, row: Option<usize>) -> Self {
        (self.call, self.row) = (Some(call), row);
        self
    }

    /// Says that something was not done.
    pub(super) fn refused(mut self, status: StatusCode, why: &str) -> Self {
        (self.status, self.notice) = (status, Some(why.to_owned()));
        self
    }

    /// Shows something else where the ladder is.
    pub(super) fn in_place_of_calls(mut self, title: &'static str, body: Markup) -> Self {
        self.other = Some((title, body));
        self
    }

    pub(super) async fn render(self) -> Response {
        let status = self.status;
        let page = self.markup().await.into_string();
        super::html(status, page, POLICY)
    }

    async fn markup(&self) -> Markup {
        let exchange = &self.console.exchange;
        let title = match (&self.other, &self.call) {
            (Some((title, _)), _) => format!("{title} · PIOPIY, offline"),
            (None, Some(view)) => format!("Call {} · PIOPIY, offline", view.call),
            (None, None) => "PIOPIY, offline".to_owned(),
        };
        let header = self.header().await;
        let recordings = match &self.call {
            Some(view) => recordings::of(exchange, &self.console.waves, view).await,
            None => html! {},
        };
        html! {
            (DOCTYPE)
            html lang="en" {
                (piopiy_ladder::head(&title, "/console.css"))
                body {
                    a.skip href="#shown" { "Skip to the ladder" }
                    (header)
                    div id="notice" role="alert" {
                        @if let Some(notice) = &self.notice { p.notice { (notice) } }
                    }
                    p.sr id="spoken" role="status" {}
                    main {
                        div.left {
                            section.card aria-labelledby="place-title" {
                                h2 id="place-title" { "Place a call" }
                                (place::form(exchange))
                            }
                            section.card aria-labelledby="digits-title" {
                                div id="pad" data-live { (self.pad()) }
                            }
                            section.card aria-labelledby="faults-title" { (self.faults()) }
                        }
                        section.card.list aria-labelledby="calls-title" {
                            h2 id="calls-title" { "Calls, newest first" }
                            div id="calls" data-live { (list::calls(exchange, self.call.as_ref().map(|view| view.call))) }
                            div id="loose" data-live { (loose::requests(exchange)) }
                        }
                        section.card.shown id="shown" tabindex="-1" aria-label=(self.other.as_ref().map_or("Call ladder", |(title, _)| title)) {
                            @match &self.other {
                                Some((title, body)) => { h2 { (title) } (body) }
                                None => {
                                    div.ladders id="ladder" data-live { (self.ladder()) }
                                    div.recordings id="recordings" data-live { (recordings) }
                                    div.detail id="detail" data-live {
                                        @if let (Some(view), Some(row)) = (&self.call, self.row) {
                                            (detail::detail(exchange, view, row))
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    async fn header(&self) -> Markup {
        let exchange = &self.console.exchange;
        let config = exchange.config();
        let account = self.call.as_ref().map(|view| (view.begin.appid, view.begin.account));
        let first = || config.numbers.first().and_then(|it| Some((config.app_of(it)?.appid, it.number)));
        let targets = account.or_else(first).and_then(|(appid, number)| exchange.targets(appid, number));
        let target = targets.map(|targets| targets.cdr.clone());
        let listens = match &target {
            Some(target) => self.console.listening.at(target).await,
            None => false,
        };
        html! {
            header {
                h1 { a href="/" { "PIOPIY, offline" } }
                div.facts id="facts" data-live {
                    (fact("profile", config.profile.as_str()))
                    (fact("time ×", &config.time_scale.to_string()))
                    (fact("redelivery", config.delivery.cdr_policy.as_str()))
                    @if let Some(faults) = faults_in_words(exchange) { (fact("faults", &faults)) }
                    @if let Some(faults) = audio::in_words(exchange) { (fact("audio faults", &faults)) }
                }
                div.target id="target" data-live {
                    @match &target {
                        Some(target) => {
                            span.mute { "webhooks to" }
                            code { (target.shown().trim_start_matches("http://")) }
                            @let (word, class) = answering(exchange, listens);
                            span.tag.(class) { (word) }
                        }
                        None => { span.mute { "webhooks to" } span.tag.warn { "no URL yet" } }
                    }
                }
                span.tag.mute id="connection" data-gone="the platform has stopped" hidden {}
                div id="checks-now" data-live {
                    @match self.console.checking.so_far() {
                        Some(so_far) => { a.button href="/checks" { "Checks: " (so_far) } }
                        None => {
                            form method="post" action="/checks" { button id="run-checks" { "Run checks" } }
                            a href="/checks" { "Checks" }
                        }
                    }
                }
            }
        }
    }

    fn ladder(&self) -> Markup {
        let Some(view) = &self.call else {
            return html! {
                h2 { "Ladder" }
                p.mute { "Pick a call, or place one: every message of it is drawn here, as it happens." }
            };
        };
        let exchange = &self.console.exchange;
        let (config, now_ms) = (exchange.config(), exchange.now_ms());
        let schedule: Vec<u64> = config.delivery.schedule.iter().map(|length| length.millis()).collect();
        let (state, _) = words::state(&view.brief(), &schedule, now_ms);
        html! {
            div.head {
                h2 { "Ladder · seed " (format!("{:#x}", exchange.seed().0)) " · call " (view.call) }
                p.mute data-say { span.sr { "Call " (view.call) ": " } (state) }
            }
            @for (nth, figures) in view.streams().enumerate() {
                p.mute.num { "stream " (nth + 1) " · " (figures) }
            }
            (ladder::drawn(view, self.row, config.time_scale))
        }
    }

    /// Keys, and ways to end it, for the call that is shown.
    fn pad(&self) -> Markup {
        let view = self.call.as_ref().filter(|view| !view.is_over && !is_ended(view));
        let disabled = view.is_none();
        let to = |what: &str| format!("/calls/{}/{what}", view.map(|view| view.call).unwrap_or_default());
        html! {
            h2 id="digits-title" { "Digits for the selected call" }
            form.pad method="post" action=(to("digits")) data-quiet {
                @for key in KEYS {
                    button id={ "key-" (key) } name="digits" value=(key) disabled[disabled] { (key) }
                }
            }
            form.ends method="post" action=(to("hangup")) data-quiet {
                button id="hang-up" name="by" value="caller" disabled[disabled] { "Caller hangs up" }
                button id="hang-up-callee" name="by" value="callee" disabled[disabled] { "Callee hangs up" }
            }
            form.ends method="post" action=(to("stream")) data-quiet {
                label.sr for="code" { "Close code of the stream" }
                select id="code" name="code" disabled[disabled] {
                    option value="" { "it breaks" }
                    option value="1000" { "closes: 1000" }
                    option value="1001" { "closes: 1001" }
                    option value="1011" { "closes: 1011" }
                }
                button id="drop-stream" disabled[disabled] { "Drop stream" }
            }
            @if disabled { p.hint { "No call is selected that is on." } }
        }
    }

    fn faults(&self) -> Markup {
        let faults = self.console.exchange.faults();
        let rates = [
            ("duplicate", "Duplicated", faults.duplicate),
            ("reorder", "Out of order", faults.reorder),
            ("delay", "Late", faults.delay),
            ("loss", "Never sent", faults.loss),
        ];
        let back = self.call.as_ref().map(|view| format!("/calls/{}", view.call)).unwrap_or_default();
        html! {
            h2 id="faults-title" { "Faults, % of webhooks" }
            form.faults method="post" action="/faults" data-quiet {
                input type="hidden" name="back" value=(back);
                @for (name, label, rate) in rates {
                    label for={ "fault-" (name) } { (label) }
                    input id={ "fault-" (name) } name=(name) type="number" min="0" max="100" step="any" value=(percent(rate));
                }
                button id="set-faults" { "Set faults" }
            }
            (audio::faults(&self.console.exchange, &back))
        }
    }
}

fn is_ended(view: &CallView) -> bool {
    use piopiy_events::Phase;
    matches!(view.phase, Phase::EndedAnswered | Phase::EndedMissed)
}

fn fact(name: &str, value: &str) -> Markup {
    html! { span.fact { span.mute { (name) " " } (value) } }
}

/// Whether the receiver does anything, as far as can be seen.
fn answering(exchange: &Exchange, listens: bool) -> (&'static str, &'static str) {
    if !listens {
        return ("nobody listens", "bad");
    }
    let (newest, _) = exchange.board().newest(5);
    let attempts = newest.iter().flat_map(|call| &call.webhooks).flat_map(|row| &row.attempts);
    match attempts.max_by_key(|attempt| attempt.start_ms).map(|attempt| attempt.status.is_some()) {
        Some(true) => ("answering", "ok"),
        Some(false) => ("not answering", "bad"),
        None => ("listening", "ok"),
    }
}

fn faults_in_words(exchange: &Exchange) -> Option<String> {
    let faults = exchange.faults();
    let rates = [
        ("duplicate", faults.duplicate),
        ("reorder", faults.reorder),
        ("delay", faults.delay),
        ("loss", faults.loss),
    ];
    let told: Vec<String> = rates
        .into_iter()
        .filter(|(_, rate)| *rate > 0.0)
        .map(|(name, rate)| format!("{name} {} %", percent(rate)))
        .collect();
    (!told.is_empty()).then(|| told.join(", "))
}

/// A probability in percent, to three decimals at most.
fn percent(rate: f64) -> f64 {
    (rate * 100_000.0).round() / 1_000.0
}
