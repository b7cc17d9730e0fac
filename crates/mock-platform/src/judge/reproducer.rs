//! What a failed check leaves behind, so that others can make it fail again: scripts, commands and a test. Pure: texts
//! made from a [`CaseFile`].

mod curl;
mod httpie;
mod matters;
mod plain;
mod raw;
mod readme;
mod requests;
mod rust_test;
mod saw;
mod shell;

use crate::judge::check::CaseFile;
pub(crate) use matters::Matters;
pub(crate) use saw::Saw;

/// A file of the folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct File {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) is_program: bool,
}

/// Everything that goes into the folder of a failed check.
pub(crate) fn files(file: &CaseFile) -> Vec<File> {
    let text = |name: &str, text: String| File {
        name: name.to_owned(),
        bytes: text.into_bytes(),
        is_program: name.ends_with(".sh"),
    };
    let requests = requests::of(file);
    let mut files = vec![
        text("README.md", readme::text(file, &requests)),
        text("case.json", file.to_json()),
        text("raw.sh", raw::script(file)),
        text("curl.sh", curl::script(file)),
        text("httpie.sh", httpie::script(file)),
        text("test.rs", rust_test::source(file)),
    ];
    files.extend(requests.files);
    files
}

/// A text as one word of a shell.
pub(crate) fn quoted(text: &str) -> String {
    curl::quoted(text)
}

/// The stimulus as one line for `curl`, with the very ids; `None` where curl cannot express it, or the line would be too
/// long to be read.
pub(crate) fn curl_line(file: &CaseFile) -> Option<String> {
    curl::line(file)
}
