//! `docs/performance.md`: what was measured, between markers, the text around it untouched.

use anyhow::{Context as _, bail};

use super::rounds::Section;
use crate::workspace;

const FILE: &str = "docs/performance.md";
const BEGIN: &str = "<!-- measured: begin -->";
const END: &str = "<!-- measured: end -->";

/// All that was measured in this run.
#[derive(Debug)]
pub(super) struct Report {
    text: String,
}

impl Report {
    pub(super) fn new(machine: &str) -> Self {
        let head = format!("Machine: {machine}.\nRounds are interleaved; ratios are taken inside a round.\n");
        println!("{head}");
        Self { text: head }
    }

    pub(super) fn add(&mut self, section: &Section) {
        self.text.push('\n');
        self.text.push_str(&section.to_string());
    }

    /// Puts it between the markers, and says into which file.
    pub(super) fn write(&self) -> anyhow::Result<&'static str> {
        let path = workspace::root().join(FILE);
        let page = std::fs::read_to_string(&path).with_context(|| format!("cannot read {FILE}"))?;
        std::fs::write(&path, replaced(&page, &self.text)?)
            .with_context(|| format!("cannot write {FILE}"))?;
        Ok(FILE)
    }
}

fn replaced(page: &str, measured: &str) -> anyhow::Result<String> {
    let Some((before, rest)) = page.split_once(BEGIN) else {
        bail!("{FILE} has no line `{BEGIN}`");
    };
    let Some((old, after)) = rest.split_once(END) else {
        bail!("{FILE} has no line `{END}` after `{BEGIN}`");
    };
    let mut names: Vec<&str> = measured.split(SECTION).skip(1).map(name).collect();
    names.sort_unstable();
    if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        bail!("two sections are named `{}`: one would take the other's place", pair[0]);
    }
    Ok(format!("{before}{BEGIN}\n\n{}\n{END}{after}", joined(old, measured)))
}

const SECTION: &str = "\n### ";

/// What is new, and what was measured before and not now.
fn joined(old: &str, new: &str) -> String {
    let mut sections: Vec<&str> = old.split(SECTION).skip(1).map(str::trim_end).collect();
    let mut parts = new.split(SECTION);
    let head = parts.next().unwrap_or_default().trim_end();
    for part in parts.map(str::trim_end) {
        match sections.iter_mut().find(|section| name(section) == name(part)) {
            Some(section) => *section = part,
            // Beside what it belongs to.
            None => {
                let kin = |section: &&str| section.split(' ').next() == part.split(' ').next();
                let place = sections.iter().rposition(kin);
                sections.insert(place.map_or(sections.len(), |last| last + 1), part);
            }
        }
    }
    let sections = sections.iter().map(|section| format!("\n{SECTION}{section}"));
    format!("{head}{}\n", sections.collect::<String>())
}

/// A title up to what was chosen: how many webhooks, which goal.
fn name(section: &str) -> &str {
    let title = section.lines().next().unwrap_or_default();
    title
        .find(|end| matches!(end, ',' | '(') || char::is_ascii_digit(&end))
        .map_or(title, |end| &title[..end])
}

#[cfg(test)]
mod tests {
    use super::{BEGIN, END, replaced};

    #[test]
    fn only_what_is_between_the_markers_changes() {
        let page = format!("before\n{BEGIN}\nold\n{END}\nafter\n");
        let once = replaced(&page, "new\n").unwrap();
        assert_eq!(once, format!("before\n{BEGIN}\n\nnew\n\n{END}\nafter\n"));
        assert_eq!(replaced(&once, "new\n").unwrap(), once);
        assert!(replaced("no markers", "new").is_err());
    }

    #[test]
    fn what_is_new_comes_behind_what_it_belongs_to() {
        let page = format!("{BEGIN}\n\nthen\n\n### One then, 1\n\n| 1 |\n\n### Two, 7\n\n| 2 |\n\n{END}");
        let now = "now\n\n### One more\n\n| 3 |\n";
        let expected = "now\n\n### One then, 1\n\n| 1 |\n\n### One more\n\n| 3 |\n\n### Two, 7\n\n| 2 |\n";
        assert_eq!(replaced(&page, now).unwrap(), format!("{BEGIN}\n\n{expected}\n{END}"));
    }

    #[test]
    fn what_was_not_measured_now_stays() {
        let page = format!("{BEGIN}\n\nthen\n\n### One: 5 s\n\n| 1 |\n\n### Two, 7\n\n| 2 |\n\n{END}");
        let now = "now\n\n### One: 9 s\n\n| 3 |\n\n### Three\n\n| 4 |\n";
        let expected = "now\n\n### One: 9 s\n\n| 3 |\n\n### Two, 7\n\n| 2 |\n\n### Three\n\n| 4 |\n";
        assert_eq!(replaced(&page, now).unwrap(), format!("{BEGIN}\n\n{expected}\n{END}"));
        assert!(replaced(&page, "now\n\n### Two, 8\n\n### Two: 9\n").is_ok());
        assert!(replaced(&page, "now\n\n### Two, 8\n\n### Two, 9\n").is_err());
    }
}
