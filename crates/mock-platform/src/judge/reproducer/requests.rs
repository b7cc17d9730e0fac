use std::fmt::Write;

use super::File;
use crate::judge::check::{Action, CaseFile, Script};

/// The bytes of each distinct connection, as far as they are kept.
pub(super) struct Requests {
    pub(super) files: Vec<File>,
    /// What is not exact about them, for people.
    pub(super) notes: Vec<String>,
}

const MOST_FILES: usize = 16;
const MOST_BYTES: usize = 1 << 20;

pub(super) fn of(file: &CaseFile) -> Requests {
    let (mut kept, mut notes): (Vec<Vec<u8>>, Vec<String>) = (Vec::new(), Vec::new());
    let (host, target) = place(&file.target);
    let mut left_out = 0;
    let steps = file.cases.iter().flat_map(|case| &case.steps);
    for script in steps.flat_map(|step| step.scripts()) {
        let bytes = file.filled(&sent(script), &host, &target);
        if bytes.is_empty() || kept.contains(&bytes) {
            continue;
        }
        if kept.len() == MOST_FILES {
            left_out += 1;
        } else {
            kept.push(bytes);
        }
    }
    let mut files = Vec::new();
    for (number, mut bytes) in kept.into_iter().enumerate() {
        let name = format!("request-{}.bin", number + 1);
        if bytes.len() > MOST_BYTES {
            notes.push(format!("`{name}` holds the first {MOST_BYTES} of {} bytes", bytes.len()));
            bytes.truncate(MOST_BYTES);
        }
        files.push(File { name, bytes, is_program: false });
    }
    if left_out > 0 {
        notes.push(format!("{left_out} more connections, each with other bytes, are in `case.json` alone"));
    }
    if !file.secrets.is_empty() {
        let mut note = "secrets are left out, and stand as".to_owned();
        for name in &file.secrets {
            // Writing to a String cannot fail.
            let _ = write!(note, " `{{{{piopiy:secret.{name}}}}}`");
        }
        notes.push(note);
    }
    Requests { files, notes }
}

/// All that is written on a connection; what is written over and over is there once.
fn sent(script: &Script) -> Vec<u8> {
    let sent = script.actions.iter().filter_map(|action| match action {
        Action::Send { bytes, .. } | Action::SendUntilBlocked { bytes, .. } => Some(bytes.as_slice()),
        _ => None,
    });
    sent.collect::<Vec<_>>().concat()
}

/// Host, and path and query, of a URL.
fn place(url: &str) -> (String, String) {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let (authority, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    (host.to_owned(), if target.starts_with('/') { target.to_owned() } else { format!("/{target}") })
}
