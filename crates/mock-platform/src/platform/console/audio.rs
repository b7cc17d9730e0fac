//! What goes wrong with audio streams on purpose: buttons, and a form for what they do not have.

use axum::Form;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use maud::{Markup, html};

use super::Console;
use super::acts::{Fields, back, field, percent};
use super::page::Page;
use crate::platform::exchange::Exchange;
use crate::platform::stream::StreamFaults;

/// What a button sets.
struct Preset {
    id: &'static str,
    label: &'static str,
    title: &'static str,
    faults: StreamFaults,
}

const NONE: StreamFaults = StreamFaults {
    drop_after_ms: None,
    close_after_ms: None,
    close_code: None,
    late: 0.0,
    late_ms: 0,
    jitter_ms: 0,
};

const PRESETS: [Preset; 5] = [
    preset(
        "drop",
        "Breaks",
        "after 3 s, without a word: 1006",
        StreamFaults { drop_after_ms: Some(3_000), ..NONE },
    ),
    preset("late", "Late frames", "5 % by 200 ms", StreamFaults { late: 0.05, late_ms: 200, ..NONE }),
    preset("jitter", "Jitter", "up to 30 ms", StreamFaults { jitter_ms: 30, ..NONE }),
    preset(
        "close",
        "Bad close",
        "after 3 s, with 4999",
        StreamFaults { close_after_ms: Some(3_000), close_code: Some(4_999), ..NONE },
    ),
    preset("none", "None", "as it should be", NONE),
];

const fn preset(id: &'static str, label: &'static str, title: &'static str, faults: StreamFaults) -> Preset {
    Preset { id, label, title, faults }
}

/// The forms; `to` is the page that they are on.
pub(super) fn faults(exchange: &Exchange, to: &str) -> Markup {
    let now = exchange.stream_faults();
    let text = |value: Option<u64>| value.map(|value| value.to_string()).unwrap_or_default();
    let fields = [
        ("drop-after-ms", "Breaks after, ms", text(now.drop_after_ms), "86400000"),
        ("close-after-ms", "Closes after, ms", text(now.close_after_ms), "86400000"),
        ("close-code", "with the code", text(now.close_code.map(u64::from)), "4999"),
        ("late", "Late frames, %", ((now.late * 100_000.0).round() / 1_000.0).to_string(), "100"),
        ("late-ms", "late by, ms", now.late_ms.to_string(), "600000"),
        ("jitter-ms", "Jitter, ms", now.jitter_ms.to_string(), "600000"),
    ];
    html! {
        h2 id="stream-faults-title" { "Faults of audio streams that are opened from now on" }
        form method="post" action="/stream/faults" data-quiet {
            input type="hidden" name="back" value=(to);
            div.ends role="group" aria-labelledby="stream-faults-title" {
                @for preset in &PRESETS {
                    button id={ "stream-fault-" (preset.id) } name="preset" value=(preset.id) title=(preset.title)
                        aria-pressed=(if now == preset.faults { "true" } else { "false" }) { (preset.label) }
                }
            }
        }
        details {
            summary { "Others" }
            form.faults method="post" action="/stream/faults" data-quiet {
                input type="hidden" name="back" value=(to);
                @for (name, label, value, most) in &fields {
                    label for={ "stream-" (name) } { (label) }
                    input id={ "stream-" (name) } name=(name) type="number" min="0" max=(most) step="any" value=(value);
                }
                button id="set-stream-faults" { "Set faults of streams" }
            }
        }
    }
}

/// What goes wrong, in a line; nothing where nothing does.
pub(super) fn in_words(exchange: &Exchange) -> Option<String> {
    let now = exchange.stream_faults();
    let mut told = Vec::new();
    if let Some(ms) = now.drop_after_ms {
        told.push(format!("breaks after {ms} ms"));
    }
    match (now.close_after_ms, now.close_code) {
        (Some(ms), code) => told.push(format!("closes after {ms} ms with {}", code.unwrap_or(1011))),
        (None, Some(code)) => told.push(format!("closes with {code}")),
        (None, None) => {}
    }
    if now.late > 0.0 && now.late_ms > 0 {
        told.push(format!("{} % late by {} ms", (now.late * 100_000.0).round() / 1_000.0, now.late_ms));
    }
    if now.jitter_ms > 0 {
        told.push(format!("jitter {} ms", now.jitter_ms));
    }
    (!told.is_empty()).then(|| told.join(", "))
}

/// What goes wrong with streams from now on: what a button says, or the fields; what is left out goes wrong no more.
pub(super) async fn set_faults(State(console): State<Console>, Form(fields): Fields) -> Response {
    let wanted = match field(&fields, "preset") {
        "" => read(&|name| field(&fields, name)),
        id => PRESETS
            .iter()
            .find(|preset| preset.id == id)
            .map(|preset| preset.faults)
            .ok_or_else(|| format!("`preset` is {id:?}: there is no such button")),
    };
    match wanted.and_then(|faults| console.exchange.set_stream_faults(faults)) {
        Ok(()) => Redirect::to(back(&fields)).into_response(),
        Err(why) => {
            let why = format!("The faults of streams stay as they are: {why}.");
            Page::new(&console).refused(StatusCode::UNPROCESSABLE_ENTITY, &why).render().await
        }
    }
}

fn read<'a>(field: &dyn Fn(&str) -> &'a str) -> Result<StreamFaults, String> {
    fn number<T: std::str::FromStr>(name: &str, text: &str) -> Result<Option<T>, String> {
        let wrong = |_| format!("`{name}` must be a whole number");
        if text.is_empty() { Ok(None) } else { text.parse().map(Some).map_err(wrong) }
    }
    Ok(StreamFaults {
        drop_after_ms: number("drop-after-ms", field("drop-after-ms"))?,
        close_after_ms: number("close-after-ms", field("close-after-ms"))?,
        close_code: number("close-code", field("close-code"))?,
        late: percent(field("late")).ok_or("`late` must be a percentage from 0 to 100")?,
        late_ms: number("late-ms", field("late-ms"))?.unwrap_or_default(),
        jitter_ms: number("jitter-ms", field("jitter-ms"))?.unwrap_or_default(),
    })
}
