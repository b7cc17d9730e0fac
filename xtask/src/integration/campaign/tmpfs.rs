//! A small disk in memory.

use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use tempfile::TempDir;

use crate::tally::Missing;

/// A mounted tmpfs. Dropped, it is gone, with all that is in it.
#[derive(Debug)]
pub(super) struct Tmpfs(TempDir);

/// What takes all the room that is left.
#[derive(Debug)]
pub(super) struct Ballast(File, std::path::PathBuf);

/// What a machine lacks on which none can be mounted.
pub(super) fn missing() -> Option<Missing> {
    Tmpfs::mount(1).is_err().then_some(Missing("the right to mount a tmpfs, as root or by sudo"))
}

impl Tmpfs {
    /// # Errors
    /// Where it cannot be mounted.
    pub(super) fn mount(mebibytes: usize) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let size = format!("size={mebibytes}m,mode=1777");
        let mut mount = privileged("mount");
        mount.args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder.path());
        let output = mount.output().context("cannot start `mount`")?;
        ensure!(output.status.success(), "cannot mount: {}", String::from_utf8_lossy(&output.stderr));
        Ok(Self(folder))
    }

    pub(super) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Takes all the room.
    ///
    /// # Errors
    /// Where something else is wrong with the disk.
    pub(super) fn fill(&self) -> anyhow::Result<Ballast> {
        let path = self.path().join("ballast");
        let mut ballast = Ballast(File::create(&path)?, path);
        ballast.grow()?;
        Ok(ballast)
    }
}

impl Ballast {
    /// Takes what room there is again.
    ///
    /// # Errors
    /// Where something else is wrong with the disk.
    pub(super) fn grow(&mut self) -> anyhow::Result<()> {
        loop {
            match self.0.write(&[0; 1 << 16]) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => return Ok(()),
                Err(error) => return Err(error).context("cannot fill the disk"),
            }
        }
    }

    /// Gives the room back; since when there is some.
    ///
    /// # Errors
    /// Where it cannot.
    pub(super) fn remove(self) -> anyhow::Result<Instant> {
        std::fs::remove_file(&self.1).context("cannot make room")?;
        Ok(Instant::now())
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        // Lazily: a process that is being killed may still have files open. Where it fails, the mount is left behind.
        drop(privileged("umount").arg("--lazy").arg(self.path()).output());
    }
}

fn privileged(program: &str) -> Command {
    if rustix::process::geteuid().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("sudo");
    command.args(["--non-interactive", program]);
    command
}
