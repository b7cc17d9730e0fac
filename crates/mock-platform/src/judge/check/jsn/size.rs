//! Depth, number and length.

use std::fmt::Write;
use std::time::Duration;

use crate::judge::check::{
    Answer, Case, CaseEvidence, Check, Composer, Count, Evidence, Findings, Fixes, Severity, Tag, criteria,
};

const LIMITS: Fixes = Fixes {
    axum: "`DefaultBodyLimit::max(1 << 20)`: what is over it is answered by 413 before it is read.",
    express: "`limit: '1mb'` of `express.raw()` or `express.json()`: what is over it is answered by 413 before it is read.",
    flask: "`app.config['MAX_CONTENT_LENGTH'] = 1 << 20`: what is over it is answered by 413.",
};

pub(super) const JSN_022: Check = Check {
    id: "JSN-022",
    title: "arrays within arrays, 64 to 100,000 deep",
    tags: &[Tag::Destructive],
    source: "RFC 8259 §9: an implementation may set limits on the depth of nesting",
    why: "A reader that calls itself for each level runs out of stack: a 500, or the end of the process.",
    fixes: Fixes {
        axum: "serde_json stops at 128 levels; leave its limit on (no `unbounded_depth`), and answer its error by 400.",
        express: "`JSON.parse` reads it; catch the RangeError of whatever walks over it later, `JSON.stringify` too, and answer 400.",
        flask: "Catch RecursionError around `request.get_json()`, and answer 400.",
    },
    stimulus: nested,
    judge: |evidence| {
        let mut findings = criteria::taken_or_refused(evidence);
        for case in evidence.cases.iter().filter(|case| case.case.name == "64") {
            criteria::every_answer(case, &mut findings, "2xx", Answer::is_2xx);
        }
        findings
    },
    ..Check::BASE
};

pub(super) const JSN_023: Check = Check {
    id: "JSN-023",
    title: "10,000 keys, a string of 1 MB, 1 MB of escapes",
    severity: Severity::Should,
    tags: &[Tag::Latency],
    source: "RFC 8259 §9; CWE-407",
    why: "Where twice the size takes four times as long, one large body stops all others.",
    fixes: LIMITS,
    stimulus: large,
    judge: linear,
    ..Check::BASE
};

pub(super) const JSN_024: Check = Check {
    id: "JSN-024",
    title: "keys whose hashes collide",
    severity: Severity::May,
    tags: &[Tag::Latency],
    source: "CWE-407; the hash functions of Java's String and of PHP are no secret",
    why: "A hash table whose keys all fall into one place takes the square of their number.",
    fixes: LIMITS,
    stimulus: colliding,
    judge: as_fast_as_random,
    ..Check::BASE
};

fn nested(composer: &mut Composer) -> Vec<Case> {
    let mut cases = Vec::new();
    for levels in [64_usize, 128, 1_000, 5_000, 100_000] {
        let inner = levels - 1;
        let value = format!("{}{}", "[".repeat(inner), "]".repeat(inner));
        let cdr = composer.cdr().with("something_new", "\"~\"").replacing(b"\"~\"", value.as_bytes());
        let count = if levels == 64 { Count::Once } else { Count::AtMostOnce };
        cases.push(Case::new(levels.to_string()).send(&composer.post(&cdr)).expect(&cdr, count));
    }
    cases
}

/// Less than this is fast, whatever it is a multiple of.
const FLOOR: Duration = Duration::from_millis(300);

/// How often each pair is sent: the quicker answer counts, for collectors of garbage come when they like.
const ROUNDS: usize = 2;

/// Cases of pairs of members, by their names.
fn pairs(composer: &mut Composer, pairs: Vec<[(String, String); 2]>) -> Vec<Case> {
    let mut cases = Vec::new();
    for pair in pairs {
        for round in 0..ROUNDS {
            for (name, member) in &pair {
                let cdr = composer.cdr();
                let bytes = [b"{", member.as_bytes(), b",", &cdr.bytes[1..]].concat();
                let cdr = cdr.of_bytes(bytes);
                let name = if round == 0 { name.clone() } else { format!("{name}, again") };
                cases.push(Case::new(name).send(&composer.post(&cdr)).expect(&cdr, Count::AtMostOnce));
            }
        }
    }
    cases
}

/// The second of each pair is twice as large.
fn large(composer: &mut Composer) -> Vec<Case> {
    let keys = [10_000, 20_000].map(|keys| {
        let members: Vec<String> = (0..keys).map(|n| format!("\"key_{n}\":{n}")).collect();
        (format!("{keys} keys"), members.join(","))
    });
    let string = [500_000, 1_000_000].map(|bytes| {
        (format!("a string of {bytes} bytes"), format!("\"something_new\":\"{}\"", "x".repeat(bytes)))
    });
    let escapes = [500_000, 1_000_000].map(|bytes| {
        let text = r"\u0041".repeat(bytes / 6);
        (format!("{bytes} bytes of escapes"), format!("\"something_new\":\"{text}\""))
    });
    pairs(composer, vec![keys, string, escapes])
}

fn linear(evidence: &Evidence<'_>) -> Findings {
    let mut findings = criteria::taken_or_refused(evidence);
    compare(evidence, &mut findings, "half of it");
    findings
}

/// Finds the second of each pair where it took more than three times as long as the first.
fn compare(evidence: &Evidence<'_>, findings: &mut Findings, first: &str) {
    let took = |case: &CaseEvidence| {
        let transcript = case.transcripts().next()?;
        transcript.answer(0).filter(|answer| answer.is_2xx())?;
        transcript.latency(0)
    };
    for rounds in evidence.cases.chunks_exact(2 * ROUNDS) {
        let quickest = |n: usize| {
            let all =
                rounds.iter().skip(n).step_by(2).filter_map(|case| Some((took(case)?, &case.case.name)));
            all.min()
        };
        let (Some((base, _)), Some((other, name))) = (quickest(0), quickest(1)) else { continue };
        if other > 3 * base && other > FLOOR {
            findings.late(name, format!("took {other:.1?}; {first} took {base:.1?}"));
        }
    }
}

/// In pairs, as many keys of the same lengths, by chance and colliding.
fn colliding(composer: &mut Composer) -> Vec<Case> {
    let presets = [("Java", ["Aa", "BB"]), ("PHP", ["Ez", "FY"])];
    let presets = presets.map(|(language, pair)| {
        [false, true].map(|is_colliding| {
            let mut member = String::new();
            for n in 0..4_096_u32 {
                member.push_str(if n == 0 { "\"" } else { ",\"" });
                for bit in 0..12 {
                    if is_colliding {
                        member.push_str(pair[usize::from(n >> bit & 1 == 1)]);
                    } else {
                        // Writing to a String cannot fail.
                        let _ =
                            write!(member, "{:02x}", n.wrapping_mul(0x9e37_79b9).rotate_left(bit * 5) & 0xff);
                    }
                }
                if !is_colliding {
                    let _ = write!(member, "{n:04x}");
                }
                member.push_str("\":0");
            }
            (format!("{language}, {}", if is_colliding { "colliding" } else { "by chance" }), member)
        })
    });
    pairs(composer, presets.into())
}

fn as_fast_as_random(evidence: &Evidence<'_>) -> Findings {
    let mut findings = criteria::taken_or_refused(evidence);
    compare(evidence, &mut findings, "as many keys by chance");
    findings
}
