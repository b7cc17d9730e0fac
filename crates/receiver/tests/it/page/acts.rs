//! What the page does: bodies are read again, and webhooks delivered again.

use std::time::Duration;

use axum::http::StatusCode;
use futures_util::future::join_all;
use piopiy_receiver::{
    Authentication, Entry, ForwardState, MemoryStore, Page, Records as _, Server, SqliteRecords, Store as _,
    StoreLocation, listen,
};

use super::Paged;
use crate::forward::App;
use crate::support::postgres::fresh;
use crate::support::{PATIENCE, blocking, cdr, client, entry, open};

fn other_app(cmiuuid: &str) -> String {
    cdr(cmiuuid).replace("2222222", "3333333")
}

#[tokio::test]
async fn what_is_read_again_becomes_a_webhook_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("calls.sqlite");
    let location = StoreLocation::Sqlite(path.clone());
    let only = Authentication::new().app_ids(["2222222".to_owned()]);
    let paged = Paged::start_as(open(&location), only, |page| page).await;
    assert_eq!(paged.post(&other_app("x")).await, 202);
    assert_eq!(paged.post("{").await, 202);
    let page = paged.page("/quarantine").await;
    assert!(page.contains("still none: the appid is not on the list"), "today's configuration, too: {page}");
    let (status, refused) = paged.act("/quarantine", "seq=1").await;
    assert_eq!(status, 422);
    assert!(
        refused.contains("Record 1 is no webhook today either: the appid is not on the list"),
        "{refused}"
    );
    paged.server.shutdown().await;

    let both = Authentication::new().app_ids(["2222222".to_owned(), "3333333".to_owned()]);
    let reading = SqliteRecords::open(&path).unwrap();
    let received_at = reading.after(0, 1).unwrap()[0].received_at;
    let paged = Paged::start_as(open(&location), both, |page| page).await;
    let page = paged.page("/quarantine").await;
    assert!(page.contains("it is CDR missed · leg a") && page.contains("still none: "), "{page}");
    // Whoever asks, and however often at once.
    let answers = join_all((0..8).map(|_| paged.act("/quarantine", "seq=1"))).await;
    assert!(answers.iter().all(|(status, _)| *status == 200), "{answers:?}");
    let became = |text: &str| answers.iter().filter(|(_, page)| page.contains(text)).count();
    assert_eq!((became("It is webhook 3 now."), became("It is webhook 3 already")), (1, 7));
    let records = reading.after(0, 10).unwrap();
    assert_eq!(records.len(), 3, "{records:?}");
    assert_eq!((&records[2].body[..], records[2].received_at), (other_app("x").as_bytes(), received_at));
    assert!(records[2].reason.is_none() && records[0].reason.is_some(), "{records:?}");
    assert!(paged.page("/quarantine").await.contains("it is webhook </span>"));
    // And the platform's repeat is a repeat.
    assert_eq!(paged.post(&other_app("x")).await, 200);
    assert_eq!(reading.last_seq().unwrap(), 3);

    assert_eq!(paged.act("/quarantine", &"x".repeat(20_000)).await.0, 413);
    for nothing in ["seq=2", "seq=3", "seq=99", "seq=", ""] {
        assert!([404, 422].contains(&paged.act("/quarantine", nothing).await.0), "{nothing}");
    }
    assert_eq!(reading.last_seq().unwrap(), 3);
    paged.server.shutdown().await;
}

#[tokio::test]
async fn all_of_the_quarantine_is_read_again_at_once() {
    let mut entries: Vec<Entry> =
        (0..40).map(|n| Entry::quarantined("?".to_owned(), cdr(&n.to_string()).into(), n)).collect();
    entries.push(Entry::quarantined("?".to_owned(), cdr("7").into(), 99));
    entries.push(Entry::quarantined("?".to_owned(), "[]".into(), 99));
    let paged = Paged::start(super::store(&entries)).await;
    let (status, page) = paged.act("/quarantine", "all=yes").await;
    assert_eq!(status, 200);
    assert!(page.contains("Became webhooks: 40."), "{page}");
    assert!(paged.act("/quarantine", "all=yes").await.1.contains("Became webhooks: 0."));
    let webhooks = paged.page("/webhooks").await;
    assert_eq!(webhooks.matches("id=\"record-").count(), 40);
    // What is counted is what PIOPIY sends, and who connects to send it.
    let metrics = client().get(paged.server.url().replace("/webhook/cdr", "/metrics")).send().await.unwrap();
    let metrics = metrics.text().await.unwrap();
    for count in ["appended_total 0", "duplicates_total 0", "store_records 82", "connections 1"] {
        assert!(metrics.contains(&format!("piopiy_receiver_{count}\n")), "no {count}: {metrics}");
    }
    paged.server.shutdown().await;
}

/// Several receivers share a store: the page of one shows, and reads again, what another took in.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_is_of_the_whole_store_that_receivers_share() {
    let Some(location) = fresh() else { return };
    let opened = |location: StoreLocation| blocking(move || open(&location));
    let only = Authentication::new().app_ids(["2222222".to_owned()]);
    let other = Server::builder(opened(location.clone()).await).authentication(only).bind("127.0.0.1:0");
    let other = other.await.unwrap();
    let paged = Paged::start(opened(location).await).await;
    for (body, status) in [(cdr("one"), 200), (other_app("two"), 202)] {
        let answer = client().post(other.url()).body(body).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status);
    }
    let list = paged.page("/").await;
    assert!(list.contains("href=\"/call?id=one\"") && !list.contains("id=two"), "{list}");
    assert!(paged.act("/quarantine", "seq=2").await.1.contains("It is webhook 3 now."));
    assert!(paged.act("/quarantine", "seq=2").await.1.contains("It is webhook 3 already"));
    assert!(paged.page("/call?id=two&seq=3").await.contains("Ladder of call two, 1 message\""));
    paged.server.shutdown().await;
    other.shutdown().await;
}

#[tokio::test]
async fn forwarding_is_seen_held_and_done_again() {
    let folder = tempfile::tempdir().unwrap();
    // Refuses the second record until it is asked for it again.
    let app = App::start(|seq, times| match (seq, times) {
        (2, 1) => StatusCode::BAD_REQUEST,
        _ => StatusCode::OK,
    });
    let app = app.await;
    let state = ForwardState::open(folder.path().join("state")).unwrap();
    let mut destination = app.destination("app");
    destination.max_attempts = 1;
    let mut store = MemoryStore::new();
    let _kept = store.records();
    store.append(&[entry(&cdr("one")), entry(&cdr("two"))]).unwrap();
    let server = Server::builder(store)
        .forward(state, vec![destination])
        .page(Page::on(listen("127.0.0.1:0").await.unwrap()))
        .bind("127.0.0.1:0");
    let paged = Paged { server: server.await.unwrap(), client: client() };
    app.has(2).await;
    says(&paged, "/forwarding", "Deliver again what was given up").await;
    let page = paged.page("/forwarding").await;
    assert!(page.contains("1 given up") && page.contains("came to record </span>2 of 2"), "{page}");

    let call = paged.page("/call?id=two&seq=2").await;
    assert!(call.contains("#2 CDR missed · duration 0 · given up, leg a"), "{call}");
    assert!(call.contains("Given up for app after 1 attempts, the last: status 400"), "{call}");
    assert!(!paged.page("/call?id=one&seq=1").await.to_lowercase().contains("given up"));

    let (status, page) = paged.act("/forwarding", "to=app&do=replay&dead=yes").await;
    assert_eq!(status, 200);
    assert!(page.contains("To be delivered again: 1."), "{page}");
    app.has(3).await;
    says(&paged, "/forwarding", "delivering").await;
    assert!(!paged.page("/call?id=two&seq=2").await.to_lowercase().contains("given up"), "it is delivered");
    assert!(paged.act("/forwarding", "to=app&do=replay&seq=1").await.1.contains("To be delivered again: 1."));
    app.has(4).await;
    // An order for what is under way already is that same order.
    says(&paged, "/forwarding", "to deliver </span>0").await;
    assert!(paged.page("/call?id=one").await.contains("/forwarding?id=one"), "the call leads there");
    assert!(paged.page("/forwarding?id=one").await.contains("Deliver call one again"));
    assert!(
        paged.act("/forwarding", "to=app&do=replay&call=one").await.1.contains("To be delivered again: 1.")
    );
    app.has(5).await;
    assert_eq!(app.seqs()[2..], [2, 1, 1]);

    let is_paused =
        || ForwardState::open_existing(folder.path().join("state")).unwrap().status().unwrap()[0].is_paused;
    let page = paged.act("/forwarding", "to=app&do=pause").await.1;
    assert!(
        page.contains("Paused: nothing is delivered") && page.contains(">Resume<") && is_paused(),
        "{page}"
    );
    let page = paged.act("/forwarding", "to=app&do=resume").await.1;
    assert!(page.contains("Resumed.") && page.contains(">Pause<") && !is_paused(), "{page}");
    for (wrong, why) in [
        ("to=nobody&do=pause", "nobody"),
        ("to=app&do=replay", "no such webhook"),
        ("to=app&do=replay&seq=99", "no such webhook"),
        ("to=app", "pause, resume or replay"),
    ] {
        let (status, page) = paged.act("/forwarding", wrong).await;
        assert!(status == 422 && page.contains(why), "{wrong}: {status} {page}");
    }
    paged.server.shutdown().await;
}

/// Waits until a page says something.
async fn says(paged: &Paged, path: &str, text: &str) {
    let waited = tokio::time::timeout(PATIENCE, async {
        while !paged.page(path).await.contains(text) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    assert!(waited.await.is_ok(), "{path} never says {text}");
}
