//! Numbers, phone numbers, booleans and times in other notations.

use piopiy_events::{JsonType, Raw};

use crate::judge::check::value::{is_same, is_same_instant};
use crate::judge::check::{
    Case, Check, Composer, Count, Evidence, Findings, Fixes, Observability, Payload, Severity, criteria,
};

const EITHER: Fixes = Fixes {
    axum: "Read the field as `serde_json::Value` or an untagged enum of number and string, and keep the text.",
    express: "`String(value)` before storing; in a schema `z.union([z.string(), z.number()])`.",
    flask: "`str(value)` before storing; in pydantic `int | str`.",
};
const TIMES: Fixes = Fixes {
    axum: "Keep what came; read it with the unit that the page gives: `time` in milliseconds, the others in seconds.",
    express: "`new Date(start_time * 1000)` and `new Date(time)`: never one rule for both; never by hand where it is a text.",
    flask: "`datetime.fromtimestamp(start_time, UTC)` and `fromtimestamp(time / 1000, UTC)`; catch OverflowError.",
};

const NUMBERS: &[&str] = &[
    "to",
    "from",
    "appid",
    "time",
    "start_time",
    "end_time",
    "answer_time",
    "duration",
    "callerid",
    "call_rate",
    "vn",
];

pub(super) const SCH_005: Check = Check {
    id: "SCH-005",
    title: "each number as a text of digits",
    observability: Observability::Effects,
    source: "piopiy docs: samples and tables disagree about numbers and texts",
    why: "The documentation shows one field as a number on one page and as a text on the next.",
    fixes: EITHER,
    stimulus: quoted,
    judge: |evidence| criteria::stored_as_sent(evidence, NUMBERS),
    ..Check::BASE
};

pub(super) const SCH_006: Check = Check {
    id: "SCH-006",
    title: "each field that the pages show with two types, in both",
    observability: Observability::Effects,
    source: "piopiy docs: call_rate, balance, callerid, from, to in samples and tables",
    why: "The platform's own samples have call_rate as 0 and as \"0.450000\".",
    fixes: EITHER,
    stimulus: |composer| {
        let values = [
            ("call_rate", "0"),
            ("call_rate", "\"0\""),
            ("call_rate", "\"0.450000\""),
            ("call_rate", "0.45"),
            ("balance", "\"899.000000\""),
            ("balance", "899"),
            ("callerid", "4471000000"),
            ("callerid", "\"04471000000\""),
            ("from", "\"440000000001\""),
            ("to", "\"440000000000\""),
            ("duration", "\"0\""),
        ];
        // With a duration, a live event would be none.
        let case = |(key, value)| match key {
            "from" | "to" | "callerid" => of_both(composer, key, value, Count::Once).into(),
            _ => vec![with(composer, key, value, Count::Once)],
        };
        values.into_iter().flat_map(case).collect()
    },
    judge: |evidence| {
        criteria::stored_as_sent(evidence, &["call_rate", "balance", "callerid", "from", "to", "duration"])
    },
    ..Check::BASE
};

pub(super) const SCH_007: Check = Check {
    id: "SCH-007",
    title: "phone numbers as people and SIP write them",
    observability: Observability::Effects,
    source: "piopiy docs: from and to are numbers in some samples, texts in others; ITU-T E.164",
    why: "Without its zero or its plus a number is another one, and nobody can call it back.",
    fixes: EITHER,
    stimulus: |composer| {
        let values = [
            "440000000001",
            "\"440000000001\"",
            "\"+440000000001\"",
            "\"0440000001\"",
            "\" 440000000001\"",
            "999999999999999",
            "\"alice\"",
            "\"sip:alice@example.com\"",
            "\"anonymous\"",
            "\"\"",
        ];
        let others = ["\"+440000000001\"", "\"0440000001\"", "\"sip:alice@example.com\"", "\"\""];
        let of = |key: &'static str, values: &[&'static str]| {
            values.iter().map(|value| (key, *value)).collect::<Vec<_>>()
        };
        let all = [of("from", &values), of("to", &others), of("vn", &others[..2])].concat();
        all.into_iter().flat_map(|(key, value)| of_both(composer, key, value, Count::Once)).collect()
    },
    judge: |evidence| {
        let mut findings = criteria::acknowledged(evidence);
        for case in evidence.cases {
            // White space around a number is none of it.
            let is_fine = |_: &str, sent: &Raw, stored: &Raw| {
                let trimmed = Raw::string(sent.plain().trim());
                is_same(sent, stored) || is_same(&trimmed, stored)
            };
            criteria::compare(case, &["from"], &mut findings, is_fine);
            // Not every form has the others.
            criteria::compare_if_stored(case, &["to", "vn"], &mut findings, is_fine);
        }
        findings
    },
    ..Check::BASE
};

pub(super) const SCH_010: Check = Check {
    id: "SCH-010",
    title: "a boolean as 0, 1, \"true\"",
    severity: Severity::Should,
    observability: Observability::Effects,
    source: "piopiy docs: out and api_init of the older revision",
    why: "They come and go between the revisions; nothing else depends on them.",
    fixes: EITHER,
    stimulus: |composer| {
        let values = ["true", "false", "1", "0", "\"true\"", "\"false\""];
        let cases = BOOLEANS.into_iter().flat_map(|key| values.map(|value| (key, value)));
        cases.map(|(key, value)| with(composer, key, value, Count::Once)).collect()
    },
    // Whether a member that only one revision has is stored at all is the receiver's own affair.
    judge: |evidence| {
        let mut findings = criteria::acknowledged(evidence);
        for case in evidence.cases {
            criteria::compare_if_stored(case, &BOOLEANS, &mut findings, |_, sent, stored| {
                let truth = |text: &str| matches!(text, "true" | "1");
                is_same(sent, stored) || truth(&sent.plain()) == truth(&stored.plain())
            });
        }
        findings
    },
    ..Check::BASE
};

/// Members that only one revision has.
const BOOLEANS: [&str; 2] = ["out", "api_init"];

pub(super) const SCH_011: Check = Check {
    id: "SCH-011",
    title: "durations that are negative, very long, or no whole number",
    severity: Severity::Should,
    observability: Observability::Effects,
    source: "piopiy docs: duration is end_time - answer_time, and one sample has them in the wrong order",
    why: "A negative duration in an unsigned column is 136 years on the bill.",
    fixes: Fixes {
        axum: "Read an i64; no `as u32`. Answer 422 where it makes no sense.",
        express: "Check `Number.isFinite(duration)`; no `>>> 0`, no unsigned column.",
        flask: "A signed column; no `ctypes`, no `% 2**32`.",
    },
    stimulus: |composer| {
        ["-5", "0", "90061", "2147483648", "12.5"]
            .map(|value| with(composer, "duration", value, Count::AtMostOnce))
            .into()
    },
    judge: no_wrap,
    ..Check::BASE
};

pub(super) const SCH_012: Check = Check {
    id: "SCH-012",
    title: "times in seconds, milliseconds, ISO 8601",
    severity: Severity::Should,
    observability: Observability::Effects,
    source: "piopiy docs: time is in milliseconds, start_time, end_time and answer_time are in seconds",
    why: "Milliseconds taken for seconds are the year 53,000: the call never shows in a report.",
    fixes: TIMES,
    stimulus: |composer| {
        let values = [
            ("start_time", "1632317068"),
            ("start_time", "1632317068000"),
            ("start_time", "\"2021-09-22T13:24:28Z\""),
            ("start_time", "\"1632317068\""),
            ("end_time", "1632317073"),
            ("end_time", "\"2021-09-22T13:24:33Z\""),
            ("time", "1632317071000"),
            ("time", "1632317071"),
            ("time", "\"1632317071000\""),
            ("time", "\"2021-09-22T13:24:31Z\""),
        ];
        values.map(|(key, value)| with(composer, key, value, Count::AtMostOnce)).into()
    },
    judge: |evidence| {
        let mut findings = criteria::taken_or_refused(evidence);
        for case in evidence.cases {
            // Others than the one that the case is about may hold what they like.
            let key = ["time", "start_time", "end_time"]
                .into_iter()
                .find(|key| case.case.name.split(' ').next() == Some(key));
            criteria::compare(case, key.as_slice(), &mut findings, |_, sent, stored| {
                is_same(sent, stored) || is_same_instant(sent, stored)
            });
        }
        findings
    },
    ..Check::BASE
};

pub(super) const SCH_013: Check = Check {
    id: "SCH-013",
    title: "times in the future, in 1970, in the wrong order",
    severity: Severity::Should,
    source: "piopiy docs: a missed call's answer_time lies after its end_time",
    why: "Clocks differ, and the platform's own sample is out of order; the webhook is no less real.",
    fixes: Fixes::all(
        "Take the webhook whatever its times say; flag what is odd in the store, not in the answer.",
    ),
    stimulus: |composer| {
        let future = composer.cdr().with("time", "4102444800000").with("start_time", "4102444800");
        let epoch = composer.cdr().with("time", "1000").with("start_time", "1").with("end_time", "2");
        let backwards = composer.cdr().with("start_time", "1632317073").with("end_time", "1632317068");
        [("2100", future), ("1970", epoch), ("the end before the start", backwards)]
            .map(|(name, cdr)| Case::new(name).send(&composer.post(&cdr)).expect(&cdr, Count::Once))
            .into()
    },
    judge: criteria::acknowledged,
    ..Check::BASE
};

fn with(composer: &mut Composer, key: &str, value: &str, count: Count) -> Case {
    let cdr = composer.cdr().with(key, value);
    Case::new(format!("{key} {value}")).send(&composer.post(&cdr)).expect(&cdr, count)
}

/// Of a CDR and of a live event.
fn of_both(composer: &mut Composer, key: &str, value: &str, count: Count) -> [Case; 2] {
    composer.both(format!("{key} {value}"), count, |webhook| webhook.with(key, value))
}

/// Each by itself, and all at once.
fn quoted(composer: &mut Composer) -> Vec<Case> {
    let mut cases = Vec::new();
    type Make = fn(&mut Composer) -> Payload;
    let kinds: [(&str, Make, Count); 2] =
        [("", Composer::cdr, Count::Once), (" of a live event", Composer::live, Count::OnceIfKnown)];
    for (of, make, count) in kinds {
        let members = make(composer).webhook().map(|webhook| webhook.members()).unwrap_or_default();
        let numbers: Vec<String> = members
            .into_iter()
            .filter(|(key, value)| value.json_type() == JsonType::Number && NUMBERS.contains(&key.as_str()))
            .map(|(key, _)| key)
            .collect();
        for keys in numbers.chunks(1).chain([&numbers[..]]) {
            let mut payload = make(composer);
            for key in keys {
                let value = payload.webhook().and_then(|webhook| Some(webhook.text(key)?.into_owned()));
                payload = payload.with(key, &format!("\"{}\"", value.unwrap_or_default()));
            }
            let name = if let [key] = keys { key } else { "all" };
            let case = Case::new(format!("{name}{of}")).send(&composer.post(&payload));
            cases.push(case.expect(&payload, count));
        }
    }
    cases
}

/// What was negative is stored as such, as zero or not at all; what was whole is stored as it was.
fn no_wrap(evidence: &Evidence<'_>) -> Findings {
    let mut findings = criteria::taken_or_refused(evidence);
    for case in evidence.cases {
        criteria::compare(case, &["duration"], &mut findings, |_, sent, stored| {
            let kept = stored.plain();
            is_same(sent, stored)
                || stored.is_null()
                || (sent.as_json().starts_with('-') && (kept == "0" || kept.starts_with('-')))
                || (sent.integer().is_none() && !kept.starts_with('-'))
        });
    }
    findings
}
