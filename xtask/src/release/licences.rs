//! The licences of the crates that are linked into the programs: whoever passes a program on passes these on.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, ensure};
use serde::Deserialize;

use crate::workspace;

/// The crates with the programs.
const PROGRAMS: [&str; 2] = ["piopiy-mock-platform", "piopiy-receiver"];
/// What the programs of a release are built with, as the release workflow and the image's file have it.
const FEATURES: &str = "piopiy-receiver/parquet";
/// What files begin with that have such a text.
const FILES: [&str; 6] = ["LICENSE", "LICENCE", "COPYING", "COPYRIGHT", "NOTICE", "UNLICENSE"];

#[derive(Debug, Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    resolve: Resolve,
}

#[derive(Debug, Deserialize)]
struct Package {
    id: String,
    name: String,
    version: String,
    license: Option<String>,
    manifest_path: std::path::PathBuf,
    /// Null for what is of this workspace.
    source: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Debug, Deserialize)]
struct Node {
    id: String,
    deps: Vec<Dep>,
}

#[derive(Debug, Deserialize)]
struct Dep {
    pkg: String,
    dep_kinds: Vec<Kind>,
}

#[derive(Debug, Deserialize)]
struct Kind {
    /// Null for what is linked, and not only built or tested with.
    kind: Option<String>,
}

/// Every text once, with the crates that it is of.
///
/// # Errors
/// Where cargo does not say what is linked, a text cannot be read, or a crate has neither text nor the name of a licence.
pub(crate) fn text() -> anyhow::Result<String> {
    let output = workspace::cargo()
        .args(["metadata", "--locked", "--format-version=1", "--features", FEATURES])
        .output()?;
    ensure!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr).trim());
    let metadata: Metadata = serde_json::from_slice(&output.stdout).context("cargo metadata")?;
    let linked = linked(&metadata);
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut told =
        "These crates are linked into piopiy-mock, piopiy-receiver or both, under these licences.\n\n"
            .to_owned();
    for package in metadata.packages.iter().filter(|package| linked.contains(package.id.as_str())) {
        let name = format!("{} {}", package.name, package.version);
        let folder = package.manifest_path.parent().context("a manifest lies in a folder")?;
        let own = texts_in(folder)?;
        let licence = package.license.as_deref().unwrap_or("see its text");
        ensure!(
            package.license.is_some() || !own.is_empty(),
            "{name} says nothing of its licence: is it to be linked?"
        );
        let _ = writeln!(told, "{name}: {licence}");
        for text in own {
            texts.entry(text).or_default().push(name.clone());
        }
    }
    let mut texts: Vec<(String, Vec<String>)> = texts.into_iter().collect();
    texts.sort_by(|(_, one), (_, other)| one.cmp(other));
    for (text, names) in texts {
        let _ = write!(told, "\n{}\n{}\n\n{}\n", "=".repeat(100), names.join(", "), text.trim());
    }
    Ok(told)
}

/// The crates of others that are linked into a program, whatever it is built for.
fn linked(metadata: &Metadata) -> BTreeSet<&str> {
    let nodes: BTreeMap<&str, &Node> =
        metadata.resolve.nodes.iter().map(|node| (node.id.as_str(), node)).collect();
    let is_program = |package: &&Package| PROGRAMS.contains(&package.name.as_str());
    let mut left: Vec<&str> =
        metadata.packages.iter().filter(is_program).map(|package| package.id.as_str()).collect();
    let mut seen = BTreeSet::new();
    while let Some(id) = left.pop() {
        if seen.insert(id) {
            let deps = nodes.get(id).map(|node| node.deps.as_slice()).unwrap_or_default();
            let is_linked = |dep: &&Dep| dep.dep_kinds.iter().any(|kind| kind.kind.is_none());
            left.extend(deps.iter().filter(is_linked).map(|dep| dep.pkg.as_str()));
        }
    }
    let of_others = metadata.packages.iter().filter(|package| package.source.is_some());
    of_others.map(|package| package.id.as_str()).filter(|id| seen.contains(id)).collect()
}

fn texts_in(folder: &Path) -> anyhow::Result<Vec<String>> {
    let listed = std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut files = listed.map(|file| Ok(file?.path())).collect::<std::io::Result<Vec<_>>>()?;
    files.retain(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_uppercase();
        path.is_file() && FILES.iter().any(|start| name.starts_with(start))
    });
    files.sort();
    let read = |path: &std::path::PathBuf| {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(text.replace("\r\n", "\n"))
    };
    files.iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use crate::workspace;

    #[test]
    fn what_a_release_builds_has_the_same_features() {
        for file in [".github/workflows/release.yml", "examples/container/Dockerfile"] {
            let text = fs::read_to_string(workspace::root().join(file)).unwrap();
            assert!(text.contains(&format!("--features {}", super::FEATURES)), "{file}");
        }
    }

    #[test]
    fn whatever_is_linked_says_under_which_licence() {
        let text = super::text().unwrap();
        for linked in [
            "\ntokio ",
            "\nrustls ",
            "\nring ",
            "\nparquet ",
            "\nlibsqlite3-sys ",
            "Permission is hereby granted",
        ] {
            assert!(text.contains(linked), "{linked:?} is not in it");
        }
        for other in ["\ninsta ", "\npiopiy-events ", "\nwiremock "] {
            assert!(!text.contains(other), "{other:?} is no crate of others that is linked");
        }
    }
}
