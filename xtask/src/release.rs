//! `cargo xtask release`: whether the version is the same everywhere, and the notes of a release.

use std::process::ExitCode;

use anyhow::{Context as _, bail, ensure};

use crate::workspace;

/// What is to be released.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The tag, such as v0.1.0: its section of the changelog is printed. Without it only what is there is compared
    tag: Option<String>,
}

/// Files that name the version in their own way, and how.
const NAMED: [(&str, &str); 6] = [
    ("README.md", "uses: OWNER/REPOSITORY@vVERSION"),
    ("docs/load.md", "uses: OWNER/REPOSITORY@vVERSION"),
    ("docs/recipes/github-actions.yml", "uses: OWNER/REPOSITORY@vVERSION"),
    ("docs/recipes/gitlab-ci.yml", "/vVERSION/piopiy-mock-VERSION-"),
    ("docs/recipes/compose.yaml", "piopiy:VERSION"),
    ("docs/recipes/kubernetes.yaml", "piopiy:VERSION"),
];

/// Compares, and prints the notes where a tag is given.
///
/// # Errors
/// Where something has another version, or the changelog has no section for the tag.
pub(crate) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let version = agreed()?;
    let Some(tag) = &options.tag else {
        println!("version {version} everywhere");
        return Ok(ExitCode::SUCCESS);
    };
    ensure!(*tag == format!("v{version}"), "the tag is {tag}, and Cargo.toml has version {version}");
    let changelog = read("CHANGELOG.md")?;
    let notes = section(&changelog, &version).with_context(|| {
        format!("CHANGELOG.md has no heading `## [{version}]` with lines below it: rename [Unreleased]")
    })?;
    println!("{notes}");
    Ok(ExitCode::SUCCESS)
}

/// The version, where all agree.
fn agreed() -> anyhow::Result<String> {
    let manifest = read("Cargo.toml")?;
    let version = env!("CARGO_PKG_VERSION");
    let line = format!("version = \"{version}\"");
    ensure!(
        manifest.contains(&format!("[workspace.package]\n{line}\n")),
        "Cargo.toml: this was built as {version}"
    );
    for (number, line) in manifest.lines().enumerate().filter(|(_, line)| line.contains("path = \"crates/")) {
        let wanted = format!("version = \"{version}\"");
        ensure!(line.contains(&wanted), "Cargo.toml:{}: {line}: expected {wanted}", number + 1);
    }
    for (path, form) in NAMED {
        let wanted = form.replace("VERSION", version);
        if !read(path)?.contains(&wanted) {
            bail!("{path} does not have `{wanted}`");
        }
    }
    Ok(version.to_owned())
}

fn read(path: &str) -> anyhow::Result<String> {
    std::fs::read_to_string(workspace::root().join(path)).with_context(|| format!("cannot read {path}"))
}

/// What the changelog has below the heading of a version.
fn section<'a>(changelog: &'a str, version: &str) -> Option<&'a str> {
    let heading = format!("\n## [{version}]");
    let (_, after) = changelog.split_once(&heading)?;
    let (_, body) = after.split_once('\n')?;
    let body = body.split("\n## [").next()?.trim();
    (!body.is_empty()).then_some(body)
}

#[cfg(test)]
mod tests {
    use super::{agreed, section};

    #[test]
    fn the_version_is_the_same_everywhere() {
        if let Err(error) = agreed() {
            panic!("{error:#}");
        }
    }

    #[test]
    fn notes_are_what_stands_below_the_heading() {
        let changelog = "# Changelog\n\n## [Unreleased]\n\n## [0.2.0] - 2027-01-01\n\n- **added:** b.\n\n## [0.1.0] - 2026-12-01\n\n- **added:** a.\n";
        assert_eq!(section(changelog, "0.2.0"), Some("- **added:** b."));
        assert_eq!(section(changelog, "0.1.0"), Some("- **added:** a."));
        assert_eq!(section(changelog, "Unreleased"), None, "nothing is below it");
        assert_eq!(section(changelog, "0.3.0"), None);
    }
}
