//! A forwarder on a PostgreSQL store, whose server goes away meanwhile.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::http::StatusCode;
use piopiy_receiver::{ForwardState, PostgresStore, Server, Store as _, StoreLocation};

use super::{ask, entries};
use crate::cli::receiver;
use crate::forward::App;
use crate::support::postgres::{fresh_url, shared, start};
use crate::support::{blocking, cdr, client};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_stored_is_forwarded_however_often_the_server_crashes() {
    let Some(mut database) = start() else { return };
    let location = StoreLocation::Postgres(database.database().unwrap().parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let state = || ForwardState::open(folder.path().join("calls.forward")).unwrap();
    // Some fail once, and are read from the store again.
    let app = App::start(|seq, times| {
        if seq % 5 == 0 && times == 1 { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::OK }
    })
    .await;
    let server = Server::builder(location.open(true).unwrap())
        .forward(state(), vec![app.destination("app")])
        .bind("127.0.0.1:0")
        .await
        .unwrap();
    for round in 0..3 {
        let mut stored = 0;
        while stored < 40 {
            let body = cdr(&format!("{round}-{stored}"));
            match client().post(server.url()).body(body).send().await.unwrap().status().as_u16() {
                200 => stored += 1,
                503 => tokio::time::sleep(Duration::from_millis(10)).await,
                other => panic!("answered {other}"),
            }
        }
        // What is not delivered yet is in the store alone.
        database = blocking(move || {
            database.stop_at_once();
            database.start_again().unwrap();
            database
        })
        .await;
    }
    app.has(120 + 24).await;
    server.shutdown().await;
    let mut times: BTreeMap<u64, u32> = BTreeMap::new();
    for seq in app.seqs() {
        *times.entry(seq).or_default() += 1;
    }
    let expected: BTreeMap<u64, u32> = (1..=120).map(|seq| (seq, if seq % 5 == 0 { 2 } else { 1 })).collect();
    assert_eq!(times, expected);
    let status = state().status().unwrap();
    assert_eq!((status[0].read_through, status[0].unsettled, status[0].dead), (120, 0, 0));
}

/// What one receiver forwards, another stores: the backlog is of both, and so is what a standby that had not got everything lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_receiver_stores_counts_and_is_forwarded_also_after_a_failover() {
    let Some(url) = fresh_url() else { return };
    let location = StoreLocation::Postgres(url.clone());
    let folder = tempfile::tempdir().unwrap();
    let state = || ForwardState::open(folder.path().join("calls.forward")).unwrap();
    let app = App::start(|_, _| StatusCode::OK).await;
    let server = Server::builder(location.open(true).unwrap())
        .forward(state(), vec![app.destination("app")])
        .bind("127.0.0.1:0")
        .await
        .unwrap();
    let mut other = PostgresStore::open(&url).unwrap();
    let mut other = blocking(move || {
        other.append(&entries(0..200)).unwrap();
        other
    })
    .await;
    app.has(200).await;
    let metrics = format!("http://{}/metrics", server.local_addr());
    let has = async |line: &str| {
        for _ in 0..2000 {
            let text = client().get(&metrics).send().await.unwrap().text().await.unwrap();
            if text.lines().any(|it| it == line) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("no {line}");
    };
    has("piopiy_receiver_store_last_seq 200").await;
    has(r#"piopiy_receiver_forward_store_went_back{destination="app"} 0"#).await;

    // As a standby is when it is promoted without the last 50.
    let back = "BEGIN; DELETE FROM piopiy_receiver.webhook WHERE seq > 150; UPDATE piopiy_receiver.state SET last_seq = 150; COMMIT";
    let asked = url.clone();
    blocking(move || ask(&asked, back)).await;
    has(r#"piopiy_receiver_forward_store_went_back{destination="app"} 1"#).await;
    has("piopiy_receiver_store_last_seq 150").await;
    other = blocking(move || {
        other.append(&entries(1000..1030)).unwrap();
        other
    })
    .await;
    let answer = client().post(server.url()).body(cdr("1030")).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let told = {
        let (folder, store) = (
            folder.path().to_owned(),
            format!("--store={}", shared().unwrap().url(url.to_string().rsplit('/').next().unwrap())),
        );
        blocking(move || {
            let told = |arguments: &[&str]| {
                let more = [store.as_str(), "--state=calls.forward"];
                let output = receiver(&folder, &[arguments, &more].concat()).output().unwrap();
                format!("{output:?}")
            };
            [told(&["forward", "status"]), told(&["forward", "rewind"])]
        })
        .await
    };
    assert!(told[0].contains("held up: the store went back"), "{told:?}");
    assert!(told[1].contains("app is to go on behind 128"), "{told:?}");
    app.has(200 + 181 - 128).await;
    has(r#"piopiy_receiver_forward_store_went_back{destination="app"} 0"#).await;
    server.shutdown().await;
    let again: std::collections::BTreeSet<u64> = app.seqs().split_off(200).into_iter().collect();
    assert_eq!(again, (129..=181).collect());
    drop(other);
}

#[test]
fn the_command_says_what_it_needs_to_forward_and_whose_state_it_was_given() {
    let Some(url) = fresh_url() else { return };
    let folder = tempfile::tempdir().unwrap();
    let name = url.to_string().rsplit('/').next().unwrap().to_owned();
    let store = format!("--store={}", shared().unwrap().url(&name));
    let told = |arguments: &[&str]| {
        let output = receiver(folder.path(), arguments).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, said) = told(&["serve", "--listen=127.0.0.1:0", &store, "--forward-to=http://127.0.0.1:9/"]);
    assert_eq!(code, Some(2));
    assert!(said.starts_with("error: forwarding from this store needs --forward-state FILE"), "{said}");
    let (code, said) = told(&["forward", "status", &store]);
    assert_eq!(code, Some(2));
    assert!(said.contains("give --state FILE"), "{said}");

    let location = StoreLocation::Postgres(url);
    let _store = location.open(false).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let destination = piopiy_receiver::Destination::new("app", "http://127.0.0.1:9/").unwrap();
    runtime.block_on(async {
        let state = ForwardState::open(folder.path().join("calls.forward")).unwrap();
        let records = location.open_to_read().unwrap().unwrap();
        piopiy_receiver::Forwarder::start(&records, state, vec![destination]).unwrap().shutdown().await;
    });
    let (code, said) = told(&["forward", "status", &store, "--state=calls.forward"]);
    assert_eq!((code, said.as_str()), (Some(0), ""));
    let other = format!("--store={}", shared().unwrap().database().unwrap());
    StoreLocation::open(&other[8..].parse().unwrap(), false).unwrap();
    let (code, said) = told(&["forward", "status", &other, "--state=calls.forward"]);
    assert_eq!(code, Some(3));
    assert!(said.starts_with("error: the state calls.forward is of another store"), "{said}");
}
