//! `cargo xtask fixtures`: what is generated is written, or compared with what is there.

use std::process::ExitCode;

use crate::generated::Generated;

mod samples;

/// Write, or compare.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Write nothing: name each stale file and fail if there is one; also check that every wire sample comes out
    /// as it went in
    #[arg(long)]
    check: bool,
}

/// Writes or compares.
///
/// # Errors
/// Where a file cannot be read or written, or is stale.
pub(crate) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    if options.check {
        println!("{}", check()?);
    } else {
        generated()?.write()?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Compares the generated files with what is there, and reads every wire sample.
///
/// # Errors
/// Where a file is stale, missing or too much, or a sample comes out changed.
pub(crate) fn check() -> anyhow::Result<String> {
    let samples = samples::check()?;
    let files = generated()?.check()?;
    Ok(format!("{files} generated files up to date, {samples} wire samples value for value"))
}

/// Every generated file but those of the guide.
fn generated() -> anyhow::Result<Generated> {
    let mut files = Generated::new("cargo xtask fixtures", &["schemas", "fixtures/golden"]);
    for (path, contents) in piopiy_events::schema::files() {
        files.add(format!("schemas/{path}"), contents)?;
    }
    for (path, contents) in piopiy_mock_platform::plan::golden()? {
        files.add(path, contents)?;
    }
    let records = [
        ("schemas/check.json", piopiy_mock_platform::judge::report::schema()),
        ("schemas/load.json", piopiy_mock_platform::load::schema()),
        ("schemas/check-lines.json", piopiy_mock_platform::judge::report::lines_schema()),
        ("schemas/control-openapi.json", piopiy_mock_platform::platform::control_openapi()),
        ("schemas/rest-openapi.json", piopiy_mock_platform::platform::rest_openapi()),
        ("schemas/plan.json", piopiy_mock_platform::plan::file::schema()),
        ("schemas/ledger.json", piopiy_mock_platform::deliver::ledger::schema()),
    ];
    for (path, schema) in records {
        files.add(path.to_owned(), format!("{}\n", serde_json::to_string_pretty(&schema)?))?;
    }
    let (path, contents) = crate::gallery::page()?;
    files.add(path, contents)?;
    Ok(files)
}
