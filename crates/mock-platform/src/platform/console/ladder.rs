//! The ladder of a call as SVG: time goes down, each party is a line, each message a link to its bytes.

use maud::Markup;
use piopiy_ladder::{Ladder, Lane, Presence};

use super::rungs::{Line, Rung, rungs};
use crate::platform::board::CallView;

/// The ladder of a call, `selected` being the row that is shown.
pub(super) fn drawn(view: &CallView, selected: Option<usize>, time_scale: f64) -> Markup {
    let rungs = rungs(view, time_scale).into_iter().map(|rung| placed(view, rung, selected)).collect();
    let mut ladder = Ladder::new(format!("Ladder of call {}", view.call), Line::ALL.map(lane).into(), rungs);
    ladder.audio = Some(Line::WebSocket as usize);
    ladder.draw()
}

fn lane(line: Line) -> Lane {
    let (name, short) = line.names();
    let presence = match line {
        Line::Caller | Line::Platform | Line::Webhooks => Presence::Always,
        Line::Answer | Line::WebSocket => Presence::Wide,
        Line::Api | Line::Callee => Presence::Used,
    };
    Lane::new(name, short, presence)
}

fn placed(view: &CallView, rung: Rung, selected: Option<usize>) -> piopiy_ladder::Rung {
    let after_ms = rung.at_ms.saturating_sub(view.begin.at_ms);
    let href = format!("/calls/{}/rows/{}", view.call, rung.row);
    let (from, to) = (rung.from as usize, rung.to as usize);
    let mut placed = piopiy_ladder::Rung::new(after_ms, from, to, rung.kind, rung.text, href);
    (placed.status, placed.is_odd, placed.audio) = (rung.status, rung.is_odd, rung.audio);
    placed.is_selected = selected == Some(rung.row);
    placed
}

#[cfg(test)]
mod tests {
    use super::drawn;
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
        let audio: Vec<_> = rungs.iter().filter_map(|rung| rung.audio).collect();
        assert_eq!(audio, [true, false]);
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
}
