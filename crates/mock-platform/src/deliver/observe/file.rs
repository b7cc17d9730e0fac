//! Effects in a file, to which the receiver appends.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::{Lines, ObserveError};
use crate::judge::Effect;

/// Reads a file to which a receiver appends its effects, one per line.
///
/// # Errors
/// If the file cannot be read, or a line of it is no effect record. A last line without its end is passed over: it
/// is being written.
pub fn effects_from_file(path: &Path, since: u64) -> Result<Vec<Effect>, ObserveError> {
    let mut effects = EffectsFile::new(path).more()?;
    effects.retain(|effect| effect.seq > since);
    Ok(effects)
}

/// A file to which a receiver appends its effects, read on from where it was read to before.
///
/// # Examples
/// ```
/// use piopiy_mock_platform::deliver::EffectsFile;
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("effects.jsonl");
/// std::fs::write(&path, "{\"seq\":1}\n")?;
/// let mut file = EffectsFile::new(&path);
/// assert_eq!(file.more()?.len(), 1);
/// assert_eq!(file.more()?.len(), 0, "nothing new");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct EffectsFile {
    path: PathBuf,
    offset: u64,
    lines: Lines,
}

impl EffectsFile {
    /// The file is not looked at yet, and need not be there.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), offset: 0, lines: Lines::new(path.display().to_string(), 0) }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What was appended since the last call.
    ///
    /// # Errors
    /// If the file cannot be read, or a line of it is no effect record. A last line without its end is left for the
    /// next time: it is being written.
    pub fn more(&mut self) -> Result<Vec<Effect>, ObserveError> {
        let mut effects = Vec::new();
        self.each(|effect| effects.push(effect))?;
        Ok(effects)
    }

    /// The same, one at a time.
    pub(crate) fn each(&mut self, mut see: impl FnMut(Effect)) -> Result<(), ObserveError> {
        while self.some(&mut see)? {}
        Ok(())
    }

    /// Some of it: whoever reads behind somebody who writes as fast has other things to do between. Whether there may be more.
    pub(crate) fn some(&mut self, mut see: impl FnMut(Effect)) -> Result<bool, ObserveError> {
        let failed = |source| ObserveError::File { path: self.path.clone(), source };
        let mut file = File::open(&self.path).map_err(failed)?;
        file.seek(SeekFrom::Start(self.offset)).map_err(failed)?;
        let mut chunk = vec![0; 64 * 1024];
        let read = file.read(&mut chunk).map_err(failed)?;
        self.offset += read as u64;
        self.lines.read(&chunk[..read], &mut see)?;
        Ok(read > 0)
    }
}
