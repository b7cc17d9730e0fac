//! Links of Markdown files to other files of the project, and to headings within them.

use std::collections::BTreeMap;
use std::path::Path;

use super::{Breach, File};
use crate::workspace;

pub(super) fn breaches(file: &File) -> Vec<Breach> {
    if file.extension() != "md" {
        return Vec::new();
    }
    let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let from = workspace::root().join(folder);
    let links =
        prose(&file.text).flat_map(|(number, line)| targets(line).map(move |target| (number, target)));
    links
        .filter_map(|(number, target)| Some(file.breach(number, wrong(&from, &file.text, target)?)))
        .collect()
}

/// What is wrong with a link of a page that lies in this folder and has this text.
fn wrong(from: &Path, own: &str, target: &str) -> Option<String> {
    let (path, anchor) = target.split_once('#').map_or((target, None), |(path, anchor)| (path, Some(anchor)));
    let linked = from.join(path);
    if !path.is_empty() && !linked.exists() {
        return Some(format!("links to `{target}`, which is not there"));
    }
    let anchor = anchor?;
    let is_there = if path.is_empty() {
        has_anchor(own, anchor)
    } else if linked.extension().is_some_and(|extension| extension == "md") {
        has_anchor(&std::fs::read_to_string(&linked).ok()?, anchor)
    } else {
        true
    };
    (!is_there).then(|| format!("links to `{target}`: there is no such heading"))
}

/// The targets of a line's links; links to elsewhere are left out.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| {
        let (target, _) = rest.split_once(')')?;
        let is_elsewhere = target.contains("://") || target.starts_with("mailto:");
        (!target.is_empty() && !is_elsewhere).then_some(target)
    })
}

/// The lines with their numbers from 1, without blocks of code.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fence: Option<usize> = None;
    text.lines().enumerate().map(|(index, line)| (index + 1, line)).filter(move |(_, line)| {
        let line = line.trim_start();
        let ticks = line.len() - line.trim_start_matches('`').len();
        match fence {
            Some(opened) if ticks >= opened => fence = None,
            None if ticks >= 3 => fence = Some(ticks),
            Some(_) => {}
            None => return true,
        }
        false
    })
}

/// Whether a page has a heading that this anchor is for, by the rule of GitHub: the second of one name gets `-1`.
fn has_anchor(text: &str, anchor: &str) -> bool {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    prose(text).filter_map(|(_, line)| heading(line)).any(|heading| {
        let name = anchor_of(heading);
        let times = seen.entry(name.clone()).or_default();
        let is_it = if *times == 0 { name == anchor } else { format!("{name}-{times}") == anchor };
        *times += 1;
        is_it
    })
}

fn heading(line: &str) -> Option<&str> {
    line.starts_with('#').then(|| line.trim_start_matches('#').strip_prefix(' '))?
}

/// In lower case, with hyphens for spaces, and without anything else that is no letter, digit, `-` or `_`.
fn anchor_of(heading: &str) -> String {
    let kept = heading.trim().chars().filter(|kept| kept.is_alphanumeric() || [' ', '-', '_'].contains(kept));
    kept.flat_map(char::to_lowercase).map(|kept| if kept == ' ' { '-' } else { kept }).collect()
}

#[cfg(test)]
mod tests {
    use super::{File, anchor_of, breaches, targets};

    fn check(text: &str, expected: &[&str]) {
        let file = File { path: "docs/wire.md".to_owned(), text: text.to_owned() };
        let found: Vec<String> = breaches(&file).into_iter().map(|breach| breach.rule).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn only_files_and_headings_of_the_project_are_targets() {
        let line = "[a](docs/wire.md#words), [b](#here), [c](https://example.org/x) and [d](../README.md)";
        assert_eq!(targets(line).collect::<Vec<_>>(), ["docs/wire.md#words", "#here", "../README.md"]);
    }

    #[test]
    fn what_is_linked_to_is_there() {
        check("[a](gallery.md), [b](../xtask/src/tidy.rs), [c](../README.md#more)", &[]);
        check("[a](nowhere.md)", &["links to `nowhere.md`, which is not there"]);
        check("[a](../README.md#nothing)", &["links to `../README.md#nothing`: there is no such heading"]);
        check("# Here\n[a](#here) [b](#there)", &["links to `#there`: there is no such heading"]);
        check("# It\n# It\n[a](#it) [b](#it-1) [c](#it-2)", &["links to `#it-2`: there is no such heading"]);
        check("````text\n```\n[a](nowhere.md)\n````\n", &[]);
        check("```\n# Code\n```\n[a](#code)", &["links to `#code`: there is no such heading"]);
    }

    #[test]
    fn anchors_are_made_as_github_makes_them() {
        assert_eq!(
            anchor_of("REST v3, where neither pages nor SDKs say it"),
            "rest-v3-where-neither-pages-nor-sdks-say-it"
        );
        assert_eq!(anchor_of("`global-2022`"), "global-2022");
        assert_eq!(anchor_of("What's new?"), "whats-new");
    }
}
