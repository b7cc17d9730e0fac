use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use piopiy_receiver::{
    Forget, ForwardState, Records, Retention, RunningStore, SqliteRecords, SqliteStore, Store, StoreError,
    StoreLocation,
};

use super::exit::Failure;
use super::forward_state::{default_state, is_missing};
use super::instant::{now, shown};
use super::logging::say;
use super::output::Output;
use super::{StoreArg, quantity, waiting};

/// Forget what is old
///
/// The oldest records go, in the order of the store, up to the first that is to be kept. What a forwarder has yet to
/// deliver is kept, be it as old as it may. The room is filled up again; of an SQLite store `vacuum` gives it back to the
/// disk.
///
/// Works while receivers run, between two of their batches. `serve --keep` does it by itself.
#[derive(Debug, Args)]
pub(crate) struct RetentionArgs {
    #[command(flatten)]
    store: StoreArg,
    /// For how long records are kept, such as 90d; at least 2h
    #[arg(long, value_name = "TIME", value_parser = quantity::age)]
    keep: Duration,
    /// The forwarder's state; default: the store's file with .forward behind it. A PostgreSQL store has no such place: where
    /// anything is forwarded from it, it is to be named
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// Forget even where the newest record is to go too, which is what a clock that is ahead looks like
    #[arg(long)]
    even_if_all: bool,
    /// Give the room back to the disk as well; SQLite only
    #[arg(long)]
    vacuum: bool,
}

/// Give the room of what was forgotten back to the disk
///
/// SQLite only: PostgreSQL's autovacuum does so by itself. While a receiver runs this needs a store that was made by `serve --keep`, or by a `vacuum` while none ran:
/// that writes the file anew, once.
#[derive(Debug, Args)]
pub(crate) struct Vacuum {
    #[command(flatten)]
    store: StoreArg,
}

/// Pages given back at once.
const PAGES: u32 = 256;
/// The wait between two steps: what comes in goes first.
const PAUSE: Duration = Duration::from_millis(2);
/// So long the file may take to become shorter.
const CHECKPOINT: Duration = Duration::from_secs(5);

impl RetentionArgs {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let mut retention =
            Retention::new(self.keep).map_err(|error| Failure::usage(format!("--keep: {error}")))?;
        if let Some(state) = self.state.as_ref().filter(|state| is_missing(state)) {
            return Err(Failure::usage(format!("--state {}: there is no such file", state.display())));
        }
        if self.vacuum {
            file_of(&self.store)?;
        }
        retention.forward_state = self.state.clone().or_else(|| default_state(&self.store.store));
        // Before a store is made where there is none.
        let kept = self.store.open()?;
        match &retention.forward_state {
            Some(state) if is_missing(state) => say(&format!(
                "there is no forwarder's state at {}: unless a receiver runs that forwards, nothing is held back; --state FILE says where one is",
                state.display()
            )),
            Some(_) => {}
            None => say(
                "nothing is held back for a forwarder: where a receiver forwards from this store, --state FILE says where its state is",
            ),
        }
        let mut due = retention.due().map_err(Failure::environment)?;
        let newest = Retention::newest_if_old(&*kept, &due).map_err(Failure::environment)?;
        if let Some(newest) = newest.filter(|_| !self.even_if_all) {
            return Err(Failure::Negative(format!(
                "nothing is forgotten: the newest record was received {}, so all of them would go; is the clock right? If it is, \
                 --even-if-all",
                shown(newest)
            )));
        }
        let mut store = self.store.open_to_write()?;
        let mut records = 0;
        loop {
            let forgotten = store.forget(&due).map_err(Failure::environment)?;
            records += forgotten.records;
            if forgotten.is_done {
                break;
            }
            std::thread::sleep(PAUSE);
            // It may have been asked for again meanwhile.
            due = Forget {
                received_before: due.received_before,
                ..retention.due().map_err(Failure::environment)?
            };
        }
        drop(store);
        let mut output = Output::open(None)?;
        output.write(format!("{records} records forgotten\n").as_bytes())?;
        tell_what_is_held(&*kept, &due, retention.forward_state.as_deref(), &mut output)?;
        warn_of_the_future(&*kept)?;
        output.finish()?;
        if self.vacuum { vacuum(&self.store) } else { Ok(()) }
    }
}

/// Records that are old enough, and stay for a forwarder's sake.
fn tell_what_is_held(
    records: &dyn Records,
    due: &Forget,
    state: Option<&Path>,
    output: &mut Output,
) -> Result<(), Failure> {
    let oldest = records.page(0, 1, 0).map_err(Failure::environment)?;
    let held = oldest.first().filter(|oldest| {
        oldest.received_at < due.received_before && due.up_to < u64::MAX && oldest.seq > due.up_to
    });
    let Some(oldest) = held else { return Ok(()) };
    // It may have got them meanwhile.
    let last = state.and_then(|state| ForwardState::open_to_read(state).ok()?.last_settled().ok()?);
    let last = last.filter(|last| last.through < oldest.seq);
    let whom = last
        .map_or("a destination that".to_owned(), |last| format!("destination `{}`, which", last.destination));
    let text = format!(
        "record {}, received {}, and those after it are kept for {whom} has yet to get them: see `piopiy-receiver forward status`\n",
        oldest.seq,
        shown(oldest.received_at)
    );
    output.write(text.as_bytes())
}

/// A clock that was ahead leaves records that hold all the others back.
fn warn_of_the_future(records: &dyn Records) -> Result<(), Failure> {
    let oldest = records.page(0, 1, 0).map_err(Failure::environment)?;
    if let Some(oldest) =
        oldest.first().filter(|oldest| Retention::is_of_the_future(oldest.received_at, now()))
    {
        say(&format!(
            "record {}, the oldest, was received in the future, {}: nothing is forgotten until it is old; is the clock right?",
            oldest.seq,
            shown(oldest.received_at)
        ));
    }
    Ok(())
}

impl Vacuum {
    pub(crate) fn run(self) -> Result<(), Failure> {
        vacuum(&self.store)
    }
}

fn vacuum(store: &StoreArg) -> Result<(), Failure> {
    let path = file_of(store)?;
    // Before a store is made where there is none.
    store.open()?;
    let before = size(path);
    let open = || match RunningStore::connect(path)? {
        Some(running) => Ok(Opened::Running(running)),
        None => Ok(Opened::Own(Box::new(SqliteStore::open(path)?))),
    };
    match waiting::until_free(open).map_err(Failure::environment)? {
        Opened::Running(mut running) => {
            while give_back(&mut running)? > 0 {
                std::thread::sleep(PAUSE);
            }
            wait_for_checkpoint(path, &mut running)?;
        }
        Opened::Own(mut own) => own.vacuum().map_err(Failure::environment)?,
    }
    let mut output = Output::open(None)?;
    output.write(format!("{}: {before} bytes before, {} now\n", path.display(), size(path)).as_bytes())?;
    output.finish()
}

/// The file of a store that has one.
fn file_of(store: &StoreArg) -> Result<&Path, Failure> {
    match &store.store {
        StoreLocation::Sqlite(path) => Ok(path),
        StoreLocation::Postgres(_) => Err(Failure::usage(
            "only SQLite stores have room to give back: PostgreSQL's autovacuum makes that of forgotten records free for new \
             ones by itself; to make the files smaller, `VACUUM FULL piopiy_receiver.webhook` in psql, for which webhooks wait",
        )),
        _ => Err(Failure::usage("a memory store has no room on the disk to give back")),
    }
}

/// Who has the store.
enum Opened {
    Running(RunningStore),
    Own(Box<SqliteStore>),
}

fn give_back(running: &mut RunningStore) -> Result<u64, Failure> {
    running.give_back(PAGES).map_err(|error| match error {
        StoreError::Running { text } => Failure::environment(anyhow::anyhow!(text)),
        error => Failure::environment(error),
    })
}

/// The file becomes shorter once the log is in it, which somebody who reads from the log may hold up.
fn wait_for_checkpoint(path: &Path, running: &mut RunningStore) -> Result<(), Failure> {
    let records = SqliteRecords::open(path).map_err(Failure::environment)?;
    let until = Instant::now() + CHECKPOINT;
    while size(path) > records.file_bytes().map_err(Failure::environment)? && Instant::now() < until {
        std::thread::sleep(10 * PAUSE);
        // Between two batches of a receiver that has none, the rest of the log is copied.
        give_back(running)?;
    }
    Ok(())
}

fn size(path: &Path) -> u64 {
    std::fs::metadata(path).map(|found| found.len()).unwrap_or_default()
}
