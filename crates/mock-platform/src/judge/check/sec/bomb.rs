//! A little that becomes much.

use super::super::{
    Answer, Case, CaseEvidence, Check, Composer, Count, Evidence, Findings, Fixes, Observability, Seen, Step,
    Tag, gzip,
};
use super::limits::held;

pub(super) const GZIP: Check = Check {
    id: "SEC-004",
    title: "a gzip body that becomes a thousand times as much",
    observability: Observability::Partly,
    tags: &[Tag::Destructive],
    source: "CWE-409; RFC 9110 §15.5.14",
    why: "A limit on what is received is none on what is made of it: 100 KB become 100 MB, as often as somebody likes.",
    fixes: Fixes {
        axum: "Put `RequestBodyLimitLayer` inside `RequestDecompressionLayer`, so that it counts what comes out; or answer 415 to any Content-Encoding.",
        express: "`limit: '1mb'` of `express.raw()` or `express.json()` counts what comes out; never inflate by hand without `maxOutputLength`.",
        flask: "Inflate with `zlib.decompressobj().decompress(data, limit)`, or answer 415 where `request.content_encoding` is set.",
    },
    stimulus: |composer| {
        let coded = |composer: &mut Composer, name, pack: fn(&[u8]) -> Vec<u8>| {
            let cdr = composer.cdr();
            let packed = cdr.clone().of_bytes(pack(&cdr.bytes));
            let request = composer.post(&packed).header("Content-Encoding", "gzip");
            Case::new(name).send(&request).expect(&cdr, Count::AtMostOnce)
        };
        vec![coded(composer, PLAIN, gzip::stored), coded(composer, BROKEN, |bytes| bytes.to_vec())]
    },
    then: Some(|composer, evidence| {
        let is_over = evidence.cases.iter().any(|case| case.case.name == BOMB);
        if is_over || !evidence.cases.iter().any(|case| case.case.name == PLAIN && is_taken(case)) {
            return Vec::new();
        }
        let cdr = composer.cdr();
        let packed = cdr.clone().of_bytes(gzip::and_spaces(&cdr.bytes, INFLATED));
        let request = composer.post(&packed).header("Content-Encoding", "gzip");
        let case = Case::new(BOMB).step(Step::Measure).send(&request).step(Step::Measure);
        vec![case.expect(&cdr, Count::AtMostOnce)]
    }),
    judge,
    ..Check::BASE
};

const PLAIN: &str = "a small body";
const BROKEN: &str = "a body that is no gzip";
const BOMB: &str = "100 MB in 100 KB";
const INFLATED: u64 = 100 << 20;

fn judge(evidence: &Evidence<'_>) -> Findings {
    let mut findings = Findings::default();
    let case = |name: &str| evidence.cases.iter().find(|case| case.case.name == name);
    let Some(bomb) = case(BOMB) else {
        findings.not_applicable("", "it takes no gzip");
        return findings;
    };
    held(bomb, INFLATED, &mut findings);
    if case(PLAIN).and_then(stored) == Some(false) {
        findings.not_applicable("", "it inflates nothing: what it takes has no effect");
        return findings;
    }
    // Answers alone show that it inflates where it can tell gzip from what is none.
    let inflates = case(PLAIN).and_then(stored).is_some() || case(BROKEN).is_some_and(|case| !is_taken(case));
    if !inflates {
        findings.not_observed("", "whether what it takes is inflated cannot be seen");
    } else if is_taken(bomb) && stored(bomb) != Some(false) {
        findings.fail(BOMB, "taken: there is no limit on what a body becomes");
    } else {
        findings.decided_by_answers();
    }
    findings
}

fn is_taken(case: &CaseEvidence) -> bool {
    case.transcripts().flat_map(|transcript| &transcript.answers).any(Answer::is_2xx)
}

/// Whether it had an effect, those kept aside not counted; `None` where nobody looked.
fn stored(case: &CaseEvidence) -> Option<bool> {
    match case.seen {
        Seen::Nothing => None,
        _ => case.seen.count().map(|count| count > 0),
    }
}
