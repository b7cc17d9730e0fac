//! Marks in bytes: they stand for what another run has other values for. `{{piopiy:id.3}}` is the fourth id, and
//! `{{piopiy:id.3@4-9}}` a part of it, where a chunk or a segment ends within.

use std::borrow::Cow;
use std::fmt::Write;

use super::ids::{Ids, all_sent};
use crate::judge::check::script::Sent;
use crate::judge::check::{Action, Case, Form, Opening, Request, Script, Sources};

const OPEN: &[u8] = b"{{piopiy:";
const CLOSE: &[u8] = b"}}";

/// The values that become marks.
#[derive(Debug)]
pub(super) struct Hidden<'a> {
    ids: &'a Ids,
    sources: &'a Sources,
}

/// A mark, and the positions of the bytes that it stands for.
struct Place {
    name: String,
    positions: Vec<usize>,
}

impl<'a> Hidden<'a> {
    pub(super) fn new(sources: &'a Sources, ids: &'a Ids) -> Self {
        Self { ids, sources }
    }

    pub(super) fn hide_case(&self, case: &mut Case) {
        for script in case.steps.iter_mut().flat_map(|step| step.scripts_mut()) {
            self.hide_script(script);
        }
        for expected in &mut case.expected {
            let payload = &mut expected.payload;
            payload.bytes = self.hide(&[&payload.bytes], &[]).pop().unwrap_or_default();
            payload.cmiuuid = self.hide_text(&payload.cmiuuid);
        }
    }

    pub(super) fn hide_script(&self, script: &mut Script) {
        let pieces: Vec<&[u8]> = script.actions.iter().filter_map(sent).collect();
        debug_assert_eq!(pieces.concat(), all_sent(script));
        let mut hidden = self.hide(&pieces, &script.requests).into_iter();
        if let Opening::Http2(request) = &mut script.opening {
            let bytes = self.hide(&[&request.bytes()], &script.requests).pop().unwrap_or_default();
            **request = Request::of_bytes(&bytes);
        }
        for action in &mut script.actions {
            match action {
                Action::Send { bytes, .. } => *bytes = hidden.next().unwrap_or_default(),
                Action::SendUntilBlocked { bytes, .. } => {
                    *bytes = self.hide(&[bytes], &[]).pop().unwrap_or_default();
                }
                _ => {}
            }
        }
        for signed in script.requests.iter_mut().filter_map(|sent| sent.signed.as_mut()) {
            signed.body = self.hide(&[&signed.body], &[]).pop().unwrap_or_default();
            if let Form::Of(other) = &mut signed.form {
                *other = self.hide(&[other], &[]).pop().unwrap_or_default();
            }
        }
    }

    /// A text with its ids, secrets and the receiver's address hidden.
    pub(super) fn hide_text(&self, text: &str) -> String {
        let mut hidden = text.to_owned();
        for (number, id) in self.ids.all().enumerate() {
            hidden = hidden.replace(id, &format!("{{{{piopiy:id.{number}}}}}"));
        }
        self.without_secrets(&hidden).replace(&self.sources.host, "{{piopiy:host}}")
    }

    /// A text with its secrets hidden.
    pub(super) fn without_secrets(&self, text: &str) -> String {
        self.sources.headers.iter().fold(text.to_owned(), |text, (name, value)| {
            if value.is_empty() {
                text
            } else {
                text.replace(value, &format!("{{{{piopiy:secret.{name}}}}}"))
            }
        })
    }

    /// Pieces that are sent one after another.
    fn hide(&self, pieces: &[&[u8]], requests: &[Sent]) -> Vec<Vec<u8>> {
        let bytes = pieces.concat();
        let mut owners: Vec<Option<(usize, usize)>> = vec![None; bytes.len()];
        let mut places = signatures(&bytes, requests);
        places.extend(self.places(&bytes));
        for (number, place) in places.iter().enumerate() {
            if place.positions.iter().all(|at| owners[*at].is_none()) {
                for (offset, at) in place.positions.iter().enumerate() {
                    owners[*at] = Some((number, offset));
                }
            }
        }
        let mut start = 0;
        let hidden = pieces.iter().map(|piece| {
            let own = marked(piece, &owners[start..start + piece.len()], &places);
            start += piece.len();
            own
        });
        hidden.collect()
    }

    /// What is to be marked; where two overlap, the first counts.
    fn places(&self, bytes: &[u8]) -> Vec<Place> {
        let mut places = Vec::new();
        let mut add = |name: String, from: usize, length: usize| {
            places.push(Place { name, positions: (from..from + length).collect() });
        };
        for (name, value) in &self.sources.headers {
            for (how, value) in forms(value) {
                let line = format!("{name}: {value}\r\n");
                for at in found(bytes, line.as_bytes()) {
                    add(format!("secret.{name}{how}"), at + name.len() + 2, value.len());
                }
            }
            for at in found(bytes, value.as_bytes()) {
                add(format!("secret.{name}"), at, value.len());
            }
        }
        let (host, target) = (&self.sources.host, &self.sources.target);
        for (how, target) in target_forms(target) {
            for before in [" ", host] {
                let needle = format!("{before}{target}");
                for at in found(bytes, needle.as_bytes()) {
                    let line = bytes[at..].split(|byte| *byte == b'\r' || *byte == b'\n').next();
                    let is_request_line = found(line.unwrap_or_default(), b" HTTP/").next().is_some();
                    let end = bytes.get(at + needle.len());
                    // What is cut or wrong is all there is of the target.
                    if is_request_line && (how.is_empty() || end == Some(&b' ')) {
                        add(format!("target{how}"), at + before.len(), target.len());
                    }
                }
            }
        }
        for at in found(bytes, host.as_bytes()) {
            add("host".to_owned(), at, host.len());
        }
        for (number, positions) in self.ids.within(bytes) {
            places.push(Place { name: format!("id.{number}"), positions });
        }
        places
    }
}

/// What a signed request says of itself: id, time and signature.
pub(super) type Written = Option<[String; 3]>;

/// The parts of a signature, and the header lines that they are in.
const SIGNED: [(&str, &str); 3] =
    [("id", "webhook-id: "), ("time", "webhook-timestamp: "), ("signature", "webhook-signature: ")];

/// Where requests are signed; `{{piopiy:signed.0.time}}` is when the first one was.
fn signatures(bytes: &[u8], requests: &[Sent]) -> Vec<Place> {
    let mut places = Vec::new();
    for (number, signed) in
        requests.iter().enumerate().filter_map(|(n, sent)| Some((n, sent.signed.as_ref()?)))
    {
        let lines = SIGNED.iter().zip(&signed.values);
        let all: String = lines.clone().map(|((_, name), value)| format!("{name}{value}\r\n")).collect();
        for mut at in found(bytes, all.as_bytes()) {
            for ((which, name), value) in lines.clone() {
                let from = at + name.len();
                let positions = (from..from + value.len()).collect();
                places.push(Place { name: format!("signed.{number}.{which}"), positions });
                at = from + value.len() + 2;
            }
        }
    }
    places
}

/// Puts what marks stand for in their place; a mark of something that is not there stays.
pub(super) fn fill(bytes: &[u8], ids: &[String], sources: &Sources, signed: &[Written]) -> Vec<u8> {
    let mut filled = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(at) = found(rest, OPEN).next() {
        let inner = &rest[at + OPEN.len()..];
        let mark = found(inner, CLOSE).next().and_then(|end| {
            let text = std::str::from_utf8(&inner[..end]).ok()?;
            let (name, range) =
                text.split_once('@').map_or((text, None), |(name, range)| (name, Some(range)));
            let value = value(name, ids, sources, signed)?;
            let value = match range.and_then(|range| range.split_once('-')) {
                Some((from, to)) => {
                    let end = value.len();
                    let to = if to.is_empty() { end } else { to.parse().unwrap_or(end).min(end) };
                    let from = from.parse().unwrap_or(0).min(to);
                    value.as_bytes()[from..to].to_vec()
                }
                None => value.into_owned().into_bytes(),
            };
            Some((value, end + CLOSE.len()))
        });
        filled.extend_from_slice(&rest[..at]);
        match mark {
            Some((value, length)) => {
                filled.extend(value);
                rest = &inner[length..];
            }
            None => {
                filled.extend_from_slice(OPEN);
                rest = inner;
            }
        }
    }
    filled.extend_from_slice(rest);
    filled
}

/// Changes all bytes that a script sends.
pub(super) fn rewrite(script: &mut Script, change: &dyn Fn(&[u8]) -> Vec<u8>) {
    if let Opening::Http2(request) = &mut script.opening {
        // Which payload it has is noted by the script.
        **request = Request::of_bytes(&change(&request.bytes()));
    }
    for action in &mut script.actions {
        if let Action::Send { bytes, .. } | Action::SendUntilBlocked { bytes, .. } = action {
            *bytes = change(bytes);
        }
    }
}

fn value<'a>(
    name: &str,
    ids: &'a [String],
    sources: &'a Sources,
    signed: &'a [Written],
) -> Option<Cow<'a, str>> {
    let (kind, rest) = name.split_once('.').unwrap_or((name, ""));
    match kind {
        "id" => ids.get(rest.parse::<usize>().ok()?).map(|id| Cow::Borrowed(id.as_str())),
        "signed" => {
            let (number, which) = rest.split_once('.')?;
            let values = signed.get(number.parse::<usize>().ok()?)?.as_ref()?;
            let at = SIGNED.iter().position(|(known, _)| *known == which)?;
            Some(Cow::Borrowed(&values[at]))
        }
        "host" => Some(Cow::Borrowed(&sources.host)),
        "target" => target_forms(&sources.target)
            .into_iter()
            .find(|(how, _)| how.trim_start_matches('.') == rest)
            .map(|(_, value)| Cow::Owned(value)),
        "secret" => {
            let header = sources.headers.iter().find(|(name, _)| {
                rest.strip_prefix(name.as_str()).is_some_and(|how| how.is_empty() || how.starts_with('.'))
            });
            let (name, value) = header?;
            let mut forms = forms(value).into_iter();
            forms.find(|(how, _)| *how == &rest[name.len()..]).map(|(_, value)| Cow::Owned(value))
        }
        _ => None,
    }
}

/// A secret as it is and as SEC-015 changes it; the longest first.
fn forms(secret: &str) -> [(&'static str, String); 3] {
    let wrong = secret.chars().rev().chain(secret.chars().take(1)).collect();
    let cut = secret.chars().take(secret.chars().count() / 2).collect();
    [("", secret.to_owned()), (".wrong", wrong), (".cut", cut)]
}

/// Path and query as they are, and with what stands last changed, which may be the secret.
fn target_forms(target: &str) -> Vec<(&'static str, String)> {
    let mark = if target.contains('?') { '=' } else { '/' };
    let (before, own) = target.rsplit_once(mark).unwrap_or(("", target));
    let forms = forms(own).into_iter().map(|(how, own)| (how, format!("{before}{mark}{own}")));
    forms.collect()
}

fn sent(action: &Action) -> Option<&[u8]> {
    match action {
        Action::Send { bytes, .. } => Some(bytes),
        _ => None,
    }
}

fn found<'a>(bytes: &'a [u8], needle: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
    let is_searched = !needle.is_empty() && bytes.len() >= needle.len();
    let windows = bytes.windows(needle.len().max(1)).enumerate();
    windows.filter(move |(_, window)| is_searched && *window == needle).map(|(at, _)| at)
}

/// A piece with marks for what has an owner.
fn marked(piece: &[u8], owners: &[Option<(usize, usize)>], places: &[Place]) -> Vec<u8> {
    let mut out = Vec::with_capacity(piece.len());
    let mut at = 0;
    while at < piece.len() {
        let Some((number, from)) = owners[at] else {
            out.push(piece[at]);
            at += 1;
            continue;
        };
        let length = (1..).take_while(|n| owners.get(at + n) == Some(&Some((number, from + n)))).count() + 1;
        let place = &places[number];
        let (to, all) = (from + length, place.positions.len());
        let mut mark = format!("{{{{piopiy:{}", place.name);
        if from > 0 || to < all {
            let end = if to < all { to.to_string() } else { String::new() };
            // Writing to a String cannot fail.
            let _ = write!(mark, "@{from}-{end}");
        }
        mark.push_str("}}");
        out.extend_from_slice(mark.as_bytes());
        at += length;
    }
    out
}
