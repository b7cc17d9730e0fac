//! The ladder of a call as SVG: time goes down, each party is a line, each message a link to its bytes.

use maud::{Markup, html};

use super::rungs::{Line, Rung, rungs};
use super::words;
use crate::platform::board::CallView;

/// Where things are. There are two drawings, and the width of the screen says which is seen.
struct Geometry {
    class: &'static str,
    width: u32,
    /// The lines of which the first and the last are.
    first: u32,
    last: u32,
    /// From one rung to the next.
    step: u32,
    /// The answer is behind the last line, or below the rung.
    is_wide: bool,
    /// A character, roughly: tenths of a unit.
    character: u32,
}

const WIDE: Geometry =
    Geometry { class: "wide", width: 940, first: 96, last: 836, step: 33, is_wide: true, character: 66 };
const NARROW: Geometry =
    Geometry { class: "narrow", width: 346, first: 62, last: 312, step: 46, is_wide: false, character: 67 };
/// No more are drawn: the first ones, and as many of the last.
const MOST: usize = 400;

/// The ladder of a call, `selected` being the row that is shown.
pub(super) fn drawn(view: &CallView, selected: Option<usize>, time_scale: f64) -> Markup {
    let mut rungs = rungs(view, time_scale);
    let left_out = rungs.len().saturating_sub(MOST);
    if left_out > 0 {
        rungs.drain(MOST / 2..MOST / 2 + left_out);
    }
    html! {
        @if left_out > 0 { p.mute { (left_out) " messages in the middle are not drawn." } }
        @for geometry in [&WIDE, &NARROW] {
            (drawing(view, &rungs, selected, geometry))
        }
    }
}

fn drawing(view: &CallView, rungs: &[Rung], selected: Option<usize>, geometry: &Geometry) -> Markup {
    let lines = lines(rungs, geometry);
    let x = |line: Line| -> u32 {
        let place = lines.iter().position(|known| *known == line).unwrap_or_default();
        let places = u32::try_from(lines.len().saturating_sub(1)).unwrap_or(1).max(1);
        geometry.first + (geometry.last - geometry.first) * u32::try_from(place).unwrap_or_default() / places
    };
    let y = |at: usize| 58 + geometry.step * u32::try_from(at).unwrap_or_default();
    let height = y(rungs.len()) + if geometry.is_wide { 0 } else { 8 };
    let arrow = format!("arrow-{}", geometry.class);
    html! {
        svg.ladder.(geometry.class) viewBox={ "0 0 " (geometry.width) " " (height) } role="group"
            aria-label={ "Ladder of call " (view.call) ", " (rungs.len()) " messages" } {
            defs {
                marker id=(arrow) viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto" {
                    path d="M0 0 8 4 0 8z" fill="context-stroke" {}
                }
            }
            g aria-hidden="true" {
                @for line in &lines {
                    @let (long, short) = line.names();
                    text.lane x=(x(*line)) y="18" text-anchor="middle" { @if geometry.is_wide { (long) } @else { (short) } }
                    line.life x1=(x(*line)) y1="28" x2=(x(*line)) y2=(height - 6) {}
                }
                @for (from, to) in flowing(rungs) {
                    rect.flowing x=(x(Line::WebSocket) - 11) y=(y(from) + 8) width="22"
                        height=(y(to).saturating_sub(y(from) + 16)) rx="4" {}
                }
            }
            @for (at, rung) in rungs.iter().enumerate() {
                (one(view, rung, selected == Some(rung.row), y(at), x(rung.from), x(rung.to), geometry, &arrow))
            }
        }
    }
}

#[expect(clippy::too_many_arguments, reason = "where one thing is in a drawing")]
fn one(
    view: &CallView,
    rung: &Rung,
    is_selected: bool,
    y: u32,
    from: u32,
    to: u32,
    geometry: &Geometry,
    arrow: &str,
) -> Markup {
    let after_ms = rung.at_ms.saturating_sub(view.begin.at_ms);
    let time = words::since(after_ms);
    let left = from.min(to) + if from == to { 12 } else { 8 };
    // What happens on a line alone has no answer beside it.
    let has_room = !geometry.is_wide || (from == to && rung.status.is_none());
    let right = if has_room { geometry.width } else { geometry.last - 4 };
    let most = (right.saturating_sub(left) * 10 / geometry.character).max(8);
    let (text, is_cut) = cut(&rung.text, most);
    let status = rung.status.as_ref();
    // What is seen, in the order in which it is there: whoever says it to the machine means this. The title has all of a
    // text that is cut.
    let said = format!(
        "{time} {}{text}, {} to {}",
        status.map(|(status, _)| format!("{status} ")).unwrap_or_default(),
        rung.from.names().0,
        rung.to.names().0,
    );
    let end = if to > from { to - 3 } else { to + 3 };
    let base = if from == to { y + 4 } else { y - 6 };
    html! {
        a.rung.(rung.kind).odd[rung.is_odd].selected[is_selected]
            href={ "/calls/" (view.call) "/rows/" (rung.row) } aria-label=(said)
            aria-current=[is_selected.then_some("true")] data-in-place {
            @if is_cut { title { (rung.text) } }
            rect.hit x="0" y=(y - geometry.step / 2 - 4) width=(geometry.width) height=(geometry.step) rx="4" {}
            // The spaces are not seen: they part the words for whoever reads the text of it all.
            text.t x="4" y=(y + 4) { (time) } " "
            @if let Some((status, tone)) = status {
                @if geometry.is_wide {
                    text.status.(tone.class()) x=(geometry.last + 10) y=(y + 4) { (status) }
                } @else {
                    text.status.(tone.class()) x=(geometry.width - 2) y=(y + 17) text-anchor="end" { (status) }
                }
                " "
            }
            @if from == to {
                circle.note cx=(from) cy=(y) r="4" {}
            } @else {
                path.way d={ "M" (from) " " (y) "H" (end) } marker-end={ "url(#" (arrow) ")" } {}
            }
            text.says x=(left) y=(base) { (text) }
        }
    }
}

/// The lines that are drawn: those of every ladder, and those that something passes by; where there is little room, those
/// alone.
fn lines(rungs: &[Rung], geometry: &Geometry) -> Vec<Line> {
    let mut lines = vec![Line::Caller, Line::Platform, Line::Webhooks];
    if geometry.is_wide {
        lines.extend([Line::Answer, Line::WebSocket]);
    }
    lines.extend(rungs.iter().flat_map(|rung| [rung.from, rung.to]));
    lines.sort_unstable();
    lines.dedup();
    lines
}

/// From which rung to which audio flows.
fn flowing(rungs: &[Rung]) -> Vec<(usize, usize)> {
    let mut flowing = Vec::new();
    let mut since = None;
    for (at, rung) in rungs.iter().enumerate() {
        match rung.audio {
            Some(true) => since = Some(at),
            Some(false) => flowing.extend(since.take().map(|from| (from, at))),
            None => {}
        }
    }
    flowing.extend(since.map(|from| (from, rungs.len())));
    flowing
}

/// A text that fits, and whether something of it is missing.
fn cut(text: &str, most: u32) -> (String, bool) {
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    if text.chars().count() <= most {
        return (text.to_owned(), false);
    }
    (text.chars().take(most.saturating_sub(1)).chain(['…']).collect(), true)
}

#[cfg(test)]
mod tests {
    use super::{NARROW, WIDE, cut, drawn, flowing, lines};
    use crate::deliver::ledger::{CallEntry, Lane, MessageEntry, MessageKind, StreamFigures};
    use crate::platform::board::{CallView, Row};
    use crate::platform::console::rungs::{Line, rungs};

    fn call(messages: Vec<MessageEntry>) -> CallView {
        CallView {
            call: 4,
            begin: CallEntry {
                call: 4,
                at_ms: 1_000,
                ts_ms: 0,
                direction: "inbound".into(),
                from: 447_700_900_123,
                to: 441_632_960_000,
                account: 441_632_960_000,
                appid: 2_222_222,
                cmiuuid: "an id".into(),
                request_id: None,
            },
            phase: piopiy_events::Phase::Streaming,
            phases: vec![piopiy_events::Phase::Streaming],
            is_over: false,
            rows: messages.into_iter().map(|message| Row::Message(message.into())).collect(),
        }
    }

    fn streamed() -> CallView {
        use Lane::{AnswerUrl, Caller, Platform, WebSocket};
        let mut asks =
            MessageEntry::new(1_004, Platform, AnswerUrl, MessageKind::Flow, "POST answer URL: stream");
        (asks.status, asks.took_ns) = (Some(200), Some(15_000_000));
        let audio = |at, from, to, label: &str| MessageEntry::new(at, from, to, MessageKind::Audio, label);
        let mut measured = StreamFigures::default();
        (measured.first_audio_ms, measured.ahead_ms) = (Some(212), 340);
        let mut figures = audio(15_900, WebSocket, WebSocket, &measured.to_string());
        figures.figures = Some(measured);
        call(vec![
            MessageEntry::new(1_000, Caller, Platform, MessageKind::Person, "calls 441632960000"),
            asks,
            audio(1_020, Platform, WebSocket, "dials the stream"),
            audio(1_025, WebSocket, Platform, "connected"),
            figures,
            audio(15_900, WebSocket, Platform, "closes 1006"),
        ])
    }

    #[test]
    fn every_message_is_a_rung_and_every_answer_one_of_its_own() {
        let rungs = rungs(&streamed(), 1.0);
        let told: Vec<_> =
            rungs.iter().map(|rung| (rung.at_ms, rung.row, rung.from, rung.to, rung.text.as_str())).collect();
        use Line::{Answer, Caller, Platform, WebSocket};
        assert_eq!(
            told,
            [
                (1_000, 0, Caller, Platform, "calls 441632960000"),
                (1_004, 1, Platform, Answer, "POST answer URL"),
                (1_019, 1, Answer, Platform, "200 · stream"),
                (1_020, 2, Platform, WebSocket, "dials the stream"),
                (1_025, 3, WebSocket, Platform, "connected"),
                (15_900, 4, WebSocket, WebSocket, "first audio 212 ms · gaps 0"),
                (15_900, 5, WebSocket, Platform, "closes 1006"),
            ]
        );
        assert_eq!(flowing(&rungs), [(4, 6)]);
        assert_eq!(flowing(&rungs[..5]), [(4, 5)], "it flows still");
        assert_eq!(lines(&rungs, &NARROW), [Caller, Platform, Answer, WebSocket, Line::Webhooks]);
        assert_eq!(lines(&[], &NARROW).len(), 3);
        assert_eq!(lines(&[], &WIDE).len(), 5);
    }

    #[test]
    fn a_drawing_is_two_widths_of_the_same() {
        let drawn = drawn(&streamed(), Some(3), 1.0).into_string();
        insta::assert_snapshot!(drawn.replace("><", ">\n<"));
    }

    #[test]
    fn what_somebody_else_wrote_is_text() {
        let hostile = "</title></text><script>alert(1)</script>\"' onload=x";
        let mut message =
            MessageEntry::new(1_000, Lane::WebSocket, Lane::Platform, MessageKind::Audio, hostile.repeat(9));
        message.choice = Some(hostile.into());
        let drawn = drawn(&call(vec![message]), None, 1.0).into_string();
        assert!(!drawn.contains("<script") && !drawn.contains("\"' onload"), "{drawn}");
    }

    #[test]
    fn a_message_has_the_name_that_is_seen_and_a_title_with_all_that_is_not() {
        let long = "nothing is said: ".repeat(20);
        let message =
            MessageEntry::new(1_000, Lane::Caller, Lane::Platform, MessageKind::Person, long.clone());
        let drawn = drawn(&call(vec![message]), None, 1.0).into_string();
        for rung in drawn.split("<a class=\"rung").skip(1) {
            let seen = rung.split("<text class=\"says\"").nth(1).unwrap();
            let seen = seen.split('>').nth(1).unwrap().split('<').next().unwrap();
            assert!(seen.ends_with('…'), "{rung}");
            assert!(rung.contains(&format!("aria-label=\"0.000 {seen}, caller to platform\"")), "{rung}");
            assert!(rung.contains(&format!("<title>{long}</title>")), "{rung}");
        }
    }

    #[test]
    fn a_long_ladder_is_cut_in_its_middle() {
        let message =
            |at| MessageEntry::new(at, Lane::Caller, Lane::Platform, MessageKind::Person, format!("no {at}"));
        let drawn = drawn(&call((1_000..2_000).map(message).collect()), None, 1.0).into_string();
        assert!(drawn.contains("600 messages in the middle are not drawn."));
        assert_eq!(drawn.matches("class=\"rung").count(), 2 * super::MOST);
        assert!(drawn.contains(">no 1000<") && drawn.contains(">no 1999<") && !drawn.contains(">no 1500<"));
    }

    #[test]
    fn a_text_that_does_not_fit_ends_in_dots() {
        assert_eq!(cut("öööö", 4), ("öööö".to_owned(), false));
        assert_eq!(cut("ööööö", 4), ("ööö…".to_owned(), true));
    }
}
