//! The page: what it shows, to whom, and what it does.

mod acts;
mod bounded;
mod guarded;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use piopiy_receiver::{
    Authentication, Entry, MemoryStore, OpenStore, Page, Record, Records, Server, Store as _, StoreError,
    listen,
};

use crate::support::{PATIENCE, cdr, client, entry, stream_connected};

/// A server with a page.
pub(crate) struct Paged {
    pub(crate) server: Server,
    client: reqwest::Client,
}

impl Paged {
    pub(crate) async fn start(store: impl Into<OpenStore>) -> Self {
        Self::start_as(store, Authentication::new(), |page| page).await
    }

    pub(crate) async fn start_as(
        store: impl Into<OpenStore>,
        authentication: Authentication,
        with: impl FnOnce(Page) -> Page,
    ) -> Self {
        let page = with(Page::on(listen("127.0.0.1:0").await.unwrap()));
        let builder = Server::builder(store).authentication(authentication).page(page);
        Self { server: builder.bind("127.0.0.1:0").await.unwrap(), client: client() }
    }

    pub(crate) fn url(&self, path_and_query: &str) -> String {
        format!("{}{path_and_query}", self.server.page_url().unwrap().trim_end_matches('/'))
    }

    /// The status and the text.
    pub(crate) async fn get(&self, path_and_query: &str) -> (u16, String) {
        let answer = self.client.get(self.url(path_and_query)).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// What a page says, once it is shown.
    pub(crate) async fn page(&self, path_and_query: &str) -> String {
        let (status, text) = self.get(path_and_query).await;
        assert_eq!(status, 200, "{path_and_query}: {text}");
        text
    }

    /// Sends a form; the status and the page that follows.
    pub(crate) async fn act(&self, path: &str, fields: &str) -> (u16, String) {
        let form = "application/x-www-form-urlencoded";
        let request = self.client.post(self.url(path)).header("content-type", form).body(fields.to_owned());
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    pub(crate) async fn post(&self, body: &str) -> u16 {
        self.client.post(self.server.url()).body(body.to_owned()).send().await.unwrap().status().as_u16()
    }
}

/// A store with these entries.
fn store(entries: &[Entry]) -> MemoryStore {
    let mut store = MemoryStore::new();
    let _kept = store.records();
    store.append(entries).unwrap();
    store
}

fn event(leg: &str, status: &str, time: u64) -> Entry {
    entry(&format!(
        r#"{{"cmiuuid":"{leg}-of-two","conversation_uuid":"two","direction":"outbound","leg":"{leg}","status":"{status}","time":{time},"from":442080000000,"to":447700900123}}"#
    ))
}

fn two_calls() -> MemoryStore {
    store(&[
        entry(&cdr("one")),
        entry(
            r#"{"cmiuuid":"b-of-two","conversation_uuid":"two","leg":"b","status":"answered","duration":5,"from":1,"to":2}"#,
        ),
        event("a", "out_answered", 1),
        event("b", "out_bridged", 2),
        entry(&stream_connected("b-of-two", 3)),
        entry(
            r#"{"cmiuuid":"a-of-two","conversation_uuid":"two","leg":"a","status":"answered","duration":63}"#,
        ),
    ])
}

#[tokio::test]
async fn calls_are_listed_and_each_is_a_ladder_with_its_bytes() {
    let paged = Paged::start(two_calls()).await;
    let list = paged.page("/").await;
    let two = list.find("href=\"/call?id=two\"").unwrap();
    assert!(two < list.find("href=\"/call?id=one\"").unwrap(), "newest first: {list}");
    assert!(list.contains("+442080000000 → +447700900123") && list.contains("3 events, 2 CDRs"), "{list}");

    let call = paged.page("/call?id=a-of-two&seq=6").await;
    for rung in
        ["out_answered, leg a to receiver", "out_bridged, leg b to receiver", "CDR answered · duration 63"]
    {
        assert!(call.contains(rung), "no {rung}: {call}");
    }
    assert!(call.contains("aria-label=\"Ladder of call two, 5 messages\""), "{call}");
    assert!(!call.contains("CDR missed · duration"), "another call's: {call}");
    let raw = "{&quot;cmiuuid&quot;:&quot;a-of-two&quot;,&quot;conversation_uuid&quot;:&quot;two&quot;,";
    assert!(call.contains(raw), "as it was received: {call}");

    assert_eq!(paged.get("/call?id=nobody").await.0, 404);
    assert_eq!(paged.get("/record?seq=77").await.0, 404);
    assert_eq!(paged.get("/nothing").await.0, 404);
    assert_eq!(paged.post(&cdr("three")).await, 200);
    assert!(paged.page("/").await.contains("href=\"/call?id=three\""), "what is stored later is there");
    paged.server.shutdown().await;
}

#[tokio::test]
async fn what_is_looked_for_is_found_and_nothing_else() {
    let paged = Paged::start(two_calls()).await;
    let found = async |path: &str| {
        let page = paged.page(path).await;
        ["one", "two"]
            .map(|call| page.contains(&format!("id={call}\" ")) || page.contains(&format!("id={call}&")))
    };
    for (query, expected) in [
        ("", [true, true]),
        ("+4420800", [false, true]),
        ("440000000001+MISSED", [true, false]),
        ("bridged", [false, true]),
        ("ended_answered", [false, true]),
        ("b-of-two", [false, true]),
        ("missed+answered", [false, false]),
        ("2023-11-14+22:13", [true, true]),
        ("2023-11-15", [false, false]),
    ] {
        assert_eq!(found(&format!("/?q={query}")).await, expected, "calls: {query}");
    }
    assert_eq!(found("/webhooks?q=cdr").await, [true, true]);
    assert_eq!(
        found("/webhooks?q=stream").await,
        [false, false],
        "of a leg: {}",
        paged.page("/webhooks?q=stream").await
    );
    assert!(paged.page("/webhooks?q=stream").await.contains("id=b-of-two&amp;seq=5"));
    let list = paged.page("/").await;
    assert!(list.contains("+442080000000 → +447700900123") && list.contains(">63 s<"), "leg a's: {list}");
    let (status, further) = paged.get("/call?id=two&before=2").await;
    assert!(status == 200 && further.contains("href=\"/call?id=two\">Show the last ones"), "{further}");
    let back = paged.page("/webhooks?before=2").await;
    assert!(back.contains("id=\"record-2\"") && !back.contains("id=\"record-3\""), "{back}");
    paged.server.shutdown().await;
}

#[tokio::test]
async fn what_a_stranger_posted_is_text() {
    let hostile = "</pre><script>alert(1)</script>\\\"' onload=x";
    let body = format!(
        r#"{{"cmiuuid":"{hostile}","leg":"{hostile}","status":"{hostile}","duration":0,"from":"{hostile}"}}"#
    );
    let kept = Entry::quarantined(hostile.to_owned(), b"\xFF\xFE".as_slice().into(), 0);
    let paged =
        Paged::start(store(&[entry(&body), kept, Entry::quarantined("x".into(), hostile.into(), 0)])).await;
    for path in [
        "/",
        "/webhooks",
        "/quarantine",
        "/record?seq=1",
        "/record?seq=2",
        "/record?seq=3",
        "/?q=%3Cscript%3E",
    ] {
        let page = paged.page(path).await;
        assert!(!page.contains("<script>alert") && !page.contains("\"' onload"), "{path}: {page}");
    }
    let link = paged.page("/").await;
    let (_, link) = link.split_once("href=\"/call?id=").unwrap();
    let link = format!("/call?id={}", link.split('"').next().unwrap());
    assert!(paged.page(&link).await.contains("Ladder · call &lt;/pre&gt;"), "{link}");
    assert!(paged.page("/record?seq=2").await.contains("not UTF-8, in hexadecimal:\n</span>fffe"));
    let answer = client().get(paged.url("/record/body?seq=3")).send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "application/octet-stream");
    assert!(answer.headers()["content-disposition"].to_str().unwrap().starts_with("attachment"));
    assert_eq!(answer.text().await.unwrap(), hostile, "byte for byte");
    for path in ["/", "/record/body?seq=3"] {
        let answer = client().get(paged.url(path)).send().await.unwrap();
        let policy = answer.headers()["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'"), "{path}: {policy}");
        assert_eq!(answer.headers()["cross-origin-resource-policy"], "same-origin", "{path}");
    }
    paged.server.shutdown().await;
}

/// Records that nobody gets, for as long as somebody holds them.
#[derive(Debug)]
struct Held {
    records: Arc<dyn Records>,
    gate: Mutex<()>,
    asked: AtomicUsize,
}

impl Records for Held {
    fn after(&self, seq: u64, limit: usize) -> Result<Vec<Record>, StoreError> {
        self.records.after(seq, limit)
    }

    fn last_seq(&self) -> Result<u64, StoreError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let _passed = self.gate.lock().unwrap();
        self.records.last_seq()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_waits_for_the_store_holds_up_no_acknowledgement() {
    let mut store = MemoryStore::new();
    let held =
        Arc::new(Held { records: store.records(), gate: Mutex::default(), asked: AtomicUsize::default() });
    let records: Arc<dyn Records> = Arc::clone(&held) as _;
    let paged = Paged::start_as(store, Authentication::new(), |page| page.records(records)).await;
    let (locked, is_locked) = std::sync::mpsc::channel();
    let (release, released) = std::sync::mpsc::channel::<()>();
    let holder = Arc::clone(&held);
    let holding = std::thread::spawn(move || {
        let _held = holder.gate.lock().unwrap();
        locked.send(()).unwrap();
        released.recv().unwrap();
    });
    is_locked.recv().unwrap();
    let looking: Vec<_> = (0..20)
        .map(|_| {
            let request = client().get(paged.url("/")).send();
            tokio::spawn(async move { request.await.unwrap().status().as_u16() })
        })
        .collect();
    while held.asked.load(Ordering::SeqCst) == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    for n in 0..50 {
        assert_eq!(paged.post(&cdr(&n.to_string())).await, 200);
    }
    assert!(looking.iter().all(|page| !page.is_finished()), "they wait");
    assert_eq!(held.asked.load(Ordering::SeqCst), 1, "one looks at a time");
    release.send(()).unwrap();
    holding.join().unwrap();
    for page in looking {
        assert_eq!(tokio::time::timeout(PATIENCE, page).await.unwrap().unwrap(), 200);
    }
    paged.server.shutdown().await;
}

#[tokio::test]
async fn a_page_hears_of_what_is_stored_and_of_the_end() {
    let paged = Paged::start(two_calls()).await;
    let mut events = client().get(paged.url("/events")).send().await.unwrap();
    assert_eq!(events.headers()["content-type"], "text/event-stream");
    assert_eq!(paged.post(&cdr("three")).await, 200);
    let mut heard = String::new();
    while !heard.contains("event: change") {
        let part = tokio::time::timeout(PATIENCE, events.chunk()).await.unwrap().unwrap();
        heard.push_str(std::str::from_utf8(&part.expect("it goes on")).unwrap());
    }
    // The default drain deadline is 10 s: an open page must not have to be waited for.
    let ended = tokio::time::timeout(Duration::from_secs(8), paged.server.shutdown()).await;
    assert!(ended.is_ok(), "the receiver waits for pages that are open");
    let rest: Option<Bytes> = loop {
        match events.chunk().await {
            Ok(Some(_)) => {}
            Ok(None) => break None,
            Err(error) => panic!("cut off: {error}"),
        }
    };
    assert!(rest.is_none());
}

#[tokio::test]
async fn so_many_pages_are_kept_up_to_date_and_whoever_goes_makes_room() {
    let paged = Paged::start(MemoryStore::new()).await;
    let ask = async || client().get(paged.url("/events")).send().await.unwrap();
    let mut open = Vec::new();
    let refused = loop {
        let events = ask().await;
        if events.status() != 200 {
            break events.status().as_u16();
        }
        open.push(events);
        assert!(open.len() < 100, "there is no end");
    };
    assert_eq!((open.len(), refused), (64, 503));
    assert_eq!(paged.get("/").await.0, 200, "without being told, one can still look");
    drop(open);
    let let_in = tokio::time::timeout(PATIENCE, async {
        while ask().await.status() != 200 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    assert!(let_in.await.is_ok(), "nobody notices who is gone");
    paged.server.shutdown().await;
}
