//! `cargo xtask release`: whether the version is the same everywhere, and the notes of a release.

use std::process::ExitCode;

use anyhow::{Context as _, ensure};

use crate::workspace;

pub(crate) mod licences;

/// What is to be released.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The tag, such as v0.1.0: its section of the changelog is printed. Without it only what is there is compared
    tag: Option<String>,
    /// Print the licences of what is linked into the programs, for the archives
    #[arg(long, conflicts_with = "tag")]
    licences: bool,
}

/// Files that name the version: each number behind one of the marks is it, and there is one at least.
const NAMED: [&str; 11] = [
    "README.md",
    "docs/load.md",
    "docs/recipes/compose.yaml",
    "docs/recipes/github-actions.yml",
    "docs/recipes/gitlab-ci.yml",
    "docs/recipes/kubernetes-check.yaml",
    "docs/recipes/kubernetes.yaml",
    "docs/recipes/test_containers.py",
    "docs/recipes/testcontainers.test.mjs",
    "examples/load/kubernetes.yaml",
    "examples/load/workflow.yml",
];
const MARKS: [&str; 7] = ["@v", "/v", "--tag v", " version: ", "piopiy:", "piopiy-mock-", "piopiy-mock "];
/// Files that say how to depend on the crates.
const DEPENDED_ON: [&str; 3] =
    ["crates/mock-platform/src/lib.rs", "docs/receiving-in-rust.md", "docs/testing-live-calls.md"];
/// What stands for the address of the project where nobody has said it yet.
const NOWHERE: &str = "OWNER/REPOSITORY";
/// Files that say where the project lies.
const PLACED: [&str; 7] = [
    "Cargo.toml",
    "README.md",
    "docs/load.md",
    "docs/recipes/README.md",
    "docs/recipes/github-actions.yml",
    "docs/recipes/gitlab-ci.yml",
    "examples/load/workflow.yml",
];

/// Compares, and prints the notes where a tag is given.
///
/// # Errors
/// Where something has another version, or the changelog has no section for the tag.
pub(crate) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    if options.licences {
        print!("{}", licences::text()?);
        return Ok(ExitCode::SUCCESS);
    }
    let version = agreed()?;
    let Some(tag) = &options.tag else {
        println!("version {version} everywhere");
        return Ok(ExitCode::SUCCESS);
    };
    ensure!(*tag == format!("v{version}"), "the tag is {tag}, and Cargo.toml has version {version}");
    for path in PLACED {
        ensure!(!read(path)?.contains(NOWHERE), "{path} says {NOWHERE}: put in where the project lies");
    }
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
    for path in NAMED {
        names(path, versions, version)?;
    }
    let compatible = version.rsplit_once('.').context("a version has three parts")?.0;
    for path in DEPENDED_ON {
        names(path, requirements, compatible)?;
    }
    let locked = read("crates/mock-platform/fuzz/Cargo.lock")?;
    for name in ["piopiy-events", "piopiy-ladder", "piopiy-mock-platform", "piopiy-receiver"] {
        let package = format!("name = \"{name}\"\nversion = \"{version}\"\n");
        ensure!(
            locked.contains(&package),
            "crates/mock-platform/fuzz/Cargo.lock has another {name}: cargo update --workspace --manifest-path crates/mock-platform/fuzz/Cargo.toml"
        );
    }
    Ok(version.to_owned())
}

/// A file names a version, and none but this one.
fn names(path: &str, find: fn(&str) -> Vec<(usize, &str)>, expected: &str) -> anyhow::Result<()> {
    let text = read(path)?;
    let named = find(&text);
    ensure!(!named.is_empty(), "{path} names no version");
    for (number, other) in named {
        ensure!(other == expected, "{path}:{number} has {other}, and Cargo.toml {expected}");
    }
    Ok(())
}

fn read(path: &str) -> anyhow::Result<String> {
    std::fs::read_to_string(workspace::root().join(path)).with_context(|| format!("cannot read {path}"))
}

/// The versions behind the marks, each with its line.
fn versions(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        for behind in MARKS.iter().flat_map(|mark| line.split(mark).skip(1)) {
            let is_part = |c: char| c.is_ascii_digit() || c == '.';
            let version = behind.split(|c| !is_part(c)).next().unwrap_or_default().trim_end_matches('.');
            if version.split('.').count() == 3 {
                found.push((number + 1, version));
            }
        }
    }
    found
}

/// The versions that manifests in a text want of the crates, each with its line.
fn requirements(text: &str) -> Vec<(usize, &str)> {
    fn of(line: &str) -> Option<&str> {
        let (name, version) = line.trim_start_matches("//!").trim().split_once(" = \"")?;
        name.starts_with("piopiy-").then(|| version.trim_end_matches('"'))
    }
    text.lines().enumerate().filter_map(|(number, line)| Some((number + 1, of(line)?))).collect()
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
    use super::{agreed, requirements, section, versions};

    #[test]
    fn the_version_is_the_same_everywhere() {
        if let Err(error) = agreed() {
            panic!("{error:#}");
        }
    }

    #[test]
    fn every_version_behind_a_mark_is_found() {
        let text = "piopiy-mock 0.2.0, at\nhttps://x/v0.1.0/piopiy-mock-0.3.0-x86_64.tar.gz and 9.9.9\nuses: a/b@v0\n";
        assert_eq!(versions(text), [(1, "0.2.0"), (2, "0.1.0"), (2, "0.3.0")]);
    }

    #[test]
    fn what_manifests_want_of_the_crates_is_found() {
        let text = "//! piopiy-receiver = \"0.1\"\naxum = \"0.8\"\npiopiy-events = \"0.2\"\n";
        assert_eq!(requirements(text), [(1, "0.1"), (3, "0.2")]);
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
