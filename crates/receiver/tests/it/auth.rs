//! Who may post.

use std::time::{Duration, Instant};

use piopiy_receiver::{Authentication, Basic, IpRange, Malformed, RateLimit, ServerOptions, Token};

use crate::support::{Running, cdr};

async fn running(authentication: Authentication) -> Running {
    Running::start_with(ServerOptions::default(), authentication).await
}

#[tokio::test]
async fn tokens() {
    let running = running(Authentication::new().token("s3cret".parse().unwrap())).await;
    let check = async |path: &str, status: u16| {
        let request = running.client.post(running.url(path)).body(cdr(path));
        assert_eq!(request.send().await.unwrap().status(), status, "{path}");
    };
    check("/webhook/cdr/s3cret", 200).await;
    check("/webhook/cdr?token=s3cret", 200).await;
    check("/webhook/cdr?x=1&token=s3cret", 200).await;
    assert_eq!(running.kept().len(), 3);
    for path in [
        "/webhook/cdr",
        "/webhook/cdr/",
        "/webhook/cdr/s3cre",
        "/webhook/cdr/s3crets",
        "/webhook/cdr/S3cret",
        "/webhook/cdr?token=",
        "/webhook/cdr?token=wrong!",
        "/webhook/cdr?xtoken=s3cret",
    ] {
        let expected = if path == "/webhook/cdr/" { 404 } else { 401 };
        check(path, expected).await;
    }
    assert_eq!(running.kept().len(), 3, "no effect without the token");
    let (_, metrics) = running.get("/metrics").await;
    assert!(metrics.contains("piopiy_receiver_refused_total{reason=\"unauthorised\"} 7"), "{metrics}");
}

#[tokio::test]
async fn without_a_token_the_path_has_no_room_for_one() {
    let running = running(Authentication::new()).await;
    let request = running.client.post(running.url("/webhook/cdr/s3cret")).body(cdr("x"));
    assert_eq!(request.send().await.unwrap().status(), 404);
}

#[tokio::test]
async fn basic_credentials() {
    let running = running(Authentication::new().basic(Basic::new("piopiy", "s3:cret"))).await;
    let post = || running.client.post(running.server.url()).body(cdr("x"));
    let missing = post().send().await.unwrap();
    assert_eq!(missing.status(), 401);
    assert_eq!(missing.headers()["www-authenticate"], "Basic realm=\"webhooks\"");
    let wrong = post().basic_auth("piopiy", Some("s3:cre")).send().await.unwrap();
    assert_eq!(wrong.status(), 401);
    let bearer = post().bearer_auth("s3:cret").send().await.unwrap();
    assert_eq!(bearer.status(), 401);
    let right = post().basic_auth("piopiy", Some("s3:cret")).send().await.unwrap();
    assert_eq!(right.status(), 200);
}

#[tokio::test]
async fn addresses() {
    let check = async |range: &str, status: u16| {
        let running = running(Authentication::new().allow_ip(range.parse().unwrap())).await;
        assert_eq!(running.post(cdr("x")).await.0, status, "{range}");
    };
    check("127.0.0.1", 200).await;
    check("127.0.0.0/8", 200).await;
    check("203.0.113.0/24", 403).await;
    check("::1", 403).await;
}

#[tokio::test]
async fn webhooks_of_other_app_ids_are_kept_aside_or_refused() {
    for (malformed, status, kept) in [(Malformed::Quarantine, 202, 6), (Malformed::Reject, 403, 3)] {
        let options = ServerOptions { malformed, ..ServerOptions::default() };
        let allowed = Authentication::new().app_ids(["2222222".to_owned()]);
        let running = Running::start_with(options, allowed).await;
        let check = async |body: String, status: u16| {
            assert_eq!(running.post(body.clone()).await.0, status, "{body}");
        };
        check(cdr("number"), 200).await;
        check(cdr("text").replace("2222222", "\"2222222\""), 200).await;
        check(cdr("other name").replace("appid", "app_id"), 200).await;
        let forged = cdr("forged").replace("2222222", "2222223");
        check(forged.clone(), status).await;
        check(cdr("none").replace("appid", "application"), status).await;
        // Of a type yet to come, which would be kept either way were it of an app that is allowed.
        check(forged.replacen('{', r#"{"type":"sms","#, 1), status).await;
        let records = running.kept();
        assert_eq!(records.len(), kept);
        for record in &records[3..] {
            assert_eq!(record.reason.as_deref(), Some("the appid is not on the list of those allowed"));
        }
        if malformed == Malformed::Quarantine {
            assert_eq!(records[3].body, forged, "byte for byte, for whoever forgot to allow it");
        }
    }
}

#[tokio::test]
async fn behind_a_proxy_that_is_trusted_addresses_are_those_of_clients() {
    let check = async |trusted: &str, forwarded_for: &'static str, status: u16| {
        let options =
            ServerOptions { trusted_proxies: vec![trusted.parse().unwrap()], ..ServerOptions::default() };
        let allowed = Authentication::new().allow_ip("203.0.113.0/24".parse().unwrap());
        let running = Running::start_with(options, allowed).await;
        let request = running.client.post(running.server.url()).header("x-forwarded-for", forwarded_for);
        let response = request.body(cdr("x")).send().await.unwrap();
        assert_eq!(response.status(), status, "{trusted} {forwarded_for}");
    };
    check("127.0.0.1", "203.0.113.7", 200).await;
    check("127.0.0.1", "198.51.100.1", 403).await;
    check("127.0.0.1", "203.0.113.7, 198.51.100.1", 403).await;
    check("10.0.0.0/8", "203.0.113.7", 403).await;
}

#[tokio::test]
async fn a_source_that_is_too_fast_waits_and_then_is_told_when_to_come_again() {
    let rate_limit = RateLimit { per_second: 20, burst: 2, patience: Duration::from_millis(100) };
    let options = ServerOptions {
        rate_limit: Some(rate_limit),
        trusted_proxies: vec!["127.0.0.1".parse().unwrap()],
        ..ServerOptions::default()
    };
    // Who guesses at the secret is slowed down, too.
    let secret = Authentication::new().token("s3cret".parse().unwrap());
    let running = Running::start_with(options, secret).await;
    let post = async |source: &'static str, path: &str, call: usize| {
        let request = running.client.post(running.url(path)).header("x-forwarded-for", source);
        request.body(cdr(&call.to_string())).send().await.unwrap()
    };
    let started = Instant::now();
    let answers =
        futures_util::future::join_all((0..20).map(|call| post("203.0.113.7", "/webhook/cdr/s3cret", call)))
            .await;
    let taken = answers.iter().filter(|answer| answer.status() == 200).count();
    let refused: Vec<_> = answers.iter().filter(|answer| answer.status() == 429).collect();
    assert_eq!(taken + refused.len(), 20);
    // Two at once, two that wait, and those for which it took long enough to post them.
    let most = 4 + usize::try_from(started.elapsed().as_millis() / 50).unwrap();
    assert!((4..=most).contains(&taken), "{taken} of at most {most}");
    for answer in &refused {
        assert_eq!(answer.headers()["retry-after"], "1");
        assert_eq!(answer.headers()["connection"], "close", "its body is not read");
    }
    assert_eq!(running.kept().len(), taken);
    assert_eq!(post("203.0.113.8", "/webhook/cdr/s3cret", 100).await.status(), 200, "another source");
    let guesses =
        futures_util::future::join_all((0..20).map(|_| post("203.0.113.9", "/webhook/cdr/guess", 0))).await;
    assert!(guesses.iter().any(|answer| answer.status() == 429));
    let (_, metrics) = running.get("/metrics").await;
    let counted = metrics.lines().find(|line| line.contains("refused_total{reason=\"rate\"}")).unwrap();
    let counted: usize = counted.split(' ').nth(1).unwrap().parse().unwrap();
    assert!(counted > refused.len(), "{counted}");
}

#[test]
fn secrets_are_not_shown() {
    let authentication =
        Authentication::new().token("s3cret".parse().unwrap()).basic(Basic::new("user", "passw0rd"));
    let shown = format!("{authentication:?}");
    assert!(!shown.contains("s3cret") && !shown.contains("passw0rd"), "{shown}");
}

#[test]
fn tokens_fit_into_a_url() {
    for text in ["", "a b", "a/b", "a?b", "a%62", "ä"] {
        assert!(text.parse::<Token>().is_err(), "{text}");
    }
    assert!("aZ09-._~".parse::<Token>().is_ok());
}

#[test]
fn ip_ranges() {
    let check = |range: &str, address: &str, inside: bool| {
        let range: IpRange = range.parse().unwrap();
        assert_eq!(range.contains(address.parse().unwrap()), inside, "{range:?} {address}");
    };
    check("0.0.0.0/0", "203.0.113.1", true);
    check("0.0.0.0/0", "2001:db8::1", false);
    check("203.0.113.128/25", "203.0.113.129", true);
    check("203.0.113.128/25", "203.0.113.127", false);
    check("2001:db8::/32", "2001:db8:1::1", true);
    check("2001:db8::/32", "2001:db9::1", false);
    for text in ["", "x", "1.2.3", "1.2.3.4/33", "1.2.3.4/-1", "1.2.3.4/x", "::/129", "1.2.3.4/"] {
        assert!(text.parse::<IpRange>().is_err(), "{text}");
    }
}
