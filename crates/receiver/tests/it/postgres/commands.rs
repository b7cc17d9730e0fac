//! The binary on a PostgreSQL store.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Stdio;

use piopiy_postgres::PASSWORD;
use piopiy_receiver::{Entry, StoreLocation};
use rustix::process::Signal;

use super::secure::piopiy_closed_port;
use super::{ask, entries};
use crate::cli::{receiver, run};
use crate::support::postgres::{fresh_url, shared};
use crate::support::{Wire, cdr, entry, raw_post, stream_connected};

/// Exit code, and what it said.
fn told(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let output = receiver(folder, arguments).output().unwrap();
    assert!(output.stdout.is_empty());
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn every_reader_shows_what_it_shows_of_a_file() {
    let Some(server) = shared() else { return };
    let folder = tempfile::tempdir().unwrap();
    let url = server.database().unwrap();
    let stores = [format!("--store={url}"), "--store=sqlite:same.sqlite".to_owned()];
    let mut batch = entries(0..3);
    batch.push(entry(&stream_connected("x", 4)));
    batch.push(Entry::quarantined("why".to_owned(), b"\xFF".as_slice().into(), 5));
    let locations: [StoreLocation; 2] =
        [url.parse().unwrap(), StoreLocation::Sqlite(folder.path().join("same.sqlite"))];
    for location in locations {
        location.open(false).unwrap().store.append(&batch).unwrap();
    }
    for command in [
        &["tail", "-n", "3"][..],
        &["tail", "--format", "json"],
        &["export"],
        &["export", "--format", "csv", "--since", "1"],
        &["export", "--quarantine"],
        &["calls"],
        &["count"],
        &["count", "--quarantine"],
    ] {
        let [shared, file] = stores.clone().map(|store| {
            let arguments: Vec<&str> = command.iter().copied().chain([store.as_str()]).collect();
            run(folder.path(), &arguments).replace(&store, "STORE")
        });
        assert_eq!(shared, file);
        assert!(shared.contains("exit code 0") && shared.lines().count() > 4, "{shared}");
    }
}

#[test]
fn serve_shares_it_and_tells_no_password() {
    let Some(url) = fresh_url() else { return };
    let server = shared().unwrap();
    let secret = server.url(url.to_string().rsplit('/').next().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let mut command =
        receiver(folder.path(), &["serve", "--listen", "127.0.0.1:0", "--ready-json", "--log", "trace"]);
    command.env("PIOPIY_RECEIVER_STORE", &secret).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let ready: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(ready["store"], url.to_string());
    let address = ready["url"].as_str().unwrap().trim_start_matches("http://").split('/').next().unwrap();
    let mut wire = Wire::to(address.parse().unwrap());
    wire.send(raw_post(&cdr("logged"), "Connection: close\r\n"));
    let answer = wire.rest();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(ask(&url, "SELECT count(*) FROM piopiy_receiver.webhook"), "1");
    crate::support::signal(&child, Signal::TERM);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let logs = String::from_utf8(output.stderr).unwrap();
    assert!(logs.contains("fsync=off") && !logs.contains(PASSWORD), "{logs}");
    assert!(
        logs.contains("DEBUG webhook") && !logs.contains("with parameters") && !logs.contains("440000000"),
        "{logs}"
    );

    let mut help = receiver(folder.path(), &["serve", "--help"]);
    let help = help.env("PIOPIY_RECEIVER_STORE", &secret).output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    assert!(help.contains("PIOPIY_RECEIVER_STORE") && !help.contains(PASSWORD), "{help}");
}

#[test]
fn mistakes_are_told_in_words_and_by_exit_code() {
    let Some(server) = shared() else { return };
    let folder = tempfile::tempdir().unwrap();
    let right = server.database().unwrap();
    let (port, closed) = (server.port(), piopiy_closed_port());
    let place = |port: u16, database: &str| format!("postgres://piopiy@127.0.0.1:{port}/{database}");
    let name = right.rsplit('/').next().unwrap();
    let check = |store: &str, code: i32, expected: &str| {
        // A `serve` that reaches nobody waits.
        let waits = expected.starts_with("error: cannot connect");
        for command in
            [&["count"][..], &["serve", "--listen", "127.0.0.1:0"]].iter().take(2 - usize::from(waits))
        {
            let store = format!("--store={store}");
            let arguments: Vec<&str> = command.iter().copied().chain([store.as_str()]).collect();
            let (found, said) = told(folder.path(), &arguments);
            assert_eq!(found, Some(code), "{said}");
            assert!(said.starts_with(expected), "{said}");
            assert!(!said.contains("pass-w0rd"), "{said}");
        }
    };
    check(
        &right.replace(PASSWORD, "pass-w0rd-that-is-wrong"),
        3,
        &format!(
            "error: the PostgreSQL server of {} does not let `piopiy` in: check user and password: FATAL: password \
            authentication failed for user \"piopiy\" (28P01)\n",
            place(port, name)
        ),
    );
    check(
        &right.replace(&format!(":{port}/"), &format!(":{closed}/")),
        3,
        &format!(
            "error: cannot connect to the PostgreSQL server of {}: check that it runs there, and host, port and \
            sslmode: error connecting to server: Connection refused",
            place(closed, name)
        ),
    );
    check(
        &server.url("nobody_made_it"),
        3,
        &format!(
            "error: the PostgreSQL server of {} has no database `nobody_made_it`: create it (`createdb \
            nobody_made_it`): FATAL: database \"nobody_made_it\" does not exist (3D000)\n",
            place(port, "nobody_made_it")
        ),
    );
    check(
        &format!("{right}?sslmode=sometimes"),
        2,
        "error: invalid value for '--store <STORE>': not a PostgreSQL store: sslmode is none of disable, prefer",
    );
    check(
        &right.replace("postgres:", "mysql:"),
        2,
        "error: invalid value for '--store <STORE>': `mysql:…` is no store",
    );
    let (code, said) = told(folder.path(), &["count", &format!("--store={right}")]);
    assert_eq!(code, Some(3));
    assert_eq!(
        said,
        format!(
            "error: no store in {}: check --store, or start `piopiy-receiver serve` first\n",
            place(port, name)
        )
    );
}
