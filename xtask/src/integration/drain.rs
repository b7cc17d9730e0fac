//! SIGTERM: what is under way is finished and kept, nothing new is taken, and the process ends with success.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::sleep;

use super::World;
use crate::http1::post;
use crate::observe;
use crate::receivers::Kept;
use crate::traffic;

/// How many requests are half sent when the signal comes.
const UNDER_WAY: usize = 20;

/// Requests that are half sent at the signal are answered 200, and are in the store afterwards.
///
/// # Errors
/// Where one is not, or the receiver does not end with success.
pub(super) async fn run(world: &World) -> anyhow::Result<String> {
    let folder = tempfile::tempdir()?;
    let store = folder.path().join("store.sqlite");
    let receiver = world.durable.serve("127.0.0.1:0", Kept::Sqlite(&store), &[]).await?;
    let address = receiver.address().to_owned();

    let mut open = Vec::new();
    for body in traffic::bodies(piopiy_events::Profile::Global, world.nonce).take(UNDER_WAY) {
        let request = post(&address, traffic::PATH, &body);
        let mut stream = TcpStream::connect(&address).await?;
        let half = request.len() - body.len() / 2;
        stream.write_all(&request[..half]).await?;
        open.push((stream, request[half..].to_vec()));
    }
    // What was sent is read before the signal comes: a connection of which nothing was read is not under way.
    sleep(Duration::from_millis(300)).await;
    receiver.ask_to_end().await?;
    refused(&address).await?;
    for (stream, rest) in &mut open {
        stream.write_all(rest).await.context("a request under way was cut off")?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.context("a request under way got no answer")?;
        let answer = String::from_utf8_lossy(&answer);
        ensure!(answer.starts_with("HTTP/1.1 200 "), "a request under way was answered {answer:?}");
    }
    let status = receiver.ended().await?;
    ensure!(status.success(), "the receiver ended with {status}");

    let again = world.durable.serve("127.0.0.1:0", Kept::Sqlite(&store), &["--observe"]).await?;
    let effects = observe::effects(&again).await?.len();
    again.stop().await?;
    ensure!(effects == UNDER_WAY, "{UNDER_WAY} were acknowledged and {effects} are in the store");
    Ok(format!("{UNDER_WAY} requests half sent at SIGTERM, all answered 200 and kept"))
}

/// Waits until nobody accepts there any more.
async fn refused(address: &str) -> anyhow::Result<()> {
    for _ in 0..100 {
        if TcpStream::connect(address).await.is_err() {
            return Ok(());
        }
        sleep(Duration::from_millis(20)).await;
    }
    anyhow::bail!("connections are still accepted 2 s after SIGTERM")
}
