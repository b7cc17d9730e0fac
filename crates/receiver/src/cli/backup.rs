use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use piopiy_receiver::{ForwardState, SqliteRecords, StoreLocation};

use super::StoreArg;
use super::exit::Failure;
use super::forward_state::{ForwardStateArg, default_state};
use super::output::Output;

/// Copy a store as it is now, while a receiver goes on
///
/// SQLite only; for PostgreSQL there is pg_dump. The copy is a store of its own, whole and no larger than it need be, and
/// appears under its name once it is on the disk. The forwarder's state goes with it, as FILE.forward: what was
/// delivered after it was copied is delivered again by a receiver that starts from the copy.
#[derive(Debug, Args)]
pub(crate) struct Backup {
    #[command(flatten)]
    store: StoreArg,
    #[command(flatten)]
    state: ForwardStateArg,
    /// The copy, which must not be there yet
    #[arg(value_name = "FILE")]
    to: PathBuf,
}

impl Backup {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let StoreLocation::Sqlite(path) = &self.store.store else {
            return Err(Failure::usage(
                "only SQLite stores are backed up so: for PostgreSQL there is pg_dump",
            ));
        };
        let state = self.state.found(&self.store.store)?;
        let to = &self.to;
        let of_copy = beside(to, ".forward");
        for file in [to, &of_copy] {
            if file.symlink_metadata().is_ok() {
                return Err(Failure::usage(format!(
                    "{} is there already: give another name",
                    file.display()
                )));
            }
        }
        let records = SqliteRecords::open(path).map_err(Failure::environment)?;
        // Before the store, so that it never tells of records that the copy does not have.
        let state_part = beside(&of_copy, ".part");
        if let Some(state) = &state {
            clear(&state_part)?;
            let opened = ForwardState::open_to_read(state).map_err(Failure::environment)?;
            opened.backup(&state_part).map_err(Failure::environment)?;
        }
        let part = beside(to, ".part");
        clear(&part)?;
        if let Err(error) = records.backup(&part) {
            clear(&state_part)?;
            return Err(Failure::environment(error));
        }
        if state.is_some() {
            rename(&state_part, &of_copy)?;
        }
        rename(&part, to)?;
        let bytes = std::fs::metadata(to).map(|found| found.len()).unwrap_or_default();
        let with = match (&state, default_state(&self.store.store)) {
            (Some(_), _) => ", and the forwarder's state beside it".to_owned(),
            (None, Some(nowhere)) => format!(
                ", and no forwarder's state: there is none at {} (--forward-state FILE)",
                nowhere.display()
            ),
            (None, None) => String::new(),
        };
        let mut output = Output::open(None)?;
        output.write(format!("{}: {bytes} bytes{with}\n", to.display()).as_bytes())?;
        output.finish()
    }
}

fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut path = file.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}

/// Removes what a run that was killed left behind.
fn clear(part: &Path) -> Result<(), Failure> {
    match std::fs::remove_file(part) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            let error = anyhow::Error::new(error).context(format!("cannot remove {}", part.display()));
            Err(Failure::environment(error))
        }
        _ => Ok(()),
    }
}

/// Gives a whole file its name, on the disk too.
fn rename(part: &Path, to: &Path) -> Result<(), Failure> {
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::rename(part, to)
        .and_then(|()| std::fs::File::open(folder)?.sync_all())
        .with_context(|| format!("cannot write {}", to.display()))
        .map_err(Failure::environment)
}
