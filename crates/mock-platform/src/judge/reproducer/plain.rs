//! What a client program can send as well: whole requests, each with its own connection.

use std::time::Duration;

use super::shell::{HOST, TARGET};
use crate::judge::check::{Action, CaseFile, Script, Step};

/// A request as client programs are told it.
#[derive(Debug)]
pub(super) struct Plain {
    pub(super) method: String,
    /// Path and query.
    pub(super) target: String,
    pub(super) is_http_1_0: bool,
    pub(super) headers: Vec<(String, String)>,
    /// `None` where there is none, and no length of one.
    pub(super) body: Option<Vec<u8>>,
    /// Connects so long after the others.
    pub(super) after: Duration,
    /// How long its answer is waited for.
    pub(super) patience: Duration,
}

/// One after another.
#[derive(Debug)]
pub(super) enum Stage {
    /// At once.
    Requests(Vec<Plain>),
    Pause(Duration),
    /// A look at the effects that there are by now.
    Glance,
}

/// A body beyond this is too long for a command line.
const LONGEST: usize = 64 * 1024;
/// More processes at once than this are no side by side any more.
const MOST_AT_ONCE: usize = 64;

/// The stages of a case; or why no client program can do that.
pub(super) fn stages(file: &CaseFile, case: &crate::judge::check::Case) -> Result<Vec<Stage>, String> {
    let mut stages = Vec::new();
    for step in &case.steps {
        match step {
            Step::Connections(scripts) if scripts.len() > MOST_AT_ONCE => {
                return Err(format!(
                    "{} connections side by side are more than processes can be",
                    scripts.len()
                ));
            }
            Step::Connections(scripts) => {
                let requests = scripts.iter().map(|script| request(file, script));
                stages.push(Stage::Requests(requests.collect::<Result<_, _>>()?));
            }
            Step::Pause(pause) => stages.push(Stage::Pause(*pause)),
            Step::Glance => stages.push(Stage::Glance),
            Step::Look | Step::Measure => {}
            _ => return Err("the receiver, or what it stands on, is stopped and started".to_owned()),
        }
    }
    Ok(stages)
}

fn request(file: &CaseFile, script: &Script) -> Result<Plain, String> {
    let no = |reason: &str| Err(reason.to_owned());
    if script.is_deaf || script.receive_buffer.is_some() {
        return no("the answer is not read");
    }
    if !script.opening.is_usual() || script.address.is_some() {
        return no("the connection is begun in another way");
    }
    if file.is_signed {
        return no("webhooks are signed, and a signature is for one body at one time");
    }
    if script.to_second {
        return no("a second instance is spoken to");
    }
    let mut bytes = Vec::new();
    let (mut after, mut patience) = (script.arrives_after.unwrap_or_default(), file.ack_limit);
    for action in &script.actions {
        match action {
            Action::Send { bytes: own, split: None, .. } => bytes.extend_from_slice(own),
            Action::Send { .. } => return no("the request comes in pieces"),
            Action::Pause(pause) if bytes.is_empty() => after += *pause,
            Action::Pause(_) => return no("there are pauses within a connection"),
            Action::Await(limit) => patience = patience.max(limit.unwrap_or_default()),
            // Programs that start together are as near to it as they can be.
            Action::Barrier => {}
            Action::EndUnlessKept => return no("a connection is used again"),
            Action::SendUntilBlocked { .. } => return no("the request is endless"),
            Action::AwaitClose(_) => return no("it is about how the connection ends"),
            Action::HalfClose => return no("one half of the connection is closed"),
            Action::Reset => return no("the connection is reset"),
        }
    }
    if script.requests.len() != 1 {
        return no("there are several requests on a connection, or none that is whole");
    }
    let marked = String::from_utf8_lossy(&bytes).into_owned();
    let bytes = file.filled(&bytes, HOST, TARGET);
    if ids_in_parts(file, &marked).any(|id| !bytes.windows(id.len()).any(|window| window == id.as_bytes())) {
        return no("an id is written in another encoding, in which no shell puts a fresh one");
    }
    let mut headers = [httparse::EMPTY_HEADER; 256];
    let mut head = httparse::Request::new(&mut headers);
    let Ok(httparse::Status::Complete(length)) = head.parse(&bytes) else {
        return no("the head is not one that a client writes");
    };
    let body = &bytes[length..];
    let mut own = Vec::new();
    for header in head.headers.iter() {
        let Ok(value) = std::str::from_utf8(header.value) else {
            return no("a header line is no text");
        };
        own.push((header.name.to_owned(), value.to_owned()));
    }
    let mut written = format!(
        "{} {} HTTP/1.{}\r\n",
        head.method.unwrap_or_default(),
        head.path.unwrap_or_default(),
        head.version.unwrap_or(1)
    );
    for (name, value) in &own {
        written.push_str(&format!("{name}: {value}\r\n"));
    }
    if written.as_bytes() != &bytes[..length.saturating_sub(2)] {
        return no("the head is written in a way that no client writes it");
    }
    let count = |name: &str| own.iter().filter(|(own, _)| own.eq_ignore_ascii_case(name)).count();
    let lengths: Vec<&String> = own
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .map(|(_, value)| value)
        .collect();
    if count("transfer-encoding") > 0 {
        return no("the framing is chosen on purpose, and a client chooses its own");
    }
    let body = match lengths.as_slice() {
        [] if body.is_empty() => None,
        [length] if **length == body.len().to_string() => Some(body.to_vec()),
        _ => return no("the length that is told is not the one of the body"),
    };
    if count("host") != 1 || count("expect") > 0 || count("connection") > 0 {
        return no("header lines are missing, doubled or such that a client writes them itself");
    }
    let target = head.path.unwrap_or_default();
    if !target.starts_with('/') {
        return no("the target of the request is no path");
    }
    if body.as_ref().is_some_and(|body| body.len() > LONGEST) {
        return no("the body is too long for a command line");
    }
    let text = String::from_utf8_lossy(&bytes);
    if text.contains(".wrong}}") || text.contains(".cut}}") {
        return no("the secret is changed");
    }
    if head.method == Some("HEAD") && body.is_some() {
        return no("a HEAD request has a body");
    }
    own.retain(|(name, _)| !name.eq_ignore_ascii_case("content-length"));
    Ok(Plain {
        method: head.method.unwrap_or_default().to_owned(),
        target: target.to_owned(),
        is_http_1_0: head.version == Some(0),
        headers: own,
        body,
        after,
        patience,
    })
}

/// The ids of which parts are marked: where pieces end, or other bytes are in between.
fn ids_in_parts<'a>(file: &'a CaseFile, marked: &'a str) -> impl Iterator<Item = &'a String> {
    let marks = marked.split("{{piopiy:id.").skip(1).filter_map(|rest| rest.split_once("}}"));
    let parts = marks.filter_map(|(mark, _)| mark.split_once('@')?.0.parse::<usize>().ok());
    parts.filter_map(|number| file.ids.get(number))
}
