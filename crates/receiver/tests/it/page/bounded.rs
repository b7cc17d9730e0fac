//! What strangers post in masses, and what is a long way back: the page stays small, and its links lead somewhere.

use std::time::Duration;

use piopiy_receiver::{
    Destination, Entry, ForwardState, MemoryStore, Page, ReadLimits, Server, ServerOptions, listen,
};
use rusqlite::Connection;

use super::{Paged, store};
use crate::support::{Wire, blocking, cdr, client, entry};

/// Every address in a page that leads to a path.
fn links(page: &str, path: &str) -> Vec<String> {
    let found = page.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next());
    found.filter(|link| link.starts_with(path)).map(|link| link.replace("&amp;", "&")).collect()
}

/// A webhook of a call of its own, each of whose texts is long.
fn long(call: usize) -> String {
    let text = format!("{}{call}", "<".repeat(100_000));
    format!(
        r#"{{"cmiuuid":"{text}","conversation_uuid":"{text}","leg":"{text}","status":"{text}","duration":"{text}","from":"{text}","to":"{text}","direction":"{text}"}}"#
    )
}

#[tokio::test]
async fn long_texts_make_no_long_pages() {
    const MOST: usize = 100_000;
    let mut entries: Vec<Entry> = (0..10).map(|call| entry(&long(call))).collect();
    entries.push(Entry::quarantined("?".to_owned(), long(10).into(), 0));
    entries.push(Entry::quarantined("?".to_owned(), long(11)[..50_000].to_owned().into(), 0));
    let paged = Paged::start(store(&entries)).await;
    for path in ["/", "/webhooks", "/quarantine", "/?q=%3C"] {
        let page = paged.page(path).await;
        assert!(page.len() < MOST, "{path}: {} bytes", page.len());
    }
    let calls = links(&paged.page("/").await, "/call");
    assert_eq!(calls.len(), 10, "each is its own");
    for call in calls {
        let page = paged.page(&call).await;
        assert!(page.len() < MOST && page.contains(", 1 message\""), "{call}: {} bytes", page.len());
    }
    // A large body is read where it is looked at alone.
    let quarantine = paged.page("/quarantine").await;
    assert_eq!(quarantine.matches("Read it today").count(), 1, "{quarantine}");
    assert!(quarantine.contains("still none: "), "{quarantine}");
    let record = paged.page("/record?seq=11").await;
    assert!(record.contains("Read it again"), "{record}");
    assert!(paged.act("/quarantine", "seq=11").await.1.contains("It is webhook 13 now."));
    assert!(paged.page("/record?seq=11").await.contains("href=\"/record?seq=13\""), "it is found again");
    paged.server.shutdown().await;
}

#[tokio::test]
async fn what_is_a_long_way_back_is_found_from_there() {
    let mut entries = vec![entry(&cdr("one")), entry(&cdr("two"))];
    entries.push(Entry::quarantined("?".to_owned(), cdr("three").into(), 0));
    entries.resize(25_010, Entry::quarantined("?".to_owned(), "{".into(), 0));
    let paged = Paged::start(store(&entries)).await;
    assert_eq!(paged.get("/call?id=one").await.0, 404);
    let back = paged.page("/webhooks?before=3").await;
    for (path, says) in [("/call", "Ladder of call"), ("/record", "Show its call")] {
        let links = links(&back, path);
        assert_eq!(links.len(), 2, "{back}");
        for link in links {
            assert!(paged.page(&link).await.contains(says), "{link}");
        }
    }
    // What is read again is a webhook at the other end.
    let quarantined = "/quarantine?before=3";
    assert!(paged.page(quarantined).await.contains("Read it again"));
    assert!(paged.act("/quarantine", "seq=3").await.1.contains("It is webhook 25011 now."));
    let page = paged.page(quarantined).await;
    assert!(page.contains("it is webhook ") && !page.contains("Read it again"), "{page}");
    assert!(paged.page(&links(&page, "/record?seq=")[0]).await.contains("Show its call"));
    paged.server.shutdown().await;
}

#[tokio::test]
async fn a_form_that_never_ends_is_given_up() {
    let read = ReadLimits { body_deadline: Duration::from_millis(50), ..ReadLimits::default() };
    let page = Page::on(listen("127.0.0.1:0").await.unwrap());
    let builder = Server::builder(MemoryStore::new()).page(page);
    let server = builder.options(ServerOptions { read, ..ServerOptions::default() }).bind("127.0.0.1:0");
    let server = server.await.unwrap();
    let url = reqwest::Url::parse(&server.page_url().unwrap()).unwrap();
    let address = url.socket_addrs(|| None).unwrap()[0];
    for path in ["/quarantine", "/forwarding"] {
        let answer = blocking(move || {
            let mut wire = Wire::to(address);
            let form = "content-type: application/x-www-form-urlencoded\r\ncontent-length: 9";
            wire.send(format!("POST {path} HTTP/1.1\r\nhost: localhost\r\n{form}\r\n\r\n"));
            wire.rest()
        });
        assert!(answer.await.starts_with("HTTP/1.1 408 "), "{path}");
    }
    server.shutdown().await;
}

#[tokio::test]
async fn no_more_dead_letters_are_listed_than_can_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let mut state = ForwardState::open(&path).unwrap();
    state.add_destination("app", 0).unwrap();
    state.set_paused("app", true).unwrap();
    let many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 150)
        INSERT INTO dead SELECT 'app', i, 75, 'status 500', 0 FROM n";
    Connection::open(&path).unwrap().execute_batch(many).unwrap();
    let builder = Server::builder(MemoryStore::new())
        .forward(state, vec![Destination::new("app", "http://127.0.0.1:9/").unwrap()])
        .page(Page::on(listen("127.0.0.1:0").await.unwrap()));
    let paged = Paged { server: builder.bind("127.0.0.1:0").await.unwrap(), client: client() };
    let page = paged.page("/forwarding").await;
    assert!(page.contains("given up </span>150<") && page.contains("50 older ones are not listed"), "{page}");
    let listed = links(&page, "/record");
    assert_eq!((listed.len(), listed[0].as_str()), (100, "/record?seq=150"), "the last ones first");
    paged.server.shutdown().await;
}
