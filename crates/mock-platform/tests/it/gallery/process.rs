//! Receivers in a process of their own, which is this test binary once more.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use piopiy_events::Webhook;
use piopiy_mock_platform::judge::check::{Verdict, find};
use piopiy_mock_platform::judge::report::{Human, Reporter};
use piopiy_receiver::{Server, ServerOptions, StoreLocation};
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};

use super::{Flawed, Store, router};

/// Flaw, address and file of a receiver, one a line: what the process is to be.
const ROLE: &str = "PIOPIY_GALLERY_ROLE";
/// The project's own receiver, with a database.
const CORRECT: &str = "none";

/// A receiver that the suite starts itself.
pub(super) async fn receiver(flaw: &'static str) -> Flawed {
    let address = free_address();
    let folder = tempfile::tempdir().unwrap().keep();
    let role = format!("{ROLE}={flaw}\n{address}\n{}", folder.join("effects").display());
    let this = std::env::current_exe().unwrap().display().to_string();
    let test = "gallery::process::the_projects_receiver_passes_the_checks_that_end_it";
    let command = ["env", &role, &this, "--exact", test, "--nocapture"].map(str::to_owned);
    Flawed { command: Some(command.into()), ..Flawed::at(&address) }
}

/// Below the ports that the system hands out: nobody else is given it while the receiver is down.
fn free_address() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let n = std::process::id().wrapping_mul(31).wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        let address = format!("127.0.0.1:{}", 20_000 + n % 10_000);
        if std::net::TcpListener::bind(&address).is_ok() {
            return address;
        }
    }
}

/// Or, started with a role, that receiver.
#[tokio::test(flavor = "multi_thread")]
async fn the_projects_receiver_passes_the_checks_that_end_it() {
    if let Ok(role) = std::env::var(ROLE) {
        let role: Vec<&str> = role.lines().collect();
        serve(role[0].to_owned().leak(), role[1], Path::new(role[2])).await;
        return;
    }
    let receiver = receiver(CORRECT).await;
    let checks = ["DUP-008", "RTY-005", "RTY-006", "RTY-007"].map(|id| find(id).unwrap());
    let report = crate::check::run(&receiver.url, &checks, &crate::check::options_for(&receiver)).await;
    for check in &report.checks {
        let verdict = check.outcome.verdict;
        // No kill may have come at the one moment that matters.
        let is_missed = check.id == "RTY-006" && verdict == Verdict::Inconclusive;
        assert!(verdict == Verdict::Pass || is_missed, "{}", Human.render(&report));
    }
}

async fn serve(flaw: &'static str, address: &str, file: &Path) {
    let mut terminated = signal(SignalKind::terminate()).unwrap();
    if flaw == CORRECT {
        let store = StoreLocation::Sqlite(file.to_owned()).open(true).unwrap();
        let options = ServerOptions { observe: true, ..ServerOptions::default() };
        let server = Server::builder(store).options(options).bind(address).await.unwrap();
        terminated.recv().await;
        server.shutdown().await;
        return;
    }
    let store = Store { flaw, file: Some(file.to_owned()), ..Store::default() };
    // A kill may have left half a line.
    let mut kept = std::fs::read_to_string(file).unwrap_or_default();
    kept.truncate(kept.rfind('\n').map_or(0, |end| end + 1));
    std::fs::write(file, &kept).unwrap();
    for (index, line) in kept.lines().enumerate() {
        let mut effect: Value = serde_json::from_str(line).unwrap();
        // What was written behind came in any order, and some of it never.
        effect["seq"] = json!(index + 1);
        let identity = Webhook::parse(effect["fields"].to_string().as_bytes()).unwrap().identity().unwrap();
        if flaw != "remembers-in-memory" {
            store.seen.lock().unwrap().insert(identity.key());
        }
        store.effects.lock().unwrap().push(effect);
    }
    let listener = tokio::net::TcpListener::bind(address).await.unwrap();
    let app = router(Arc::new(store));
    tokio::select! {
        served = async { axum::serve(listener, app).await } => served.unwrap(),
        _ = terminated.recv() => {}
    }
    // Whatever is in flight is cut off.
    std::process::exit(0);
}

/// Appends to the file, if the flaw does that, and when.
pub(super) fn write(flaw: &'static str, file: PathBuf, line: String) {
    let append = move || {
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(file).unwrap();
        file.write_all(line.as_bytes()).unwrap();
    };
    match flaw {
        "keeps-all-in-memory" => {}
        "writes-behind" => drop(std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(80));
            append();
        })),
        _ => append(),
    }
}
