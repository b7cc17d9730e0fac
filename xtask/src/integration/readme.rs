//! The commands of the README and of the tutorials, in their order, for real.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, ensure};
use tokio::process::Command;

use super::World;
use crate::receivers::Kept;
use crate::{traffic, workspace};

/// Where they have their receiver.
const ADDRESS: &str = "127.0.0.1:5000";
/// The programs that they call.
const PROGRAMS: [&str; 2] = ["piopiy-mock", "piopiy-receiver"];

/// Runs every command of the README against a receiver.
///
/// # Errors
/// Where a command fails.
pub(super) async fn run(world: &World) -> anyhow::Result<String> {
    let readme = workspace::root().join("README.md");
    let text = std::fs::read_to_string(&readme).context("cannot read README.md")?;
    ensure!(text.contains(traffic::PATH), "README.md never says where webhooks go");
    of_pages(world, &[readme]).await
}

/// Runs every command of the tutorials, each page in a folder and against a store of its own.
///
/// # Errors
/// Where a command fails.
pub(super) async fn tutorials(world: &World) -> anyhow::Result<String> {
    let pages = workspace::files_under(&workspace::root().join("docs/tutorials"))?;
    ensure!(!pages.is_empty(), "docs/tutorials has no page");
    of_pages(world, &pages).await
}

async fn of_pages(world: &World, pages: &[PathBuf]) -> anyhow::Result<String> {
    let mock = workspace::build("piopiy-mock-platform", "piopiy-mock", workspace::Profile::Dev)?;
    let programs = mock.parent().context("a program lies in a folder")?;
    let mut ran = 0;
    for page in pages {
        let name = workspace::relative(page);
        ran += of_page(world, page, programs).await.with_context(|| name)?;
    }
    ensure!(ran > 0, "there is no command; they are to stand in ```sh blocks");
    Ok(format!("{ran} commands"))
}

async fn of_page(world: &World, page: &Path, programs: &Path) -> anyhow::Result<usize> {
    let text = std::fs::read_to_string(page)?;
    let folder = tempfile::tempdir()?;
    let store = folder.path().join("store.sqlite");
    let receiver = world.durable.serve("127.0.0.1:0", Kept::Sqlite(&store), &["--observe"]).await?;
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path =
        std::env::join_paths(std::iter::once(programs.to_path_buf()).chain(std::env::split_paths(&path)))?;

    let mut ran = 0;
    for line in commands(&text) {
        let line = line.replace(ADDRESS, receiver.address());
        let program = line.split_whitespace().next().unwrap_or_default();
        ensure!(PROGRAMS.contains(&program), "not a command that this run knows: {line}");
        let mut shell = Command::new("bash");
        shell.args(["-euo", "pipefail", "-c", &line]).current_dir(folder.path()).env("PATH", &path);
        let output = shell.stdin(Stdio::null()).kill_on_drop(true).output().await?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "`{line}` ended with {}: {said}", output.status);
        ran += 1;
    }
    receiver.stop().await?;
    Ok(ran)
}

/// The commands in shell blocks, without comments and without what sets the machine up.
fn commands(page: &str) -> Vec<&str> {
    let blocks = page.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
    let lines =
        blocks.flat_map(str::lines).map(|line| line.split_once(" #").map_or(line, |(command, _)| command));
    lines.filter(|line| !line.trim().is_empty() && !line.starts_with("cargo ")).collect()
}

#[cfg(test)]
mod tests {
    use super::{PROGRAMS, commands};
    use crate::workspace;

    #[test]
    fn only_commands_of_shell_blocks_are_run() {
        let page =
            "a\n```sh\ncargo xtask demo # it\npiopiy-mock events   # all\n\n```\n```rust\nfn f() {}\n```\n";
        assert_eq!(commands(page), ["piopiy-mock events  "]);
    }

    #[test]
    fn every_tutorial_but_that_of_live_calls_has_commands_that_can_be_run() {
        for page in workspace::files_under(&workspace::root().join("docs/tutorials")).unwrap() {
            let text = std::fs::read_to_string(&page).unwrap();
            for line in commands(&text) {
                let program = line.split_whitespace().next().unwrap();
                assert!(PROGRAMS.contains(&program), "{}: {line}", page.display());
            }
            let is_of_live_calls = page.ends_with("offline-developer.md");
            assert!(is_of_live_calls || !commands(&text).is_empty(), "{}", page.display());
        }
    }
}
