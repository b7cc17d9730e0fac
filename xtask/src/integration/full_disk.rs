//! The Express receiver on a disk that has no more room, and then has some again. A limit on the size of files stands in for it: there
//! too a write takes a part first.

use std::process::Stdio;

use anyhow::{Context as _, bail, ensure};
use piopiy_mock_platform::deliver::{Target, effects_from_url};
use tokio::process::{Child, Command};
use tokio::time::{Duration, sleep, timeout};

use super::examples::Example;
use crate::http1::{Connection, post};
use crate::tally::Missing;
use crate::{traffic, workspace};

/// How long it may take until it listens.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) fn missing() -> Option<Missing> {
    match Example::Express.missing() {
        None if !workspace::works("prlimit", &["--version"]) => Some(Missing("prlimit")),
        missing => missing,
    }
}

/// # Errors
/// Where something that was acknowledged is not there after a crash, or it does not go on.
pub(super) async fn run() -> anyhow::Result<String> {
    let folder = tempfile::tempdir()?;
    let address = tokio::net::TcpListener::bind("127.0.0.1:0").await?.local_addr()?.to_string();
    let start = async |limit: &str| {
        let port = address.rsplit(':').next().unwrap_or_default();
        let mut command = Command::new("sh");
        command.args(["-c", &format!("{limit} exec \"$@\""), "sh"]);
        command.args(Example::Express.receiver(port.parse()?)?);
        command.env("PORT", port).env("STORE", folder.path().join("webhooks"));
        let receiver = command.stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true).spawn()?;
        let listens = async {
            while Connection::open(&address).await.is_err() {
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(PATIENCE, listens).await.context("it does not listen")?;
        anyhow::Ok(receiver)
    };
    let send = async |n: usize| {
        let body = format!(r#"{{"cmiuuid":"{n}","leg":"a","status":"missed","duration":0,"n":"{n:0900}"}}"#);
        let mut connection = Connection::open(&address).await?;
        anyhow::Ok(connection.send(&post(&address, traffic::PATH, body.as_bytes())).await?)
    };

    let mut receiver = start("ulimit -S -f 40;").await?;
    let (mut taken, mut refused) = (0, Vec::new());
    for n in 0..200 {
        match send(n).await? {
            200 => taken += 1,
            503 => refused.push(n),
            other => bail!("{other} for a webhook"),
        }
        if refused.len() == 3 {
            break;
        }
    }
    ensure!(taken > 3 && refused.len() == 3, "{taken} were taken, {} refused", refused.len());
    make_room(&receiver).await?;
    for &n in &refused {
        ensure!(send(n).await? == 200, "there is room, and it does not go on");
    }
    receiver.kill().await?;
    let _receiver = start("").await?;
    let url = format!("http://{address}/__observe");
    let effects = effects_from_url(&Target::parse(&url, &[])?, 0).await?;
    let acknowledged = taken + refused.len();
    ensure!(effects.len() == acknowledged, "{} effects of {acknowledged} acknowledged", effects.len());
    Ok(format!("{taken} webhooks were taken until the disk was full, {} later; all are there", refused.len()))
}

async fn make_room(receiver: &Child) -> anyhow::Result<()> {
    let id = receiver.id().context("it has ended")?.to_string();
    let done = Command::new("prlimit").args(["--pid", &id, "--fsize=unlimited"]).status().await?;
    ensure!(done.success(), "prlimit: {done}");
    Ok(())
}
