//! The commands of the README and of the tutorials, in their order, for real.

mod commands;

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context as _, ensure};
use tokio::process::Command;

use self::commands::How;
use super::World;
use crate::process::Process;
use crate::{traffic, workspace};

/// Where they have their receiver.
const ADDRESS: &str = "127.0.0.1:5000";
/// How it is started where a page does not say it.
const SERVE: &str = "piopiy-receiver serve --observe";
/// The commands that listen, and what has them take any ports that are free.
const ANYWHERE: [(&str, &str); 2] = [
    ("piopiy-receiver serve", " --listen 127.0.0.1:0"),
    ("piopiy-mock serve", " --listen 127.0.0.1:0 --control 127.0.0.1:0"),
];

/// In place of Docker, for there is no container to pause: writes down what it was asked for.
const DOCKER: &str = "#!/bin/sh\necho \"$@\" >>docker-was-asked-to\n";

/// Runs every command of the README: those of its blocks, then those of its sentences, beside the receiver that it starts.
///
/// # Errors
/// Where a command fails, or nobody has said how it is run.
pub(super) async fn run(world: &World) -> anyhow::Result<String> {
    let page = workspace::root().join("README.md");
    let text = std::fs::read_to_string(&page).context("cannot read README.md")?;
    ensure!(text.contains(traffic::PATH), "README.md never says where webhooks go");
    let place = Place::new(world, &text).await?;
    let (mut ran, mut elsewhere) = (0, 0);
    let sentences = commands::in_sentences(&text).into_iter().filter(|line| *line != place.served);
    for line in commands::in_blocks(&text).iter().map(String::as_str).chain(sentences) {
        match commands::how(line).with_context(|| format!("nobody has said how `{line}` is run"))? {
            How::Whole(code) => place.whole(line, code).await?,
            How::Until(said, code) => place.until(line, said, code).await?,
            How::Elsewhere(there) => {
                println!("readme: `{line}` is run elsewhere: {there}");
                elsewhere += 1;
                continue;
            }
        }
        ran += 1;
    }
    for program in ["piopiy-mock", "piopiy-receiver"] {
        ensure!(
            place.folder.path().join("bin").join(program).is_file(),
            "README.md never installs {program}"
        );
    }
    let asked = std::fs::read_to_string(place.folder.path().join("docker-was-asked-to")).unwrap_or_default();
    ensure!(asked.starts_with("pause db\nunpause db\n"), "the hooks of `check` ran as: {asked:?}");
    place.receiver.stop().await?;
    Ok(format!("{ran} commands, {elsewhere} that are run elsewhere"))
}

/// Runs every command in the shell blocks of the tutorials, each page in a folder and beside a receiver of its own.
///
/// # Errors
/// Where a command fails.
pub(super) async fn tutorials(world: &World) -> anyhow::Result<String> {
    let pages = workspace::files_under(&workspace::root().join("docs/tutorials"))?;
    let mut ran = 0;
    for page in &pages {
        let name = workspace::relative(page);
        ran += tutorial(world, page).await.with_context(|| name)?;
    }
    ensure!(ran > 0, "there is no command; they are to stand in ```sh blocks");
    Ok(format!("{ran} commands"))
}

async fn tutorial(world: &World, page: &Path) -> anyhow::Result<usize> {
    let text = std::fs::read_to_string(page)?;
    let lines = commands::in_shell_blocks(&text);
    let place = Place::new(world, &text).await?;
    for line in &lines {
        place.whole(line, 0).await?;
    }
    place.receiver.stop().await?;
    Ok(lines.len())
}

/// Where the commands of a page are run: in a folder of its own, beside the receiver that the page starts there.
struct Place {
    folder: tempfile::TempDir,
    path: OsString,
    /// How the page starts its receiver.
    served: String,
    receiver: Process,
}

impl Place {
    async fn new(world: &World, page: &str) -> anyhow::Result<Self> {
        let mock = workspace::build("piopiy-mock-platform", "piopiy-mock", workspace::Profile::Dev)?;
        let folder = tempfile::tempdir()?;
        let bin = folder.path().join("bin");
        std::fs::create_dir(&bin)?;
        std::fs::write(bin.join("docker"), DOCKER)?;
        std::fs::set_permissions(bin.join("docker"), std::fs::Permissions::from_mode(0o755))?;
        // What the page installs comes before what is built here.
        let programs = [&mock, world.durable.binary()].map(|program| program.parent().map(Path::to_path_buf));
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = std::iter::once(bin).chain(programs.into_iter().flatten());
        let path = std::env::join_paths(folders.chain(std::env::split_paths(&path)))?;

        let mut sentences = commands::in_sentences(page).into_iter();
        let served = sentences.find(|line| line.starts_with("piopiy-receiver serve")).unwrap_or(SERVE);
        let receiver =
            Process::until(shell(folder.path(), &path, &listening(served)), "listening on ").await?;
        Ok(Self { folder, path, served: served.to_owned(), receiver })
    }

    /// Runs a command to its end.
    async fn whole(&self, line: &str, code: i32) -> anyhow::Result<()> {
        let mut shell = self.shell(line);
        let output = shell.output().await.context("cannot start bash")?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.code() == Some(code), "`{line}` ended with {}: {said}", output.status);
        Ok(())
    }

    /// Runs a command until it says something, then has it end.
    async fn until(&self, line: &str, said: &str, code: i32) -> anyhow::Result<()> {
        let process =
            Process::until(self.shell(&listening(line)), said).await.with_context(|| line.to_owned())?;
        process.ask_to_end().await?;
        let status = process.ended().await?;
        ensure!(status.code() == Some(code), "`{line}` ended with {status} after SIGTERM");
        Ok(())
    }

    /// A command as it stands on the page, but for where the receiver is.
    fn shell(&self, line: &str) -> Command {
        let url = format!(" http://{}{}", self.receiver.address(), traffic::PATH);
        let line = line.replace(ADDRESS, self.receiver.address()).replace(" URL", &url);
        if !line.starts_with("cargo ") {
            let folder = self.folder.path();
            let mut shell = shell(folder, &self.path, &line);
            // What a user of this machine has set or made is neither read nor touched.
            shell.env("XDG_CONFIG_HOME", folder.join("config")).env("XDG_DATA_HOME", folder.join("data"));
            return shell;
        }
        // In the folder of the project, where the page has its reader; installed for the test, and as it is built already.
        let line = if line.starts_with("cargo install ") { line + " --debug" } else { line };
        let mut shell = shell(&workspace::root(), &self.path, &line);
        shell.env("CARGO_INSTALL_ROOT", self.folder.path());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("CARGO_PKG_")
                || name.to_string_lossy().starts_with("CARGO_MANIFEST_")
            {
                shell.env_remove(name);
            }
        }
        shell
    }
}

/// A command that listens on any port that is free and says all on stderr; a shell becomes that program.
fn listening(line: &str) -> String {
    let more = ANYWHERE.iter().find(|(begin, _)| line.starts_with(begin)).map_or("", |(_, more)| more);
    format!("exec {line}{more} >&2")
}

fn shell(folder: &Path, path: &OsString, line: &str) -> Command {
    let mut shell = Command::new("bash");
    shell.args(["-euo", "pipefail", "-c", line]).current_dir(folder).env("PATH", path);
    shell.stdin(Stdio::null()).kill_on_drop(true);
    shell
}
