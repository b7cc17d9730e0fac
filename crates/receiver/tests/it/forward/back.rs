//! A store that goes back, as PostgreSQL does when a standby is promoted that had not got everything: places are given anew.

use std::sync::{Arc, RwLock};

use axum::http::StatusCode;
use piopiy_events::{Limits, Webhook};
use piopiy_receiver::{
    Entry, ForwardError, ForwardState, Forwarder, MemoryStore, OpenStore, Page, Record, Records, Server,
    SqliteRecords, SqliteStore, Store as _, StoreError, StoreLocation,
};

use super::{App, state_in, until};
use crate::cli::{STORE, run};
use crate::support::{cdr, client, entry, once_free, open as open_store};

/// One store before, and another after.
#[derive(Debug)]
struct Primary(RwLock<Arc<dyn Records>>);

impl Primary {
    fn now(&self) -> Arc<dyn Records> {
        Arc::clone(&self.0.read().unwrap())
    }

    fn fail_over_to(&self, records: Arc<dyn Records>) {
        *self.0.write().unwrap() = records;
    }
}

impl Records for Primary {
    fn after(&self, seq: u64, limit: usize) -> Result<Vec<Record>, StoreError> {
        self.now().after(seq, limit)
    }

    fn page(&self, seq: u64, limit: usize, max_bytes: usize) -> Result<Vec<Record>, StoreError> {
        self.now().page(seq, limit, max_bytes)
    }

    fn last_seq(&self) -> Result<u64, StoreError> {
        self.now().last_seq()
    }

    fn store_id(&self) -> Result<Option<String>, StoreError> {
        Ok(Some("one cluster".to_owned()))
    }
}

/// A store that had `common` records when another took its place, and got `others` since.
fn store_with(common: u64, others: u64) -> (MemoryStore, Arc<dyn Records>) {
    let bodies = (0..common).map(|n| cdr(&format!("call-{n}")));
    super::store(&bodies.chain((0..others).map(|n| cdr(&format!("other-{n}")))).collect::<Vec<_>>())
}

fn is_held(state: &ForwardState, records: &dyn Records) -> bool {
    state.has_store_gone_back("app", records).unwrap()
}

/// What an app has once 200 records were forwarded, the store went back to `common` and got `others`, and more came then; the
/// places that were delivered after that.
async fn delivered_after(common: u64, others: u64) -> Vec<u64> {
    let folder = tempfile::tempdir().unwrap();
    let app = App::start(|_, _| StatusCode::OK).await;
    let (_before, records) = store_with(200, 0);
    let primary = Arc::new(Primary(RwLock::new(records)));
    let records: Arc<dyn Records> = Arc::<Primary>::clone(&primary);
    let forwarder = Forwarder::start(&records, state_in(&folder), vec![app.destination("app")]).unwrap();
    app.has(200).await;
    let mut state = state_in(&folder);
    until(|| state.status().unwrap()[0].read_through == 200, || "it to be saved".to_owned()).await;
    assert!(!is_held(&state, &*records));
    assert_eq!(state.last_common("app", &*records).unwrap(), Some(200));

    let (mut after, promoted) = store_with(common, others);
    primary.fail_over_to(promoted);
    assert!(is_held(&state, &*records));
    after.append(&[entry(&cdr("later"))]).unwrap();
    let too_far = state.rewind("app", 201).unwrap_err();
    assert!(matches!(too_far, ForwardError::NotBack { to: 201, read_through: 200, .. }), "{too_far}");
    let to = state.last_common("app", &*records).unwrap().unwrap();
    assert!(to <= common && common - to < 64, "{to} of {common}");
    state.rewind("app", to).unwrap();
    assert!(state.settled_through().unwrap().unwrap() <= to, "what is yet to be read again is not forgotten");
    let last = common + others + 1;
    app.has(usize::try_from(200 + last - to).unwrap()).await;
    until(|| state.status().unwrap()[0].read_through == last, || "it to be saved".to_owned()).await;
    assert!(!is_held(&state, &*records));
    assert_eq!(state.status().unwrap()[0].rewind_to, None);
    forwarder.shutdown().await;
    let again = app.deliveries().split_off(200);
    for delivery in &again {
        let record = records.after(delivery.seq - 1, 1).unwrap().remove(0);
        assert_eq!(delivery.body, record.body, "what the store has now");
    }
    let mut seqs: Vec<u64> = again.iter().map(|delivery| delivery.seq).collect();
    seqs.sort_unstable();
    assert_eq!(seqs, (to + 1..=last).collect::<Vec<_>>());
    seqs
}

#[tokio::test]
async fn what_is_stored_in_places_that_were_forwarded_is_not_lost() {
    // It ends before what was read, at it, and behind it: then only what is in that place tells.
    for (common, others) in [(150, 0), (150, 20), (150, 49), (150, 50), (150, 90), (199, 1), (70, 300)] {
        delivered_after(common, others).await;
    }
}

#[tokio::test]
async fn nothing_goes_on_by_itself_and_what_comes_in_is_stored() {
    let folder = tempfile::tempdir().unwrap();
    let app = App::start(|_, _| StatusCode::OK).await;
    let mut state = state_in(&folder);
    state.add_destination("app", 50).unwrap();
    let (store, records) = store_with(40, 0);
    let server = Server::builder(OpenStore::new(store, Some(Arc::clone(&records))))
        .forward(state_in(&folder), vec![app.destination("app")])
        .bind("127.0.0.1:0")
        .await
        .unwrap();
    let metrics = format!("http://{}/metrics", server.local_addr());
    let has = async |line: &str| {
        for _ in 0..2000 {
            if client().get(&metrics).send().await.unwrap().text().await.unwrap().contains(line) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        panic!("no {line}");
    };
    has(r#"piopiy_receiver_forward_store_went_back{destination="app"} 1"#).await;
    let answer = client().post(server.url()).body(cdr("new")).send().await.unwrap();
    assert_eq!(answer.status(), 200, "it is stored all the same");
    assert_eq!(app.seqs(), [0; 0]);
    assert_eq!(state.last_common("app", &*records).unwrap(), None, "of this nothing is known");
    state.rewind("app", 40).unwrap();
    app.has(1).await;
    has(r#"piopiy_receiver_forward_store_went_back{destination="app"} 0"#).await;
    server.shutdown().await;
    assert_eq!(app.seqs(), [41]);
}

#[tokio::test]
async fn a_receiver_that_starts_by_a_store_that_went_back_waits_too() {
    let folder = tempfile::tempdir().unwrap();
    let app = App::start(|_, _| StatusCode::OK).await;
    let (_before, records) = store_with(100, 0);
    let primary = Arc::new(Primary(RwLock::new(records)));
    let records: Arc<dyn Records> = Arc::<Primary>::clone(&primary);
    let forwarder = Forwarder::start(&records, state_in(&folder), vec![app.destination("app")]).unwrap();
    app.has(100).await;
    forwarder.shutdown().await;
    // As many as before, others among them.
    let (_after, promoted) = store_with(90, 30);
    primary.fail_over_to(promoted);
    let mut state = state_in(&folder);
    let to = state.last_common("app", &*records).unwrap().unwrap();
    assert_eq!(to, 64);
    let forwarder = Forwarder::start(&records, state_in(&folder), vec![app.destination("app")]).unwrap();
    state.rewind("app", to).unwrap();
    app.has(100 + 56).await;
    forwarder.shutdown().await;
    let mut seqs = app.seqs().split_off(100);
    seqs.sort_unstable();
    assert_eq!(seqs, (65..=120).collect::<Vec<_>>(), "nothing went before it was asked for");
}

#[tokio::test]
async fn a_body_that_is_no_page_with_another_is_read_on() {
    let folder = tempfile::tempdir().unwrap();
    let app = App::start(|_, _| StatusCode::OK).await;
    let large = |n: u32| {
        let body = cdr(&format!("large-{n}"));
        format!("{}{}", " ".repeat(3 << 19), body)
    };
    let mut store = MemoryStore::new();
    let records = store.records();
    let entries = [cdr("x"), large(1), large(2), cdr("y"), large(3)].map(|body| {
        let webhook = Webhook::parse_within(body.as_bytes(), &Limits::NONE).unwrap();
        Entry::webhook(&webhook.identity().unwrap(), body.into(), 0)
    });
    store.append(&entries).unwrap();
    let forwarder = Forwarder::start(&records, state_in(&folder), vec![app.destination("app")]).unwrap();
    app.has(5).await;
    forwarder.shutdown().await;
    assert_eq!(state_in(&folder).status().unwrap()[0].read_through, 5);
}

#[tokio::test]
async fn of_a_backup_that_outgrew_what_was_forwarded_everybody_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("calls.sqlite");
    let append = |calls: &[&str]| {
        let entries: Vec<Entry> = calls.iter().map(|call| entry(&cdr(call))).collect();
        once_free(|| SqliteStore::open(&path)).append(&entries).unwrap();
    };
    append(&["one", "two"]);
    run(folder.path(), &["backup", "copy.sqlite", STORE]);
    append(&["three"]);
    let app = App::start(|_, _| StatusCode::OK).await;
    let open = || ForwardState::open(folder.path().join("calls.sqlite.forward")).unwrap();
    let records: Arc<dyn Records> = Arc::new(SqliteRecords::open(&path).unwrap());
    let forwarder = Forwarder::start(&records, open(), vec![app.destination("app")]).unwrap();
    app.has(3).await;
    forwarder.shutdown().await;
    drop(records);
    let told = run(folder.path(), &["verify", STORE]);
    assert!(told.contains("exit code 0"), "{told}");

    std::fs::rename(folder.path().join("copy.sqlite"), &path).unwrap();
    append(&["other", "later"]);
    let told = run(folder.path(), &["verify", STORE]);
    let expected = "destination `app` has had record 3, and the store has another there: it is older than the forwarder's state";
    assert!(told.contains("exit code 1") && told.contains(expected), "{told}");
    let told = run(folder.path(), &["forward", "status", STORE]);
    assert!(told.contains("held up: the store went back"), "{told}");
    let page = Page::on(piopiy_receiver::listen("127.0.0.1:0").await.unwrap());
    let (location, state) = (StoreLocation::Sqlite(path.clone()), open());
    let server = Server::builder(open_store(&location))
        .forward(state, vec![app.destination("app")])
        .page(page)
        .bind("127.0.0.1:0")
        .await
        .unwrap();
    let shown = client().get(format!("{}forwarding", server.page_url().unwrap())).send().await.unwrap();
    let shown = shown.text().await.unwrap();
    assert!(shown.contains("held up: the store went back"), "{shown}");
    server.shutdown().await;
}
