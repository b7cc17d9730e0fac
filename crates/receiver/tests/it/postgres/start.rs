//! A server that is not there when a receiver begins.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, ChildStderr, Stdio};

use piopiy_postgres::PASSWORD;
use rustix::process::Signal;

use super::refused;
use super::secure::piopiy_closed_port;
use crate::cli::{receiver, run};
use crate::support::postgres::{shared, start};
use crate::support::{Wire, cdr, raw_post};

/// A `serve` that cannot reach its database yet.
struct Waiting {
    child: Child,
    stderr: BufReader<ChildStderr>,
    /// What it said so far.
    said: String,
    address: String,
}

impl Waiting {
    fn begin(folder: &Path, arguments: &[&str]) -> Self {
        let all = ["serve", "--listen=127.0.0.1:0"].iter().chain(arguments).copied().collect::<Vec<_>>();
        let mut child = receiver(folder, &all).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let mut waiting = Self { child, stderr, said: String::new(), address: String::new() };
        let line = waiting.until("not ready: listening on http://");
        waiting.address = line.split("//").nth(1).unwrap().split('/').next().unwrap().to_owned();
        waiting
    }

    /// The first line that begins so.
    fn until(&mut self, start: &str) -> String {
        loop {
            let mut line = String::new();
            assert_ne!(self.stderr.read_line(&mut line).unwrap(), 0, "no `{start}` in {}", self.said);
            self.said.push_str(&line);
            if line.starts_with(start) {
                return line;
            }
        }
    }

    fn answer(&self, request: &str) -> String {
        let mut wire = Wire::to(self.address.parse().unwrap());
        wire.send(request);
        wire.rest()
    }

    fn get(&self, path: &str) -> String {
        self.answer(&format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))
    }

    fn post(&self, call: &str) -> String {
        self.answer(&raw_post(&cdr(call), "Connection: close\r\n"))
    }

    fn terminate(&self) {
        crate::support::signal(&self.child, Signal::TERM);
    }

    fn end(mut self) -> (Option<i32>, String) {
        self.stderr.read_to_string(&mut self.said).unwrap();
        (self.child.wait().unwrap().code(), self.said)
    }
}

#[test]
fn what_begins_without_its_database_answers_503_until_that_is_there() {
    let Some(mut database) = start() else { return };
    let url = database.database().unwrap();
    database.stop_at_once();
    let folder = tempfile::tempdir().unwrap();
    let store = format!("--store={url}");
    let forwarding = ["--forward-to=http://127.0.0.1:9/", "--forward-state=calls.forward"];
    let mut waiting =
        Waiting::begin(folder.path(), &[&store, forwarding[0], forwarding[1], "--page=127.0.0.1:0"]);
    for _ in 0..2 {
        let answer = waiting.post("lost");
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        assert!(answer.to_lowercase().contains("\r\nretry-after: 5\r\n"), "{answer}");
        let answer = waiting.get("/readyz");
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    }
    assert!(waiting.get("/healthz").starts_with("HTTP/1.1 200 "), "it need not be started again");

    database.start_again().unwrap();
    waiting.until("page: http://127.0.0.1:");
    let ready = waiting.until("ready: listening on ");
    assert!(ready.contains(&waiting.address), "where it was all the time: {ready}");
    assert!(waiting.get("/readyz").starts_with("HTTP/1.1 200 "));
    assert!(waiting.post("kept").starts_with("HTTP/1.1 200 "));
    let name = url.rsplit('/').next().unwrap();
    assert_eq!(database.psql(name, "SELECT count(*) FROM piopiy_receiver.webhook").unwrap(), "1");
    waiting.terminate();
    let (code, said) = waiting.end();
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(said.matches("until the store can be reached").count(), 1, "{said}");
    assert!(said.contains("Connection refused") && !said.contains(PASSWORD), "{said}");
    let status = run(folder.path(), &["forward", "status", &store, "--state=calls.forward"]);
    assert!(status.contains("app: came to 1 of 1"), "it forwards, too: {status}");
}

#[test]
fn a_signal_ends_the_wait() {
    let Some(server) = shared() else { return };
    let folder = tempfile::tempdir().unwrap();
    let closed = format!(":{}/", piopiy_closed_port());
    let store = format!("--store={}", server.url("any").replace(&format!(":{}/", server.port()), &closed));
    let waiting = Waiting::begin(folder.path(), &[&store]);
    waiting.terminate();
    let (code, said) = waiting.end();
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn what_no_wait_mends_ends_it_once_the_server_is_there() {
    let Some(mut database) = start() else { return };
    let url = database.database().unwrap();
    database.stop_at_once();
    let folder = tempfile::tempdir().unwrap();
    let store = format!("--store={}", url.replace(PASSWORD, "wrong"));
    let waiting = Waiting::begin(folder.path(), &[&store]);
    database.start_again().unwrap();
    let (code, said) = waiting.end();
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("does not let `piopiy` in: check user and password"), "{said}");
}

#[test]
fn what_may_be_over_by_itself_is_told_from_what_is_not() {
    let Some(server) = shared() else { return };
    let right = server.database().unwrap();
    let check = |url: &str, expected: bool| {
        let error = refused(&url.parse().unwrap());
        assert_eq!(error.is_unreachable(), expected, "{error:?}");
    };
    check(&right.replace(&format!(":{}/", server.port()), &format!(":{}/", piopiy_closed_port())), true);
    check(&right.replace(PASSWORD, "wrong"), false);
    check(&server.url("nobody_made_it"), false);
    check(&format!("{right}?sslmode=require"), false);
    // As many connections as it lets in.
    let full = server.database().unwrap();
    let name = full.rsplit('/').next().unwrap();
    server.psql("postgres", &format!("CREATE ROLE crowd LOGIN PASSWORD 'few' CONNECTION LIMIT 0; GRANT ALL ON DATABASE {name} TO crowd")).unwrap();
    check(&format!("postgres://crowd:few@127.0.0.1:{}/{name}", server.port()), true);
}
