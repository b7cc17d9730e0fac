//! The form that places a call.

use std::collections::BTreeMap;
use std::path::{Path as FilePath, PathBuf};

use axum::Form;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use maud::{Markup, html};
use piopiy_events::pcmo::Pcmo;

use super::Console;
use super::acts::{Fields, field, is_key};
use super::page::Page;
use crate::plan::Length;
use crate::platform::config::{Answers, Config, Person};
use crate::platform::exchange::{Exchange, Inbound, Outbound, Placed, Then};

/// Somebody to call from whom nobody owns.
const CUSTOMER: u64 = 447_700_900_123;
/// So many files are offered.
const FILES: usize = 200;

/// A story that can be picked.
struct Scenario {
    id: &'static str,
    title: &'static str,
    is_outbound: bool,
    answers: Answers,
    flow: Flow,
}

enum Flow {
    /// The answer URL is asked.
    Ask,
    /// What is fixed.
    Fixed(&'static str),
    /// The call is streamed to the URL of the form.
    Stream,
}

const SPEAK: Flow =
    Flow::Fixed(r#"[{"action":"speak","text":"Hello. This is a test call. Goodbye."},{"action":"hangup"}]"#);
const BRIDGE: Flow = Flow::Fixed(
    r#"[{"action":"bridge","timeout":20,"connect":[{"type":"pstn","number":442079460000}]},{"action":"hangup"}]"#,
);
const SCENARIOS: [Scenario; 9] = [
    scenario("inbound", "Inbound, my answer URL decides", false, Answers::Yes, Flow::Ask),
    scenario("inbound-stream", "Inbound, streamed to a WebSocket URL", false, Answers::Yes, Flow::Stream),
    scenario("inbound-bridge", "Inbound, put through to a colleague", false, Answers::Yes, BRIDGE),
    scenario("inbound-speak", "Inbound, hears a sentence", false, Answers::Yes, SPEAK),
    scenario("outbound", "Outbound, my answer URL decides", true, Answers::Yes, Flow::Ask),
    scenario("outbound-stream", "Outbound, streamed to a WebSocket URL", true, Answers::Yes, Flow::Stream),
    scenario("outbound-speak", "Outbound, hears a sentence", true, Answers::Yes, SPEAK),
    scenario("outbound-no-answer", "Outbound, nobody picks up", true, Answers::No, SPEAK),
    scenario("outbound-busy", "Outbound, the line is busy", true, Answers::Busy, SPEAK),
];

const fn scenario(
    id: &'static str,
    title: &'static str,
    is_outbound: bool,
    answers: Answers,
    flow: Flow,
) -> Scenario {
    Scenario { id, title, is_outbound, answers, flow }
}

/// The form.
pub(super) fn form(exchange: &Exchange) -> Markup {
    let config = exchange.config();
    let number = config.numbers.first();
    let has_answer_url = number.is_some_and(|number| number.answer_url.is_some());
    let chosen = if has_answer_url { "inbound" } else { "inbound-speak" };
    let files = files(&config);
    html! {
        form.place id="place" method="post" action="/calls" data-keep {
            label for="scenario" { "Scenario" }
            select id="scenario" name="scenario" {
                @for (title, is_outbound) in [("Customers call", false), ("Your number calls: From and To change places", true)] {
                    optgroup label=(title) {
                        @for scenario in SCENARIOS.iter().filter(|it| it.is_outbound == is_outbound) {
                            option value=(scenario.id) selected[scenario.id == chosen] { (scenario.title) }
                        }
                    }
                }
            }
            label for="from" { "From (caller)" }
            input id="from" name="from" inputmode="tel" required autocomplete="off" value={ "+" (CUSTOMER) };
            label for="to" { "To (your number)" }
            @if config.numbers.len() > 1 {
                select id="to" name="to" {
                    @for number in &config.numbers { option value=(number.number) { "+" (number.number) } }
                }
            } @else {
                input id="to" name="to" inputmode="tel" required autocomplete="off"
                    value={ "+" (number.map(|number| number.number).unwrap_or_default()) };
            }
            label for="says" { "Caller says" }
            select id="says" name="says" {
                option value="" { "as configured, else made-up speech" }
                @for file in &files { option value=(file) { (file) } }
            }
            label for="digits" { "Presses, when asked" }
            input id="digits" name="digits" autocomplete="off" placeholder="1, 4711#" aria-describedby="digits-hint";
            p.hint id="digits-hint" { "One entry for each question, with commas between" }
            details id="more" {
                summary { "More" }
                label for="hangs-up" { "Hangs up after (seconds of talk)" }
                input id="hangs-up" name="hangs-up" inputmode="numeric" autocomplete="off" placeholder="never";
                label for="ws" { "WebSocket URL (streamed scenarios)" }
                input id="ws" name="ws" type="url" autocomplete="off" placeholder="ws://127.0.0.1:7000/voice";
                label for="flow" { "Call flow, in place of all that (PCMO)" }
                textarea id="flow" name="flow" rows="4" spellcheck="false" placeholder=r#"[{"action":"hangup"}]"# {}
            }
            button.primary id="call" { "Call" }
        }
    }
}

/// Places the call that the form asks for.
pub(super) async fn place(State(console): State<Console>, Form(fields): Fields) -> Response {
    match placed(&console.exchange, &fields) {
        Ok(placed) => Redirect::to(&format!("/calls/{}", placed.call)).into_response(),
        Err(why) => {
            let why = format!("No call was placed: {why}");
            Page::new(&console).refused(StatusCode::UNPROCESSABLE_ENTITY, &why).render().await
        }
    }
}

fn placed(exchange: &Exchange, fields: &BTreeMap<String, String>) -> Result<Placed, String> {
    let config = exchange.config();
    let wanted = field(fields, "scenario");
    let scenario = SCENARIOS.iter().find(|it| it.id == wanted).ok_or("pick a scenario of the list.")?;
    let from = number(field(fields, "from")).ok_or("From is no telephone number: 1 to 15 digits.")?;
    let to = number(field(fields, "to")).ok_or("To is no telephone number: 1 to 15 digits.")?;
    let mut person = config.person(from, true);
    person.answers = if scenario.is_outbound { scenario.answers } else { person.answers };
    behaves(&mut person, &config, fields)?;
    let flow = match (field(fields, "flow"), &scenario.flow) {
        ("", Flow::Ask) => None,
        ("", Flow::Fixed(text)) => Some(flow(text)?),
        ("", Flow::Stream) => Some(streamed(&config, field(fields, "ws"))?),
        (text, _) => Some(flow(text)?),
    };
    if !scenario.is_outbound {
        let mut inbound = Inbound::from_to(from, to);
        (inbound.caller, inbound.then) = (Some(person), flow);
        return exchange.call_in(inbound).map_err(|error| format!("{error}."));
    }
    let ours = config.number(to).ok_or_else(|| format!("{to} is no number of the account."))?;
    let app = config.app_of(ours).ok_or("the number belongs to no app.")?;
    let then = match (flow, &ours.answer_url) {
        (Some(flow), _) => Then::Flow(flow),
        (None, Some(url)) => Then::Ask(url.clone()),
        (None, None) => {
            return Err("the number has no answer-url: set one, or pick another scenario.".to_owned());
        }
    };
    let mut outbound = Outbound::new(app.appid, to, from, then);
    outbound.customer = Some(person);
    exchange.call_out(outbound).map_err(|error| format!("{error}."))
}

fn behaves(person: &mut Person, config: &Config, fields: &BTreeMap<String, String>) -> Result<(), String> {
    let digits = field(fields, "digits");
    if !digits.is_empty() {
        let entries: Vec<String> = digits.split(',').map(|entry| entry.trim().to_owned()).collect();
        if entries.len() > 20 || entries.iter().any(|entry| entry.len() > 32 || !entry.chars().all(is_key)) {
            return Err("keys are 0 to 9, * and #: 32 for a question, 20 questions.".to_owned());
        }
        person.digits = entries;
    }
    let says = field(fields, "says");
    if !says.is_empty() {
        // One of those that are offered, so that no other path can be read.
        let file = files(config).into_iter().find(|file| file == says).ok_or("that file is not there.")?;
        person.says = config.files.as_ref().map(|folder| folder.join(file));
    }
    let hangs_up = field(fields, "hangs-up");
    if !hangs_up.is_empty() {
        let seconds = hangs_up.parse::<u64>().ok().filter(|seconds| *seconds <= 86_400);
        let seconds = seconds.ok_or("whoever hangs up does so after 0 to 86400 whole seconds.")?;
        person.hangs_up_after = Some(Length::from_millis(seconds * 1_000));
    }
    Ok(())
}

fn streamed(config: &Config, url: &str) -> Result<Pcmo, String> {
    if url.is_empty() {
        return Err(
            "a streamed call needs the WebSocket URL of your application: it is under More.".to_owned()
        );
    }
    config.stream_target(url).map_err(|error| format!("{error}."))?;
    let flow = serde_json::json!([
        {"action": "stream", "ws_url": url, "listen_mode": "both", "voice_quality": "8000", "stream_on_answer": true},
        {"action": "hangup"}
    ]);
    self::flow(&flow.to_string())
}

fn flow(text: &str) -> Result<Pcmo, String> {
    Pcmo::parse(text.as_bytes()).map_err(|error| format!("this is no call flow: {error}."))
}

/// Digits, however they are written.
fn number(text: &str) -> Option<u64> {
    let digits: String = text.chars().filter(|c| !matches!(c, '+' | ' ' | '-' | '(' | ')' | '.')).collect();
    let is_number = (1..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().ok())?
}

/// The WAV files that callers can speak with.
fn files(config: &Config) -> Vec<String> {
    let Some(entries) = config.files.as_ref().and_then(|folder: &PathBuf| std::fs::read_dir(folder).ok())
    else {
        return Vec::new();
    };
    let is_wav =
        |name: &String| FilePath::new(name).extension().is_some_and(|it| it.eq_ignore_ascii_case("wav"));
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut files: Vec<String> = names.filter(is_wav).take(FILES).collect();
    files.sort();
    files
}
