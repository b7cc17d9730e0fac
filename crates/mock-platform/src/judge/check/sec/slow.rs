//! Clients that take their time.

use std::time::Duration;

use super::super::{
    Action, Case, CaseEvidence, Check, Composer, End, Evidence, Findings, Fixes, Script, Severity, Split, Tag,
};

const FIXES: Fixes = Fixes {
    axum: "Serve with `hyper_util::server::conn::auto::Builder` and a timer: `.http1().timer(TokioTimer::new()).header_read_timeout(10 s)`; wrap the reading of the body in `tokio::time::timeout`.",
    express: "`server.headersTimeout = 10_000; server.requestTimeout = 20_000; server.connectionsCheckingInterval = 1_000`.",
    flask: "Run it behind nginx or gunicorn with `--worker-class gthread --timeout 30`; the development server has no limits.",
};
const WHY: &str = "A connection that says nothing costs its sender nothing, and the receiver a place: a few thousand of them shut it.";

pub(super) const SILENT: Check = Check {
    id: "SEC-005",
    title: "connect, and say nothing",
    severity: Severity::Should,
    tags: &[Tag::Slow],
    source: "RFC 9112 §9.5",
    why: WHY,
    fixes: FIXES,
    stimulus: |composer| {
        let script = Script::default().act(Action::AwaitClose(composer.sources.slow_limit));
        vec![Case::new("").script(script).may_be_silent().may_overload()]
    },
    judge: let_go,
    ..Check::BASE
};

pub(super) const SLOW_HEAD: Check = Check {
    id: "SEC-006",
    title: "a request head, one byte a second",
    severity: Severity::Should,
    tags: &[Tag::Slow],
    source: "RFC 9110 §15.5.9; RFC 9112 §9.5",
    why: WHY,
    fixes: FIXES,
    stimulus: |composer| {
        let cdr = composer.cdr();
        let head = composer.post(&cdr).head();
        vec![
            Case::new("").script(dripping(Script::default(), &head, composer)).may_be_silent().may_overload(),
        ]
    },
    judge: let_go,
    ..Check::BASE
};

pub(super) const SLOW_BODY: Check = Check {
    id: "SEC-007",
    title: "a body that stops, and one of a byte a second",
    severity: Severity::Should,
    tags: &[Tag::Slow],
    source: "RFC 9110 §15.5.9; RFC 9112 §9.5",
    why: WHY,
    fixes: FIXES,
    stimulus: |composer| {
        let cdr = composer.cdr();
        let request = composer.post(&cdr);
        let wait = Action::AwaitClose(composer.sources.slow_limit);
        let stops = Script::default().piece(request.head()).piece(&request.framed_body()[..6]).act(wait);
        let cdr = composer.cdr();
        let request = composer.post(&cdr);
        let drips = dripping(Script::default().piece(request.head()), &request.framed_body(), composer);
        vec![Case::new("").scripts(vec![stops, drips]).may_be_silent().may_overload()]
    },
    judge: let_go,
    ..Check::BASE
};

/// A byte a second for a minute, and a moment more; the bytes must be more than those.
fn dripping(script: Script, bytes: &[u8], composer: &Composer) -> Script {
    const SECONDS: usize = 60;
    let pause = composer.sources.slow_limit / 60;
    let bytes = bytes[..SECONDS.min(bytes.len().saturating_sub(1))].to_vec();
    let split = Some(Split { every: 1, pause });
    script.act(Action::Send { bytes, split, ends_request: false }).act(Action::AwaitClose(pause))
}

/// An answer, 408 say, is as good as a close.
fn let_go(evidence: &Evidence<'_>) -> Findings {
    let mut findings = Findings::default();
    for transcript in evidence.cases.iter().flat_map(CaseEvidence::transcripts) {
        let is_over = transcript.end != End::Open || !transcript.answers.is_empty();
        if let Some(error) = &transcript.connect_error {
            findings.not_observed("", format!("no connection came about: {error}"));
        } else if !is_over && transcript.write_error.is_none() {
            findings.warn("", "neither answered nor closed within a minute");
        }
    }
    findings
}

pub(super) const MANY_SLOW: Check = Check {
    id: "SEC-008",
    title: "a plain webhook beside 500 connections that get nowhere",
    tags: &[Tag::Destructive, Tag::Load],
    source: "CWE-400; RFC 9112 §9.5",
    why: "Where each connection holds a thread, a few hundred idle ones keep the platform out.",
    fixes: Fixes {
        axum: "Nothing to do, unless the number of connections is limited: then close idle ones early.",
        express: "Nothing to do, unless `server.maxConnections` is set: then close idle ones early.",
        flask: "Run it behind nginx, which buffers requests, and not on a server with few threads.",
    },
    stimulus: many_slow,
    judge: |evidence| {
        let mut findings = Findings::default();
        for transcript in evidence.cases.iter().filter_map(|case| case.transcripts().last()) {
            let limit = evidence.terms.canary_limit();
            match (transcript.answer(0), transcript.latency(0)) {
                (Some(answer), _) if !answer.is_2xx() => {
                    findings.fail("", format!("answered {}", answer.status));
                }
                (Some(_), Some(took)) if took > limit => {
                    findings.too_slow("", format!("took {took:.1?}, limit {limit:.1?}"));
                }
                (Some(_), _) => {}
                (None, _) => findings.too_slow("", transcript.outcome()),
            }
        }
        findings
    },
    ..Check::BASE
};

const CONNECTIONS: usize = 500;
/// What a burst of connections does is CON-001's matter. A backlog of 128 that 500 overflow is filled again for a good
/// second, as the kernel repeats what it dropped after 0.2, 0.6, 1.0 and 1.4 s.
const SETTLED: Duration = Duration::from_secs(2);

fn many_slow(composer: &mut Composer) -> Vec<Case> {
    let cdr = composer.cdr();
    let request = composer.post(&cdr);
    let half = request.head()[..40].to_vec();
    let mut scripts = vec![Script::default().piece(half).act(Action::Barrier); CONNECTIONS];
    scripts.push(Script::default().request(&request).answered().act(Action::Barrier).arriving_after(SETTLED));
    vec![Case::new("").scripts(scripts)]
}

pub(super) const DEAF: Check = Check {
    id: "SEC-009",
    title: "requests without reading the answers, until the receiver blocks",
    severity: Severity::Should,
    tags: &[Tag::Slow],
    source: "CWE-400; RFC 9112 §9.5",
    why: "Answers that nobody takes pile up, or hold their connection for ever.",
    fixes: Fixes {
        axum: "Give the connection a deadline for writing, too: wrap the socket, or `tokio::time::timeout` around the connection's task that is renewed with each request.",
        express: "`server.setTimeout(30_000)`: Node then ends sockets on which nothing moves.",
        flask: "Run it behind nginx with `send_timeout`.",
    },
    stimulus: |composer| {
        let cdr = composer.cdr();
        let bytes = composer.post(&cdr).method("GET").bodyless().bytes().repeat(64);
        let until_blocked =
            |most, patience| Action::SendUntilBlocked { bytes: bytes.clone(), most, patience };
        let script = Script { receive_buffer: Some(4096), ..Script::default() }.deaf();
        let script = script
            .act(until_blocked(32 << 20, Duration::from_millis(700)))
            .act(Action::Pause(composer.sources.slow_limit))
            // At a window that is closed the kernel asks after 200 ms at the earliest, and then twice as late each time: only so is a close seen.
            .act(until_blocked(32 << 20, Duration::from_secs(2)));
        vec![Case::new("").script(script).may_be_silent().may_overload()]
    },
    judge: |evidence| {
        let mut findings = Findings::default();
        for transcript in evidence.cases.iter().flat_map(CaseEvidence::transcripts) {
            match (transcript.was_blocked, &transcript.write_error) {
                (_, Some(_)) => {}
                (true, None) => {
                    findings.warn("", "kept a connection for a minute whose answers nobody takes");
                }
                (false, None) => findings.not_observed("", "the receiver never blocked"),
            }
        }
        findings
    },
    ..Check::BASE
};
