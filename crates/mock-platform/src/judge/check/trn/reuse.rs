//! Several requests on one connection.

use crate::judge::check::{
    Answer, Case, CaseEvidence, Check, Composer, Count, Evidence, Findings, Fixes, Request, Script, Severity,
    Transcript, criteria,
};

pub(super) const TRN_019: Check = Check {
    id: "TRN-019",
    title: "100 webhooks on one connection",
    severity: Severity::Should,
    source: "RFC 9112 §9.3, §9.6: whoever closes after an answer says so in it",
    why: "Clients keep connections open. Where one ends without a word, the next webhook is sent into nothing.",
    fixes: Fixes::all(
        "Keep connections open, or send `Connection: close` with the last answer; let no worker end between two requests.",
    ),
    stimulus: |composer| {
        const WEBHOOKS: usize = 100;
        let (mut case, mut script) = (Case::new(""), Script::default());
        for _ in 0..WEBHOOKS {
            let cdr = composer.cdr();
            script = script.request(&composer.post(&cdr)).answered_and_kept();
            case = case.expect(&cdr, Count::Once);
        }
        vec![case.script(script)]
    },
    judge: kept_or_announced,
    ..Check::BASE
};

pub(super) const TRN_020: Check = Check {
    id: "TRN-020",
    title: "two requests at once on one connection",
    severity: Severity::Should,
    source: "RFC 9112 §9.3.2: answers come in the order of the requests",
    why: "The n-th answer is taken for that to the n-th request: swapped, an acknowledgement goes to the wrong webhook.",
    fixes: Fixes::all(
        "Leave the connection to the HTTP server of the framework: it answers one request after the other.",
    ),
    stimulus: pipelines,
    judge: in_order,
    ..Check::BASE
};

pub(super) const TRN_021: Check = Check {
    id: "TRN-021",
    title: "a bad request, then a good one on the same connection",
    source: "RFC 9112 §9.3: a body that is not read has to be discarded, or the connection closed",
    why: "The body of a refused request that nobody reads is taken for the head of the next: good webhooks are refused.",
    fixes: Fixes {
        axum: "hyper discards what is not read, or closes; write no raw answer to the socket.",
        express: "Node discards what is not read; write no raw answer to `req.socket` without ending it.",
        flask: "Run it behind gunicorn or waitress, which discard what is not read.",
    },
    stimulus: bad_then_good,
    judge: never_misframed,
    ..Check::BASE
};

fn kept_or_announced(evidence: &Evidence<'_>) -> Findings {
    let mut findings = criteria::effects(evidence);
    for case in evidence.cases {
        for transcript in case.transcripts() {
            for answer in transcript.answers.iter().filter(|answer| !answer.is_2xx() && !answer.is_5xx()) {
                findings.fail(&case.case.name, format!("answered {}, expected 2xx", answer.status));
            }
            let (got, sent) = (transcript.answers.len(), transcript.requests.len());
            if got < sent
                && !transcript.timed_out
                && !transcript.answers.last().is_some_and(Answer::announces_close)
            {
                let text = format!("ended after {got} of {sent} answers, and the last did not say so");
                findings.fail(&case.case.name, text);
            }
        }
    }
    findings
}

fn pipelines(composer: &mut Composer) -> Vec<Case> {
    let (one, two) = (composer.cdr(), composer.cdr());
    let both = [composer.post(&one), composer.post(&two)];
    let script = Script::default().pipelined(&both).answered();
    let alike = Case::new("two webhooks").script(script).expect(&one, Count::Once).expect(&two, Count::Once);
    // By their answers, two webhooks cannot be told apart; a webhook and a GET can, where GET is refused.
    let cdr = composer.cdr();
    let get = composer.post(&cdr).method("GET").bodyless();
    let script = Script::default().pipelined(&[composer.post(&cdr), get.clone()]).answered();
    vec![alike, Case::new("a webhook, then GET").send(&get).script(script).expect(&cdr, Count::Once)]
}

fn in_order(evidence: &Evidence<'_>) -> Findings {
    let mut findings = criteria::effects(evidence);
    for case in evidence.cases {
        let Some(together) = case.steps.last().and_then(|transcripts| transcripts.first()) else { continue };
        let get = (case.steps.len() > 1).then(|| {
            let alone = case.steps[0].first().and_then(|transcript| transcript.answer(0));
            Get { alone: alone.map(|answer| answer.status) }
        });
        if let Some(text) = out_of_order(together, get.as_ref()) {
            findings.fail(&case.case.name, text);
        }
        garbled(case, together, &mut findings);
    }
    findings
}

/// That the second request is no webhook but a GET.
struct Get {
    /// What it was answered by itself, where that came in time.
    alone: Option<u16>,
}

/// What is wrong about the answers to two requests at once.
fn out_of_order(together: &Transcript, get: Option<&Get>) -> Option<String> {
    let Some(first) = together.answer(0) else {
        return (!together.timed_out)
            .then(|| format!("{}, expected an answer to the first", together.outcome()));
    };
    let second = together.answer(1);
    if !first.is_2xx() && get.is_some_and(|get| get.alone == Some(first.status)) {
        let is_swapped = second.is_some_and(Answer::is_2xx);
        let text = if is_swapped { "the answers are swapped" } else { "the webhook has the answer to GET" };
        return Some(text.to_owned());
    }
    // A standing oracle has its own word for 5xx.
    let is_fine = |answer: &Answer| answer.is_2xx() || answer.is_5xx();
    if !is_fine(first) {
        return Some(format!("the first is answered {}, expected 2xx", first.status));
    }
    let second = second.filter(|second| get.is_none() && !is_fine(second))?;
    Some(format!("the second is answered {}, expected 2xx", second.status))
}

fn bad_then_good(composer: &mut Composer) -> Vec<Case> {
    let plain = composer.cdr();
    let post = composer.post(&plain);
    let body = "x".repeat(200);
    let bad: [(&str, Request); 4] = [
        ("no JSON", post.clone().body(body.clone())),
        ("XML", post.clone().set_header("Content-Type", "application/xml").body("<x></x>")),
        ("GET with a body", post.clone().method("GET").body(body.clone())),
        ("another path", post.target("/piopiy-mock/no-such-path").body(body)),
    ];
    let case = |(name, bad): (&str, Request)| {
        let cdr = composer.cdr();
        let script =
            Script::default().request(&bad).answered_and_kept().request(&composer.post(&cdr)).answered();
        Case::new(name).script(script).expect(&cdr, Count::Once)
    };
    bad.map(case).into()
}

fn never_misframed(evidence: &Evidence<'_>) -> Findings {
    let mut findings = criteria::effects(evidence);
    for case in evidence.cases {
        for transcript in case.transcripts() {
            // Closed is fine: the webhook is sent again on a new connection.
            if let Some(answer) = transcript.answer(1)
                && !answer.is_2xx()
                && !answer.is_5xx()
            {
                let text =
                    format!("the webhook after it is answered {}, expected 2xx or closed", answer.status);
                findings.fail(&case.case.name, text);
            }
            garbled(case, transcript, &mut findings);
        }
    }
    findings
}

/// Finds what was received and is no answer, or the answer to nothing.
pub(super) fn garbled(case: &CaseEvidence, transcript: &Transcript, findings: &mut Findings) {
    if let Some(garbled) = &transcript.garbled {
        findings.fail(&case.case.name, format!("sent bytes that are no answer: {garbled}"));
    }
    let (got, sent) = (transcript.answers.len(), transcript.requests.len());
    if got > sent {
        findings.fail(&case.case.name, format!("sent {got} answers to {sent} requests"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(answers: &[u16], get: Option<&Get>, expected: Option<&str>) {
        let answers = answers.iter().map(|&status| Answer { status, ..Answer::default() }).collect();
        let together = Transcript { answers, ..Transcript::default() };
        assert_eq!(out_of_order(&together, get).as_deref(), expected);
    }

    #[test]
    fn the_second_answer_is_that_to_the_second_request() {
        check(&[200, 200], None, None);
        check(&[200, 405], None, Some("the second is answered 405, expected 2xx"));
        check(&[400], None, Some("the first is answered 400, expected 2xx"));
        let get = Get { alone: Some(405) };
        check(&[200, 405], Some(&get), None);
        check(&[405, 200], Some(&get), Some("the answers are swapped"));
        check(&[405], Some(&get), Some("the webhook has the answer to GET"));
        // The answer to the GET by itself came too late.
        check(&[200, 405], Some(&Get { alone: None }), None);
        check(&[405, 200], Some(&Get { alone: None }), Some("the first is answered 405, expected 2xx"));
    }
}
