//! What the disk itself takes to make a few bytes safe, without any receiver.

use std::fs::File;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::time::Instant;

/// About as long as a webhook.
const APPENDED: [u8; 300] = [b'.'; 300];
/// A page of a database.
const PAGE: [u8; 4096] = [b'.'; 4096];
const TIMES: u64 = 1_000;

/// How long each write took until it was safe (`fdatasync`), in microseconds, one after another.
#[derive(Debug, Default)]
pub(super) struct Disk {
    /// Each makes the file longer, and the file system writes down how long it is.
    pub(super) appended: Vec<f64>,
    /// Over pages that are there already, as a write-ahead log is written that has gone round: the disk alone.
    pub(super) overwritten: Vec<f64>,
}

impl Disk {
    /// Measures, with files of its own in this folder.
    ///
    /// # Errors
    /// Where the file system does not take them.
    pub(super) fn measure(&mut self, folder: &Path) -> anyhow::Result<()> {
        let mut file = File::create(folder.join("appended"))?;
        for _ in 0..TIMES {
            file.write_all(&APPENDED)?;
            self.appended.push(sync(&file)?);
        }
        let mut file = File::create(folder.join("overwritten"))?;
        for _ in 0..TIMES {
            file.write_all(&PAGE)?;
        }
        file.sync_all()?;
        file.seek(SeekFrom::Start(0))?;
        for _ in 0..TIMES {
            file.write_all(&PAGE)?;
            self.overwritten.push(sync(&file)?);
        }
        Ok(())
    }
}

fn sync(file: &File) -> std::io::Result<f64> {
    let began = Instant::now();
    // fdatasync
    file.sync_data()?;
    Ok(began.elapsed().as_secs_f64() * 1e6)
}
