//! A script or a module of Python, with what its folder's requirements name.

use std::path::Path;
use std::process::{Output, Stdio};

use anyhow::{Context as _, ensure};
use tokio::process::Command;

use crate::receivers::venv_python;

/// What it says, where it succeeds.
///
/// # Errors
/// Where it cannot be started or fails; with all that it said.
pub(super) async fn python(folder: &Path, arguments: &[impl AsRef<str>]) -> anyhow::Result<String> {
    let Output { status, stdout, stderr } = ended(folder, arguments).await?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let name = name(arguments);
    ensure!(status.success(), "{name}: {status}\n{}{}", text(&stdout), text(&stderr));
    Ok(text(&stdout))
}

/// How it ends.
///
/// # Errors
/// Where it cannot be started.
pub(super) async fn ended(folder: &Path, arguments: &[impl AsRef<str>]) -> anyhow::Result<Output> {
    let mut command = Command::new(venv_python(&folder.join(".venv")));
    command
        .args(arguments.iter().map(AsRef::as_ref))
        .current_dir(folder)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command.output().await.with_context(|| format!("cannot start {}", name(arguments)))
}

fn name(arguments: &[impl AsRef<str>]) -> String {
    arguments.iter().map(AsRef::as_ref).collect::<Vec<&str>>().join(" ")
}
