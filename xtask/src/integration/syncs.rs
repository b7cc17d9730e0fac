//! SIGKILL spares the page cache, so a crash shows nothing of the disk: count the system calls that reach it.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::World;
use crate::http1::{Connection, post};
use crate::observe;
use crate::process::Process;
use crate::receivers::{Durable, Kept};
use crate::traffic;

const DELIVERIES: usize = 2_000;
const CLIENTS: usize = 16;
/// What counts the transactions, in `/metrics`.
const COMMITS: &str = "piopiy_receiver_commit_seconds_count";

/// Every transaction is synced: at least as many syncs that succeeded while webhooks came in as commits.
///
/// # Errors
/// Where there are fewer.
pub(super) async fn run(world: &World) -> anyhow::Result<String> {
    let folder = tempfile::tempdir()?;
    let (store, trace) = (folder.path().join("store.sqlite"), folder.path().join("trace"));
    // `-D` leaves the receiver our child and makes strace its grandchild, so that signals go to the receiver.
    let mut strace = tokio::process::Command::new("strace");
    strace.args(["-D", "-f", "-qq", "-e", "trace=fsync,fdatasync", "-e", "signal=none", "-o"]).arg(&trace);
    strace.arg(world.durable.binary()).args(Durable::arguments("127.0.0.1:0", Kept::Sqlite(&store), &[]));
    let receiver = Process::start(strace).await.context("piopiy-receiver under strace")?;

    let before = (syncs(&trace)?, observe::metric(&receiver, COMMITS).await?);
    deliver(receiver.address(), world.nonce).await?;
    let commits = observe::metric(&receiver, COMMITS).await? - before.1;
    // An answer follows its sync, and strace writes a line when the call is over: only the file may lag.
    let mut synced = 0;
    for _ in 0..50 {
        synced = syncs(&trace)? - before.0;
        if synced as f64 >= commits {
            break;
        }
        sleep(Duration::from_millis(20)).await;
    }
    receiver.stop().await?;
    ensure!(commits >= 1.0, "{DELIVERIES} webhooks were acknowledged without a commit");
    ensure!(
        synced as f64 >= commits,
        "{synced} syncs for {commits} commits of {DELIVERIES} acknowledged webhooks"
    );
    Ok(format!("{DELIVERIES} acknowledged in {commits} commits, {synced} fsync or fdatasync calls succeeded"))
}

async fn deliver(address: &str, nonce: u64) -> anyhow::Result<()> {
    let bodies: Vec<_> = traffic::bodies(piopiy_events::Profile::Global, nonce).take(DELIVERIES).collect();
    let mut clients = JoinSet::new();
    for part in bodies.chunks(DELIVERIES.div_ceil(CLIENTS)) {
        let requests: Vec<_> = part.iter().map(|body| post(address, traffic::PATH, body)).collect();
        let address = address.to_owned();
        clients.spawn(async move {
            let mut connection = Connection::open(&address).await?;
            for request in requests {
                let status = connection.send(&request).await?;
                ensure!(status == 200, "a webhook was answered {status}");
            }
            Ok(())
        });
    }
    while let Some(client) = clients.join_next().await {
        client??;
    }
    Ok(())
}

/// How many sync calls the trace says have succeeded.
fn syncs(trace: &Path) -> anyhow::Result<usize> {
    let text = std::fs::read_to_string(trace).with_context(|| format!("cannot read {}", trace.display()))?;
    Ok(count(&text))
}

/// Calls that another thread's call interrupts in the trace stand on two lines: only the second has the result.
fn count(trace: &str) -> usize {
    trace.lines().filter(|line| line.contains("sync") && line.trim_end().ends_with("= 0")).count()
}

#[cfg(test)]
mod tests {
    use super::count;

    #[test]
    fn only_calls_that_succeeded_count() {
        let trace = "10 fdatasync(9)                     = 0\n\
                     11 fsync(7 <unfinished ...>\n\
                     10 fdatasync(9) = -1 EIO (Input/output error)\n\
                     11 <... fsync resumed>)              = 0\n\
                     10 +++ exited with 0 +++\n";
        assert_eq!(count(trace), 2);
    }
}
