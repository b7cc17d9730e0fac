use std::net::SocketAddr;
use std::time::Duration;

use piopiy_mock_platform::deliver::{Target, effects_from_url};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use super::Finding;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Whether it can be reached, by which addresses, and whether it speaks HTTP.
pub(super) async fn look(url: &str, allow_host: &[String]) -> Vec<Finding> {
    let target = match Target::parse(url, allow_host) {
        Ok(target) => target,
        Err(error) => {
            return vec![Finding::fail("receiver", error.to_string(), "give another URL, or allow its host")];
        }
    };
    let authority = target.authority();
    let addresses: Vec<SocketAddr> = match lookup_host(&authority).await {
        Ok(addresses) => addresses.collect(),
        Err(error) => {
            let todo = "give an address in place of the name, such as 127.0.0.1";
            return vec![Finding::fail("receiver", format!("{authority} is no known host: {error}"), todo)];
        }
    };
    let mut reached = Vec::new();
    for address in addresses {
        let connected = match timeout(PATIENCE, TcpStream::connect(address)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("no answer within {PATIENCE:?}")),
        };
        reached.push((address, connected));
    }
    let mut findings = vec![reachable(&authority, &reached)];
    if reached.iter().any(|(_, connected)| connected.is_ok()) {
        findings.push(http(&target).await);
    }
    findings
}

/// What the addresses of a name came to.
fn reachable(authority: &str, reached: &[(SocketAddr, Result<(), String>)]) -> Finding {
    let (good, bad): (Vec<_>, Vec<_>) = reached.iter().partition(|(_, connected)| connected.is_ok());
    let family = |address: &SocketAddr| if address.is_ipv6() { "IPv6" } else { "IPv4" };
    let good: Vec<String> =
        good.iter().map(|(address, _)| format!("{address} ({})", family(address))).collect();
    let bad: Vec<String> = bad
        .iter()
        .map(|(address, connected)| {
            format!("{address}: {}", connected.as_ref().err().map_or("", String::as_str))
        })
        .collect();
    if good.is_empty() {
        let found = format!("nobody listens at {authority}: {}", bad.join(", "));
        Finding::fail("receiver", found, "start it, or let `check` wait for it with --wait-for 10s")
    } else if bad.is_empty() {
        Finding::ok("receiver", good.join(", "))
    } else {
        let todo = "name the address in the URL: a client that tries the other one first is slower, or fails";
        Finding::warn("receiver", format!("{}, but not {}", good.join(", "), bad.join(", ")), todo)
    }
}

async fn http(target: &Target) -> Finding {
    match get(target.as_str()).await {
        Ok((status, _)) => {
            Finding::ok("http", format!("GET {} is answered {status}; nothing was posted", target.shown()))
        }
        Err(error) => Finding::fail(
            "http",
            format!("GET {}: {error}", target.shown()),
            "see whether it speaks HTTP/1.1 without TLS there",
        ),
    }
}

/// Whether effects can be seen.
pub(super) async fn look_at_effects(url: &str, allow_host: &[String]) -> Vec<Finding> {
    let target = match Target::parse(url, allow_host) {
        Ok(target) => target,
        Err(error) => {
            return vec![Finding::fail("observe", error.to_string(), "give another URL, or allow its host")];
        }
    };
    let effects = match effects_from_url(&target, 0).await {
        Ok(effects) => effects,
        Err(error) => {
            let found = format!("{:#}", anyhow::Error::new(error));
            return vec![Finding::fail("observe", found, "see the observe protocol in the README")];
        }
    };
    let found = match effects.last() {
        Some(last) => format!("{} effects, seq rises up to {}", effects.len(), last.seq),
        None => "no effects yet".to_owned(),
    };
    let mut findings = vec![Finding::ok("observe", found)];
    let also = if target.as_str().contains('?') { '&' } else { '?' };
    let asked = format!("{}{also}capabilities", target.as_str());
    let told = get(&asked).await.ok().filter(|(status, _)| *status == 200);
    findings.push(capabilities(told.map(|(_, body)| body).as_deref()));
    findings
}

fn capabilities(body: Option<&str>) -> Finding {
    let told: Option<serde_json::Map<String, serde_json::Value>> =
        body.and_then(|body| serde_json::from_str(body).ok());
    let Some(told) = told.filter(|told| told.get("observe").is_some_and(|version| version == 1)) else {
        let todo = "answer GET ?capabilities with {\"observe\": 1, \"fields\": true, …}: checks know then what they can see";
        return Finding::warn("observe", "it does not say what its records hold", todo);
    };
    let (has, not): (Vec<&str>, Vec<&str>) = ["fields", "state", "quarantine"]
        .into_iter()
        .partition(|name| told.get(*name).is_some_and(|is_there| is_there == true));
    let found =
        format!("its records hold: {}", if has.is_empty() { "ids alone".to_owned() } else { has.join(", ") });
    if not.is_empty() {
        Finding::ok("observe", found)
    } else {
        Finding::warn(
            "observe",
            format!("{found}; not: {}", not.join(", ")),
            "checks that need those are not_observed",
        )
    }
}

async fn get(url: &str) -> Result<(u16, String), String> {
    let asked = async {
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(PATIENCE)
            .build()?;
        let answer = client.get(url).send().await?;
        let status = answer.status().as_u16();
        Ok((status, answer.text().await?))
    };
    asked.await.map_err(|error: reqwest::Error| format!("{:#}", anyhow::Error::new(error.without_url())))
}

#[cfg(test)]
mod tests {
    use super::super::Fitness;
    use super::*;

    #[test]
    fn a_name_of_which_one_address_refuses_is_warned_of() {
        let (four, six): (SocketAddr, SocketAddr) =
            ("127.0.0.1:5".parse().unwrap(), "[::1]:5".parse().unwrap());
        let refused = || Err("refused".to_owned());
        let check = |reached: &[(SocketAddr, Result<(), String>)], expected| {
            assert_eq!(reachable("localhost:5", reached).verdict, expected, "{reached:?}");
        };
        check(&[(four, Ok(())), (six, Ok(()))], Fitness::Ok);
        check(&[(six, refused()), (four, Ok(()))], Fitness::Warn);
        check(&[(six, refused())], Fitness::Fail);
    }

    #[test]
    fn capabilities_are_told() {
        let check = |body, expected| assert_eq!(capabilities(body).verdict, expected, "{body:?}");
        check(Some(r#"{"observe": 1, "fields": true, "state": true, "quarantine": true}"#), Fitness::Ok);
        check(Some(r#"{"observe": 1, "fields": true}"#), Fitness::Warn);
        check(Some("nonsense"), Fitness::Warn);
        check(None, Fitness::Warn);
    }
}
