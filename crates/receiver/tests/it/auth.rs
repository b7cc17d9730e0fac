//! Who may post.

use piopiy_receiver::{Authentication, Basic, IpRange, ServerOptions, Token};

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
async fn app_ids() {
    let running = running(Authentication::new().app_ids(["2222222".to_owned()])).await;
    let check = async |body: String, status: u16| {
        assert_eq!(running.post(body.clone()).await.0, status, "{body}");
    };
    check(cdr("number"), 200).await;
    check(cdr("text").replace("2222222", "\"2222222\""), 200).await;
    check(cdr("other name").replace("appid", "app_id"), 200).await;
    check(cdr("forged").replace("2222222", "2222223"), 403).await;
    check(cdr("none").replace("appid", "application"), 403).await;
    assert_eq!(running.kept().len(), 3);
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
