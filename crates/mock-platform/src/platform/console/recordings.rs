//! The recordings of a call: a player, and what they sound like at a glance.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path as FilePath, PathBuf};

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use maud::{Markup, html};
use piopiy_events::Webhook;

use super::{Console, unknown};
use crate::platform::board::CallView;
use crate::platform::exchange::Exchange;

/// A longer file is not read.
const LONGEST: u64 = 64 * 1024 * 1024;
/// So many are shown of a call.
const SHOWN: usize = 16;
/// So many bars has a waveform.
const BARS: usize = 160;

/// The recordings of a call, if it has any.
pub(super) async fn of(exchange: &Exchange, view: &CallView) -> Markup {
    let (folders, ids) = (folders(exchange), ids(view));
    let found = tokio::task::spawn_blocking(move || {
        let files = files(&folders, &ids);
        files.into_iter().map(|(file, path)| (wave(&path), file)).collect::<Vec<_>>()
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
    let read = tokio::task::spawn_blocking(move || {
        // One of those that are there: no other path can be asked for.
        bytes(files(&folders, &ids).get(&file)?)
    });
    let Some(bytes) = read.await.ok().flatten() else { return unknown(&console, &missing()).await };
    let kind = [(header::CONTENT_TYPE, "audio/wav"), (header::ACCEPT_RANGES, "bytes")];
    let asked = headers.get(header::RANGE).and_then(|range| range.to_str().ok());
    match asked.and_then(|range| span(range, bytes.len())) {
        Some((from, to)) => {
            let range = format!("bytes {from}-{}/{}", to - 1, bytes.len());
            let part = bytes[from..to].to_vec();
            (StatusCode::PARTIAL_CONTENT, kind, [(header::CONTENT_RANGE, range)], part).into_response()
        }
        None => (kind, bytes).into_response(),
    }
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

fn bytes(path: &FilePath) -> Option<Vec<u8>> {
    // A pipe would be waited for.
    if !path.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    std::fs::File::open(path).ok()?.take(LONGEST).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// What a file sounds like: the loudest sample of each of its parts.
#[derive(Debug, PartialEq, Eq)]
struct Wave {
    rate: u32,
    ms: u64,
    peaks: Vec<u16>,
}

impl Wave {
    fn seconds(&self) -> String {
        format!("{}.{}", self.ms / 1_000, self.ms % 1_000 / 100)
    }
}

fn wave(path: &FilePath) -> Option<Wave> {
    read_wave(&bytes(path)?)
}

/// Reads a WAV file of 16-bit samples; nothing where it is another.
fn read_wave(bytes: &[u8]) -> Option<Wave> {
    let rest = bytes.strip_prefix(b"RIFF")?.get(4..)?.strip_prefix(b"WAVE")?;
    let (mut rest, mut format) = (rest, None);
    while let (Some(name), Some(length)) = (rest.get(..4), rest.get(4..8)) {
        let length = usize::try_from(u32::from_le_bytes(length.try_into().ok()?)).ok()?;
        let body = &rest[8..];
        // Who still writes a file has not come to its end.
        let chunk = &body[..length.min(body.len())];
        match name {
            b"fmt " => {
                let short = |at: usize| Some(u16::from_le_bytes(chunk.get(at..at + 2)?.try_into().ok()?));
                let rate = u32::from_le_bytes(chunk.get(4..8)?.try_into().ok()?);
                format = (short(0)? == 1 && short(14)? == 16).then_some((rate, short(2)?));
            }
            b"data" => {
                let (rate, channels) = format.filter(|(rate, channels)| *rate > 0 && *channels > 0)?;
                let samples: Vec<u16> =
                    chunk.as_chunks().0.iter().map(|pair| i16::from_le_bytes(*pair).unsigned_abs()).collect();
                let frames = u64::try_from(samples.len()).ok()? / u64::from(channels);
                let part = samples.len().div_ceil(BARS).max(1);
                let peaks =
                    samples.chunks(part).map(|part| part.iter().copied().max().unwrap_or(0)).collect();
                return Some(Wave { rate, ms: frames * 1_000 / u64::from(rate), peaks });
            }
            _ => {}
        }
        rest = body.get(length + length % 2..)?;
    }
    None
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
fn span(range: &str, length: usize) -> Option<(usize, usize)> {
    let (from, to) = range.strip_prefix("bytes=")?.split_once('-')?;
    let (from, to) = match (from.parse::<usize>(), to.parse::<usize>()) {
        (Ok(from), Ok(to)) => (from, to.saturating_add(1).min(length)),
        (Ok(from), Err(_)) if to.is_empty() => (from, length),
        (Err(_), Ok(last)) if from.is_empty() => (length.saturating_sub(last), length),
        _ => return None,
    };
    (from < to).then_some((from, to))
}

#[cfg(test)]
mod tests {
    use super::{Wave, read_wave, span};

    fn wav(rate: u32, samples: &[i16]) -> Vec<u8> {
        let data: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        let mut file = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0".to_vec();
        file.extend(rate.to_le_bytes());
        file.extend((rate * 2).to_le_bytes());
        file.extend(b"\x02\0\x10\0data");
        file.extend(u32::try_from(data.len()).unwrap().to_le_bytes());
        file.extend(data);
        file
    }

    #[test]
    fn a_wave_has_the_loudest_of_each_part() {
        let file = wav(8_000, &[0, 100, -300, 20, i16::MIN, 7, 0, 0]);
        let expected = Wave { rate: 8_000, ms: 1, peaks: vec![0, 100, 300, 20, 32_768, 7, 0, 0] };
        assert_eq!(read_wave(&file), Some(expected));
        let second = read_wave(&wav(8_000, &[1_000; 8_000])).unwrap();
        assert_eq!((second.ms, second.peaks.len()), (1_000, 160));
    }

    #[test]
    fn what_is_no_wave_has_no_picture() {
        let file = wav(8_000, &[1, 2, 3]);
        for end in 0..44 {
            assert_eq!(read_wave(&file[..end]).map(|wave| wave.peaks), None, "{end}");
        }
        assert_eq!(read_wave(b"RIFF\0\0\0\0WAVEdata\xff\xff\xff\xff"), None);
    }

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
}
