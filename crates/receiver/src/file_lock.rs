//! A file that keeps other processes away while it is locked.

use std::fs::{File, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Holds a lock as long as it lives; the system lets go of it when the process dies.
#[derive(Debug)]
pub(crate) struct FileLock(File);

impl FileLock {
    /// Takes the lock, and makes the file where there is none; `None` where somebody has it.
    pub(crate) fn take(path: &Path) -> io::Result<Option<Self>> {
        let file = File::options().create(true).truncate(false).write(true).mode(0o600).open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

impl Drop for FileLock {
    fn drop(&mut self) {
        // A process that is being started has this file, too, until it is another program: to close it here would not be enough.
        let _ = self.0.unlock();
    }
}

#[cfg(test)]
mod tests {
    use super::FileLock;

    #[test]
    fn it_is_free_at_once_whoever_else_has_the_file_open() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.lock");
        let lock = FileLock::take(&path).unwrap().unwrap();
        assert!(FileLock::take(&path).unwrap().is_none(), "one at a time");
        let inherited = lock.0.try_clone().unwrap();
        drop(lock);
        assert!(FileLock::take(&path).unwrap().is_some());
        drop(inherited);
    }
}
