//! The edges of HTTP: methods, paths, framing, content types, sizes.

use piopiy_receiver::{Authentication, ReadLimits, ServerOptions};
use reqwest::Method;

use crate::support::{PATIENCE, Running, Wire, blocking, cdr, raw_post};

#[tokio::test]
async fn methods_and_paths() {
    let running = Running::start(ServerOptions::default()).await;
    let check = async |method: Method, path: &str, status: u16, allow: Option<&str>| {
        let request = running.client.request(method.clone(), running.url(path));
        let response = request.body(cdr("methods")).send().await.unwrap();
        assert_eq!(response.status().as_u16(), status, "{method} {path}");
        let allowed = response.headers().get("allow").map(|value| value.to_str().unwrap());
        assert_eq!(allowed, allow, "{method} {path}");
    };
    check(Method::POST, "/webhook/cdr", 200, None).await;
    check(Method::POST, "/webhook/cdr?x=1", 200, None).await;
    for method in [Method::GET, Method::PUT, Method::DELETE, Method::HEAD, Method::OPTIONS, Method::PATCH] {
        check(method, "/webhook/cdr", 405, Some("POST")).await;
    }
    check(Method::POST, "/webhook/cdr/", 404, None).await;
    check(Method::POST, "/", 404, None).await;
    check(Method::GET, "/__observe", 404, None).await;
    check(Method::GET, "/healthz", 200, None).await;
    check(Method::GET, "/readyz", 200, None).await;
    check(Method::POST, "/healthz", 405, Some("GET,HEAD")).await;
    assert_eq!(running.kept().len(), 1);
}

#[tokio::test]
async fn any_content_type_is_read_as_json() {
    let running = Running::start(ServerOptions::default()).await;
    let types = [
        None,
        Some("application/json"),
        Some("application/json; charset=utf-8"),
        Some("APPLICATION/JSON; charset=\"UTF-8\"; x=y"),
        Some("text/json"),
        Some("text/plain"),
        Some("application/x-www-form-urlencoded"),
        Some("multipart/form-data; boundary=x"),
        Some("nonsense"),
    ];
    for (index, content_type) in types.into_iter().enumerate() {
        let mut request = running.client.post(running.server.url()).body(cdr(&index.to_string()));
        if let Some(content_type) = content_type {
            request = request.header("content-type", content_type);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200, "{content_type:?}");
        assert_eq!(response.text().await.unwrap(), "got it");
    }
    assert_eq!(running.kept().len(), types.len());
    assert!(running.kept().iter().all(|record| record.reason.is_none()));
}

#[tokio::test]
async fn encodings_but_identity_are_refused() {
    let running = Running::start(ServerOptions::default()).await;
    let check = async |encoding: &str, status: u16| {
        let request = running.client.post(running.server.url()).header("content-encoding", encoding);
        let response = request.body(cdr(encoding)).send().await.unwrap();
        assert_eq!(response.status(), status, "{encoding}");
    };
    check("identity", 200).await;
    check("Identity", 200).await;
    check("gzip", 415).await;
    check("br", 415).await;
    assert_eq!(running.kept().len(), 2);
}

#[tokio::test]
async fn bodies_over_the_limit_are_refused() {
    let options = ServerOptions {
        read: ReadLimits { max_bytes: 1000, ..ReadLimits::default() },
        ..ServerOptions::default()
    };
    let running = Running::start(options).await;
    let padded = |size: usize| {
        let body = cdr(&size.to_string());
        format!("{body}{}", " ".repeat(size - body.len()))
    };
    assert_eq!(running.post(padded(1000)).await.0, 200);
    assert_eq!(running.post(padded(1001)).await.0, 413, "by its declared length");

    let addr = running.addr();
    let declared = "POST /webhook/cdr HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000000000000000\r\n\r\n";
    let answer = blocking(move || {
        let mut wire = Wire::to(addr);
        wire.send(declared);
        wire.rest()
    })
    .await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "without a byte of it: {answer}");

    let answer = blocking(move || {
        let mut wire = Wire::to(addr);
        wire.send("POST /webhook/cdr HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
        wire.send(format!("3e9\r\n{}\r\n", " ".repeat(1001)));
        wire.rest()
    })
    .await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "by counting: {answer}");
    assert_eq!(running.kept().len(), 1);
}

#[tokio::test]
async fn framing() {
    let running = Running::start(ServerOptions::default()).await;
    let addr = running.addr();
    let check = async |name: &str, request: String, status: &str, kept: usize| {
        let answer = blocking(move || {
            let mut wire = Wire::to(addr);
            wire.send(request);
            wire.end();
            wire.rest()
        })
        .await;
        let first = answer.split(' ').nth(1).unwrap_or("closed");
        assert_eq!(first, status, "{name}: {answer}");
        assert_eq!(running.kept().len(), kept, "{name}");
    };
    let head = "POST /webhook/cdr HTTP/1.1\r\n";
    let body = cdr("framing-0");
    let length = body.len();
    check("half-closed after the body", raw_post(&body, ""), "200", 1).await;
    check("no Host", format!("{head}Content-Length: {length}\r\n\r\n{body}"), "400", 1).await;
    check("two Hosts", raw_post(&body, "Host: y\r\n"), "400", 1).await;
    check(
        "HTTP/1.0 without Host",
        format!("POST /webhook/cdr HTTP/1.0\r\nContent-Length: {length}\r\n\r\n{}", cdr("framing-1")),
        "200",
        2,
    )
    .await;
    let chunked: String = cdr("framing-2").chars().map(|c| format!("1;ext=1\r\n{c}\r\n")).collect();
    check(
        "one-byte chunks with extensions and a trailer",
        format!("{head}Host: x\r\nTransfer-Encoding: chunked\r\n\r\n{chunked}0\r\nX-Trailer: y\r\n\r\n"),
        "200",
        3,
    )
    .await;
    check(
        "chunked without an end",
        format!("{head}Host: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{{}}\r\n"),
        "400",
        3,
    )
    .await;
    check(
        "less than declared",
        format!("{head}Host: x\r\nContent-Length: 9999\r\n\r\n{}", cdr("framing-3")),
        "400",
        3,
    )
    .await;
    check(
        "two lengths",
        format!("{head}Host: x\r\nContent-Length: {length}\r\nContent-Length: 5\r\n\r\n{body}"),
        "400",
        3,
    )
    .await;
    check(
        "two Hosts in HTTP/1.0",
        format!("POST /webhook/cdr HTTP/1.0\r\nHost: x\r\nHost: y\r\nContent-Length: {length}\r\n\r\n{body}"),
        "400",
        3,
    )
    .await;
    for host in ["a b/c,d", "a,b", "a/b", "user@x", "x?y", "\u{e9}"] {
        let request = format!("{head}Host: {host}\r\nContent-Length: {length}\r\n\r\n{body}");
        check(host, request, "400", 3).await;
    }
    for host in ["[::1]:80", "x_y.example:5000", ""] {
        let request = format!("{head}Host: {host}\r\nContent-Length: {length}\r\n\r\n{body}");
        check(host, request, "200", 3).await;
    }
    for coding in
        ["gzip, chunked", "identity", "chunked\r\nTransfer-Encoding: chunked", "xchunked", "chunked, chunked"]
    {
        let request =
            format!("{head}Host: x\r\nTransfer-Encoding: {coding}\r\n\r\n{length:x}\r\n{body}\r\n0\r\n\r\n");
        check(coding, request, "400", 3).await;
    }
    check(
        "chunked, however spelled",
        format!("{head}Host: x\r\nTransfer-Encoding: Chunked\r\n\r\n{length:x}\r\n{body}\r\n0\r\n\r\n"),
        "200",
        3,
    )
    .await;
    check("NUL in a header", raw_post(&body, "X: a\0b\r\n"), "400", 3).await;
    check("huge header", raw_post(&body, &format!("X: {}\r\n", "y".repeat(70_000))), "431", 3).await;
    check("TRACE", "TRACE /webhook/cdr HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(), "405", 3).await;
    check("OPTIONS *", "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(), "404", 3).await;
    check("CONNECT", "CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(), "404", 3).await;
    check(
        "absolute form",
        format!("POST http://x/webhook/cdr HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n{body}"),
        "200",
        3,
    )
    .await;
}

#[tokio::test]
async fn connections_are_kept_and_pipelined() {
    let running = Running::start(ServerOptions::default()).await;
    let addr = running.addr();
    let answers = blocking(move || {
        let mut wire = Wire::to(addr);
        let pipelined: String = (0..20).map(|index| raw_post(&cdr(&format!("p{index}")), "")).collect();
        wire.send(pipelined);
        wire.send(raw_post("nonsense", ""));
        wire.send(raw_post(&cdr("last"), "Connection: close\r\n"));
        wire.rest()
    })
    .await;
    let statuses: Vec<&str> = answers.split("HTTP/1.1 ").skip(1).map(|answer| &answer[..3]).collect();
    assert_eq!(statuses[..20], ["200"; 20]);
    assert_eq!(statuses[20..], ["202", "200"]);
    let kept: Vec<String> = running
        .kept()
        .iter()
        .filter_map(|record| Some(record.webhook()?.identity()?.cmiuuid().to_owned()))
        .collect();
    assert_eq!(kept[0], "p0");
    assert_eq!(kept.len(), 21);
}

#[tokio::test]
async fn continue_is_sent_before_the_body() {
    let running = Running::start(ServerOptions::default()).await;
    let addr = running.addr();
    let body = cdr("continue");
    let answer = blocking(move || {
        let mut wire = Wire::to(addr);
        let length = body.len();
        wire.send(format!(
            "POST /webhook/cdr HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
        ));
        assert_eq!(wire.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
        wire.send(body);
        wire.rest()
    })
    .await;
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
}

#[tokio::test]
async fn a_body_that_nobody_reads_ends_the_connection_and_the_answer_says_so() {
    let authentication = Authentication::new().token("s3cret".parse().unwrap());
    let running = Running::start_with(ServerOptions::default(), authentication).await;
    let addr = running.addr();
    let check = async |line: &'static str, more: &'static str, status: &str, closes: bool| {
        let answer = blocking(move || {
            let mut wire = Wire::to(addr);
            wire.send(format!("{line} HTTP/1.1\r\nHost: x\r\n{more}\r\n"));
            wire.read_until("\r\n\r\n")
        })
        .await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{line}: {answer}");
        assert_eq!(answer.contains("connection: close"), closes, "{line} {more}: {answer}");
    };
    let body = "Content-Length: 100\r\n";
    check("POST /nowhere", body, "404", true).await;
    check("PUT /webhook/cdr/s3cret", body, "405", true).await;
    check("POST /webhook/cdr", body, "401", true).await;
    check("GET /healthz", body, "200", true).await;
    check("POST /webhook/cdr/s3cret", "Content-Encoding: br\r\nContent-Length: 9\r\n", "415", true).await;
    check("POST /nowhere", "", "404", false).await;
    check("GET /healthz", "", "200", false).await;
    check("POST /webhook/cdr", "", "401", false).await;
}

#[tokio::test]
async fn bodies_that_come_in_have_a_limit_together() {
    let options = ServerOptions { max_reading_bytes: 1000, ..ServerOptions::default() };
    let running = Running::start(options).await;
    let big = format!("{}{}", cdr("big"), " ".repeat(1000));
    for _ in 0..3 {
        let response = running.client.post(running.server.url()).body(big.clone()).send().await.unwrap();
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()["retry-after"], "1");
        assert_eq!(running.post(cdr("small")).await.0, 200, "what was refused takes no room");
    }
    // Half a body of one holds room that another then lacks, until it is given up.
    let addr = running.addr();
    let half = blocking(move || {
        let mut wire = Wire::to(addr);
        let request = raw_post(&" ".repeat(950), "Expect: 100-continue\r\n");
        wire.send(&request[..request.len() - 50]);
        wire.read_until("100 Continue\r\n\r\n");
        wire
    })
    .await;
    let turned = async |status: u16| {
        while running.post(cdr("other")).await.0 != status {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, turned(503)).await.expect("there is no room for it");
    drop(half);
    tokio::time::timeout(PATIENCE, turned(200)).await.expect("there is room again");
}

#[tokio::test]
async fn metrics_count() {
    let running = Running::start(ServerOptions::default()).await;
    running.post(cdr("metrics")).await;
    running.post(cdr("metrics")).await;
    running.post("nonsense").await;
    running.post("").await;
    let (status, text) = running.get("/metrics").await;
    assert_eq!(status, 200);
    for line in [
        "piopiy_receiver_received_total 4",
        "piopiy_receiver_appended_total 1",
        "piopiy_receiver_duplicates_total 1",
        "piopiy_receiver_quarantined_total 1",
        "piopiy_receiver_refused_total{reason=\"empty\"} 1",
        "piopiy_receiver_refused_total{reason=\"store_failed\"} 0",
        "piopiy_receiver_store_last_seq 2",
        "piopiy_receiver_in_flight 0",
        "piopiy_receiver_store_records 2",
        "piopiy_receiver_batch_entries_count 3",
    ] {
        assert!(text.lines().any(|found| found == line), "no line `{line}` in\n{text}");
    }
}
