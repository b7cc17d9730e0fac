//! Clients that take their time are closed, others are served.

use std::io::Write as _;
use std::net::TcpStream;
use std::time::Duration;

use piopiy_receiver::{ReadLimits, ServerOptions};

use crate::support::{Running, Wire, blocking, cdr, raw_post};

/// One deadline is short, the others are longer than any test waits.
fn options() -> ServerOptions {
    let long = Duration::from_secs(600);
    ServerOptions {
        header_deadline: long,
        idle_deadline: long,
        read: ReadLimits { body_deadline: long, ..ReadLimits::default() },
        ..ServerOptions::default()
    }
}

const SHORT: Duration = Duration::from_millis(50);

/// What a client gets that sends this, then nothing.
async fn answer_to(running: &Running, sent: String) -> String {
    let addr = running.addr();
    let answer = blocking(move || {
        let mut wire = Wire::to(addr);
        wire.send(sent);
        wire.rest()
    })
    .await;
    assert_eq!(running.post(cdr("another client")).await.0, 200);
    answer
}

#[tokio::test]
async fn silent_and_half_header() {
    let options = ServerOptions { header_deadline: SHORT, ..options() };
    let running = Running::start(options).await;
    assert_eq!(answer_to(&running, String::new()).await, "");
    assert_eq!(answer_to(&running, "POST /webhook/cdr HTTP/1.1\r\nHo".to_owned()).await, "");
    let addr = running.addr();
    let second_head = blocking(move || {
        let mut wire = Wire::to(addr);
        wire.send(raw_post(&cdr("x"), ""));
        wire.read_until("got it");
        wire.send("POST /web");
        wire.rest()
    });
    assert_eq!(second_head.await, "");
}

#[tokio::test]
async fn half_body() {
    let mut options = options();
    options.read.body_deadline = SHORT;
    let running = Running::start(options).await;
    let request = raw_post(&cdr("x"), "");
    let answer = answer_to(&running, request[..request.len() - 5].to_owned()).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("connection: close"), "{answer}");
}

#[tokio::test]
async fn a_body_that_trickles_does_not_live_for_ever() {
    let mut options = options();
    options.read.body_deadline = SHORT;
    let running = Running::start(options).await;
    let addr = running.addr();
    let dripped = blocking(move || {
        let mut socket = TcpStream::connect(addr).unwrap();
        socket
            .write_all(b"POST /webhook/cdr HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n")
            .unwrap();
        // Each byte comes well within the deadline; the server ends it by closing.
        (0..1_000_000).find(|_| {
            std::thread::park_timeout(Duration::from_millis(2));
            socket.write_all(b" ").is_err()
        })
    })
    .await;
    assert!(dripped.is_some(), "a megabyte was taken byte by byte");
}

#[tokio::test]
async fn idle() {
    let options = ServerOptions { idle_deadline: SHORT, ..options() };
    let running = Running::start(options).await;
    assert!(answer_to(&running, raw_post(&cdr("x"), "")).await.starts_with("HTTP/1.1 200 OK"));
}

#[tokio::test]
async fn connections_beyond_the_cap_wait_their_turn() {
    let options = ServerOptions { header_deadline: SHORT, max_connections: 2, ..options() };
    let running = Running::start(options).await;
    let silent: Vec<TcpStream> = (0..2).map(|_| TcpStream::connect(running.addr()).unwrap()).collect();
    assert_eq!(running.post(cdr("third")).await.0, 200, "once the silent ones are closed");
    drop(silent);
}

#[tokio::test]
async fn who_asks_again_keeps_a_connection_while_there_are_slots() {
    let running = Running::start(ServerOptions { max_connections: 2, ..options() }).await;
    let addr = running.addr();
    let answers = blocking(move || {
        let mut wire = Wire::to(addr);
        [(); 2].map(|()| {
            wire.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
            wire.read_until("\r\n\r\n")
        })
    })
    .await;
    assert!(answers.iter().all(|answer| !answer.contains("connection: close")), "{answers:?}");
}

#[tokio::test]
async fn who_asks_again_and_again_keeps_no_slot_that_others_wait_for() {
    let running = Running::start(ServerOptions { max_connections: 1, ..options() }).await;
    let addr = running.addr();
    let (webhook, health) = blocking(move || {
        let mut wire = Wire::to(addr);
        wire.send(raw_post(&cdr("one"), ""));
        let webhook = wire.read_until("got it");
        wire.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
        (webhook, wire.rest())
    })
    .await;
    assert!(!webhook.contains("connection: close"), "who brings webhooks keeps it: {webhook}");
    assert!(health.contains("connection: close\r\n"), "{health}");
    assert_eq!(running.post(cdr("another")).await.0, 200);
}
