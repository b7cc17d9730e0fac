//! AVL: availability.

mod surroundings;

use std::net::IpAddr;
use std::time::Duration;

use super::{
    Action, Case, CaseEvidence, Check, Composer, Count, Evidence, Findings, Fixes, Framing, Need,
    Observability, Request, Script, Severity, Step, Tag, criteria, oracles,
};

const FIXES: Fixes = Fixes {
    axum: "Serve with `axum::serve`, which outlives a broken connection; no `panic = \"abort\"`, no `unwrap` in an accept loop.",
    express: "Handle `clientError` (or leave it to Node), and let a supervisor start the process again after an uncaught exception.",
    flask: "Run it behind gunicorn, whose workers are replaced when they die.",
};

/// How long a receiver may take to notice that connections are closed.
const CLOSE_LIMIT: Duration = Duration::from_millis(300);
/// File descriptors that are more than a coincidence.
const MANY_KEPT: u64 = 500;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "AVL-001",
        title: "a plain webhook after each thing that breaks servers",
        tags: &[Tag::Destructive],
        source: "RFC 9112 §2.2, §9.6",
        why: "Scanners find every open port within hours; one of their probes must not be the end of the webhooks.",
        fixes: FIXES,
        stimulus: what_breaks_servers,
        // The plain webhook after each is the standing oracle's.
        ..Check::BASE
    },
    Check {
        id: "AVL-002",
        title: "the health endpoint",
        severity: Severity::May,
        needs: &[Need::Capability("health")],
        source: "RFC 9110 §15.3.1",
        why: "A balancer sends webhooks to whoever says that it is well.",
        fixes: Fixes::all(
            "Answer 200 once the store can be written to, 503 before, and nothing about the inside.",
        ),
        stimulus: |composer| {
            let path = composer.capability("health").unwrap_or("/healthz").to_owned();
            let request = Request::new("GET", &path).header("Host", &composer.sources.host).bodyless();
            vec![Case::new(path).send(&request)]
        },
        judge: |evidence| {
            let mut findings = Findings::default();
            for case in evidence.cases {
                for answer in case.transcripts().flat_map(|transcript| &transcript.answers) {
                    if answer.status != 200 && !answer.is_5xx() {
                        findings.fail(&case.case.name, format!("answered {}, expected 200", answer.status));
                    }
                    if let Some(leak) = oracles::leak_in(answer) {
                        findings.fail(&case.case.name, format!("gives away {leak:?}"));
                    }
                }
            }
            findings
        },
        ..Check::BASE
    },
    surroundings::RESTART,
    Check {
        id: "AVL-004",
        title: "1,000 connections, opened and closed",
        severity: Severity::Should,
        observability: Observability::Partly,
        tags: &[Tag::Load],
        source: "POSIX: a process has only so many file descriptors",
        why: "A balancer that looks whether the port is open does this all day; a descriptor lost each time ends it at 1,024.",
        fixes: FIXES,
        stimulus: |_| {
            let before = Case::new("").step(Step::Measure);
            let all = (0..10).fold(before, |case, _| case.scripts(vec![Script::default(); 100]));
            vec![all.step(Step::Pause(CLOSE_LIMIT)).step(Step::Measure)]
        },
        judge: |evidence| {
            let mut findings = Findings::default();
            let refused = evidence.cases.iter().flat_map(CaseEvidence::transcripts);
            let refused = refused.filter_map(|transcript| transcript.connect_error.as_deref());
            let refused: Vec<&str> = refused.filter(|error| !error.contains("Too many open files")).collect();
            if let Some(error) = refused.first() {
                findings
                    .fail("", format!("{} of 1,000 connections were not accepted ({error})", refused.len()));
            }
            for case in evidence.cases {
                if let [Some(before), Some(after)] = &case.usage[..] {
                    let kept = after.descriptors().saturating_sub(before.descriptors());
                    if kept >= MANY_KEPT {
                        let text = format!("kept {kept} file descriptors of 1,000 closed connections");
                        findings.too_slow("", text);
                    }
                }
            }
            // Where they were not counted, descriptors that are lost show in that nothing is accepted any more.
            findings.decided_by_answers();
            findings
        },
        ..Check::BASE
    },
    surroundings::DISK_FULL,
    surroundings::CLOCK,
    Check {
        id: "AVL-007",
        title: "each address that the name has, of IPv4 and IPv6",
        severity: Severity::May,
        source: "RFC 6724 §2; RFC 8305 §1",
        why: "Who resolves the name may take any of its addresses; one at which nobody listens is an outage for some.",
        fixes: Fixes {
            axum: "Bind to `[::]:5000`, which takes IPv4 too on most systems, or to both; or take the AAAA record away.",
            express: "`server.listen(5000)` without a host listens at both; or take the AAAA record away.",
            flask: "`gunicorn --bind 0.0.0.0:5000 --bind '[::]:5000'`; or take the AAAA record away.",
        },
        stimulus: |composer| {
            let addresses = composer.sources.addresses.clone();
            if addresses.iter().all(IpAddr::is_ipv4) || addresses.iter().all(IpAddr::is_ipv6) {
                return Vec::new();
            }
            let case = |address: IpAddr| {
                let cdr = composer.cdr();
                let script = Script { address: Some(address), ..Script::default() };
                let script = script.request(&composer.post(&cdr)).answered();
                Case::new(address.to_string()).script(script).expect(&cdr, Count::Once)
            };
            addresses.into_iter().map(case).collect()
        },
        judge: |evidence| {
            if evidence.cases.is_empty() {
                let mut findings = Findings::default();
                findings.not_applicable("", "the receiver's name has addresses of one family only");
                return findings;
            }
            at_each_address(evidence)
        },
        ..Check::BASE
    },
];

/// How systems say that they themselves have no way to an address.
const NO_WAY: [&str; 4] = [
    "Network is unreachable",
    "Cannot assign requested address",
    "Can't assign requested address",
    "Address family not supported",
];

/// A receiver that is served at one address of this machine alone is as it should be: only who resolves a name for
/// others gives it addresses that have to be served.
fn at_each_address(evidence: &Evidence<'_>) -> Findings {
    let unreached = |case: &CaseEvidence| case.transcripts().find_map(|sent| sent.connect_error.clone());
    let mut findings = Findings::default();
    for case in evidence.cases {
        let one = Evidence { cases: std::slice::from_ref(case), terms: evidence.terms };
        let name = &case.case.name;
        match unreached(case) {
            Some(error) if NO_WAY.iter().any(|text| error.contains(text)) => {
                findings.not_observed(name, format!("this machine has no way there ({error})"));
            }
            Some(_)
                if evidence.terms.is_local_name
                    && evidence.cases.iter().any(|it| unreached(it).is_none()) =>
            {
                let text = "not listened at, and `localhost` is a name for this machine alone: add --resolve";
                findings.not_applicable(name, text);
            }
            _ => findings.extend(criteria::acknowledged(&one)),
        }
    }
    findings
}

fn what_breaks_servers(composer: &mut Composer) -> Vec<Case> {
    let cdr = composer.cdr();
    let request = composer.post(&cdr);
    let (head, body) = (request.head(), request.framed_body());
    let half = body.len() / 2;
    let wait = Action::AwaitClose(Duration::from_millis(200));
    let raw = |bytes: Vec<u8>| Script::default().piece(bytes).act(wait.clone());
    let with_reset = Script::default().piece(head.clone()).piece(&body[..half]).act(Action::Reset);
    let negative = composer.post(&cdr).framing(Framing::Untold).header("Content-Length", "-1").bytes();
    let chunk = composer.post(&cdr).framing(Framing::Untold).header("Transfer-Encoding", "chunked").head();
    let cases = [
        ("bytes that are no HTTP", raw((0..=255).cycle().take(2_048).collect())),
        (
            "a TLS greeting",
            raw(b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03".iter().copied().chain([7; 160]).collect()),
        ),
        ("an HTTP/2 preface", raw(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec())),
        ("empty lines", raw(b"\r\n".repeat(1_000))),
        ("a negative length", raw(negative)),
        ("a chunk size beyond 64 bits", raw([&chunk[..], b"FFFFFFFFFFFFFFFFF\r\n"].concat())),
        ("RST inside the body", with_reset),
        (
            "FIN inside the head",
            Script::default().piece(&head[..head.len() / 2]).act(Action::HalfClose).act(wait.clone()),
        ),
    ];
    cases.map(|(name, script)| Case::new(name).script(script).may_be_silent().may_overload()).into()
}

#[cfg(test)]
mod tests {
    use super::super::{Answer, Malformed, Terms, Transcript, Verdict, conclude, find};
    use super::*;

    /// What comes of one address that answers and one that does not.
    fn check(error: &str, is_local_name: bool, expected: Verdict) {
        let check = find("AVL-007").unwrap();
        let case = |name: &str, transcript: Transcript| CaseEvidence {
            case: Case::new(name),
            steps: vec![vec![transcript]],
            canary: Transcript::default(),
            bystander: None,
            seen: super::super::Seen::Nothing,
            looks: Vec::new(),
            usage: Vec::new(),
            log: Vec::new(),
            starts: Vec::new(),
            flows: Vec::new(),
            printed: Vec::new(),
            error: None,
        };
        let sent = super::super::Sent { method: "POST".to_owned(), of: None, bytes: 1, signed: None };
        let unanswered = Transcript { requests: vec![sent], ..Transcript::default() };
        let answers = vec![Answer { status: 200, ..Answer::default() }];
        let fine = Transcript { answers, ..unanswered.clone() };
        let refused = Transcript { connect_error: Some(error.to_owned()), ..unanswered };
        let cases = [case("::1", refused), case("127.0.0.1", fine)];
        let terms = Terms {
            baseline: Duration::ZERO,
            ack_limit: Duration::from_secs(5),
            malformed: Malformed::Either,
            is_observed: false,
            shows: super::super::Shows::default(),
            start_limit: Duration::from_secs(30),
            is_local_name,
            takes_pings: false,
        };
        let findings = (check.judge)(&Evidence { cases: &cases, terms: &terms });
        assert_eq!(conclude(check, &findings, false).verdict, expected, "{error}");
    }

    #[test]
    fn an_address_that_need_not_be_served_is_no_fault() {
        check("Connection refused (os error 111)", false, Verdict::Warn);
        check("Connection refused (os error 111)", true, Verdict::NotApplicable);
        check("Network is unreachable (os error 101)", false, Verdict::NotObserved);
    }
}
