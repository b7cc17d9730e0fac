//! Requests that belong to no call: a wrong secret, a body that is refused, a base URL that lacks its `/v3`.

use maud::{Markup, html};

use super::{detail, words};
use crate::deliver::ledger::MessageEntry;
use crate::platform::exchange::Exchange;

/// So many are listed.
const LISTED: usize = 20;

/// Nothing, where there are none.
pub(super) fn requests(exchange: &Exchange) -> Markup {
    let (newest, seen) = exchange.board().newest_loose(LISTED);
    html! {
        @if !newest.is_empty() {
            h2 { "Requests without a call" }
            ul.loose {
                @for (number, message) in &newest { li { (request(*number, message)) } }
            }
            @if seen > newest.len() as u64 { p.mute { (seen - newest.len() as u64) " older ones are not listed." } }
        }
    }
}

fn request(number: u64, message: &MessageEntry) -> Markup {
    let why = refusal(message);
    let tone = if why.is_some() { "bad" } else { "ok" };
    html! {
        details id={ "request-" (number) } {
            summary {
                span.dot.(tone) {}
                // The label ends with the status.
                span.what { (message.label) }
                span.mute.num { (words::seconds(message.at_ms)) }
                @if let Some(why) = &why { span.why.bad { (why) } }
            }
            @if let Some(url) = &message.url { p { span.mute { "to " } code { (url) } } }
            @if let Some(choice) = &message.choice { p.warn { (choice) } }
            @if let Some(request) = &message.request { h3 { "Sent" } (detail::bytes(request)) }
            @else { p.mute { "Its body is no JSON, or there is none." } }
            @if let Some(answer) = &message.answer { h3 { "Answered" } (detail::bytes(answer)) }
        }
    }
}

/// Why it was refused; the first generation answers 200 and says so in the body.
fn refusal(message: &MessageEntry) -> Option<String> {
    let answer: serde_json::Value = serde_json::from_slice(message.answer.as_ref()?.as_bytes()).ok()?;
    let is_refused = answer.get("error").is_some() || answer.get("msg").is_some();
    let text = ["message", "msg", "error"].iter().find_map(|key| answer.get(key)?.as_str())?;
    is_refused.then(|| text.to_owned())
}
