//! Whether the body is one JSON document, and an object.

use super::broken::{broken, read_after_all};
use crate::judge::check::{
    Answer, Case, Check, Composer, Count, Evidence, Findings, Fixes, Malformed, Observability, Seen,
    Severity, criteria,
};

const STRICT: Fixes = Fixes {
    axum: "`serde_json::from_slice` refuses it; do not read with a JSON5 crate.",
    express: "`JSON.parse` refuses it, and so does `express.json()`; do not read with `eval`, `json5` or a regular expression.",
    flask: "`request.get_json()` refuses it; do not read with `ast.literal_eval`, `yaml` or `demjson`.",
};

pub(super) const JSN_005: Check = Check {
    id: "JSN-005",
    title: "an empty body",
    severity: Severity::Should,
    observability: Observability::Partly,
    source: "RFC 8259 §2: a document is a value",
    why: "Some take an empty POST for a ping, and may; to store a webhook for it is wrong.",
    fixes: Fixes {
        axum: "`Json` answers 400 by itself; with `Bytes` check `is_empty()`.",
        express: "`JSON.parse` of nothing throws: answer 400. `express.json()` leaves `req.body` undefined: `if (!req.body) return res.sendStatus(400)`.",
        flask: "`request.get_json()` answers 400 by itself; do not add `silent=True`.",
    },
    stimulus: |composer| {
        let payload = composer.raw(b"");
        vec![Case::new("").send(&composer.post(&payload)).expect(&payload, Count::Never).anonymous()]
    },
    judge: refused_or_a_ping,
    ..Check::BASE
};

pub(super) const JSN_006: Check = Check {
    id: "JSN-006",
    title: "JSON that is no webhook: {} [] null true 0 \"x\"",
    severity: Severity::Should,
    observability: Observability::Partly,
    source: "RFC 8259 §3; piopiy docs: every webhook is an object with cmiuuid",
    why: "What is acknowledged is never sent again: whoever says 200 to nothing cannot say what was lost.",
    fixes: Fixes {
        axum: "Extract a struct whose `cmiuuid` is not optional, or check it, and answer 422.",
        express: "`if (typeof req.body?.cmiuuid !== 'string') return res.sendStatus(422)`.",
        flask: "`data = request.get_json(); if not isinstance(data, dict) or 'cmiuuid' not in data: return '', 422`.",
    },
    stimulus: no_webhooks,
    judge: |evidence| {
        let mut findings = criteria::refused_or_quarantined(evidence);
        nothing_came_of_it(evidence, &mut findings);
        findings
    },
    ..Check::BASE
};

pub(super) const JSN_007: Check = Check {
    id: "JSN-007",
    title: "almost JSON: a trailing comma, single quotes, bare keys, comments",
    observability: Observability::Partly,
    source: "RFC 8259 §4, §7; piopiy docs print such text on some pages",
    why: "Readers that forgive disagree about what they have read.",
    fixes: STRICT,
    stimulus: almost_json,
    judge: |evidence| {
        let mut findings = criteria::refused_or_quarantined(evidence);
        read_after_all(evidence, &mut findings);
        findings
    },
    ..Check::BASE
};

pub(super) const JSN_008: Check = Check {
    id: "JSN-008",
    title: "a webhook with something after it",
    severity: Severity::Should,
    observability: Observability::Partly,
    source: "RFC 8259 §2: a JSON text is one value",
    why: "A reader that stops behind the first document acknowledges the second, and loses it.",
    fixes: Fixes {
        axum: "`serde_json::from_slice` refuses it; after a `StreamDeserializer` check that nothing is left.",
        express: "`JSON.parse` refuses it, and so does `express.json()`; do not split the body at line ends.",
        flask: "`json.loads` refuses it; after `raw_decode` check that nothing is left.",
    },
    stimulus: more_after,
    judge: not_only_the_first,
    ..Check::BASE
};

pub(super) const JSN_009: Check = Check {
    id: "JSN-009",
    title: "white space around and within the document",
    source: "RFC 8259 §2: white space is allowed around any token",
    why: "Another JSON writer on the platform's side, or a proxy, may lay the body out in another way.",
    fixes: Fixes::all(
        "Leave it to the JSON reader; do not look at the first byte, and do not split at line ends.",
    ),
    stimulus: white_space,
    judge: criteria::acknowledged,
    ..Check::BASE
};

fn no_webhooks(composer: &mut Composer) -> Vec<Case> {
    let bodies = ["{}", "[]", "null", "true", "0", "\"x\""];
    let cases = bodies.map(|body| {
        let payload = composer.raw(body.as_bytes());
        Case::new(body).send(&composer.post(&payload)).expect(&payload, Count::Never).anonymous()
    });
    cases.into()
}

/// 2xx is allowed, as to a ping; where the body should have been refused, or could have been kept, it is not, unless the
/// receiver is said to take pings.
fn refused_or_a_ping(evidence: &Evidence<'_>) -> Findings {
    if evidence.terms.takes_pings {
        return criteria::taken_or_refused(evidence);
    }
    let mut findings = if evidence.terms.malformed == Malformed::Reject {
        criteria::refused_or_quarantined(evidence)
    } else {
        criteria::taken_or_refused(evidence)
    };
    nothing_came_of_it(evidence, &mut findings);
    findings
}

/// Warns of what was acknowledged without being kept aside.
fn nothing_came_of_it(evidence: &Evidence<'_>, findings: &mut Findings) {
    for case in evidence.cases {
        let mut answers = case.transcripts().flat_map(|transcript| &transcript.answers);
        let Seen::Records(records) = &case.seen else { continue };
        if answers.any(Answer::is_2xx) && records.is_empty() {
            findings.warn(&case.case.name, "acknowledged as if it were a webhook, and nothing came of it");
        }
    }
}

fn almost_json(composer: &mut Composer) -> Vec<Case> {
    let bodies = [
        ("a trailing comma", r#"{"cmiuuid":"{cmiuuid}","leg":"a","duration":0,"status":"missed",}"#),
        ("single quotes", "{'cmiuuid':'{cmiuuid}','leg':'a','duration':0,'status':'missed'}"),
        ("bare keys", r#"{cmiuuid:"{cmiuuid}",leg:"a",duration:0,status:"missed"}"#),
        ("a comment", r#"{"cmiuuid":"{cmiuuid}",/* leg */"leg":"a","duration":0,"status":"missed"}"#),
        (
            "a line comment",
            "{\"cmiuuid\":\"{cmiuuid}\",// leg\n\"leg\":\"a\",\"duration\":0,\"status\":\"missed\"}",
        ),
    ];
    let half = composer.raw(br#"{"cmiuuid":"{cmiuuid}","leg":"a","duration":0,"status":"missed""#);
    let mut cases = vec![broken(composer, "no closing brace", &half)];
    for (name, body) in bodies {
        let payload = composer.raw(body.as_bytes());
        cases.push(Case::new(name).send(&composer.post(&payload)).expect(&payload, Count::Never));
    }
    cases
}

const TWO: &str = "two documents";

fn more_after(composer: &mut Composer) -> Vec<Case> {
    let cdr = composer.cdr();
    let half = cdr.bytes[..cdr.bytes.len() / 2].to_vec();
    let mut cases = vec![broken(composer, "half of it", &cdr.of_bytes(half))];
    for (name, rest) in [("a word", "garbage"), ("a brace", "}"), ("a NUL", "\0")] {
        let cdr = composer.cdr();
        let bytes = [&cdr.bytes[..], rest.as_bytes()].concat();
        let cdr = cdr.of_bytes(bytes);
        cases.push(Case::new(name).send(&composer.post(&cdr)).expect(&cdr, Count::Never));
    }
    let (first, second) = (composer.cdr(), composer.cdr());
    let bytes = [&first.bytes[..], b"\n", &second.bytes].concat();
    let both = first.of_bytes(bytes);
    let case = Case::new(TWO).send(&composer.post(&both));
    cases.push(case.expect(&both, Count::AtMostOnce).expect(&second, Count::AtMostOnce));
    cases
}

fn not_only_the_first(evidence: &Evidence<'_>) -> Findings {
    let mut findings = criteria::refused_or_quarantined(evidence);
    read_after_all(evidence, &mut findings);
    for case in evidence.cases.iter().filter(|case| case.case.name == TWO) {
        let count = match &case.seen {
            Seen::Nothing => continue,
            Seen::Count(count) => *count,
            Seen::Records(records) => records.iter().filter(|effect| !effect.quarantined).count() as i64,
        };
        if count == 1 {
            findings.fail(TWO, "one of them has an effect, and the other is lost");
        }
    }
    findings
}

fn white_space(composer: &mut Composer) -> Vec<Case> {
    let wraps = [
        ("line feeds around", "\n\n", "\n\n"),
        ("CRLF around", "\r\n", "\r\n"),
        ("tabs and blanks around", "\t  ", "  \t"),
    ];
    let mut cases = Vec::new();
    for (name, before, after) in wraps {
        let cdr = composer.cdr();
        let bytes = [before.as_bytes(), &cdr.bytes, after.as_bytes()].concat();
        let cdr = cdr.of_bytes(bytes);
        cases.push(Case::new(name).send(&composer.post(&cdr)).expect(&cdr, Count::Once));
    }
    let cdr = composer.cdr();
    let members = cdr.webhook().map(|webhook| webhook.members()).unwrap_or_default();
    let lines: Vec<String> =
        members.iter().map(|(key, value)| format!("\t\"{key}\" :\t{}", value.as_json())).collect();
    let cdr = cdr.of_bytes(format!("{{\r\n{}\r\n}}", lines.join(" ,\r\n")));
    cases.push(Case::new("around every token").send(&composer.post(&cdr)).expect(&cdr, Count::Once));
    cases
}
