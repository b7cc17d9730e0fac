//! Where the project lies, and how its cargo and its binaries are called.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail, ensure};
use serde::Deserialize;

/// The workspace's root folder.
pub(crate) fn root() -> PathBuf {
    // Cargo says where the package is when it runs it; the compiled-in path may be that of a tree since moved.
    let package = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    package.parent().map_or_else(|| package.clone(), Path::to_path_buf)
}

/// A program of `name`, to be run in the workspace's root with nothing on its stdin.
pub(crate) fn command(name: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(name);
    command.current_dir(root()).stdin(Stdio::null());
    command
}

/// The cargo that runs this.
pub(crate) fn cargo() -> Command {
    let mut cargo = command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // What `cargo run` sets for this package is not for the packages it builds: it would make them build anew.
    for (name, _) in std::env::vars_os() {
        if name
            .to_str()
            .is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_"))
        {
            cargo.env_remove(name);
        }
    }
    cargo
}

/// Runs a command to its end.
///
/// # Errors
/// Where it cannot be started or does not end with success.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<()> {
    let said = said(command);
    let status = command.status().with_context(|| format!("cannot start `{said}`"))?;
    ensure!(status.success(), "`{said}` ended with {status}");
    Ok(())
}

/// Whether a program can be started with these arguments and ends with success.
pub(crate) fn works(program: &str, arguments: &[&str]) -> bool {
    command(program)
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// A program on a core of its own, where the system lets choose one (`taskset`).
pub(crate) fn pinned(core: &str, program: impl AsRef<OsStr>) -> Command {
    if works("taskset", &["-c", core, "true"]) {
        let mut taskset = command("taskset");
        taskset.args(["-c", core]).arg(program);
        taskset
    } else {
        command(program)
    }
}

/// Builds one binary and says where it is.
///
/// # Errors
/// Where it does not build.
pub(crate) fn build(package: &str, binary: &str, profile: Profile) -> anyhow::Result<PathBuf> {
    #[derive(Deserialize)]
    struct Message {
        executable: Option<PathBuf>,
    }
    let mut cargo = cargo();
    cargo.args(["build", "--quiet", "--package", package, "--bin", binary]);
    cargo.arg("--message-format=json-render-diagnostics").stderr(Stdio::inherit());
    if profile == Profile::Release {
        cargo.arg("--release");
    }
    let output = cargo.output().context("cannot start cargo")?;
    if !output.status.success() {
        bail!("`{}` ended with {}", said(&cargo), output.status);
    }
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<Message>(line).ok()?.executable)
        .next_back()
        .with_context(|| format!("cargo built no executable `{binary}` in package `{package}`"))
}

/// How a binary is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    /// Quick to build.
    Dev,
    /// Quick to run.
    Release,
}

/// The command as it would be typed: a program by its name alone.
fn said(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = program.file_name().unwrap_or(command.get_program());
    let words = std::iter::once(name).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// Every file under a folder, in order; none where the folder is not there.
///
/// # Errors
/// Where a folder cannot be read.
pub(crate) fn files_under(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", folder.display())),
        };
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    Ok(files)
}

/// A path from the workspace's root, with `/` between its parts.
pub(crate) fn relative(path: &Path) -> String {
    let path = path.strip_prefix(root()).map_or_else(|_| path.to_path_buf(), Path::to_path_buf);
    path.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/")
}
