//! What lock files name, installed into the folder that they are in.

use std::path::{Path, PathBuf};

use crate::workspace;

/// Installs what the lock file of a folder names, where that is not there yet.
pub(crate) fn npm_ci(folder: &Path) -> anyhow::Result<()> {
    let installed = folder.join("node_modules/.package-lock.json");
    if is_newer(&installed, &folder.join("package-lock.json")) {
        return Ok(());
    }
    let mut npm = workspace::command("npm");
    workspace::run(npm.args(["ci", "--no-audit", "--no-fund", "--prefix"]).arg(folder))
}

/// Installs what the requirements of a folder name into a virtual environment of its own.
pub(crate) fn venv(folder: &Path) -> anyhow::Result<()> {
    let venv = folder.join(".venv");
    let python = venv_python(&venv);
    // One that was copied or moved names a Python elsewhere: it is made anew.
    if !workspace::works(&python.to_string_lossy(), &["-m", "pip", "--version"]) {
        workspace::run(workspace::command("python3").args(["-m", "venv", "--clear"]).arg(&venv))?;
    }
    let mut pip = workspace::command(&python);
    pip.args(["-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"]);
    workspace::run(pip.arg("--requirement").arg(folder.join("requirements.txt")))
}

pub(crate) fn venv_python(venv: &Path) -> PathBuf {
    venv.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" })
}

/// Whether `file` exists and is not older than `than`.
fn is_newer(file: &Path, than: &Path) -> bool {
    let written = |path: &Path| std::fs::metadata(path)?.modified();
    matches!((written(file), written(than)), (Ok(file), Ok(than)) if file >= than)
}
