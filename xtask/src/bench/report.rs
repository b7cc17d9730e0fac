//! `docs/performance.md`: what was measured, between markers, the text around it untouched.

use anyhow::{Context as _, bail};

use super::Effort;
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
    pub(super) fn new(machine: &str, effort: Effort) -> Self {
        let head = format!(
            "Machine: {machine}.\n{} interleaved rounds; ratios are taken inside a round.\n",
            effort.rounds
        );
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
    let Some((_, after)) = rest.split_once(END) else {
        bail!("{FILE} has no line `{END}` after `{BEGIN}`");
    };
    Ok(format!("{before}{BEGIN}\n\n{measured}\n{END}{after}"))
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
}
