//! Numbers that readers round, refuse or take though they are none.

use super::broken::{broken, read_after_all};
use crate::judge::check::value::is_same;
use crate::judge::check::{
    Case, Check, Composer, Count, Evidence, Findings, Fixes, Observability, Severity, criteria,
};

const EXACT: Fixes = Fixes {
    axum: "Keep the field as `Box<RawValue>` or read it as i64, and answer what does not fit with 422.",
    express: "`JSON.parse` makes doubles of all numbers: use `json-bigint`, or refuse where `!Number.isSafeInteger(value)`.",
    flask: "`json.loads(text, parse_float=decimal.Decimal)`; Python's integers are exact.",
};

pub(super) const JSN_016: Check = Check {
    id: "JSN-016",
    title: "numbers that are not JSON, and -0, which is",
    severity: Severity::Should,
    observability: Observability::Partly,
    source: "RFC 8259 §6",
    why: "NaN in a store spreads into every sum; other readers of the same body refuse it.",
    fixes: Fixes {
        axum: "serde_json refuses them.",
        express: "`JSON.parse` refuses them.",
        flask: "`json.loads(text, parse_constant=refuse)` with a function that raises ValueError.",
    },
    stimulus: no_numbers,
    judge: |evidence| {
        let Some((zero, others)) = evidence.cases.split_last() else { return Findings::default() };
        let mut findings = criteria::acknowledged(&of(evidence, std::slice::from_ref(zero)));
        findings.extend_found(criteria::refused_or_quarantined(&of(evidence, others)));
        read_after_all(evidence, &mut findings);
        findings
    },
    ..Check::BASE
};

pub(super) const JSN_017: Check = Check {
    id: "JSN-017",
    title: "integers of more than 53 bits",
    observability: Observability::Effects,
    source: "RFC 8259 §6: beyond 2^53 implementations disagree",
    why: "A rounded phone number is another one. To refuse it is honest; to change it is not.",
    fixes: EXACT,
    stimulus: |composer| {
        let numbers = [
            ("2^53+1", "9007199254740993"),
            ("2^63", "9223372036854775808"),
            ("30 digits", "123456789012345678901234567891"),
        ];
        let to = numbers.into_iter().flat_map(|(name, number)| with_number(composer, name, number));
        let mut cases: Vec<Case> = to.collect();
        let [(name, number), ..] = numbers;
        for key in ["from", "appid"] {
            let cdr = composer.cdr().with(key, number);
            let case = Case::new(format!("{name} as {key}"));
            cases.push(case.send(&composer.post(&cdr)).expect(&cdr, Count::AtMostOnce));
        }
        cases
    },
    judge: |evidence| {
        let mut findings = criteria::refused_or_stored_as_sent(evidence, &["to"]);
        for case in evidence.cases {
            criteria::compare_if_stored(case, &["from", "appid"], &mut findings, |_, sent, stored| {
                is_same(sent, stored)
            });
        }
        findings
    },
    ..Check::BASE
};

pub(super) const JSN_018: Check = Check {
    id: "JSN-018",
    title: "1e400, a number of 1,000 digits, a huge exponent",
    observability: Observability::Effects,
    source: "RFC 8259 §6: an implementation may set limits",
    why: "They become infinite or null without a word, or keep a reader of big numbers busy for hours.",
    fixes: EXACT,
    stimulus: |composer| {
        let long = "7".repeat(1_000);
        let numbers = [
            ("1e400", "1e400"),
            ("-1e400", "-1e400"),
            ("1,000 digits", &long),
            ("an exponent of nine digits", "1e999999999"),
        ];
        numbers.into_iter().flat_map(|(name, number)| with_number(composer, name, number)).collect()
    },
    judge: |evidence| criteria::refused_or_stored_as_sent(evidence, &["to"]),
    ..Check::BASE
};

pub(super) const JSN_019: Check = Check {
    id: "JSN-019",
    title: "12.0 and 1.2e1 for an integer",
    severity: Severity::Should,
    observability: Observability::Partly,
    source: "RFC 8259 §6: JSON has one kind of number",
    why: "Another JSON writer on the platform's side would spell whole numbers so; a strict integer loses the webhook.",
    fixes: Fixes {
        axum: "Read an f64 or `serde_json::Number` and ask whether it is whole; i64 refuses `12.0`.",
        express: "`JSON.parse` reads them alike.",
        flask: "`int(value)` where `value == int(value)`.",
    },
    stimulus: |composer| {
        let numbers =
            [("duration", "12.0"), ("duration", "1.2e1"), ("duration", "12E0"), ("time", "1632317071000.0")];
        let cases = numbers.map(|(key, number)| {
            let cdr = composer.cdr().with(key, number);
            Case::new(format!("{key} {number}")).send(&composer.post(&cdr)).expect(&cdr, Count::Once)
        });
        cases.into()
    },
    judge: |evidence| criteria::stored_as_sent(evidence, &["duration", "time"]),
    ..Check::BASE
};

fn of<'a>(evidence: &Evidence<'a>, cases: &'a [crate::judge::check::CaseEvidence]) -> Evidence<'a> {
    Evidence { cases, terms: evidence.terms }
}

/// The last one is JSON.
fn no_numbers(composer: &mut Composer) -> Vec<Case> {
    let word = composer.cdr().with("duration", "\"~\"").replacing(b"\"~\"", b"nil");
    let mut cases = vec![broken(composer, "nil", &word)];
    for number in ["NaN", "Infinity", "-Infinity", "01", ".5", "1.", "+1", "0x10"] {
        let cdr = composer.cdr().with("duration", "\"~\"").replacing(b"\"~\"", number.as_bytes());
        cases.push(Case::new(number).send(&composer.post(&cdr)).expect(&cdr, Count::Never));
    }
    let cdr = composer.cdr().with("duration", "-0");
    cases.push(Case::new("-0").send(&composer.post(&cdr)).expect(&cdr, Count::Once));
    cases
}

fn with_number(composer: &mut Composer, name: &str, number: &str) -> [Case; 2] {
    composer.both(name, Count::AtMostOnce, |webhook| webhook.with("to", number))
}
