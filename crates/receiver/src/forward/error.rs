use std::path::PathBuf;

use crate::StoreError;

/// Why webhooks cannot be forwarded, or what was forwarded cannot be told.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ForwardError {
    /// The state file cannot be opened or made.
    #[error("cannot open the forwarder's state {}: check that the folder exists and may be written", path.display())]
    Open {
        /// The state file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// The state file cannot be made.
    #[error("cannot make the forwarder's state {}: check that the folder exists and may be written", path.display())]
    Create {
        /// The state file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The state file is not there, and was only to be looked at.
    #[error("no forwarder's state at {}: check --state, or start `piopiy-receiver serve --forward-to URL` first", path.display())]
    NotFound {
        /// The state file.
        path: PathBuf,
    },
    /// It cannot be told whether the state file is there.
    #[error("cannot look for the forwarder's state {}: check that its folder is one, and may be entered", path.display())]
    Find {
        /// The state file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is something else.
    #[error("{} is no forwarder's state: give another file", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The file was written by a newer version.
    #[error(
        "the forwarder's state {} has version {found}, this program knows versions up to {known}: use a newer program",
        path.display()
    )]
    Newer {
        /// The state file.
        path: PathBuf,
        /// The version in the file.
        found: i64,
        /// The newest version that is known.
        known: i64,
    },
    /// The state is of another store.
    #[error("the state {} is of another store: restore the one that belongs to it, or put this one aside and start with --forward-from-start, for else nothing is forwarded of what the store has already", path.display())]
    OtherStore {
        /// The state file.
        path: PathBuf,
    },
    /// The store does not have any more what a destination was given.
    #[error(
        "the store has gone back: it ends at {last_seq}, and has no more what destination `{name}` was given as record {read_through}; nothing is forwarded to it until `piopiy-receiver forward rewind {name}` has it go on from what both have"
    )]
    WentBack {
        /// The destination.
        name: String,
        /// The last record that it was given.
        read_through: u64,
        /// The last record that there is, perhaps another one in that place.
        last_seq: u64,
    },
    /// A destination is to go back to where it has not been.
    #[error("`{name}` has come to {read_through}: it cannot go back to {to}")]
    NotBack {
        /// The destination.
        name: String,
        /// Where it is to go back to.
        to: u64,
        /// Where it has come to.
        read_through: u64,
    },
    /// Another forwarder has the state.
    #[error("another receiver forwards by the state {}: stop it, or have this one not forward", path.display())]
    InUse {
        /// The state file.
        path: PathBuf,
    },
    /// A forwarder that runs delivers to the destination that is to be removed.
    #[error(
        "a receiver that runs forwards to `{name}` by the state {}: take it out of what that forwards to, and start it again",
        path.display()
    )]
    Wanted {
        /// The state file.
        path: PathBuf,
        /// The destination.
        name: String,
    },
    /// There is no destination of this name.
    #[error("no destination `{name}` in {}, there are: {}", path.display(), known.join(", "))]
    NoDestination {
        /// The state file.
        path: PathBuf,
        /// The name.
        name: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// Two destinations have one name.
    #[error("two destinations are called `{name}`: give each a name of its own")]
    SameName {
        /// The name.
        name: String,
    },
    /// Reading or writing the state failed.
    #[error("the forwarder failed to {operation}")]
    Failed {
        /// What it was doing.
        operation: &'static str,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// A thread that read or wrote the state ended with a bug.
    #[error("the forwarder failed to {operation}, which is a bug")]
    Panicked {
        /// What it was doing.
        operation: &'static str,
    },
    /// The store cannot be read.
    #[error("the forwarder cannot read the store")]
    Store(#[from] StoreError),
    /// The certificates to trust cannot be read.
    #[error("cannot use the certificates in {}", path.display())]
    Certificates {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The HTTP client cannot be made.
    #[error("the forwarder has no HTTP client")]
    Client(#[source] Box<dyn std::error::Error + Send + Sync>),
}
