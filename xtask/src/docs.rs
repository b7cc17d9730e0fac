//! `cargo xtask docs`: the pages of the guide that follow from the code: checks, commands, evidence.

use std::process::ExitCode;

use crate::generated::Generated;

mod checks;
mod commands;
mod evidence;
mod markdown;

/// Write, or compare.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Write nothing: name each stale page and fail if there is one
    #[arg(long)]
    check: bool,
}

/// Writes or compares.
///
/// # Errors
/// Where a page cannot be read or written, or is stale.
pub(crate) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    if options.check {
        println!("{}", check()?);
    } else {
        generated()?.write()?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Compares the pages with what is there.
///
/// # Errors
/// Where one is stale, missing or too much.
pub(crate) fn check() -> anyhow::Result<String> {
    Ok(format!("{} pages of the guide up to date", generated()?.check()?))
}

fn generated() -> anyhow::Result<Generated> {
    let mut pages = Generated::new("cargo xtask docs", &["docs/checks", "docs/cli"]);
    for (path, text) in of_tables()?.into_iter().chain(commands::pages()?) {
        pages.add(path, text)?;
    }
    Ok(pages)
}

/// The pages for which no program has to be built.
fn of_tables() -> anyhow::Result<Vec<(String, String)>> {
    let mut pages = checks::pages();
    pages.push(evidence::page()?);
    Ok(pages)
}

#[cfg(test)]
mod tests {
    use crate::generated::Generated;

    #[test]
    fn the_pages_of_checks_and_evidence_are_up_to_date() {
        let mut pages = Generated::new("cargo xtask docs", &["docs/checks"]);
        for (path, text) in super::of_tables().unwrap() {
            pages.add(path, text).unwrap();
        }
        if let Err(error) = pages.check() {
            panic!("{error:#}");
        }
    }
}
