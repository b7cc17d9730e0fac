//! The ladder of a call: a lane for each leg, and a rung for each webhook that was stored.

use std::collections::BTreeSet;

use maud::{Markup, html};
use piopiy_events::Kind;
use piopiy_ladder::{Ladder, Lane, Presence, Rung, Tone};

use super::ask::Ask;
use super::calls::{Call, webhooks_in_words};
use super::window::{About, Digest};

pub(super) fn ladder(
    call: Option<&Call<'_>>,
    ask: &Ask,
    is_forwarding: bool,
    dead: &BTreeSet<u64>,
) -> Markup {
    let Some(call) = call else {
        return html! {
            h2 { "Ladder" }
            p.mute { "Pick a call: every webhook of it is drawn here, as it is stored." }
        };
    };
    let (state, _) = piopiy_ladder::in_words(call.phase());
    html! {
        div.head {
            h2 { "Ladder · call " (call.key) }
            p.mute data-say { span.sr { "Call " (call.key) ": " } (state) " · " (webhooks_in_words(call)) }
        }
        @if let Some((first, _)) = call.webhooks.first() {
            p.mute.num { "since " (piopiy_ladder::utc(first.received_at)) " UTC, in the order in which they were stored" }
        }
        (drawn(call, ask, dead))
        @if is_forwarding {
            p.acts { a.button href=(ask.to("/forwarding", &[("id", call.key)])) { "Deliver this call again" } }
        }
    }
}

fn drawn(call: &Call<'_>, ask: &Ask, dead: &BTreeSet<u64>) -> Markup {
    let legs: BTreeSet<Option<&str>> = call.webhooks.iter().map(|(_, about)| about.identity.leg()).collect();
    let lane = |leg: &Option<&str>| {
        let name = leg.map_or_else(|| "no leg".to_owned(), |leg| format!("leg {leg}"));
        Lane::new(name.clone(), name, Presence::Always)
    };
    let mut lanes: Vec<Lane> = legs.iter().map(lane).collect();
    lanes.push(Lane::new("receiver", "receiver", Presence::Always));
    let began = call.webhooks.first().map_or(0, |(digest, _)| digest.received_at);
    let rungs = call.webhooks.iter().map(|(digest, about)| {
        let place = legs.iter().position(|leg| *leg == about.identity.leg()).unwrap_or_default();
        let mut rung = rung(call, digest, about, (place, legs.len()), began, ask);
        if dead.contains(&digest.seq) {
            rung.text.push_str(" · given up");
            rung.status = rung.status.map(|(status, _)| (status, Tone::Bad));
            rung.is_odd = true;
        }
        rung
    });
    Ladder::new(format!("Ladder of call {}", call.key), lanes, rungs.collect()).draw()
}

fn rung(
    call: &Call<'_>,
    digest: &Digest,
    about: &About,
    (from, to): (usize, usize),
    began: i64,
    ask: &Ask,
) -> Rung {
    let status = about.identity.status();
    let is_cdr = about.identity.kind() == Kind::Cdr;
    let kind = match status.to_ascii_lowercase() {
        _ if is_cdr => "cdr",
        status if status.starts_with("stream") => "audio",
        _ => "event",
    };
    let text = match &about.duration {
        Some(duration) => format!("CDR {status} · duration {duration}"),
        None if is_cdr => format!("CDR {status}"),
        None => status.to_owned(),
    };
    // A clock may have been set back meanwhile.
    let at_ms = u64::try_from((digest.received_at - began) / 1000).unwrap_or_default();
    let seq = digest.seq.to_string();
    let href = ask.to("/call", &[("id", call.key), ("seq", &seq)]);
    let mut rung = Rung::new(at_ms, from, to, kind, text, href);
    rung.status = Some((format!("#{seq}"), Tone::Plain));
    rung.is_selected = ask.seq() == Some(digest.seq);
    rung
}
