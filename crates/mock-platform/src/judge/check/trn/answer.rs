//! The answers themselves.

use std::time::Duration;

use super::reuse::garbled;
use crate::judge::check::{
    Action, Answer, Case, Check, Composer, Count, Evidence, Findings, Fixes, Script, Severity,
};

pub(super) const TRN_028: Check = Check {
    id: "TRN-028",
    title: "answers that are framed as the RFC says",
    severity: Severity::Should,
    source: "RFC 9112 §6; RFC 9110 §6.6.1, §8.6, §9.3.2",
    why: "An answer that is longer or shorter than it says leaves the client without one: the webhook comes again.",
    fixes: Fixes::all(
        "Leave Content-Length and Date to the framework; a length counted by hand counts bytes of UTF-8, not characters.",
    ),
    stimulus: answers_of_each_kind,
    judge: well_framed,
    ..Check::BASE
};

pub(super) const TRN_029: Check = Check {
    id: "TRN-029",
    title: "a small answer, without cookies and caching",
    severity: Severity::May,
    source: "RFC 9110 §9.3.3; RFC 9111 §3; RFC 6265 §4.1",
    why: "The platform reads a status and nothing else. The rest is traffic, sessions without end, or a cached 200.",
    fixes: Fixes {
        axum: "Answer with `StatusCode::OK`, outside of session and cache layers.",
        express: "`res.sendStatus(200)`, on a route before `express-session`.",
        flask: "`return '', 200`, and touch no `session` in the handler.",
    },
    stimulus: |composer| {
        let cdr = composer.cdr();
        vec![Case::new("").send(&composer.post(&cdr)).expect(&cdr, Count::Once)]
    },
    judge: modest,
    ..Check::BASE
};

/// Whatever else is sent comes within this.
const AFTER_LAST: Duration = Duration::from_millis(100);

fn answers_of_each_kind(composer: &mut Composer) -> Vec<Case> {
    let (one, two) = (composer.cdr(), composer.cdr());
    let posts = [composer.post(&one), composer.post(&two)];
    let case = |name: &str, requests: [&_; 2]| {
        let script = requests.into_iter().fold(Script::default(), |script, request| {
            script.request(request).answered().act(Action::Pause(AFTER_LAST)).act(Action::EndUnlessKept)
        });
        Case::new(name).script(script)
    };
    let acknowledged = case("to webhooks", [&posts[0], &posts[1]]);
    let three = composer.cdr();
    let post = composer.post(&three);
    let no_json = post.clone().body("{");
    let refused = case("to no JSON", [&no_json, &post]);
    let four = composer.cdr();
    let post = composer.post(&four);
    let head = post.clone().method("HEAD").bodyless();
    let to_head = case("to HEAD", [&head, &post]);
    vec![
        acknowledged.expect(&one, Count::Once).expect(&two, Count::Once),
        refused.expect(&three, Count::Once),
        to_head.expect(&four, Count::Once),
    ]
}

fn well_framed(evidence: &Evidence<'_>) -> Findings {
    let mut findings = Findings::default();
    for case in evidence.cases {
        for transcript in case.transcripts() {
            garbled(case, transcript, &mut findings);
            for answer in &transcript.answers {
                framing(&case.case.name, answer, &mut findings);
            }
        }
    }
    findings
}

fn framing(name: &str, answer: &Answer, findings: &mut Findings) {
    let status = answer.status;
    let lengths = values(answer, "content-length");
    let is_coded = answer.header("transfer-encoding").is_some();
    if lengths.iter().any(|length| *length != lengths[0]) {
        findings.fail(name, format!("the {status} has two lengths"));
    } else if lengths.len() > 1 {
        findings.warn(name, format!("the {status} tells its length {} times", lengths.len()));
    }
    if !lengths.is_empty() && is_coded {
        findings.fail(name, format!("the {status} has Content-Length and Transfer-Encoding"));
    }
    if status == 204 && (!lengths.is_empty() || is_coded) {
        findings.warn(name, "the 204 tells a length, and has no body to tell of");
    }
    // A server without a clock sends none, and servers answer what they cannot read without their framework.
    match answer.header("date") {
        None if answer.is_2xx() => findings.warn(name, format!("the {status} has no Date")),
        Some(date) if !is_date(date) => {
            findings.warn(name, format!("Date is {:?}", String::from_utf8_lossy(date)));
        }
        _ => {}
    }
}

fn values<'a>(answer: &'a Answer, name: &str) -> Vec<&'a [u8]> {
    let named = answer.headers.iter().filter(|(given, _)| given.eq_ignore_ascii_case(name));
    named.map(|(_, value)| value.as_slice()).collect()
}

/// As in `Sun, 06 Nov 1994 08:49:37 GMT`.
fn is_date(date: &[u8]) -> bool {
    const LIKE: &[u8] = b"Sun, 06 Nov 1994 08:49:37 GMT";
    let fits = |(given, like): (&u8, &u8)| match like {
        b'0'..=b'9' => given.is_ascii_digit(),
        b' ' | b',' | b':' => given == like,
        _ => given.is_ascii_alphabetic(),
    };
    date.len() == LIKE.len() && date.iter().zip(LIKE).all(fits) && date.ends_with(b" GMT")
}

fn modest(evidence: &Evidence<'_>) -> Findings {
    const MOST: u64 = 64 * 1024;
    let mut findings = Findings::default();
    for case in evidence.cases {
        let name = &case.case.name;
        for answer in case.transcripts().flat_map(|transcript| &transcript.answers) {
            if answer.body_bytes >= MOST {
                findings.fail(name, format!("the answer has {} bytes", answer.body_bytes));
            }
            if answer.header("set-cookie").is_some() {
                findings.fail(name, "the answer sets a cookie");
            }
            let caching = answer
                .header("cache-control")
                .map(|value| String::from_utf8_lossy(value).to_ascii_lowercase());
            if let Some(caching) = caching.filter(|caching| may_be_kept(caching)) {
                findings.fail(name, format!("the answer may be cached ({caching})"));
            }
        }
    }
    findings
}

fn may_be_kept(caching: &str) -> bool {
    let has = |word: &str| caching.split(',').any(|part| part.trim() == word);
    let age = |part: &str| part.trim().split_once("max-age=").and_then(|(_, age)| age.parse::<u64>().ok());
    let is_kept = has("public") || caching.split(',').filter_map(age).any(|age| age > 0);
    is_kept && !has("no-store") && !has("no-cache") && !has("private")
}
