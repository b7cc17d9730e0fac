//! A CDR that never comes.

use std::time::Duration;

use super::super::{
    Case, CaseEvidence, Check, Composer, Evidence, Findings, Fixes, Need, Observability, Payload, Request,
    Script, Severity, Step, Tag,
};
use super::RTY;

/// The capability: a path of the receiver that is asked with GET, or a shell command. Either names, in any form of text,
/// the `cmiuuid` of every call whose CDR is overdue.
const CAPABILITY: &str = "reconcile";

pub(in super::super) const GAP: Check = Check {
    id: "RTY-009",
    title: "a call whose CDR did not come within the schedule is reported as a gap",
    severity: Severity::May,
    observability: Observability::Effects,
    tags: &[Tag::Time],
    needs: &[Need::Capability(CAPABILITY), Need::Time],
    why: "After more than 30 minutes of downtime the platform has given up: who does not look for what is missing never bills it.",
    fixes: Fixes::all(
        "List the calls that have live events and, 30 minutes after the last of them, no CDR; ask the platform's REST API for those by their `cmiuuid`.",
    ),
    stimulus: gap,
    judge: reported,
    ..RTY
};

fn gap(composer: &mut Composer) -> Vec<Case> {
    let (_, mut cut) = composer.call("inbound-answered");
    let (_, whole) = composer.call("inbound-answered");
    // The CDR comes last.
    cut.pop();
    let ask = composer.capability(CAPABILITY).unwrap_or("/reconcile").to_owned();
    let send = |case: Case, payload: &Payload| case.send(&composer.post(payload));
    let case = cut.iter().chain(&whole).fold(Case::new(""), send);
    let case = case.step(Step::Elapse(Duration::from_secs(31 * 60)));
    let case = if ask.starts_with('/') {
        let mut request = Request::new("GET", &ask).header("Host", &composer.sources.host).bodyless();
        for (name, value) in &composer.sources.headers {
            request = request.header(name, value);
        }
        case.script(Script::default().request(&request).answered())
    } else {
        case.step(Step::Reconcile)
    };
    vec![case.expect_call(&cut).expect_call(&whole)]
}

fn reported(evidence: &Evidence<'_>) -> Findings {
    let mut findings = Findings::default();
    for case in evidence.cases {
        let (Some(cut), Some(whole)) = (case.case.expected.first(), case.case.expected.last()) else {
            continue;
        };
        let Some(said) = said(case) else {
            findings.fail("", "the list of gaps cannot be had");
            continue;
        };
        if !said.contains(&cut.payload.cmiuuid) {
            let id = &cut.payload.cmiuuid;
            findings.fail("", format!("31 minutes after its live events, the call {id} is no gap"));
        }
        if said.contains(&whole.payload.cmiuuid) {
            let id = &whole.payload.cmiuuid;
            findings.fail("", format!("the call {id} is called a gap, and its CDR was acknowledged"));
        }
    }
    // What is listed is what there is to see.
    findings.decided_by_answers();
    findings
}

fn said(case: &CaseEvidence) -> Option<String> {
    if let Some(printed) = case.printed.last() {
        return Some(printed.clone());
    }
    let answer = case.transcripts().last()?.answer(0).filter(|answer| answer.status == 200)?;
    Some(String::from_utf8_lossy(&answer.body).into_owned())
}
