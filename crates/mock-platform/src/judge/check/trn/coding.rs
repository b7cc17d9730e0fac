//! Coded content.

use crate::judge::check::{
    Case, Check, Composer, Count, Evidence, Findings, Fixes, Severity, criteria, gzip,
};

pub(super) const TRN_026: Check = Check {
    id: "TRN-026",
    title: "a body by Content-Encoding: gzip",
    severity: Severity::May,
    source: "RFC 9110 §8.4, §15.5.16; RFC 1952",
    why: "The platform sends none, a proxy might. Read it or say 415; what breaks on it breaks on a stranger's request too.",
    fixes: Fixes {
        axum: "`tower_http::decompression::RequestDecompressionLayer`, or answer 415 to any Content-Encoding.",
        express: "`express.raw()` and `express.json()` inflate by themselves; `inflate: false` answers 415.",
        flask: "Answer 415 where `request.content_encoding` is set.",
    },
    stimulus: gzipped,
    judge: read_or_refused,
    ..Check::BASE
};

fn gzipped(composer: &mut Composer) -> Vec<Case> {
    let cdr = composer.cdr();
    let packed = cdr.clone().of_bytes(gzip::stored(&cdr.bytes));
    let request = composer.post(&packed).header("Content-Encoding", "gzip");
    vec![Case::new("").send(&request).expect(&cdr, Count::AtMostOnce)]
}

fn read_or_refused(evidence: &Evidence<'_>) -> Findings {
    let mut findings = criteria::effects(evidence);
    for case in evidence.cases {
        criteria::every_answer(case, &mut findings, "2xx, or 415 or another 4xx", |answer| {
            answer.is_2xx() || answer.is_4xx()
        });
    }
    findings
}
