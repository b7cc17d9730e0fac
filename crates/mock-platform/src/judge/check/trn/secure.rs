//! HTTP/2, and TLS.

use std::time::Duration;

use crate::judge::check::{
    Action, Case, CaseEvidence, Check, Composer, Count, Findings, Fixes, Need, Opening, Script, Severity,
    criteria,
};

pub(super) const TRN_030: Check = Check {
    id: "TRN-030",
    title: "a documented CDR over HTTP/2",
    severity: Severity::May,
    needs: &[Need::Capability("http2")],
    source: "RFC 9113 §3.2, §3.3; RFC 7301",
    why: "What a balancer in front passes on as HTTP/2 has to come to the same as HTTP/1.1.",
    fixes: Fixes {
        axum: "Feature `http2` of axum, which then speaks both; behind rustls, `alpn_protocols = [\"h2\", \"http/1.1\"]`.",
        express: "`http2.createSecureServer({ allowHTTP1: true, … })`, or nginx in front with `http2 on`.",
        flask: "nginx or Hypercorn in front: WSGI servers speak HTTP/1.1 only.",
    },
    stimulus: |composer| {
        let cdr = composer.cdr();
        let script = Script::default().over_http2(&composer.post(&cdr));
        vec![Case::new("").script(script).expect(&cdr, Count::Once)]
    },
    judge: criteria::acknowledged,
    ..Check::BASE
};

pub(super) const TRN_031: Check = Check {
    id: "TRN-031",
    title: "the certificate, old versions of TLS, and the same without TLS",
    severity: Severity::Should,
    needs: &[Need::Https],
    source: "RFC 9325 §3.1.1, §3.7; RFC 8996; RFC 6125",
    why: "A certificate that does not prove its name stops the platform, or shows that it asks for no proof; and who posts without TLS by a slip shows every number on the way.",
    fixes: Fixes {
        axum: "Send the whole chain (`with_single_cert(chain, key)`); rustls begins with TLS 1.2. Do not listen without TLS beside it.",
        express: "`https.createServer({ cert: fullchain, key, minVersion: 'TLSv1.2' })`; on port 80 nothing but a redirect.",
        flask: "nginx in front: `ssl_certificate fullchain.pem; ssl_protocols TLSv1.2 TLSv1.3;`, on port 80 nothing but `return 301`.",
    },
    stimulus: by_tls,
    judge: |evidence| {
        let mut findings = Findings::default();
        for case in evidence.cases {
            match case.case.name.as_str() {
                CERTIFICATE => certificate(case, &mut findings),
                NAMELESS => {}
                name if VERSIONS.iter().any(|(version, _)| *version == name) => old(case, &mut findings),
                _ => plain(case, &mut findings),
            }
        }
        findings
    },
    ..Check::BASE
};

const CERTIFICATE: &str = "the certificate";
const NAMELESS: &str = "no server name";
const VERSIONS: [(&str, u8); 2] = [("TLS 1.1", 2), ("TLS 1.0", 1)];
/// How long an answer is waited for that need not come.
const PATIENCE: Duration = Duration::from_secs(1);

fn by_tls(composer: &mut Composer) -> Vec<Case> {
    let mut case = |name: &str, opening, wait| {
        let cdr = composer.cdr();
        let script = Script::default().opened(opening).request(&composer.post(&cdr)).act(wait);
        Case::new(name).script(script)
    };
    let patience = || Action::Await(Some(PATIENCE));
    let mut cases = vec![
        case(CERTIFICATE, Opening::Verified, Action::Await(None)),
        case(NAMELESS, Opening::Nameless, patience()).may_be_silent().may_overload(),
    ];
    // At the default port it has its twin at the other default, if that may be asked.
    let is_default = !has_port(&composer.sources.host);
    let twin = (is_default && composer.sources.has_all_ports).then_some(80);
    for port in [None].into_iter().chain(twin.map(Some)) {
        let name = port.map_or_else(|| "without TLS".to_owned(), |port| format!("without TLS, port {port}"));
        let cdr = composer.cdr();
        let script =
            Script::default().opened(Opening::Plain { port }).request(&composer.post(&cdr)).act(patience());
        cases.push(Case::new(name).script(script).may_be_silent().may_overload());
    }
    for (name, minor) in VERSIONS {
        let script = Script::default().opened(Opening::Plain { port: None });
        let script = script
            .piece(hello(minor, &composer.sources.host, composer.key()))
            .act(Action::AwaitClose(PATIENCE));
        cases.push(Case::new(name).script(script).may_be_silent().may_overload());
    }
    cases
}

/// Without one it is served at the default port.
fn has_port(host: &str) -> bool {
    host.rsplit_once(':').is_some_and(|(_, port)| !port.ends_with(']'))
}

const HANDSHAKE: u8 = 22;
const SERVER_HELLO: u8 = 2;

/// A `ClientHello` that can do no better than TLS 1.`minor - 1` (RFC 4346 §7.4.1.2), as a client of that time sent it.
fn hello(minor: u8, host: &str, key: u64) -> Vec<u8> {
    // ECDHE and RSA with AES in CBC: what servers of that time had.
    const SUITES: [u16; 7] = [0xc009, 0xc00a, 0xc013, 0xc014, 0x002f, 0x0035, 0x000a];
    // secp256r1 and secp384r1, with points as they are.
    const CURVES: &[u8] = &[0, 10, 0, 6, 0, 4, 0, 23, 0, 24, 0, 11, 0, 2, 1, 0];
    let name = if has_port(host) { host.rsplit_once(':').map_or(host, |(name, _)| name) } else { host };
    let mut extensions = Vec::new();
    // An address is no name.
    if name.parse::<std::net::IpAddr>().is_err() && !name.starts_with('[') {
        let entry = [&[0][..], &sized(name.as_bytes())].concat();
        extensions.extend([&[0, 0][..], &sized(&sized(&entry))].concat());
    }
    extensions.extend_from_slice(CURVES);
    let suites: Vec<u8> = SUITES.iter().flat_map(|suite| suite.to_be_bytes()).collect();
    let random: Vec<u8> = (0..4u64).flat_map(|n| key.rotate_left(13 * n as u32).to_be_bytes()).collect();
    let body = [&[3, minor][..], &random, &[0], &sized(&suites), &[1, 0], &sized(&extensions)].concat();
    // The length of the message has three bytes.
    let message = [&[1, 0][..], &sized(&body)].concat();
    [&[HANDSHAKE, 3, 1][..], &sized(&message)].concat()
}

/// With its length before it, in two bytes.
fn sized(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    [&length.to_be_bytes()[..], bytes].concat()
}

fn certificate(case: &CaseEvidence, findings: &mut Findings) {
    criteria::every_answer(case, findings, "2xx", |answer| answer.is_2xx());
}

fn plain(case: &CaseEvidence, findings: &mut Findings) {
    if case.transcripts().flat_map(|transcript| &transcript.answers).any(|answer| answer.is_2xx()) {
        findings.fail(&case.case.name, "webhooks are taken without TLS, too");
    }
}

/// A handshake message of the server that goes on with the version is as good as the whole handshake.
fn old(case: &CaseEvidence, findings: &mut Findings) {
    for transcript in case.transcripts() {
        if let [HANDSHAKE, _, _, _, _, SERVER_HELLO, _, _, _, 3, minor, ..] = transcript.first_bytes[..]
            && minor <= 2
        {
            findings.fail(&case.case.name, "goes on with a version of TLS that has been given up");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::check::Sources;
    use crate::plan::{Nonce, Seed};
    use piopiy_events::Profile;

    #[test]
    fn a_server_reads_the_greeting_and_refuses_it() {
        let bytes = hello(2, "receiver.example:5443", 7);
        let mut acceptor = rustls::server::Acceptor::default();
        acceptor.read_tls(&mut &bytes[..]).unwrap();
        // It was read to its end, and is of no use to whoever wants something newer.
        let (error, _) = acceptor.accept().unwrap_err();
        assert!(matches!(error, rustls::Error::PeerIncompatible(_)), "{error}");
    }

    #[test]
    fn no_port_is_asked_that_was_not_allowed() {
        for (host, has_all_ports, expected) in
            [("h.example", true, true), ("h.example", false, false), ("h.example:8443", true, false)]
        {
            let mut sources = Sources::new(Profile::Global, Seed(1), Nonce(2), host, "/");
            sources.has_all_ports = has_all_ports;
            let cases = by_tls(&mut Composer::new("TRN-031", 0, sources));
            let scripts = cases.iter().flat_map(|case| &case.steps).flat_map(|step| step.scripts());
            let asks = scripts.filter(|script| matches!(script.opening, Opening::Plain { port: Some(_) }));
            assert_eq!(asks.count() > 0, expected, "{host}");
        }
    }

    #[test]
    fn ports_are_told_from_addresses() {
        for (host, expected) in
            [("h", false), ("h:8443", true), ("[::1]", false), ("[::1]:8443", true), ("127.0.0.1", false)]
        {
            assert_eq!(has_port(host), expected, "{host}");
        }
    }
}
