//! `cargo xtask fixtures`: what is generated is written, or compared with what is there.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, bail, ensure};

use crate::workspace;

mod samples;

/// Write, or compare.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Write nothing: name each stale file and fail if there is one; also check that every wire sample comes out
    /// as it went in
    #[arg(long)]
    check: bool,
}

/// The folders that hold generated files and nothing else.
const GENERATED_FOLDERS: [&str; 2] = ["schemas", "fixtures/golden"];

/// Writes or compares.
///
/// # Errors
/// Where a file cannot be read or written, or is stale.
pub(crate) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    if options.check {
        println!("{}", check()?);
        return Ok(ExitCode::SUCCESS);
    }
    let generated = generated()?;
    let mut written = 0;
    for (path, difference) in differences(&generated)? {
        let file = workspace::root().join(&path);
        match difference {
            Difference::Extra => {
                std::fs::remove_file(&file).with_context(|| format!("cannot remove {path}"))?;
            }
            Difference::Missing | Difference::Stale => write(&file, &generated[&path])?,
        }
        println!("{difference:?}: {path}");
        written += 1;
    }
    println!("{} generated files, {written} of them changed", generated.len());
    Ok(ExitCode::SUCCESS)
}

/// Compares the generated files with what is there, and reads every wire sample.
///
/// # Errors
/// Where a file is stale, missing or too much, or a sample comes out changed.
pub(crate) fn check() -> anyhow::Result<String> {
    let samples = samples::check()?;
    let generated = generated()?;
    let differences = differences(&generated)?;
    if !differences.is_empty() {
        let named: Vec<_> =
            differences.iter().map(|(path, difference)| format!("  {difference:?}: {path}")).collect();
        bail!(
            "generated files differ from what is there; run `cargo xtask fixtures` and commit:\n{}",
            named.join("\n")
        );
    }
    Ok(format!("{} generated files up to date, {samples} wire samples value for value", generated.len()))
}

/// How what is there differs from what is generated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Difference {
    Missing,
    Stale,
    Extra,
}

/// Every generated file: its path from the workspace's root, and its contents.
fn generated() -> anyhow::Result<BTreeMap<String, String>> {
    let payloads = piopiy_events::schema::files();
    let payloads = payloads.into_iter().map(|(path, contents)| (format!("schemas/{path}"), contents));
    let golden = piopiy_mock_platform::plan::golden()?;
    let records = [
        ("schemas/check.json", piopiy_mock_platform::judge::report::schema()),
        ("schemas/load.json", piopiy_mock_platform::load::schema()),
        ("schemas/check-lines.json", piopiy_mock_platform::judge::report::lines_schema()),
        ("schemas/control-openapi.json", piopiy_mock_platform::platform::control_openapi()),
        ("schemas/rest-openapi.json", piopiy_mock_platform::platform::rest_openapi()),
        ("schemas/plan.json", piopiy_mock_platform::plan::file::schema()),
        ("schemas/ledger.json", piopiy_mock_platform::deliver::ledger::schema()),
    ];
    let mut files = BTreeMap::new();
    for (path, contents) in payloads.chain(golden) {
        ensure!(files.insert(path.clone(), contents).is_none(), "{path} is generated twice");
    }
    for (path, schema) in records {
        let contents = format!("{}\n", serde_json::to_string_pretty(&schema)?);
        ensure!(files.insert(path.to_owned(), contents).is_none(), "{path} is generated twice");
    }
    let (path, contents) = crate::gallery::page()?;
    ensure!(files.insert(path.clone(), contents).is_none(), "{path} is generated twice");
    Ok(files)
}

fn differences(generated: &BTreeMap<String, String>) -> anyhow::Result<Vec<(String, Difference)>> {
    let root = workspace::root();
    let mut found = Vec::new();
    for (path, contents) in generated {
        match std::fs::read(root.join(path)) {
            Ok(there) if there == contents.as_bytes() => {}
            Ok(_) => found.push((path.clone(), Difference::Stale)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                found.push((path.clone(), Difference::Missing));
            }
            Err(error) => return Err(error).with_context(|| format!("cannot read {path}")),
        }
    }
    for folder in GENERATED_FOLDERS {
        for path in workspace::files_under(&root.join(folder))? {
            let path = workspace::relative(&path);
            if !generated.contains_key(&path) {
                found.push((path, Difference::Extra));
            }
        }
    }
    Ok(found)
}

fn write(file: &Path, contents: &str) -> anyhow::Result<()> {
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    std::fs::write(file, contents).with_context(|| format!("cannot write {}", file.display()))
}
