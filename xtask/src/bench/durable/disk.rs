//! What the disk itself takes to make a few bytes safe, without any receiver.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::Instant;

/// About as long as a webhook.
const APPENDED: [u8; 300] = [b'.'; 300];
const TIMES: usize = 1_000;

/// How long each append took until it was safe, in microseconds, in order: one after another, to a file of their own in this folder.
///
/// # Errors
/// Where the file system does not take them.
pub(super) fn append_and_sync(folder: &Path) -> anyhow::Result<Vec<f64>> {
    let mut file = File::create(folder.join("appended"))?;
    let mut took = Vec::with_capacity(TIMES);
    for _ in 0..TIMES {
        file.write_all(&APPENDED)?;
        let began = Instant::now();
        // fdatasync
        file.sync_data()?;
        took.push(began.elapsed().as_secs_f64() * 1e6);
    }
    took.sort_by(f64::total_cmp);
    Ok(took)
}
