//! A socket beside the store's file, by which commands reach the one process that may write to it: a line of JSON asks,
//! a line answers.
//!
//! Whoever may connect may write to the store, so it is for the store's owner (and root) alone.

mod running;

use std::io;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use piopiy_events::{Limits, Webhook};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio_util::sync::CancellationToken;

pub use running::RunningStore;

use crate::metrics::Metrics;
use crate::retention::hold_back;
use crate::store::{beside, chain};
use crate::{Append, Entry, Forget, Forgotten, GroupCommit, StoreError};

/// A line may be so long: a batch of what the largest bodies make in base 64.
const MOST: u64 = 64 << 20;

#[derive(Debug, Serialize, Deserialize)]
enum Request {
    Append(Vec<Sent>),
    Forget(Forget),
    GiveBack { pages: u32 },
}

#[derive(Debug, Serialize, Deserialize)]
enum Reply {
    /// Whether each was new, and its place.
    Appended(Vec<(bool, u64)>),
    Forgotten(Forgotten),
    Left(u64),
    Failed(String),
}

/// An entry on its way.
#[derive(Debug, Serialize, Deserialize)]
struct Sent {
    received_at: i64,
    body: String,
    reason: Option<String>,
}

impl Sent {
    fn of(entry: &Entry) -> Self {
        Self {
            received_at: entry.received_at(),
            body: STANDARD.encode(entry.body()),
            reason: entry.reason().map(str::to_owned),
        }
    }

    fn entry(self) -> Result<Entry, String> {
        let body = STANDARD.decode(&self.body).map_err(|error| format!("a body is no base 64: {error}"))?;
        if let Some(reason) = self.reason {
            return Ok(Entry::quarantined(reason, body.into(), self.received_at));
        }
        let webhook = Webhook::parse_within(&body, &Limits::NONE).map_err(|error| error.to_string())?;
        let identity = webhook.identity().ok_or("a body is no webhook")?;
        Ok(Entry::webhook(&identity, body.into(), self.received_at))
    }
}

/// Where the socket of a store is.
fn socket_of(store: &Path) -> PathBuf {
    beside(store, ".control")
}

/// Listens for commands. Dropped, the socket is gone.
#[derive(Debug)]
pub(crate) struct Control {
    listener: UnixListener,
    path: PathBuf,
    /// The state of the forwarder in this process.
    forwarding: Option<Arc<Path>>,
}

impl Control {
    /// Listens beside this store, which the caller has the lock of: a socket that is there is of a process that is not.
    pub(crate) fn beside(store: &Path, forwarding: Option<Arc<Path>>) -> io::Result<Self> {
        let path = socket_of(store);
        match std::fs::symlink_metadata(&path) {
            Ok(found) if found.file_type().is_socket() => std::fs::remove_file(&path)?,
            Ok(_) => return Err(io::Error::new(io::ErrorKind::AlreadyExists, "something else is there")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let listener = UnixListener::bind(&path)?;
        let control = Self { listener, path, forwarding };
        std::fs::set_permissions(&control.path, std::fs::Permissions::from_mode(0o600))?;
        Ok(control)
    }

    /// Answers until told to stop.
    pub(crate) async fn serve(self, commits: GroupCommit, metrics: Metrics, stop: CancellationToken) {
        while let Some(accepted) = stop.run_until_cancelled(self.listener.accept()).await {
            let Ok((stream, _)) = accepted else {
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                continue;
            };
            if !is_of_owner(&stream) {
                tracing::warn!("a command of another user was refused");
                continue;
            }
            let (commits, metrics, stop) = (commits.clone(), metrics.clone(), stop.clone());
            let forwarding = self.forwarding.clone();
            tokio::spawn(async move {
                let answering = answer(stream, forwarding.as_ref(), &commits, &metrics);
                let answered = stop.run_until_cancelled(answering).await;
                if let Some(Err(error)) = answered {
                    tracing::debug!(%error, "a command ended");
                }
            });
        }
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        // One that is left behind is removed by the next to listen.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// The file's rights say the same, but not yet in the moment in which the socket is made.
fn is_of_owner(stream: &UnixStream) -> bool {
    let own = rustix::process::geteuid();
    stream.peer_cred().is_ok_and(|peer| peer.uid() == 0 || peer.uid() == own.as_raw())
}

async fn answer(
    mut stream: UnixStream,
    forwarding: Option<&Arc<Path>>,
    commits: &GroupCommit,
    metrics: &Metrics,
) -> io::Result<()> {
    let (read, mut write) = stream.split();
    let mut read = BufReader::new(read);
    let mut line = Vec::new();
    loop {
        line.clear();
        (&mut read).take(MOST).read_until(b'\n', &mut line).await?;
        if !line.ends_with(b"\n") {
            // The end, or more than a line may be.
            return Ok(());
        }
        let text = std::mem::take(&mut line);
        let read = tokio::task::spawn_blocking(move || serde_json::from_slice(&text)).await?;
        let reply = match read {
            Ok(request) => {
                carry_out(request, forwarding, commits, metrics).await.unwrap_or_else(Reply::Failed)
            }
            Err(error) => Reply::Failed(format!("no command: {error}")),
        };
        let mut text = serde_json::to_vec(&reply)?;
        text.push(b'\n');
        write.write_all(&text).await?;
    }
}

async fn carry_out(
    request: Request,
    forwarding: Option<&Arc<Path>>,
    commits: &GroupCommit,
    metrics: &Metrics,
) -> Result<Reply, String> {
    match request {
        Request::Append(sent) => {
            // Bodies may be large and many: requests are answered meanwhile.
            let read = move || sent.into_iter().map(Sent::entry).collect::<Result<Vec<Entry>, String>>();
            let batch = tokio::task::spawn_blocking(read).await.map_err(|error| chain(&error))??;
            let appended = commits.run(move |store| store.append(&batch)).await;
            let outcomes = told(appended.map_err(|error| chain(&error))?)?;
            metrics.imported(&outcomes);
            let pairs = outcomes.iter().map(|outcome| match *outcome {
                Append::Appended { seq } => (true, seq),
                Append::Duplicate { of } => (false, of),
            });
            Ok(Reply::Appended(pairs.collect()))
        }
        Request::Forget(what) => {
            // Who asks may know nothing of this forwarder, or of another.
            let forwarding = forwarding.cloned();
            let what = tokio::task::spawn_blocking(move || hold_back(what, forwarding.as_deref()));
            let what = what.await.map_err(|error| chain(&error))?;
            let what =
                what.map_err(|error| format!("cannot tell what is yet to be forwarded: {}", chain(&error)))?;
            let forgotten = commits.run(move |store| store.forget(&what)).await;
            let forgotten = told(forgotten.map_err(|error| chain(&error))?)?;
            metrics.forgot(forgotten.records);
            Ok(Reply::Forgotten(forgotten))
        }
        Request::GiveBack { pages } => {
            let left = commits.run(move |store| store.give_back(pages)).await;
            Ok(Reply::Left(told(left.map_err(|error| chain(&error))?)?))
        }
    }
}

fn told<T>(outcome: Result<T, StoreError>) -> Result<T, String> {
    outcome.map_err(|error| error.chain())
}
