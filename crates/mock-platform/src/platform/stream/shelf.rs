//! The folders of recordings, and what makes room in them.

use std::collections::{HashMap, HashSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Where recordings are, and how many of them: the oldest make room, but for those of calls that are on. Where nobody
/// said where, they are in a folder that is gone with the platform.
#[derive(Debug)]
pub(in crate::platform) struct Shelf {
    temporary: tempfile::TempDir,
    state: Mutex<State>,
}

/// How much is kept in a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::platform) struct Room {
    pub(in crate::platform) files: usize,
    pub(in crate::platform) bytes: u64,
}

#[derive(Debug, Default)]
struct State {
    /// By folder, the oldest first.
    kept: HashMap<PathBuf, VecDeque<Kept>>,
    /// The calls that are on.
    busy: HashSet<String>,
}

/// A file that counts.
#[derive(Debug)]
struct Kept {
    name: String,
    /// The app of its call; not known of what earlier runs left.
    app: Option<u64>,
}

impl Shelf {
    pub(in crate::platform) fn new() -> std::io::Result<Self> {
        let temporary = tempfile::Builder::new().prefix("piopiy-mock-").tempdir()?;
        Ok(Self { temporary, state: Mutex::default() })
    }

    pub(in crate::platform) fn temporary(&self) -> &Path {
        self.temporary.path()
    }

    /// The file of this name, wherever it is: what was recorded before `folder` was configured, too.
    pub(in crate::platform) fn find(&self, folder: Option<&Path>, name: &str) -> Option<PathBuf> {
        let folders = folder.into_iter().chain([self.temporary()]);
        // A pipe would be waited for.
        folders.map(|folder| folder.join(name)).find(|path| path.is_file())
    }

    /// The app of the call that a file of this name is of; none where that was before this platform, or is no call.
    pub(in crate::platform) fn app_of(&self, name: &str) -> Option<u64> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.kept.values().flatten().find(|kept| kept.name == name).and_then(|kept| kept.app)
    }

    /// A file of an app's call will be written. What earlier runs left in the folder counts, too.
    pub(in crate::platform) fn keep(&self, folder: &Path, app: u64, call: &str, name: String, room: Room) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.busy.insert(call.to_owned());
        let kept = state.kept.entry(folder.to_owned()).or_insert_with(|| earlier(folder));
        kept.retain(|known| known.name != name);
        kept.push_back(Kept { name, app: Some(app) });
        state.make_room(folder, room);
    }

    /// The call is over: its files may make room.
    pub(in crate::platform) fn release(&self, folder: &Path, call: &str, room: Room) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.busy.remove(call) {
            state.make_room(folder, room);
        }
    }
}

impl State {
    fn make_room(&mut self, folder: &Path, room: Room) {
        let Some(kept) = self.kept.get_mut(folder) else { return };
        let length = |kept: &Kept| std::fs::metadata(folder.join(&kept.name)).map_or(0, |about| about.len());
        let mut bytes: u64 = kept.iter().map(length).sum();
        let mut files = kept.len();
        kept.retain(|file| {
            let is_busy = file.name.get(..ID).is_some_and(|call| self.busy.contains(call));
            if (files <= room.files && bytes <= room.bytes) || is_busy {
                return true;
            }
            (files, bytes) = (files - 1, bytes.saturating_sub(length(file)));
            // It may have been taken away already.
            let _ = std::fs::remove_file(folder.join(&file.name));
            false
        });
    }
}

/// Characters of a call's id.
const ID: usize = 36;

/// The recordings of earlier runs. No other file is ever counted or removed.
fn earlier(folder: &Path) -> VecDeque<Kept> {
    let Ok(entries) = std::fs::read_dir(folder) else { return VecDeque::new() };
    let mut found = Vec::new();
    for entry in entries.filter_map(Result::ok) {
        let Ok(about) = entry.metadata() else { continue };
        if let (Ok(name), Ok(modified), true) =
            (entry.file_name().into_string(), about.modified(), about.is_file())
            && is_recording(&name)
        {
            found.push((modified, name));
        }
    }
    found.sort();
    found.into_iter().map(|(_, name)| Kept { name, app: None }).collect()
}

/// Whether a name is one that the platform gives: `ID.wav`, `ID-heard.wav`, `ID-2-said.wav`.
pub(in crate::platform) fn is_recording(name: &str) -> bool {
    let Some((id, rest)) = name.split_at_checked(ID) else { return false };
    let is_id = id.bytes().enumerate().all(|(at, byte)| match at {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    });
    let rest = rest
        .strip_suffix(".wav")
        .map(|rest| rest.trim_start_matches(|c: char| c == '-' || c.is_ascii_digit()));
    is_id && matches!(rest, Some("" | "heard" | "said"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const APP: u64 = 2_222_222;

    fn id(n: usize) -> String {
        format!("{n:08x}-0000-4000-8000-000000000000")
    }

    /// A call's recording of a thousand bytes.
    fn record(shelf: &Shelf, folder: &Path, n: usize, room: Room) -> PathBuf {
        let name = format!("{}-heard.wav", id(n));
        shelf.keep(folder, APP, &id(n), name.clone(), room);
        std::fs::write(folder.join(&name), [0; 1_000]).unwrap();
        folder.join(name)
    }

    #[test]
    fn the_oldest_make_room_by_count_and_by_bytes() {
        for room in [Room { files: 5, bytes: u64::MAX }, Room { files: 100, bytes: 5_400 }] {
            let shelf = Shelf::new().unwrap();
            let folder = shelf.temporary().to_owned();
            let paths: Vec<PathBuf> = (0..20)
                .map(|n| {
                    let path = record(&shelf, &folder, n, room);
                    shelf.release(&folder, &id(n), room);
                    path
                })
                .collect();
            let kept: Vec<bool> = paths.iter().map(|path| path.exists()).collect();
            assert_eq!(kept, [[false; 15].as_slice(), &[true; 5]].concat(), "{room:?}");
        }
    }

    #[test]
    fn what_a_call_that_is_on_writes_stays_until_it_is_over() {
        let shelf = Shelf::new().unwrap();
        let (folder, room) = (shelf.temporary().to_owned(), Room { files: 2, bytes: u64::MAX });
        let paths: Vec<PathBuf> = (0..4).map(|n| record(&shelf, &folder, n, room)).collect();
        assert!(paths.iter().all(|path| path.exists()));
        shelf.release(&folder, &id(2), room);
        assert!(!paths[2].exists(), "it alone may go");
        shelf.release(&folder, &id(0), room);
        let kept: Vec<bool> = paths.iter().map(|path| path.exists()).collect();
        assert_eq!(kept, [false, true, false, true]);
    }

    #[test]
    fn what_earlier_runs_left_counts_and_what_is_no_recording_is_let_alone() {
        let folder = tempfile::tempdir().unwrap();
        let old = folder.path().join(format!("{}-2-said.wav", id(1)));
        let others = ["mine.wav".to_owned(), format!("{}-mine.wav", id(2)), format!("{}.mp3", id(3))];
        std::fs::write(&old, [0; 1_000]).unwrap();
        others.iter().for_each(|name| std::fs::write(folder.path().join(name), [0; 1_000]).unwrap());
        let (shelf, room) = (Shelf::new().unwrap(), Room { files: 1, bytes: u64::MAX });
        let new = record(&shelf, folder.path(), 4, room);
        assert!(!old.exists() && new.exists());
        let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
        assert_eq!((shelf.app_of(&name(&new)), shelf.app_of(&name(&old))), (Some(APP), None));
        assert!(others.iter().all(|name| folder.path().join(name).exists()));
    }

    #[test]
    fn a_file_is_found_where_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::new().unwrap();
        std::fs::write(shelf.temporary().join("a.wav"), "before").unwrap();
        std::fs::write(folder.path().join("b.wav"), "since").unwrap();
        let found = |name| shelf.find(Some(folder.path()), name);
        assert_eq!(found("a.wav"), Some(shelf.temporary().join("a.wav")));
        assert_eq!(found("b.wav"), Some(folder.path().join("b.wav")));
        assert_eq!((found("c.wav"), found("")), (None, None));
    }
}
