//! The commands of the README, in their order, for real.

use anyhow::{Context as _, ensure};

use super::World;
use crate::receivers::Kept;
use crate::{traffic, workspace};

/// Where the README has its receiver.
const ADDRESS: &str = "127.0.0.1:5000";

/// Runs every `piopiy-mock` command of the README against a receiver.
///
/// # Errors
/// Where a command fails.
pub(super) async fn run(world: &World) -> anyhow::Result<String> {
    let readme =
        std::fs::read_to_string(workspace::root().join("README.md")).context("cannot read README.md")?;
    let mock = workspace::build("piopiy-mock-platform", "piopiy-mock", workspace::Profile::Dev)?;
    let folder = tempfile::tempdir()?;
    let store = folder.path().join("store.sqlite");
    let receiver = world.durable.serve("127.0.0.1:0", Kept::Sqlite(&store), &["--observe"]).await?;

    let mut ran = 0;
    for line in commands(&readme) {
        let line = line.replace(ADDRESS, receiver.address());
        let mut words = line.split_whitespace();
        ensure!(words.next() == Some("piopiy-mock"), "not a command that this run knows: {line}");
        let output =
            tokio::process::Command::new(&mock).args(words).current_dir(folder.path()).output().await?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "`{line}` ended with {}: {said}", output.status);
        ran += 1;
    }
    receiver.stop().await?;
    ensure!(ran > 0, "README.md has no command; they are to stand in ```sh blocks");
    ensure!(readme.contains(traffic::PATH), "README.md never says where webhooks go");
    Ok(format!("{ran} commands"))
}

/// The commands in shell blocks, without comments and without what sets the machine up.
fn commands(readme: &str) -> Vec<&str> {
    let blocks = readme.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
    let lines =
        blocks.flat_map(str::lines).map(|line| line.split_once(" #").map_or(line, |(command, _)| command));
    lines.filter(|line| !line.trim().is_empty() && !line.starts_with("cargo ")).collect()
}

#[cfg(test)]
mod tests {
    use super::commands;

    #[test]
    fn only_commands_of_shell_blocks_are_run() {
        let readme =
            "a\n```sh\ncargo xtask demo # it\npiopiy-mock events   # all\n\n```\n```rust\nfn f() {}\n```\n";
        assert_eq!(commands(readme), ["piopiy-mock events  "]);
    }
}
