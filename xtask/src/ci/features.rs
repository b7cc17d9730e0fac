//! Every feature of every package alone, and no feature at all.

use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};
use serde::Deserialize;

use crate::workspace;

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    features: BTreeMap<String, Vec<String>>,
}

/// Lints each package without features, then with each one alone: what one feature needs must not come from another.
///
/// # Errors
/// Where one of them has a warning or does not compile.
pub(super) fn check() -> anyhow::Result<String> {
    let output = workspace::cargo()
        .args(["metadata", "--no-deps", "--format-version=1"])
        .output()
        .context("cannot start cargo")?;
    ensure!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: Metadata =
        serde_json::from_slice(&output.stdout).context("cannot read cargo's metadata")?;
    let mut builds = 0;
    for package in &metadata.packages {
        lint(&package.name, None)?;
        builds += 1;
        for feature in package.features.keys().filter(|feature| *feature != "default") {
            lint(&package.name, Some(feature))?;
            builds += 1;
        }
    }
    Ok(format!("{builds} builds of {} packages", metadata.packages.len()))
}

fn lint(package: &str, feature: Option<&str>) -> anyhow::Result<()> {
    let mut cargo = workspace::cargo();
    cargo.args(["clippy", "--quiet", "--package", package, "--no-default-features"]);
    if let Some(feature) = feature {
        cargo.args(["--features", feature]);
    }
    workspace::run(cargo.args(["--", "-D", "warnings"]))
}
