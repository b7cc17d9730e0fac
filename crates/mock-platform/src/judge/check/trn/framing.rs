//! How a body is framed, and how it is spread over segments.

use std::time::Duration;

use crate::judge::check::{
    Action, Case, CaseEvidence, Check, Composer, Count, End, Evidence, Findings, Fixes, Framing, Script,
    Transcript, criteria,
};

pub(super) const TRN_008: Check = Check {
    id: "TRN-008",
    title: "a body by Transfer-Encoding: chunked, in one chunk",
    source: "RFC 9112 §7.1",
    why: "Proxies and HTTP libraries change the framing as they like; a body without Content-Length is a body all the same.",
    fixes: Fixes {
        axum: "Read the body with an extractor (`Bytes`, `Json`); do not look at Content-Length.",
        express: "Leave the reading to `express.raw()` or `express.json()`; do not look at Content-Length.",
        flask: "Run it behind gunicorn or waitress, and read `request.get_data()`, not `request.stream` up to `content_length`.",
    },
    stimulus: |composer| {
        let cdr = composer.cdr();
        let request = composer.post(&cdr).framing(Framing::chunked(usize::MAX));
        vec![Case::new("").send(&request).expect(&cdr, Count::Once)]
    },
    judge: criteria::acknowledged,
    ..Check::BASE
};

pub(super) const TRN_009: Check = Check {
    id: "TRN-009",
    title: "chunks of one byte, and sizes in upper-case hex",
    source: "RFC 9112 §7.1: chunk-size = 1*HEXDIG, in either case",
    why: "The size of a chunk says nothing about the document; whoever parses chunk by chunk sees torn JSON.",
    fixes: Fixes {
        axum: "Collect the whole body (`Bytes`) before parsing it.",
        express: "Leave the reading to `express.raw()` or `express.json()`; no parsing in `req.on('data')`.",
        flask: "Run it behind gunicorn or waitress, and parse `request.get_data()`.",
    },
    stimulus: |composer| {
        let sizes = [("of 1 byte", 1), ("of 26 bytes, 1A in hex", 0x1A), ("of 171 bytes, AB in hex", 0xAB)];
        let case = |(name, size)| {
            let cdr = composer.cdr();
            let request = composer.post(&cdr).framing(Framing::chunked(size));
            Case::new(name).send(&request).expect(&cdr, Count::Once)
        };
        sizes.map(case).into()
    },
    judge: criteria::acknowledged,
    ..Check::BASE
};

pub(super) const TRN_010: Check = Check {
    id: "TRN-010",
    title: "a chunk extension, and a trailer",
    source: "RFC 9112 §7.1.1, §7.1.2: what is not known of them is ignored",
    why: "They are rare and legal; the development server of Flask answers 500, and the webhook is sent again in vain.",
    fixes: Fixes {
        axum: "hyper reads both; keep no parser of your own in front of it.",
        express: "Node reads both; keep no parser of your own in front of it.",
        flask: "Do not run the development server where webhooks arrive: gunicorn and waitress read both.",
    },
    stimulus: |composer| {
        let kinds = [
            ("extension", ";check=1", ""),
            ("trailer", "", "X-Check: 1\r\n"),
            ("both", ";a=b", "X-Check: 1\r\n"),
        ];
        let case = |(name, extension, trailer): (&str, _, &'static str)| {
            let cdr = composer.cdr();
            let framing = Framing::Chunked { size: 64, extension, trailer, ends: true };
            let mut request = composer.post(&cdr).framing(framing);
            if !trailer.is_empty() {
                request = request.header("Trailer", "X-Check");
            }
            Case::new(name).send(&request).expect(&cdr, Count::Once)
        };
        kinds.map(case).into()
    },
    judge: taken_or_refused,
    ..Check::BASE
};

pub(super) const TRN_018: Check = Check {
    id: "TRN-018",
    title: "a request split at every byte",
    source: "RFC 9293 §3.8: TCP is a stream of bytes and keeps no borders",
    why: "Segments arrive as the network likes; whoever takes one read for one request loses webhooks under load.",
    fixes: Fixes::all(
        "Let the HTTP server of the framework read the request; never parse what one `recv` returned.",
    ),
    stimulus: split_everywhere,
    judge: |evidence| {
        let mut findings = Findings::default();
        sent_in_time(evidence, &mut findings);
        if !findings.is_empty() {
            return findings;
        }
        criteria::acknowledged_as_sent(evidence)
    },
    ..Check::BASE
};

/// A close is a refusal, too: the platform sends neither, and what it has no answer to it sends again.
fn taken_or_refused(evidence: &Evidence<'_>) -> Findings {
    let mut findings = criteria::effects(evidence);
    let is_closed = |case: &&CaseEvidence| {
        case.transcripts().all(|it| it.answers.is_empty() && it.garbled.is_none() && it.end != End::Open)
    };
    for case in evidence.cases.iter().filter(|case| !is_closed(case)) {
        criteria::every_answer(case, &mut findings, "2xx or 4xx", |answer| {
            answer.is_2xx() || answer.is_4xx()
        });
    }
    findings
}

/// Half of the ten seconds that a receiver gives a head at least: one that waits no longer for a sender as slow as that is
/// right.
const SENT_WITHIN: Duration = Duration::from_secs(5);

fn sent_in_time(evidence: &Evidence<'_>, findings: &mut Findings) {
    for case in evidence.cases {
        if let Some(late) = case.transcripts().find_map(sent_late) {
            let told = format!("this side needed {late:.1?} to send it, with no pause of its own");
            findings.inconclusive(&case.case.name, told);
        }
    }
}

/// How long the sending took, where that may be why there is no answer.
fn sent_late(transcript: &Transcript) -> Option<Duration> {
    let sent = *transcript.sent_at.first()?;
    (transcript.answers.is_empty() && sent > SENT_WITHIN).then_some(sent)
}

/// Connections that are open at the same time.
const SIDE_BY_SIDE: usize = 32;

/// Characters of two, three and four bytes: whoever decodes piece by piece tears them.
const WIDE: &str = "\"Zo\u{e9} \u{20ac} \u{1f4de}\"";

fn split_everywhere(composer: &mut Composer) -> Vec<Case> {
    let cdr = composer.cdr().with("extra_params", WIDE);
    let pieces = Script::default().request_in_pieces(&composer.post(&cdr), 1, Duration::ZERO).answered();
    let every_byte = Case::new("each byte by itself").script(pieces).expect(&cdr, Count::Once);

    let length = composer.post(&cdr).bytes().len();
    let mut in_two = Case::new("in two, at each byte");
    let boundaries: Vec<usize> = (1..length).collect();
    for some in boundaries.chunks(SIDE_BY_SIDE) {
        let mut scripts = Vec::new();
        for &at in some {
            let cdr = composer.cdr().with("extra_params", WIDE);
            let between = Action::Pause(Duration::ZERO);
            scripts.push(Script::default().request_around(&composer.post(&cdr), at, between).answered());
            in_two = in_two.expect(&cdr, Count::Once);
        }
        in_two = in_two.scripts(scripts);
    }
    vec![every_byte, in_two, within_characters(composer)]
}

/// Far enough apart for the receiver to read the first piece before the second is there.
const APART: Duration = Duration::from_millis(100);

fn within_characters(composer: &mut Composer) -> Case {
    let mut case = Case::new("in two, within each character");
    let mut scripts = Vec::new();
    for nth in 0.. {
        let cdr = composer.cdr().with("extra_params", WIDE);
        let request = composer.post(&cdr);
        let bytes = request.bytes();
        let Some(at) = (0..bytes.len()).filter(|at| bytes[*at] & 0xC0 == 0x80).nth(nth) else { break };
        scripts.push(Script::default().request_around(&request, at, Action::Pause(APART)).answered());
        case = case.expect(&cdr, Count::Once);
    }
    case.scripts(scripts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::check::Answer;

    fn check(sent_after_s: u64, answers: usize, expected_s: Option<u64>) {
        let transcript = Transcript {
            sent_at: vec![Duration::from_secs(sent_after_s)],
            answers: vec![Answer::default(); answers],
            ..Transcript::default()
        };
        assert_eq!(sent_late(&transcript), expected_s.map(Duration::from_secs));
    }

    #[test]
    fn a_receiver_that_waits_no_longer_for_a_starved_sender_is_not_at_fault() {
        check(11, 0, Some(11));
        check(11, 1, None);
        check(5, 0, None);
        assert_eq!(sent_late(&Transcript::default()), None);
    }
}
