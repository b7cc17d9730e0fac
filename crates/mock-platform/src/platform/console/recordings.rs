//! The recordings of a call: a player, and what they sound like at a glance.

mod wave;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use maud::{Markup, html};
use piopiy_events::Webhook;

pub(super) use self::wave::Waves;
use self::wave::{BARS, Wave};
use super::{Console, unknown};
use crate::platform::board::CallView;
use crate::platform::exchange::Exchange;

/// A longer file is not read.
const LONGEST: u64 = 64 * 1024 * 1024;
/// So many are shown of a call.
const SHOWN: usize = 16;

/// The recordings of a call, if it has any.
pub(super) async fn of(exchange: &Exchange, waves: &Arc<Waves>, view: &CallView) -> Markup {
    let (folders, ids, waves) = (folders(exchange), ids(view), Arc::clone(waves));
    let found = tokio::task::spawn_blocking(move || {
        let files = files(&folders, &ids);
        files.into_iter().map(|(file, path)| (waves.of(&path), file)).collect::<Vec<_>>()
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
    let asked = headers.get(header::RANGE).and_then(|range| range.to_str().ok()).map(str::to_owned);
    let read = tokio::task::spawn_blocking(move || {
        // One of those that are there: no other path can be asked for.
        part(files(&folders, &ids).get(&file)?, asked.as_deref())
    });
    let Some(part) = read.await.ok().flatten() else { return unknown(&console, &missing()).await };
    let kind = [(header::CONTENT_TYPE, "audio/wav"), (header::ACCEPT_RANGES, "bytes")];
    match part.span {
        Some((from, to)) => {
            let range = format!("bytes {from}-{}/{}", to - 1, part.of);
            (StatusCode::PARTIAL_CONTENT, kind, [(header::CONTENT_RANGE, range)], part.bytes).into_response()
        }
        None => (kind, part.bytes).into_response(),
    }
}

/// What a player gets of a file.
struct Part {
    bytes: Vec<u8>,
    /// From where to where, where it is not whole.
    span: Option<(u64, u64)>,
    /// How long the file is.
    of: u64,
}

/// Reads what is asked for, and no more.
fn part(path: &FilePath, asked: Option<&str>) -> Option<Part> {
    // A pipe would be waited for.
    let about = std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file)?;
    let of = about.len().min(LONGEST);
    let span = asked.and_then(|range| span(range, of));
    let (from, to) = span.unwrap_or((0, of));
    let (mut file, mut bytes) = (File::open(path).ok()?, Vec::new());
    file.seek(SeekFrom::Start(from)).ok()?;
    file.take(to - from).read_to_end(&mut bytes).ok()?;
    // It is shorter than it was, if somebody writes it anew.
    let is_whole = bytes.len() as u64 == to - from;
    is_whole.then_some(Part { bytes, span, of })
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
            && files.len() < SHOWN
            && is_of_call(&name)
        {
            files.entry(name).or_insert_with(|| entry.path());
        }
    }
    files
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

/// The one part that `bytes=FROM-TO` asks for.
fn span(range: &str, length: u64) -> Option<(u64, u64)> {
    let (from, to) = range.strip_prefix("bytes=")?.split_once('-')?;
    let (from, to) = match (from.parse::<u64>(), to.parse::<u64>()) {
        (Ok(from), Ok(to)) => (from, to.saturating_add(1).min(length)),
        (Ok(from), Err(_)) if to.is_empty() => (from, length),
        (Err(_), Ok(last)) if from.is_empty() => (length.saturating_sub(last), length),
        _ => return None,
    };
    (from < to).then_some((from, to))
}

#[cfg(test)]
mod tests {
    use super::{part, span};

    #[test]
    fn a_player_gets_the_part_that_it_asks_for() {
        assert_eq!(span("bytes=0-", 10), Some((0, 10)));
        assert_eq!(span("bytes=2-4", 10), Some((2, 5)));
        assert_eq!(span("bytes=2-400", 10), Some((2, 10)));
        assert_eq!(span("bytes=-3", 10), Some((7, 10)));
        for none in ["bytes=10-", "bytes=5-4", "bytes=x-", "items=0-", "bytes=-", "bytes=0-1,3-4"] {
            assert_eq!(span(none, 10), None, "{none}");
        }
    }

    #[test]
    fn no_more_is_read_than_is_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.wav");
        std::fs::write(&path, b"0123456789").unwrap();
        let read = |asked| part(&path, asked).map(|part| (part.bytes, part.span, part.of)).unwrap();
        assert_eq!(read(Some("bytes=2-4")), (b"234".to_vec(), Some((2, 5)), 10));
        assert_eq!(read(Some("nonsense")), (b"0123456789".to_vec(), None, 10));
        assert_eq!(read(None).0.len(), 10);
        assert!(part(folder.path(), None).is_none(), "a folder is no recording");
        std::fs::File::create(&path).unwrap().set_len(1 << 40).unwrap();
        assert_eq!(read(Some("bytes=-3")), (vec![0; 3], Some(((64 << 20) - 3, 64 << 20)), 64 << 20));
    }
}
