//! The conformance suite against the webhook URL, in this process, and its report.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::AssertUnwindSafe;
use std::str::FromStr as _;
use std::sync::{Mutex, PoisonError};

use axum::Form;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use futures_util::FutureExt as _;
use maud::{Markup, html};
use tokio::sync::watch;

use super::Console;
use super::acts::{Fields, field};
use super::page::Page;
use crate::deliver::check_run::{
    CheckOptions, CheckRunError, Observation, Progress, broken, empty, run_checks,
};
use crate::deliver::{Target, fresh};
use crate::judge::check::{Check, Group, Tag, all};
use crate::judge::report::{CheckReport, CheckSummary, reporter};
use crate::judge::reproducer::quoted;
use crate::plan::{Nonce, Seed};

/// What the report may do: it is one file, with its style and script in it.
const REPORT_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; \
                             form-action 'none'; frame-ancestors 'none'";
/// So many of the checks that run are named.
const NAMED: usize = 6;

/// The run of checks that is on, and the last report.
#[derive(Debug)]
pub(super) struct Checking {
    state: Mutex<Runs>,
    changed: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct Runs {
    run: Option<Run>,
    last: Option<Last>,
}

#[derive(Debug)]
struct Run {
    target: String,
    over: usize,
    of: usize,
    running: BTreeSet<String>,
    stop: watch::Sender<bool>,
}

#[derive(Debug)]
struct Last {
    target: String,
    summary: CheckSummary,
    error: Option<String>,
    interrupted: bool,
    html: String,
}

impl Default for Checking {
    fn default() -> Self {
        Self { state: Mutex::default(), changed: watch::channel(()).0 }
    }
}

impl Checking {
    /// Tells when a run has come further.
    pub(super) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// How far the run is, in a few words; nothing where none is on.
    pub(super) fn so_far(&self) -> Option<String> {
        self.read(|state| state.run.as_ref().map(|run| format!("{} of {}", run.over, run.of)))
    }

    fn read<T>(&self, read: impl FnOnce(&Runs) -> T) -> T {
        read(&self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn change(&self, change: impl FnOnce(&mut Runs)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.send_replace(());
    }

    /// Takes the place of the run that is on, if none is.
    fn begin(&self, target: &Target, of: usize) -> Option<watch::Receiver<bool>> {
        let (stop, stopped) = watch::channel(false);
        let mut begun = false;
        self.change(|state| {
            if state.run.is_none() {
                begun = true;
                state.run = Some(Run { target: target.shown(), over: 0, of, running: BTreeSet::new(), stop });
            }
        });
        begun.then_some(stopped)
    }

    fn end(&self, report: &CheckReport) {
        let html = reporter("html").map(|html| html.render(report)).unwrap_or_default();
        let last = Last {
            target: report.target.clone(),
            summary: report.summary,
            error: report.error.clone(),
            interrupted: report.interrupted,
            html,
        };
        self.change(|state| (state.run, state.last) = (None, Some(last)));
    }
}

impl Progress for Checking {
    fn begun(&self, check: &str) {
        self.change(|state| {
            if let Some(run) = &mut state.run {
                run.running.insert(check.to_owned());
            }
        });
    }

    fn over(&self, over: usize, of: usize, check: &str) {
        self.change(|state| {
            if let Some(run) = &mut state.run {
                run.running.remove(check);
                (run.over, run.of) = (over, of);
            }
        });
    }
}

/// How far it is, and what was found.
pub(super) async fn shown(State(console): State<Console>) -> Response {
    let body = body(&console);
    Page::new(&console).in_place_of_calls("Conformance checks", body).render().await
}

/// The report of the last run.
pub(super) async fn report(State(console): State<Console>) -> Response {
    match console.checking.read(|state| state.last.as_ref().map(|last| last.html.clone())) {
        Some(report) => super::html(StatusCode::OK, report, REPORT_POLICY),
        None => super::unknown(&console, "There is no report yet: run the checks first.").await,
    }
}

/// Starts the suite.
pub(super) async fn start(State(console): State<Console>, Form(fields): Fields) -> Response {
    match begin(&console, &fields) {
        Ok(()) => Redirect::to("/checks").into_response(),
        Err(why) => {
            let body = body(&console);
            let page = Page::new(&console).in_place_of_calls("Conformance checks", body);
            page.refused(StatusCode::CONFLICT, &format!("The checks were not started: {why}")).render().await
        }
    }
}

/// Ends the run: what is not over is left out of the report.
pub(super) async fn stop(State(console): State<Console>) -> Response {
    console.checking.read(|state| {
        if let Some(run) = &state.run {
            run.stop.send_replace(true);
        }
    });
    Redirect::to("/checks").into_response()
}

fn begin(console: &Console, fields: &BTreeMap<String, String>) -> Result<(), String> {
    let config = console.exchange.config();
    let url = webhook_url(console).ok_or("no number has a webhook URL: set `event-url` or `cdr-url`.")?;
    let target = console.exchange.target(&config, &url).map_err(|error| format!("{error}."))?;
    let group = match field(fields, "group") {
        "" => None,
        text => Some(Group::from_str(text).map_err(|_| format!("there is no group `{text}`."))?),
    };
    let slow = !field(fields, "slow").is_empty();
    let observe = match field(fields, "observe") {
        "" => None,
        url => Some(Target::parse(url, &config.allow_hosts).map_err(|error| format!("{error}."))?),
    };
    let options = CheckOptions {
        profile: config.profile,
        seed: Seed(fresh()),
        nonce: Nonce(fresh()),
        again: again(&target, observe.as_ref(), group, slow),
        observation: observe.map(Observation::Url),
        ..CheckOptions::default()
    };
    let checks = selected(group, slow);
    let Some(mut stopped) = console.checking.begin(&target, checks.len()) else {
        return Err("they run already; stop them first.".to_owned());
    };
    let checking = console.checking.clone();
    tokio::spawn(async move {
        let stop = async move {
            // Without a sender nobody can stop it.
            if stopped.wait_for(|stopped| *stopped).await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        let run = Box::pin(run_checks(&target, &checks, &options, &*checking, stop));
        checking.end(&reported(run, &target, &checks, &options).await);
    });
    Ok(())
}

/// The report of a run, however it ends: who starts the next one is not to wait for it.
async fn reported(
    run: impl Future<Output = Result<CheckReport, CheckRunError>>,
    target: &Target,
    checks: &[&'static Check],
    options: &CheckOptions,
) -> CheckReport {
    // Nothing of the run is looked at behind a panic.
    match AssertUnwindSafe(run).catch_unwind().await {
        Ok(Ok(report)) => report,
        Ok(Err(error)) => broken(target, checks, options, &error),
        Err(_) => {
            let mut report = empty(target, options);
            report.error = Some("a defect of piopiy-mock: please report what it wrote to stderr".to_owned());
            report
        }
    }
}

/// The command that runs the same, for the report.
fn again(target: &Target, observe: Option<&Target>, group: Option<Group>, slow: bool) -> String {
    let observe = observe.map(|url| format!(" --observe-url {}", quoted(&url.shown()))).unwrap_or_default();
    let group = group.map(|group| format!(" --group {group}")).unwrap_or_default();
    let all = if slow { " --all" } else { "" };
    format!("piopiy-mock check {}{observe}{group}{all}", quoted(&target.shown()))
}

/// Those of one group or of all; those that wait for minutes where they are asked for, and none that takes hours.
fn selected(group: Option<Group>, slow: bool) -> Vec<&'static Check> {
    let is_wanted = |check: &&'static Check| {
        let waits = check.tags.contains(&Tag::Slow) && !slow || check.tags.contains(&Tag::Soak);
        !waits && group.is_none_or(|group| check.group() == group)
    };
    all().into_iter().filter(is_wanted).collect()
}

fn webhook_url(console: &Console) -> Option<String> {
    let config = console.exchange.config();
    config.numbers.iter().find_map(|number| number.cdr_url.clone().or_else(|| number.event_url.clone()))
}

fn body(console: &Console) -> Markup {
    console.checking.read(|state| {
        html! {
            div id="checks" data-live {
                @if let Some(run) = &state.run {
                    p { "Running against " code { (run.target) } }
                    progress.checks max=(run.of.max(1)) value=(run.over) aria-label="Checks that are over" {}
                    p data-say { (run.over) " of " (run.of) " checks are over" }
                    p.mute { (running(run)) }
                    form method="post" action="/checks/stop" { button id="stop-checks" { "Stop" } }
                } @else {
                    @if let Some(last) = &state.last { (told(last)) }
                    form.checks method="post" action="/checks" {
                        p.mute {
                            "The checks send your receiver what the platform may send: repeats, webhooks out of order, broken and hostile ones. "
                            "Run them against a receiver whose data you can lose."
                        }
                        label for="group" { "Which" }
                        select id="group" name="group" {
                            option value="" { "all groups" }
                            @for group in Group::ALL { option value=(group) { (group) ": " (group.title()) } }
                        }
                        div.tick {
                            input id="slow" name="slow" type="checkbox" value="on";
                            label for="slow" { "Those that wait for minutes, too" }
                        }
                        label for="observe" { "Where its effects can be seen (URL, optional)" }
                        input id="observe" name="observe" type="url" autocomplete="off" placeholder="http://127.0.0.1:5000/__observe";
                        button.primary id="start-checks" { "Run checks" }
                    }
                }
            }
        }
    })
}

fn running(run: &Run) -> String {
    let named: Vec<&str> = run.running.iter().take(NAMED).map(String::as_str).collect();
    let more = run.running.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", named.join(", "))
}

fn told(last: &Last) -> Markup {
    let summary = &last.summary;
    html! {
        p { "The last run, against " code { (last.target) } }
        @if let Some(error) = &last.error { p.bad { "They could not be run: " (error) } }
        @if last.interrupted { p.warn { "It was stopped before its end." } }
        p.result data-say {
            span.ok { (summary.passed) " passed" } ", "
            span.(if summary.failed > 0 { "bad" } else { "mute" }) { (summary.failed) " failed" } ", "
            span.mute { (summary.warned) " warned, " (summary.not_observed + summary.not_applicable) " not seen" }
        }
        p { a.button id="report" href="/checks/report" { "Read the report" } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_run_that_breaks_off_is_over_and_says_so() {
        let checking = Checking::default();
        let target = Target::parse("http://127.0.0.1:5000/webhook", &[]).unwrap();
        assert!(checking.begin(&target, 1).is_some() && checking.begin(&target, 1).is_none());
        let run = async { panic!("a defect, on purpose") };
        checking.end(&reported(run, &target, &[], &CheckOptions::default()).await);
        assert!(checking.read(|state| state.last.as_ref().unwrap().error.is_some()));
        assert!(checking.begin(&target, 1).is_some());
    }

    #[test]
    fn a_selection_is_what_the_command_runs() {
        let count = |group, slow| selected(group, slow).len();
        assert!(count(None, false) < count(None, true));
        assert!(count(None, true) < all().len(), "none that soaks");
        let groups: usize = Group::ALL.into_iter().map(|group| count(Some(group), true)).sum();
        assert_eq!(groups, count(None, true));
        let target = Target::parse("http://127.0.0.1:5000/webhook", &[]).unwrap();
        let group = Some(Group::ALL[0]);
        assert_eq!(again(&target, None, None, false), "piopiy-mock check 'http://127.0.0.1:5000/webhook'");
        let ends = format!(" --group {} --all", Group::ALL[0]);
        assert!(again(&target, None, group, true).ends_with(&ends));
    }
}
