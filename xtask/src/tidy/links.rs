//! Links of Markdown files to other files of the project.

use super::{Breach, File};
use crate::workspace;

pub(super) fn breaches(file: &File) -> Vec<Breach> {
    if file.extension() != "md" {
        return Vec::new();
    }
    let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let from = workspace::root().join(folder);
    file.lines()
        .flat_map(|(number, line)| targets(line).map(move |target| (number, target)))
        .filter(|(_, target)| !from.join(target).exists())
        .map(|(number, target)| file.breach(number, format!("links to `{target}`, which is not there")))
        .collect()
}

/// The files that a line links to, without anchors; links to elsewhere and within the page are left out.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| {
        let (target, _) = rest.split_once(')')?;
        let target = target.split('#').next()?;
        (!target.is_empty() && !target.contains("://") && !target.starts_with("mailto:")).then_some(target)
    })
}

#[cfg(test)]
mod tests {
    use super::targets;

    #[test]
    fn only_files_of_the_project_are_targets() {
        let line = "[a](docs/wire.md#words), [b](#here), [c](https://example.org/x) and [d](../README.md)";
        assert_eq!(targets(line).collect::<Vec<_>>(), ["docs/wire.md", "../README.md"]);
    }
}
