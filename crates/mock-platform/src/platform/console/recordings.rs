//! The recordings of a call: a player, and what they sound like at a glance.

mod wave;

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use maud::{Markup, html};
use piopiy_events::Webhook;

pub(super) use self::wave::Waves;
use self::wave::{BARS, Wave};
use super::{Console, unknown};
use crate::platform::board::CallView;
use crate::platform::exchange::Exchange;
use crate::platform::outgoing::Outgoing;

/// How much a player gets that asks for all behind a place: it asks again, and who stops playing holds no connection.
const PART: u64 = 4 * 1024 * 1024;
/// So many of a call are drawn, which takes reading them.
const DRAWN: usize = 16;

/// The recordings of a call, if it has any.
pub(super) async fn of(exchange: &Exchange, waves: &Arc<Waves>, view: &CallView) -> Markup {
    let (folders, ids, waves) = (folders(exchange), ids(view), Arc::clone(waves));
    let found = tokio::task::spawn_blocking(move || {
        let mut files: Vec<_> = files(&folders, &ids).into_iter().collect();
        files.sort_by_cached_key(|(name, _)| place(name, &ids));
        let drawn = |nth: usize, path: &PathBuf| (nth < DRAWN).then(|| waves.of(path)).flatten();
        files.into_iter().enumerate().map(|(nth, (file, path))| (drawn(nth, &path), file)).collect::<Vec<_>>()
    });
    let found = found.await.unwrap_or_default();
    html! {
        @if !found.is_empty() {
            h2 { "Recordings" }
            @for (wave, file) in &found {
                figure.recording {
                    figcaption { (file) @if let Some(wave) = wave { span.mute { " · " (wave.seconds()) " s, " (wave.rate / 1_000) " kHz" } } }
                    @if let Some(wave) = wave { (drawn(wave)) }
                    audio controls preload="none" src={ "/calls/" (view.call) "/recordings/" (file) } aria-label={ "Recording " (file) } {}
                }
            }
        }
    }
}

/// A recording, or the part of it that a player asks for.
pub(super) async fn audio(
    State(console): State<Console>,
    Path((call, file)): Path<(u64, String)>,
    headers: HeaderMap,
) -> Response {
    let missing = || format!("Call {call} has no recording of this name.");
    let Some(view) = console.exchange.board().call(call) else {
        return unknown(&console, &missing()).await;
    };
    let (folders, ids) = (folders(&console.exchange), ids(&view));
    // One of those that are there: no other path can be asked for.
    let opened = move || Outgoing::open(files(&folders, &ids).get(&file)?);
    let opened = tokio::task::spawn_blocking(opened).await;
    let Some(recording) = opened.ok().flatten() else { return unknown(&console, &missing()).await };
    // Nothing says which file it was that a part was asked of.
    let range = headers.get(header::RANGE).filter(|_| !headers.contains_key(header::IF_RANGE));
    let of = recording.length();
    let asked =
        range.and_then(|range| range.to_str().ok()).map_or(Asked::Whole, |range| Asked::of(range, of));
    let (status, span, mut answer) = match asked {
        Asked::Whole => (StatusCode::OK, None, recording.answer(0..of)),
        Asked::Part(part) => {
            let span = format!("bytes {}-{}/{of}", part.start, part.end - 1);
            (StatusCode::PARTIAL_CONTENT, Some(span), recording.answer(part))
        }
        Asked::Beyond => {
            (StatusCode::RANGE_NOT_SATISFIABLE, Some(format!("bytes */{of}")), recording.answer(0..0))
        }
    };
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.extend(
        span.and_then(|span| HeaderValue::try_from(span).ok()).map(|span| (header::CONTENT_RANGE, span)),
    );
    answer
}

/// Where recordings may be: what was recorded before a folder was configured is elsewhere.
fn folders(exchange: &Exchange) -> Vec<PathBuf> {
    let temporary = exchange.shared().shelf.temporary().to_owned();
    let configured = exchange.config().recordings.clone().filter(|folder| *folder != temporary);
    configured.into_iter().chain([temporary]).collect()
}

/// Every id of the call's legs.
fn ids(view: &CallView) -> Vec<String> {
    let mut ids = vec![view.begin.cmiuuid.clone()];
    for row in view.webhooks() {
        let webhook = Webhook::parse(row.plan.body.as_bytes());
        if let Some(id) = webhook.ok().and_then(|webhook| Some(webhook.text("cmiuuid")?.into_owned()))
            && !ids.contains(&id)
        {
            ids.push(id);
        }
    }
    ids
}

/// The files that are named after an id: `ID.wav`, `ID-a.wav`.
fn files(folders: &[PathBuf], ids: &[String]) -> BTreeMap<String, PathBuf> {
    let is_of_call = |name: &String| {
        let rest = ids.iter().filter(|id| !id.is_empty()).find_map(|id| name.strip_prefix(id.as_str()));
        rest.is_some_and(|rest| rest == ".wav" || (rest.starts_with('-') && rest.ends_with(".wav")))
    };
    let mut files = BTreeMap::new();
    for entry in folders.iter().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten() {
        let Ok(entry) = entry else { continue };
        if let Ok(name) = entry.file_name().into_string()
            && is_of_call(&name)
        {
            files.entry(name).or_insert_with(|| entry.path());
        }
    }
    files
}

/// Where a recording comes: the whole call, then its streams in their order, `ID-said.wav`, `ID-2-said.wav` and so on.
fn place(name: &str, ids: &[String]) -> (usize, u32, String) {
    let of = |(nth, id): (usize, &String)| Some((nth, name.strip_prefix(id.as_str())?.strip_suffix(".wav")?));
    let (leg, rest) = ids.iter().enumerate().find_map(of).unwrap_or_default();
    let track = rest.trim_start_matches('-');
    let (number, track) = match track.split_once('-') {
        Some((number, track)) => (number.parse().unwrap_or(u32::MAX), track),
        None => (u32::from(!track.is_empty()), track),
    };
    (leg, number, track.to_owned())
}

fn drawn(wave: &Wave) -> Markup {
    let mut path = String::new();
    for (at, peak) in wave.peaks.iter().enumerate() {
        // Half the height is 20; silence is a dot.
        let reach = (u32::from(*peak) * 20 / 32_768).max(1);
        path.push_str(&format!("M{} {}V{}", at * 4 + 2, 22 - reach, 22 + reach));
    }
    html! {
        svg.wave viewBox={ "0 0 " (BARS * 4) " 44" } preserveAspectRatio="none" role="img"
            aria-label={ "Waveform, " (wave.seconds()) " seconds" } {
            path d=(path) {}
        }
    }
}

/// What a player asks for.
#[derive(Debug, PartialEq, Eq)]
enum Asked {
    Whole,
    Part(Range<u64>),
    /// What is behind the end.
    Beyond,
}

impl Asked {
    /// The one part that `bytes=FROM-TO` means; what it cannot mean is left out of account.
    fn of(range: &str, length: u64) -> Self {
        let Some((from, to)) = range.strip_prefix("bytes=").and_then(|range| range.split_once('-')) else {
            return Self::Whole;
        };
        let part = match (from.parse::<u64>(), to.parse::<u64>()) {
            (Ok(from), Ok(to)) if from <= to => from..to.saturating_add(1).min(length),
            (Ok(from), Err(_)) if to.is_empty() => from..from.saturating_add(PART).min(length),
            (Err(_), Ok(last)) if from.is_empty() => length.saturating_sub(last)..length,
            _ => return Self::Whole,
        };
        if part.is_empty() { Self::Beyond } else { Self::Part(part) }
    }
}

#[cfg(test)]
mod tests {
    use super::{Asked, PART, place};

    #[test]
    fn a_call_comes_before_its_streams_and_they_in_their_order() {
        let ids = ["a1".to_owned(), "b2".to_owned()];
        let mut names = [
            "a1-10-heard.wav",
            "a1-2-heard.wav",
            "b2.wav",
            "a1-heard.wav",
            "a1-said.wav",
            "a1.wav",
            "a1-2-said.wav",
        ];
        names.sort_by_cached_key(|name| place(name, &ids));
        let expected = [
            "a1.wav",
            "a1-heard.wav",
            "a1-said.wav",
            "a1-2-heard.wav",
            "a1-2-said.wav",
            "a1-10-heard.wav",
            "b2.wav",
        ];
        assert_eq!(names, expected);
    }

    #[test]
    fn a_player_gets_the_part_that_it_asks_for() {
        let check = |range, length, expected| assert_eq!(Asked::of(range, length), expected, "{range}");
        check("bytes=0-", 10, Asked::Part(0..10));
        check("bytes=2-4", 10, Asked::Part(2..5));
        check("bytes=2-400", 10, Asked::Part(2..10));
        check("bytes=-3", 10, Asked::Part(7..10));
        check("bytes=-30", 10, Asked::Part(0..10));
        for beyond in ["bytes=10-", "bytes=10-11", "bytes=-0", "bytes=18446744073709551615-"] {
            check(beyond, 10, Asked::Beyond);
        }
        for none in ["bytes=5-4", "bytes=x-", "items=0-", "bytes=-", "bytes=0-1,3-4", ""] {
            check(none, 10, Asked::Whole);
        }
        // Of what is long, who wants all of it gets a part at a time, and who says how much gets that.
        check("bytes=7-", 1 << 40, Asked::Part(7..PART + 7));
        check("bytes=0-1099511627775", 1 << 40, Asked::Part(0..1 << 40));
    }
}
