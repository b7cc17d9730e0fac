//! What supports each payload, from the tables that the code reads and the manifest of the samples.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::Context as _;
use piopiy_events::{Evidence, Form, Profile};
use serde::Deserialize;

use super::markdown::cell;
use crate::workspace;

/// Where it lies.
const PATH: &str = "docs/evidence.md";

const HEAD: &str = "\
# Documented, inferred, guessed: payload by payload

Written by `cargo xtask docs` from the tables that the programs use; do not edit. What the words mean, and what is known of fields, delivery and REST, is in
[wire.md](wire.md).

*documented*: a page shows the payload whole. *partial*: a page shows it, and our copy of the page ends before the payload does. *guess*: no page shows it, it is made
from its neighbours. Guesses are marked in listings and in the ledger, and `--documented-only` leaves them out.
";

/// A line of `MANIFEST.json`.
#[derive(Debug, Deserialize)]
struct Sample {
    file: String,
    kind: String,
    note: String,
}

/// The page: its path and its text.
///
/// # Errors
/// Where the manifest cannot be read.
pub(super) fn page() -> anyhow::Result<(String, String)> {
    let manifest = workspace::root().join("fixtures/wire/MANIFEST.json");
    let manifest = std::fs::read_to_string(&manifest).with_context(|| manifest.display().to_string())?;
    let samples: Vec<Sample> = serde_json::from_str(&manifest).context("fixtures/wire/MANIFEST.json")?;
    Ok((PATH.to_owned(), text(&samples)))
}

fn text(samples: &[Sample]) -> String {
    let mut text = HEAD.to_owned();
    // Writing to a String cannot fail, here and below.
    text.push_str("\n## In numbers\n\n| profile | documented | partial | guess |\n|---|---|---|---|\n");
    for profile in Profile::ALL {
        let count = |evidence| Form::all(profile).iter().filter(|form| form.evidence == evidence).count();
        let _ = writeln!(
            text,
            "| `{profile}` | {} | {} | {} |",
            count(Evidence::Documented),
            count(Evidence::Partial),
            count(Evidence::Guess)
        );
    }
    for profile in Profile::ALL {
        let _ = writeln!(
            text,
            "\n## Webhooks of `{profile}`\n\n| event | call | leg | evidence | page, or what a guess was made from |\n|---|---|---|---|---|"
        );
        for form in Form::all(profile) {
            let Form { name, call, evidence, source, .. } = form;
            let _ = writeln!(
                text,
                "| `{name}` | {call} | {} | {evidence} | {} |",
                form.legs.join(", "),
                cell(source)
            );
        }
    }
    text.push_str("\n## Samples\n\nIn `fixtures/wire/`; each is read by the types, written again, and has to be the same, digit for digit.\n");
    let mut folders: BTreeMap<&str, Vec<(&str, &Sample)>> = BTreeMap::new();
    for sample in samples {
        let (folder, name) = sample.file.split_once('/').unwrap_or(("", &sample.file));
        folders.entry(folder).or_default().push((name, sample));
    }
    for (folder, samples) in folders {
        let _ = writeln!(text, "\n### `{folder}`\n\n| sample | evidence | note |\n|---|---|---|");
        for (name, Sample { file, kind, note }) in samples {
            let _ = writeln!(
                text,
                "| [`{name}`](../fixtures/wire/{file}) | {} | {} |",
                match kind.as_str() {
                    "complete" => "documented",
                    "fixed" => "repaired",
                    other => other,
                },
                cell(note)
            );
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_and_every_sample_is_told() {
        let (_, text) = page().unwrap();
        for form in Profile::ALL.into_iter().flat_map(Form::all) {
            let row =
                format!("| `{}` | {} | {} | {} |", form.name, form.call, form.legs.join(", "), form.evidence);
            assert!(text.contains(&row), "no row {row}");
        }
        let listed = text.matches("](../fixtures/wire/").count();
        let folder = workspace::root().join("fixtures/wire");
        let there = workspace::files_under(&folder).unwrap();
        let there = there.iter().filter(|path| !path.ends_with("MANIFEST.json")).count();
        assert_eq!(listed, there, "of the samples that lie in fixtures/wire");
    }
}
