//! The samples of the wire, as `fixtures/wire/MANIFEST.json` lists them.

use std::path::{Path, PathBuf};

pub(crate) fn wire() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/wire")
}

#[derive(serde::Deserialize)]
pub(crate) struct Sample {
    pub(crate) file: String,
    pub(crate) kind: String,
}

impl Sample {
    pub(crate) fn text(&self) -> String {
        read(&self.file)
    }
}

pub(crate) fn read(file: &str) -> String {
    std::fs::read_to_string(wire().join(file)).expect(file)
}

pub(crate) fn manifest() -> Vec<Sample> {
    serde_json::from_str(&read("MANIFEST.json")).expect("an array of samples")
}

/// The samples of a folder.
pub(crate) fn folder(name: &str) -> Vec<Sample> {
    let inside = |sample: &Sample| sample.file.split('/').next() == Some(name);
    manifest().into_iter().filter(inside).collect()
}

/// A JSON text without white space outside strings.
pub(crate) fn minified(text: &str) -> String {
    let mut out = String::new();
    let (mut in_string, mut escaped) = (false, false);
    for character in text.chars() {
        if in_string || !character.is_ascii_whitespace() {
            out.push(character);
        }
        in_string = match (in_string, character) {
            (true, '"') => escaped,
            (true, _) => true,
            (false, other) => other == '"',
        };
        escaped = in_string && character == '\\' && !escaped;
    }
    out
}
