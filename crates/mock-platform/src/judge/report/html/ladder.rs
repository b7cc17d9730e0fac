use maud::{Markup, html};

use crate::judge::report::rows::{Row, Tone, effect_text, rows, short_id};
use crate::judge::report::{AttemptRecord, CaseRecord};

/// The ladder of a case: time goes down, the platform is on the left, the receiver on the right.
pub(super) fn drawn(case: &CaseRecord) -> Markup {
    html! {
        div.ladder role="group" aria-label="Ladder" {
            div.rung.lanes aria-hidden="true" {
                span.at {}
                span.lane { span { "platform" } span { "receiver" } }
                span.answer {}
            }
            @for row in rows(&case.ladder) {
                @match row.attempt {
                    Some(attempt) => (attempted(&row, attempt)),
                    None => div.rung.event {
                        span.at {}
                        span.lane { span.what { (row.what) } }
                        span.answer {}
                    },
                }
            }
            @for effect in &case.ladder.observed {
                div.rung.effect {
                    span.at {}
                    span.lane { span.what {
                        @if let Some(id) = short_id(effect.cmiuuid.as_deref()) { span.connection { (id) } }
                        "effect " (effect_text(effect))
                    } }
                    span.answer {}
                }
            }
        }
        @if let (Some(count), true) = (case.effects, case.ladder.observed.is_empty()) {
            p.mute { (count) " effects were seen" }
        }
        @if case.ladder.is_cut {
            p.mute { "Not all of its " (case.ladder.connections) " connections and effects are shown." }
        }
    }
}

fn attempted(row: &Row<'_>, attempt: &AttemptRecord) -> Markup {
    let kind = match attempt.webhook.as_ref().map(|webhook| webhook.kind.as_str()) {
        Some("cdr") => "cdr",
        Some("event") => "live",
        _ => "flow",
    };
    let is_open = !attempt.sent.is_empty() || !attempt.answer.is_empty();
    let id = short_id(attempt.webhook.as_ref().and_then(|webhook| webhook.cmiuuid.as_deref()));
    let line = html! {
        span.at { (row.at) }
        span.lane {
            span.what { (row.what) }
            span.connection { @if let Some(id) = id { (id) " " } (row.connection) }
        }
        span.answer.(tone(row.tone)) { (row.answer) }
    };
    html! {
        @if is_open {
            details.attempt {
                summary.rung.(kind) { (line) }
                div.bytes {
                    @if !attempt.sent.is_empty() { pre tabindex="0" { (attempt.sent) } }
                    @if !attempt.answer.is_empty() { pre.(tone(row.tone)) tabindex="0" { (attempt.answer) } }
                }
            }
        } @else {
            div.rung.(kind) { (line) }
        }
    }
}

fn tone(tone: Tone) -> &'static str {
    match tone {
        Tone::Good => "pass",
        Tone::Odd => "warn",
        Tone::Bad => "fail",
        Tone::Plain => "mute",
    }
}
