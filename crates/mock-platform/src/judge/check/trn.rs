//! TRN: transport and the semantics of HTTP.

mod answer;
mod closing;
mod coding;
mod cut;
mod framing;
mod head;
mod idle;
mod lengths;
mod methods;
mod plain;
mod reuse;
mod secure;

use std::time::Duration;

use super::{Action, CaseEvidence, Check, End, Findings, Request, Script};

pub(super) const CHECKS: &[Check] = &[
    plain::TRN_001,
    plain::TRN_002,
    methods::TRN_003,
    methods::TRN_004,
    methods::TRN_005,
    plain::TRN_006,
    plain::TRN_007,
    framing::TRN_008,
    framing::TRN_009,
    framing::TRN_010,
    cut::TRN_011,
    cut::TRN_012,
    lengths::TRN_013,
    lengths::TRN_014,
    head::TRN_015,
    head::TRN_016,
    head::TRN_017,
    framing::TRN_018,
    reuse::TRN_019,
    reuse::TRN_020,
    reuse::TRN_021,
    idle::TRN_022,
    closing::TRN_023,
    closing::TRN_024,
    cut::TRN_025,
    coding::TRN_026,
    head::TRN_027,
    answer::TRN_028,
    answer::TRN_029,
    secure::TRN_030,
    secure::TRN_031,
];

/// How long the end of a connection is waited for that the receiver has to close.
const CLOSE_LIMIT: Duration = Duration::from_secs(3);

/// A request, its answer, and the end of the connection. For a case that may be silent: [`closed`] judges the waiting.
fn until_closed(request: &Request) -> Script {
    Script::default().request(request).answered().act(Action::AwaitClose(CLOSE_LIMIT))
}

/// Finds connections that were left open.
fn closed(case: &CaseEvidence, findings: &mut Findings) {
    for transcript in case.transcripts().filter(|transcript| transcript.connect_error.is_none()) {
        if transcript.end == End::Open && transcript.garbled.is_none() {
            let text = match transcript.answers.last() {
                Some(answer) => format!("answered {}, and not closed within {CLOSE_LIMIT:?}", answer.status),
                None => "neither answered nor closed".to_owned(),
            };
            findings.too_slow(&case.case.name, text);
        }
    }
}
