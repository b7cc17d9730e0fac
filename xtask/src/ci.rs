//! `cargo xtask ci`: the static checks.

use std::process::ExitCode;

use clap::ValueEnum;

use crate::tally::{Missing, Tally};
use crate::{docs, fixtures, fuzz, gallery, tidy, workspace};

mod features;

/// Which checks to run.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Only these; all where none is named
    checks: Vec<Check>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Check {
    /// Formatting, by rustfmt
    Fmt,
    /// Lints of every target with all features, warnings denied
    Clippy,
    /// The documentation builds without a warning
    Docs,
    /// Every feature of every package alone, and none, warnings denied
    Features,
    /// The fuzz targets, which are a workspace of their own, compile
    Fuzz,
    /// Generated files and the lock file are up to date, and every wire sample comes out as it went in
    Drift,
    /// Rules of the house that no other tool checks
    Tidy,
    /// Bans, licences and sources of the dependencies, by cargo-deny where it is installed
    Deny,
}

/// Runs the checks.
///
/// # Errors
/// Never: a check that fails is counted.
pub(crate) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let chosen = if options.checks.is_empty() { Check::value_variants() } else { &options.checks };
    let mut tally = Tally::default();
    for check in chosen {
        let name = check.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
        if *check == Check::Deny && !workspace::works("cargo", &["deny", "--version"]) {
            tally.skip("cargo deny", &Missing("cargo-deny"), false);
            continue;
        }
        println!("{name} ...");
        tally.part(&name, || check.run());
    }
    Ok(tally.finish())
}

impl Check {
    fn run(self) -> anyhow::Result<String> {
        let cargo =
            |arguments: &[&str]| workspace::run(workspace::cargo().args(arguments)).map(|()| String::new());
        match self {
            Self::Fmt => cargo(&["fmt", "--all", "--check"]),
            Self::Clippy => cargo(&[
                "clippy",
                "--quiet",
                "--workspace",
                "--all-targets",
                "--all-features",
                "--",
                "-D",
                "warnings",
            ]),
            Self::Docs => {
                let mut cargo = workspace::cargo();
                cargo.args(["doc", "--quiet", "--no-deps", "--workspace", "--all-features"]);
                workspace::run(cargo.env("RUSTDOCFLAGS", "-D warnings")).map(|()| String::new())
            }
            Self::Features => features::check(),
            Self::Fuzz => fuzz::check(),
            Self::Drift => {
                // Fails where Cargo.lock would have to change.
                let mut metadata = workspace::cargo();
                metadata.args(["metadata", "--locked", "--format-version=1"]);
                workspace::run(metadata.stdout(std::process::Stdio::null()))?;
                Ok(format!("{}, {}, {}", fixtures::check()?, docs::check()?, gallery::drift()?))
            }
            Self::Tidy => tidy::check(),
            Self::Deny => cargo(&["deny", "check", "bans", "licenses", "sources"]),
        }
    }
}
