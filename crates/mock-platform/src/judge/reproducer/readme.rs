use std::fmt::Write;

use super::requests::Requests;
use super::shell::{TRUST, is_https, one_line};
use crate::judge::check::{CaseFile, Verdict};

/// What failed, in words, and how to make it fail again.
pub(super) fn text(file: &CaseFile, requests: &Requests) -> String {
    let check = file.check();
    let what = if file.verdict == Verdict::Inconclusive { "is inconclusive" } else { "failed" };
    let mut text =
        format!("# {} {what}: {}\n\n{}\n\n", file.check, one_line(&file.title), one_line(&file.detail));
    // Writing to a String cannot fail.
    let _ = writeln!(text, "* Receiver: `{}`, profile {}", file.target, file.profile);
    let _ = writeln!(text, "* Severity: {}; source: {}", check.severity, check.source);
    let _ = writeln!(text, "* Why it matters: {}", check.why);
    let _ = writeln!(
        text,
        "* Run: suite {}, generator {}, seed {}, nonce {}, effects seen by: {}",
        file.suite, file.generator, file.seed, file.nonce, file.observation
    );
    if file.left_out > 0 {
        let _ = writeln!(
            text,
            "* {} more cases of the check are left out: it fails without them too",
            file.left_out
        );
    }
    text.push_str("\n## What was seen\n\n");
    for (case, saw) in file.cases.iter().zip(&file.saw).take(10) {
        let name = if case.name.is_empty() { "the only case" } else { &case.name };
        let outcomes: Vec<&str> =
            saw.steps.iter().flatten().take(8).map(|connection| connection.outcome.as_str()).collect();
        let _ = write!(text, "* {}: {}", one_line(name), outcomes.join("; "));
        if saw.steps.iter().flatten().count() > outcomes.len() {
            text.push_str("; …");
        }
        for (mark, effects) in saw.effects.iter().flatten().take(4) {
            let id = String::from_utf8_lossy(&file.filled(mark.as_bytes(), "", "")).into_owned();
            let id = if id.is_empty() { "no id".to_owned() } else { id };
            let _ = write!(text, "; {} effects of {id}", effects.len());
        }
        if !saw.is_alive() {
            let _ = write!(text, "; a plain webhook after it: {}", saw.canary);
        }
        text.push('\n');
    }
    if file.cases.len() > 10 {
        let _ = writeln!(text, "* and {} more cases", file.cases.len() - 10);
    }
    let observe = match (file.observation.as_str(), &file.observe) {
        ("observe-url", Some(url)) => format!(" --observe-url '{url}'"),
        ("observe-file", Some(path)) => format!(" --observe-file '{path}'"),
        ("verify-cmd", _) => " --verify-cmd 'CMD'".to_owned(),
        _ => String::new(),
    };
    let _ = write!(
        text,
        "
## Again

All of these take fresh ids, so that a receiver that keeps its data does not take them for repeats.

* `piopiy-mock replay .{observe}`: the same steps, judged by {check} once more. `--exact-ids` sends the very bytes.
* `sh raw.sh [URL]`: the same bytes, pieces, pauses and connections with Python's standard library alone.
* `bash curl.sh [URL]`: with curl, as far as it can express it.
* `bash httpie.sh [URL]`: with HTTPie, as far as it can express it.
* `test.rs`: a test for a suite in Rust, beside `case.json`.
",
        check = file.check,
    );
    if is_https(&file.target) {
        let _ = writeln!(
            text,
            "\nThe scripts and the test need {TRUST}; `replay` takes `--cacert FILE` or `--insecure`.\n"
        );
    }
    let list: Vec<String> = requests.files.iter().map(|file| format!("`{}`", file.name)).collect();
    if !list.is_empty() {
        let _ = writeln!(
            text,
            "* {}: the bytes of each connection, with the ids of the failed run.",
            list.join(", ")
        );
    }
    for note in &requests.notes {
        let _ = writeln!(text, "  ({note})");
    }
    text
}
