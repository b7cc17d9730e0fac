//! Who sees the page.

use std::time::{Duration, Instant};

use piopiy_receiver::{Authentication, MemoryStore, Page, Server, listen};

use super::{Paged, two_calls};
use crate::support::client;

#[tokio::test]
async fn without_a_token_it_is_for_this_machine_alone() {
    let paged = Paged::start(two_calls()).await;
    let asked = async |name: &str, value: &str| {
        let answer = client().get(paged.url("/")).header(name, value).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    for (name, value) in [
        ("host", "evil.example"),
        ("host", "127.0.0.1.evil.example:5001"),
        ("x-forwarded-for", "10.0.0.1"),
        ("forwarded", "for=10.0.0.1"),
        ("via", "1.1 proxy"),
    ] {
        let (status, text) = asked(name, value).await;
        assert_eq!(status, 403, "{name}: {value}");
        assert!(text.contains("--page-token-file") && !text.contains("two"), "{text}");
    }
    assert_eq!(asked("host", "localhost:9").await.0, 200);
    // Nothing but its own pages: what webhooks are posted to is elsewhere.
    assert_eq!(paged.act("/webhook/cdr", "{}").await.0, 404);
    let on_the_other = client().get(paged.server.url().replace("/webhook/cdr", "/quarantine")).send().await;
    assert_eq!(on_the_other.unwrap().status().as_u16(), 404);
    paged.server.shutdown().await;

    let open = Page::on(listen("0.0.0.0:0").await.unwrap());
    let refused = Server::builder(MemoryStore::new()).page(open).bind("127.0.0.1:0").await.unwrap_err();
    assert!(refused.to_string().contains("give it a token"), "{refused}");
}

#[tokio::test]
async fn with_a_token_it_is_for_whoever_shows_it() {
    let with = |page: Page| page.token("s3cret".parse().unwrap());
    let paged = Paged::start_as(two_calls(), Authentication::new(), with).await;
    for path in [
        "/",
        "/call?id=two",
        "/webhooks",
        "/record?seq=1",
        "/record/body?seq=1",
        "/quarantine",
        "/forwarding",
        "/events",
        "/x",
    ] {
        let answer = client().get(paged.url(path)).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 401, "{path}");
        assert!(answer.headers()["www-authenticate"].to_str().unwrap().starts_with("Basic "), "{path}");
        assert!(!answer.text().await.unwrap().contains("two"), "{path}");
    }
    assert_eq!(paged.act("/quarantine", "all=yes").await.0, 401);
    let shown = async |password: &str, host: &str| {
        let request = client().get(paged.url("/")).basic_auth("anyone", Some(password)).header("host", host);
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(shown("s3cret", "receiver.example").await, 200, "by any name");
    let began = Instant::now();
    assert_eq!(shown("s3cre", "localhost").await, 401);
    assert!(began.elapsed() >= Duration::from_millis(500), "whoever guesses waits");
    let bearer = client().get(paged.url("/")).bearer_auth("s3cret").send().await.unwrap();
    assert_eq!(bearer.status().as_u16(), 200);
    // Style and script hold nothing that is stored.
    assert_eq!(paged.get("/ladder.css").await.0, 200);
    paged.server.shutdown().await;
}

#[tokio::test]
async fn a_page_of_another_origin_changes_nothing() {
    let entries =
        [piopiy_receiver::Entry::quarantined("?".to_owned(), crate::support::cdr("kept").into(), 0)];
    let paged = Paged::start(super::store(&entries)).await;
    let sent = async |name: &str, value: &str| {
        let request = client().post(paged.url("/quarantine")).header(name, value).form_body("seq=1");
        request.send().await.unwrap().status().as_u16()
    };
    for (name, value) in [
        ("origin", "http://evil.example"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        assert_eq!(sent(name, value).await, 403, "{name}: {value}");
    }
    assert!(!paged.page("/webhooks").await.contains("record-2"), "nothing was done");
    let own = paged.url("");
    assert_eq!(sent("origin", &own).await, 200, "the page itself may");
    assert!(paged.page("/webhooks").await.contains("record-2"));
    paged.server.shutdown().await;
}

/// A form, as a browser sends it.
trait FormBody {
    fn form_body(self, fields: &'static str) -> Self;
}

impl FormBody for reqwest::RequestBuilder {
    fn form_body(self, fields: &'static str) -> Self {
        self.header("content-type", "application/x-www-form-urlencoded").body(fields)
    }
}
