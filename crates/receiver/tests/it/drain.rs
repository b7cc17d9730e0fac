//! A shutdown answers what is in flight, refuses what is new, and leaves the store whole.

use std::net::TcpStream;
use std::time::Duration;

use piopiy_receiver::{MemoryStore, Server, ServerOptions, StoreLocation};

use crate::support::{Running, Wire, blocking, cdr, raw_post};

#[tokio::test]
async fn in_flight_is_answered_and_idle_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    let location = StoreLocation::Sqlite(folder.path().join("store.sqlite"));
    let running = Running::start_at(&location, ServerOptions::default()).await;
    let addr = running.addr();
    let silent = Wire::to(addr);
    let (mut half, half_rest, idle) = blocking(move || {
        let mut idle = Wire::to(addr);
        idle.send(raw_post(&cdr("idle"), ""));
        idle.read_until("got it");
        let request = raw_post(&cdr("half"), "Expect: 100-continue\r\n");
        let (start, rest) = request.split_at(request.len() - 5);
        let mut half = Wire::to(addr);
        half.send(start);
        // Sent once the body is being read: the request is in flight.
        half.read_until("100 Continue\r\n\r\n");
        (half, rest.to_owned(), idle)
    })
    .await;
    let shutdown = tokio::spawn(running.server.shutdown());
    let answer = blocking(move || {
        assert_eq!(idle.rest(), "", "idle connections are closed");
        assert_eq!(silent.rest(), "", "fresh ones too");
        half.send(half_rest);
        half.rest()
    })
    .await;
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    shutdown.await.unwrap();
    assert!(TcpStream::connect(addr).is_err(), "no longer listening");
    let bodies: Vec<_> =
        running.records.after(0, 10).unwrap().into_iter().map(|record| record.body).collect();
    assert_eq!(bodies, [cdr("idle"), cdr("half")]);
    drop(running.records);
    location.open(false).expect("the store is free again");
}

#[tokio::test]
async fn who_waits_to_be_accepted_is_answered() {
    let running = Running::start(ServerOptions::default()).await;
    let addr = running.addr();
    // On the one thread there is: nobody accepts meanwhile.
    let waiting: Vec<Wire> = (0..20)
        .map(|n| {
            let mut wire = Wire::to(addr);
            wire.send(raw_post(&cdr(&format!("waiting {n}")), ""));
            wire
        })
        .collect();
    running.server.shutdown().await;
    for wire in waiting {
        let answer = wire.rest();
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    }
    assert_eq!(running.records.after(0, 100).unwrap().len(), 20);
}

#[tokio::test]
async fn who_waits_is_left_to_the_one_that_takes_over() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let again = || tokio::net::TcpListener::from_std(listener.try_clone().unwrap()).unwrap();
    let mut store = MemoryStore::new();
    let records = store.records();
    let first = Server::builder(MemoryStore::new()).serve(again()).unwrap();
    let mut waiting = Wire::to(first.local_addr());
    waiting.send(raw_post(&cdr("waiting"), ""));
    first.hand_over().await;
    let second = Server::builder(store).serve(again()).unwrap();
    let answer = blocking(move || waiting.read_until("got it")).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    second.shutdown().await;
    assert_eq!(records.after(0, 10).unwrap().len(), 1);
}

#[tokio::test]
async fn who_never_ends_is_left_behind() {
    let options = ServerOptions { drain_deadline: Duration::from_millis(20), ..ServerOptions::default() };
    let running = Running::start(options).await;
    let addr = running.addr();
    let half = blocking(move || {
        let mut half = Wire::to(addr);
        half.send(
            "POST /webhook/cdr HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n",
        );
        half.read_until("100 Continue\r\n\r\n");
        half
    })
    .await;
    running.server.shutdown().await;
    assert_eq!(blocking(move || half.rest()).await, "", "it is closed, and was not answered");
    assert!(running.records.after(0, 10).unwrap().is_empty());
}
