//! Rules of the house that no other tool checks. Run by `cargo xtask ci tidy`, and as a test of this package.

use std::path::Path;

use anyhow::{Context as _, bail};

use crate::workspace;

mod formats;
mod links;
mod names;
mod packaged;
#[cfg(test)]
mod packages;
mod pure;
mod quotes;
#[cfg(test)]
mod recipes;
mod words;
#[cfg(test)]
mod workflows;

/// A file of the project, its path from the root with `/` between the parts.
struct File {
    path: String,
    text: String,
}

/// Where a rule is broken.
#[derive(Debug, PartialEq, Eq)]
struct Breach {
    path: String,
    /// From 1; 0 where the whole file is meant.
    line: usize,
    rule: String,
}

impl File {
    fn extension(&self) -> &str {
        Path::new(&self.path).extension().and_then(|extension| extension.to_str()).unwrap_or_default()
    }

    fn is_rust(&self) -> bool {
        self.extension() == "rs"
    }

    fn breach(&self, line: usize, rule: impl Into<String>) -> Breach {
        Breach { path: self.path.clone(), line, rule: rule.into() }
    }

    /// The lines with their numbers from 1.
    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(index, line)| (index + 1, line))
    }

    /// The lines of Rust code, without comments and without what follows the first test module.
    fn product_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.lines()
            .take_while(|(_, line)| !line.trim_start().starts_with("#[cfg(test)]"))
            .map(|(number, line)| (number, line.split_once("//").map_or(line, |(code, _)| code)))
    }
}

/// Checks every file of the project.
///
/// # Errors
/// Where a rule is broken: every place, one a line.
pub(crate) fn check() -> anyhow::Result<String> {
    let files = project_files()?;
    let rules: [fn(&File) -> Vec<Breach>; 7] = [
        pure::breaches,
        names::breaches,
        words::breaches,
        links::breaches,
        quotes::breaches,
        formats::breaches,
        packaged::breaches,
    ];
    let breaches: Vec<_> = files.iter().flat_map(|file| rules.iter().flat_map(|rule| rule(file))).collect();
    if breaches.is_empty() {
        return Ok(format!("{} files, {} long ones", files.len(), names::long_files(&files)));
    }
    let named: Vec<_> =
        breaches.iter().map(|Breach { path, line, rule }| format!("  {path}:{line}: {rule}")).collect();
    bail!("rules of the house are broken:\n{}", named.join("\n"))
}

/// The text files that git has or would add; where there is no git, whatever lies in the tree.
fn project_files() -> anyhow::Result<Vec<File>> {
    let root = workspace::root();
    let listed = workspace::command("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .output()
        .ok()
        .filter(|output| output.status.success());
    let paths: Vec<String> = if let Some(output) = listed {
        let listed = String::from_utf8(output.stdout).context("a file's name is not UTF-8")?;
        listed.split_terminator('\0').map(str::to_owned).collect()
    } else {
        let built = ["target", "node_modules", ".venv", ".git"];
        let files = workspace::files_under(&root)?;
        let paths = files.iter().map(|file| workspace::relative(file));
        paths.filter(|path| !path.split('/').any(|part| built.contains(&part))).collect()
    };
    let mut files = Vec::new();
    for path in paths {
        match std::fs::read(root.join(&path)) {
            // What is not text has no words to check.
            Ok(bytes) => files.extend(String::from_utf8(bytes).ok().map(|text| File { path, text })),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            // A link to a folder, whose files are listed where they lie.
            Err(error) if error.kind() == std::io::ErrorKind::IsADirectory => {}
            Err(error) => return Err(error).with_context(|| format!("cannot read {path}")),
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_project_keeps_its_rules() {
        if let Err(error) = super::check() {
            panic!("{error:#}");
        }
    }
}
