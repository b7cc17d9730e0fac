//! Evidence becomes what a report keeps of it.

use std::time::Duration;

use piopiy_events::{Kind, Webhook};

use super::record::{
    AttemptRecord, CaseFinding, CaseRecord, ConnectionEnd, Ladder, Role, Rung, WebhookRecord,
};
use crate::judge::Effect;
use crate::judge::check::{
    Action, Case, CaseEvidence, End, Findings, Script, Seen, Severity, Step, Transcript, Verdict, shown,
};

/// As many connections of a case, and requests of a connection, are kept.
const CONNECTIONS: usize = 32;
const REQUESTS: usize = 32;
/// As many cases keep their ladder, besides those in which something was found.
const LADDERS: usize = 24;
/// As many effects of a case are kept, and payloads up to so many bytes.
const EFFECTS: usize = 16;
const FIELDS: usize = 4_096;
/// As many bytes of a request are kept, where something was found and where not, and of an answer.
const SENT: usize = 1_200;
const SENT_IN_PASSING: usize = 200;
const ANSWER: usize = 200;

/// As much of the evidence as a report keeps.
pub(crate) fn records(
    cases: &[CaseEvidence],
    findings: &Findings,
    severity: Severity,
    secrets: &[(String, String)],
) -> Vec<CaseRecord> {
    let names: Vec<&str> = cases.iter().map(|evidence| evidence.case.name.as_str()).collect();
    let mut found: Vec<Vec<CaseFinding>> = vec![Vec::new(); cases.len()];
    for (case, verdict, text) in findings.all() {
        if let Some(at) = case_of(&names, case) {
            let informs = verdict == Verdict::Fail && severity == Severity::May;
            let verdict = if informs { Verdict::Warn } else { verdict };
            found[at].push(CaseFinding { verdict, text: text.to_owned() });
        }
    }
    let record = |(n, (evidence, findings)): (usize, (&CaseEvidence, Vec<CaseFinding>))| {
        let outcomes = evidence.transcripts().take(CONNECTIONS).map(|transcript| transcript.outcome());
        let mut record = CaseRecord {
            case: evidence.case.name.clone(),
            stimulus: evidence.case.describe(),
            outcomes: outcomes.collect(),
            effects: evidence.seen.count(),
            ladder: if n < LADDERS || !findings.is_empty() {
                ladder(evidence, if findings.is_empty() { SENT_IN_PASSING } else { SENT })
            } else {
                Ladder {
                    connections: evidence.transcripts().count() as u64,
                    is_cut: true,
                    ..Ladder::default()
                }
            },
            findings,
        };
        mask(&mut record, secrets);
        record
    };
    cases.iter().zip(found).enumerate().map(record).collect()
}

/// Which case a finding is of: it names it, or a part of it.
fn case_of(names: &[&str], found: &str) -> Option<usize> {
    if names.len() == 1 {
        return Some(0);
    }
    let is_part = |name: &str| found.strip_prefix(name).is_some_and(|rest| rest.starts_with(", "));
    names.iter().position(|name| *name == found).or_else(|| {
        let parts = names.iter().enumerate().filter(|(_, name)| !name.is_empty() && is_part(name));
        parts.max_by_key(|(_, name)| name.len()).map(|(at, _)| at)
    })
}

fn ladder(evidence: &CaseEvidence, most: usize) -> Ladder {
    let mut ladder = Ladder::default();
    let mut connection = 0;
    for (n, step) in evidence.case.steps.iter().enumerate() {
        let scripts = match step {
            Step::Connections(scripts) | Step::StopDuring(_, _, scripts) => scripts.as_slice(),
            _ => &[],
        };
        let Some(transcripts) = evidence.steps.get(n) else { break };
        let mut attempts = Vec::new();
        for (script, transcript) in scripts.iter().zip(transcripts) {
            connection += 1;
            if connection > CONNECTIONS as u64 {
                ladder.is_cut = true;
                continue;
            }
            let of_script = attempts_of(&evidence.case, script, transcript, most, &mut ladder.is_cut);
            attempts.extend(
                of_script
                    .into_iter()
                    .map(|attempt| AttemptRecord { connection: Some(connection), ..attempt }),
            );
        }
        // Connections are side by side; one that never sent anything is told last.
        attempts.sort_by_key(|attempt| attempt.offset_us.unwrap_or(u64::MAX));
        if !matches!(step, Step::Connections(_)) {
            ladder.rungs.push(Rung::Event { text: step.describe() });
        }
        ladder.rungs.extend(attempts.into_iter().map(|attempt| Rung::Attempt(Box::new(attempt))));
    }
    ladder.connections = connection;
    for (role, transcript) in
        [(Role::Bystander, evidence.bystander.as_ref()), (Role::Canary, Some(&evidence.canary))]
    {
        ladder.rungs.extend(transcript.map(|transcript| {
            let attempt = AttemptRecord { role, method: "POST".to_owned(), ..AttemptRecord::default() };
            Rung::Attempt(Box::new(with_outcome(attempt, transcript, 0, true)))
        }));
    }
    if let Seen::Records(records) = &evidence.seen {
        ladder.is_cut |= records.len() > EFFECTS;
        ladder.observed = records.iter().take(EFFECTS).map(short).collect();
    }
    ladder
}

fn attempts_of(
    case: &Case,
    script: &Script,
    transcript: &Transcript,
    most: usize,
    is_cut: &mut bool,
) -> Vec<AttemptRecord> {
    let mut requests = requests(script);
    *is_cut |= requests.len() > REQUESTS;
    requests.truncate(REQUESTS);
    let last = requests.len().saturating_sub(1);
    let record = |(n, bytes): (usize, Vec<u8>)| {
        let sent = script.requests.get(n);
        let named = match sent.and_then(|sent| sent.of) {
            Some(id) => {
                let own = case.expected.iter().find(|expected| expected.payload.id == id);
                own.map(|own| webhook(&own.payload.bytes, Some(&own.payload.cmiuuid)))
            }
            None => None,
        };
        let attempt = AttemptRecord {
            method: sent.map(|sent| sent.method.clone()).unwrap_or_default(),
            webhook: named.or_else(|| {
                let head = bytes.windows(4).position(|end| end == b"\r\n\r\n")?;
                let body = bytes.get(head + 4..).filter(|body| body.starts_with(b"{"))?;
                Some(webhook(body, None))
            }),
            bytes: bytes.len() as u64,
            sent: shown(&bytes, most),
            ..AttemptRecord::default()
        };
        with_outcome(attempt, transcript, n, n == last)
    };
    requests.into_iter().enumerate().map(record).collect()
}

/// The bytes of each request of a script, and last those that end no request.
fn requests(script: &Script) -> Vec<Vec<u8>> {
    let (mut requests, mut rest): (Vec<Vec<u8>>, Vec<u8>) = (Vec::new(), Vec::new());
    for action in &script.actions {
        match action {
            // Sent with the one before, of which it is the end.
            Action::Send { bytes, ends_request: true, .. } if bytes.is_empty() && rest.is_empty() => {
                let length_of = |n: usize| script.requests.get(n).map_or(0, |sent| sent.bytes);
                let length = requests.len().checked_sub(1).map_or(0, length_of);
                let taken = requests.last_mut().map(|before| before.split_off(length.min(before.len())));
                requests.push(taken.unwrap_or_default());
            }
            Action::Send { bytes, ends_request, .. } => {
                rest.extend_from_slice(bytes);
                if *ends_request {
                    requests.push(std::mem::take(&mut rest));
                }
            }
            _ => {}
        }
    }
    if !rest.is_empty() || requests.is_empty() {
        requests.push(rest);
    }
    requests
}

/// What tells a webhook, as far as its body can be read.
fn webhook(body: &[u8], cmiuuid: Option<&str>) -> WebhookRecord {
    let webhook = Webhook::parse(body).ok();
    let text = |key| Some(webhook.as_ref()?.text(key)?.into_owned());
    let kind = match webhook.as_ref().and_then(Webhook::kind) {
        Some(Kind::Cdr) => "cdr",
        Some(Kind::LiveEvent) => "event",
        _ => "unknown",
    };
    WebhookRecord {
        kind: kind.to_owned(),
        status: text("status"),
        leg: text("leg"),
        cmiuuid: cmiuuid.map(str::to_owned).or_else(|| text("cmiuuid")),
    }
}

fn with_outcome(attempt: AttemptRecord, transcript: &Transcript, n: usize, is_last: bool) -> AttemptRecord {
    let answer = transcript.answer(n);
    let end = match transcript.end {
        _ if transcript.connect_error.is_some() => ConnectionEnd::None,
        End::Open => ConnectionEnd::Open,
        End::Closed { .. } => ConnectionEnd::Closed,
        End::Reset { .. } => ConnectionEnd::Reset,
    };
    let garbled = transcript.garbled.as_ref().filter(|_| transcript.answers.len() == n);
    let trouble = match (&transcript.connect_error, garbled, &transcript.write_error) {
        (Some(error), ..) => Some(error.clone()),
        (_, Some(garbled), _) => Some(format!("bytes that are no answer ({garbled})")),
        (.., Some(error)) if answer.is_none() => Some(error.clone()),
        _ => None,
    };
    AttemptRecord {
        offset_us: if attempt.role == Role::Stimulus {
            transcript.sent_at.get(n).copied().map(micros)
        } else {
            None
        },
        status: answer.map(|answer| answer.status),
        latency_us: transcript.latency(n).map(micros),
        answer: answer.map(|answer| shown(&answer.body, ANSWER)).unwrap_or_default(),
        timed_out: transcript.timed_out && answer.is_none(),
        end: is_last.then_some(end),
        trouble,
        ..attempt
    }
}

/// Without its payload where that is long, or nothing that every reader of JSON takes in the midst of a report.
fn short(effect: &Effect) -> Effect {
    let mut effect = effect.clone();
    let is_kept = |json: &str| json.len() <= FIELDS && is_readable(json);
    if effect.fields.as_ref().is_some_and(|fields| !is_kept(fields.as_json())) {
        effect.fields = None;
    }
    effect
}

/// Whether readers with the usual limits of nesting and of numbers take it, where a report has it.
fn is_readable(json: &str) -> bool {
    /// How deep in a report a payload stands at most.
    const WITHIN: usize = 32;
    let nested = format!("{}{json}{}", "[".repeat(WITHIN), "]".repeat(WITHIN));
    serde_json::from_str::<serde_json::Value>(&nested).is_ok()
}

/// Takes out what must not be told: values of header lines and of the query, and the tokens in them.
fn mask(record: &mut CaseRecord, secrets: &[(String, String)]) {
    let rungs = record.ladder.rungs.iter_mut();
    let attempts = rungs.filter_map(|rung| match rung {
        Rung::Attempt(attempt) => Some(attempt),
        Rung::Event { .. } => None,
    });
    let texts = attempts.flat_map(|attempt| [&mut attempt.sent, &mut attempt.answer]);
    let found = record.findings.iter_mut().map(|finding| &mut finding.text);
    for text in texts.chain([&mut record.stimulus]).chain(found) {
        for (name, secret) in secrets {
            for joint in [": ", "="] {
                *text = text.replace(&format!("{name}{joint}{secret}"), &format!("{name}{joint}…"));
            }
            let token = secret.rsplit(' ').next().unwrap_or_default();
            if token.len() >= TOKEN {
                *text = text.replace(token, "…");
                *text =
                    text.split('\n').map(|line| without_parts(line, token)).collect::<Vec<_>>().join("\n");
            }
        }
    }
}

/// What is shorter is no secret, and may stand anywhere.
const TOKEN: usize = 4;

/// A line that was cut within a token, without what there is of it: its begin at the end of the line, or its end alone.
fn without_parts(line: &str, token: &str) -> String {
    // What `shown` puts behind what it cuts.
    let (line, rest) = line.split_at(line.rfind("… (").unwrap_or(line.len()));
    let ends = |at: &usize| token.is_char_boundary(*at);
    let begin = (TOKEN..token.len()).rev().filter(ends).find_map(|at| line.strip_suffix(&token[..at]));
    let is_end = line.len() >= TOKEN && token.ends_with(line);
    let left =
        if is_end { "…".to_owned() } else { begin.map_or(line.to_owned(), |kept| format!("{kept}…")) };
    left + rest
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::{is_readable, without_parts};

    #[test]
    fn a_token_that_was_cut_is_not_told_in_parts() {
        let check = |line, expected| assert_eq!(without_parts(line, "abcdefghij"), expected);
        check(
            "Authorization: Bearer abcdefg… (812 bytes in all)",
            "Authorization: Bearer …… (812 bytes in all)",
        );
        check("Authorization: Bearer abcdef", "Authorization: Bearer …");
        check("ghij", "…");
        check("abc", "abc");
        check("Host: x", "Host: x");
    }

    #[test]
    fn what_not_every_reader_takes_is_no_part_of_a_report() {
        let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(is_readable(&deep(64)));
        assert!(!is_readable(&deep(110)));
        assert!(!is_readable("1e400"));
    }
}
