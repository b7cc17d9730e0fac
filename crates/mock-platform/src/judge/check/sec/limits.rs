//! More than a receiver should take.

use std::time::Duration;

use super::super::script::Sent;
use super::super::{
    Action, Answer, Case, CaseEvidence, Check, Composer, Evidence, Findings, Fixes, Framing, Observability,
    Request, Script, Severity, Step, Tag, Transcript,
};

const FIXES: Fixes = Fixes {
    axum: "`.layer(DefaultBodyLimit::max(1 << 20))`, which `Bytes` and `Json` obey; `RequestBodyLimitLayer` refuses by the declared length.",
    express: "`limit: '1mb'` of `express.raw()` or `express.json()`, and an error handler that answers 413.",
    flask: "`app.config['MAX_CONTENT_LENGTH'] = 1 << 20`, and a real server in front (gunicorn).",
};

/// How long nothing is taken before it is believed that nothing will be.
const PATIENCE: Duration = Duration::from_secs(2);
const MIB: u64 = 1 << 20;

pub(super) const LARGE_BODIES: Check = Check {
    id: "SEC-001",
    title: "a body of 1, 10 and 100 MB with its true length",
    observability: Observability::Partly,
    tags: &[Tag::Destructive],
    source: "RFC 9110 §15.5.14",
    why: "A webhook has about a kilobyte. Who reads whatever is sent can be made to run out of memory by one request.",
    fixes: FIXES,
    stimulus: large_bodies,
    judge: |evidence| {
        let mut findings = Findings::default();
        for case in evidence.cases.iter().filter(|case| case.case.name == "100 MB") {
            if case.transcripts().flat_map(|transcript| &transcript.answers).any(Answer::is_2xx) {
                findings.warn(&case.case.name, "taken with 2xx: there seems to be no limit");
            }
            held(case, LARGEST, &mut findings);
        }
        findings
    },
    ..Check::BASE
};

const LARGEST: u64 = 100 * MIB;

/// Finds that so many bytes of a body were all in memory at once, where that was measured before and after.
pub(super) fn held(case: &CaseEvidence, body: u64, findings: &mut Findings) {
    if let [Some(before), Some(after)] = &case.usage[..] {
        let grown = after.peak_growth(before);
        // What was in use before and is free again holds a part of it.
        if grown >= body / 10 * 9 {
            let text = format!(
                "the receiver grew from {} to {} MB: it keeps whatever is sent in memory",
                before.resident_bytes() / MIB,
                (before.resident_bytes() + grown) / MIB,
            );
            findings.fail(&case.case.name, text);
        }
    }
}

/// A CDR and spaces: JSON whose sense is that of the CDR.
fn large_bodies(composer: &mut Composer) -> Vec<Case> {
    let cases = [1, 10, 100].map(|megabytes| {
        let cdr = composer.cdr();
        let most = megabytes * MIB;
        let request = composer.post(&cdr).framing(Framing::Declared(cdr.bytes.len() as u64 + most));
        let script =
            Script::default().request_filled(&request, vec![b' '; 1 << 16], most, PATIENCE).answered();
        Case::new(format!("{megabytes} MB")).step(Step::Measure).script(script).step(Step::Measure)
    });
    cases.into()
}

pub(super) const HUGE_LENGTH: Check = Check {
    id: "SEC-002",
    title: "Content-Length: 9000000000000000000, and no body",
    tags: &[Tag::Slow],
    source: "RFC 9110 §8.6, §15.5.14",
    why: "A length that nobody can mean has to be refused when it is read; waiting for the body, or making room for it, is an attack of one line.",
    fixes: FIXES,
    stimulus: |composer| {
        let request = Request::new("POST", &composer.sources.target).header("Host", &composer.sources.host);
        let request = request
            .header("Content-Type", "application/json")
            .framing(Framing::Declared(9_000_000_000_000_000_000));
        let wait = Action::Await(Some(composer.sources.slow_limit));
        vec![Case::new("").script(Script::default().request(&request).act(wait)).may_be_silent()]
    },
    judge: |evidence| {
        let mut findings = Findings::default();
        for transcript in evidence.cases.iter().flat_map(CaseEvidence::transcripts) {
            if transcript.answer(0).is_some_and(Answer::is_2xx) {
                findings.fail("", "acknowledged a body that never came");
            } else if transcript.timed_out {
                findings.fail("", "neither refused nor closed");
            }
        }
        findings
    },
    ..Check::BASE
};

pub(super) const ENDLESS_CHUNKS: Check = Check {
    id: "SEC-003",
    title: "a chunked body without an end",
    tags: &[Tag::Destructive],
    source: "RFC 9112 §7.1; RFC 9110 §15.5.14",
    why: "Chunks tell no length before, so that a limit on Content-Length alone is none.",
    fixes: FIXES,
    stimulus: |composer| {
        let request = Request::new("POST", &composer.sources.target).header("Host", &composer.sources.host);
        let request = request.header("Content-Type", "application/json").body("{\"cmiuuid\":\"");
        let request =
            request.framing(Framing::Chunked { size: usize::MAX, extension: "", trailer: "", ends: false });
        let mut chunk = b"10000\r\n".to_vec();
        chunk.resize(chunk.len() + 0x1_0000, b'a');
        chunk.extend_from_slice(b"\r\n");
        let wait = Action::Await(Some(PATIENCE));
        let script = Script::default().request_filled(&request, chunk, ENDLESS, PATIENCE).act(wait);
        vec![Case::new("").script(script).may_be_silent()]
    },
    then: Some(with_an_end),
    judge: endless,
    ..Check::BASE
};

/// More than the largest body that is put up with elsewhere (SEC-001).
const ENDLESS: u64 = 128 * MIB;

/// Where it would have read on, the same with an end: who refuses that keeps no more than its limit, and lets the rest
/// go by (body-parser does).
fn with_an_end(composer: &mut Composer, evidence: &Evidence<'_>) -> Vec<Case> {
    let [only] = evidence.cases else { return Vec::new() };
    if only.transcripts().any(is_refused) {
        return Vec::new();
    }
    let cdr = composer.cdr();
    let mut end = format!("{:X}\r\n", cdr.bytes.len()).into_bytes();
    end.extend_from_slice(&cdr.bytes);
    end.extend_from_slice(b"\r\n0\r\n\r\n");
    let request = composer.post(&cdr).body("").framing(Framing::chunked(1));
    let (signed, request) = (request.signed_as().map(Box::new), request.head());
    let mut spaces = b"10000\r\n".to_vec();
    spaces.resize(spaces.len() + 0x1_0000, b' ');
    spaces.extend_from_slice(b"\r\n");
    let until_blocked = Action::SendUntilBlocked { bytes: spaces, most: WITH_AN_END, patience: PATIENCE };
    let bytes = request.len();
    let mut script = Script::default().piece(request).act(until_blocked);
    script.requests.push(Sent { method: "POST".to_owned(), of: Some(cdr.id), bytes, signed });
    let script = script.act(Action::Send { bytes: end, split: None, ends_request: true });
    vec![Case::new("with an end").script(script.answered()).may_be_silent()]
}

/// Twice as much as some would take for good reasons.
const WITH_AN_END: u64 = 64 * MIB;

fn is_refused(transcript: &Transcript) -> bool {
    !transcript.answers.is_empty() || transcript.write_error.is_some() || !transcript.timed_out
}

fn endless(evidence: &Evidence<'_>) -> Findings {
    let mut findings = Findings::default();
    let mut transcripts = evidence.cases.iter().flat_map(CaseEvidence::transcripts);
    let Some(transcript) = transcripts.next() else { return findings };
    let lets_go_by = transcripts
        .next()
        .is_some_and(|ended| ended.answer(0).map_or(ended.write_error.is_some(), Answer::is_4xx));
    if transcript.answer(0).is_some_and(Answer::is_2xx) {
        findings.fail("", "acknowledged a body that has no end");
        return findings;
    }
    if is_refused(transcript) || lets_go_by {
        return findings;
    }
    if transcript.was_blocked {
        let sent = transcript.sent_bytes;
        findings.warn("", format!("stopped reading after {sent} bytes, but neither refused nor closed"));
    } else {
        let sent = transcript.sent_bytes;
        findings.fail("", format!("read {sent} bytes of a body without an end, and would have read on"));
    }
    findings
}

pub(super) const LARGE_HEADS: Check = Check {
    id: "SEC-010",
    title: "1,000 header lines, a header of 64 KB, a URL of 16 KB",
    severity: Severity::Should,
    tags: &[Tag::Destructive],
    source: "RFC 6585 §5; RFC 9110 §15.5.15",
    why: "Heads are kept in memory before anybody has looked at who sends them; refusing them has to be part of the plan, not a crash.",
    fixes: Fixes {
        axum: "Nothing to do: hyper answers 431. Do not index header maps by what you hope is there.",
        express: "Nothing to do: Node answers 431 beyond 16 KB. Do not answer 500 for it in an error handler.",
        flask: "Run it behind gunicorn (`--limit-request-fields`, `--limit-request-field_size`).",
    },
    stimulus: |composer| {
        let cdr = composer.cdr();
        let many =
            (0..1_000).fold(composer.post(&cdr), |request, n| request.header(&format!("X-Filler-{n}"), "1"));
        let cdr = composer.cdr();
        let long = composer.post(&cdr).header("X-Filler", &"a".repeat(64 * 1024));
        let cdr = composer.cdr();
        let target = composer.sources.target.clone();
        let joint = if target.contains('?') { '&' } else { '?' };
        let url = composer.post(&cdr).target(&format!("{target}{joint}x={}", "a".repeat(16 * 1024)));
        vec![
            Case::new("1,000 header lines").send(&many),
            Case::new("a header of 64 KB").send(&long),
            Case::new("a URL of 16 KB").send(&url),
        ]
    },
    // Any answer but 5xx: the standing oracle's.
    ..Check::BASE
};
