use std::path::Path;

use anyhow::Context as _;

use super::exit::Failure;

/// The first line of a file that holds a secret.
pub(super) fn read(file: &Path) -> Result<String, Failure> {
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("cannot read {}", file.display()))
        .map_err(Failure::environment)?;
    Ok(text.lines().next().unwrap_or_default().trim().to_owned())
}
