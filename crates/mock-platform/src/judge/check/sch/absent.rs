//! Members that are absent, of another kind, or very long.

use crate::judge::check::{
    Answer, Case, Check, Composer, Count, Discrepancy, DiscrepancyKind, Evidence, Findings, Fixes,
    Observability, Severity, criteria,
};

pub(super) const SCH_008: Check = Check {
    id: "SCH-008",
    title: "an optional member absent, null and empty",
    severity: Severity::Should,
    observability: Observability::Effects,
    source: "piopiy docs: no page says which fields are optional; samples leave some out",
    why: "An answer_time of 0 for a call that nobody answered is an answered call in 1970.",
    fixes: Fixes {
        axum: "`Option<T>` with `#[serde(default)]`; no `unwrap_or_default()` before storing.",
        express: "`value ?? null`; no `Number(value)`, which makes 0 of null and of \"\".",
        flask: "`data.get(key)`; no `int(data.get(key) or 0)`.",
    },
    stimulus: optional,
    judge: never_zero,
    ..Check::BASE
};

pub(super) const SCH_009: Check = Check {
    id: "SCH-009",
    title: "a required member absent, one at a time",
    severity: Severity::Should,
    observability: Observability::Partly,
    source: "piopiy docs: every webhook has cmiuuid and status",
    why: "A KeyError is a 500, and the platform repeats it; and an answer that does not say which field helps nobody.",
    fixes: Fixes {
        axum: "A struct with the required fields; `JsonRejection`'s text names the missing one: answer 422 with it.",
        express: "`for (const key of ['cmiuuid', 'status']) if (!req.body[key]) return res.status(422).send(`${key} is missing`)`.",
        flask: "`for key in ('cmiuuid', 'status'): if key not in data: return f'{key} is missing', 422`.",
    },
    stimulus: required,
    judge: refused_by_name,
    ..Check::BASE
};

pub(super) const SCH_014: Check = Check {
    id: "SCH-014",
    title: "an object, an array or nothing where a text or number is expected",
    source: "RFC 8259 §3; RFC 9110 §15.5.21",
    why: "`data['from'].strip()` on an object is a 500, which the platform repeats for half an hour.",
    fixes: Fixes {
        axum: "`Json<T>` answers 422 by itself; no `as_str().unwrap()` on a `Value`.",
        express: "Check `typeof` before calling a method of a string or number.",
        flask: "Check `isinstance` before calling a method of str or int; answer TypeError with 422.",
    },
    stimulus: |composer| {
        let mut cases = Vec::new();
        for (key, value) in [
            ("from", "{}"),
            ("from", "[1]"),
            ("duration", "{\"seconds\":1}"),
            ("time", "[]"),
            ("extra_params", "[]"),
            ("leg", "{}"),
            ("status", "[]"),
            ("direction", "{}"),
            ("to", "[]"),
            ("balance", "{}"),
            ("conversation_uuid", "{}"),
            ("start_time", "{}"),
            ("appid", "[]"),
            ("direction", "null"),
            ("balance", "null"),
            ("balance", "\"\""),
            ("conversation_uuid", "null"),
        ] {
            let cdr = composer.cdr().with(key, value);
            let case = Case::new(format!("{key} {value}"));
            cases.push(case.send(&composer.post(&cdr)).expect(&cdr, Count::AtMostOnce));
        }
        cases
    },
    judge: criteria::taken_or_refused,
    ..Check::BASE
};

pub(super) const SCH_015: Check = Check {
    id: "SCH-015",
    title: "a text of 64 KB in extra_params",
    severity: Severity::Should,
    observability: Observability::Effects,
    source: "piopiy docs: extra_params is a text of the caller's own, and no page gives a limit",
    why: "A column of 255 characters cuts it without a word, and the JSON in it is none any more.",
    fixes: Fixes::all(
        "A column without a length (`TEXT`), or 413 and 422 for what is too long; the store in strict mode, so that it never cuts.",
    ),
    stimulus: |composer| {
        let long = format!("\"{}\"", "x".repeat(64 * 1024));
        composer.both("64 KB", Count::AtMostOnce, |webhook| webhook.with("extra_params", &long)).into()
    },
    judge: |evidence| criteria::refused_or_stored_as_sent(evidence, &["extra_params"]),
    ..Check::BASE
};

const OPTIONAL: [&str; 5] = ["answer_time", "callerid", "extra_params", "call_rate", "vn"];

fn optional(composer: &mut Composer) -> Vec<Case> {
    let mut cases = Vec::new();
    for key in OPTIONAL {
        for (name, value) in [("absent", None), ("null", Some("null")), ("empty", Some("\"\""))] {
            let cdr = composer.cdr().without(key);
            let cdr = match value {
                Some(value) => cdr.with(key, value),
                None => cdr,
            };
            let case = Case::new(format!("{key} {name}"));
            cases.push(case.send(&composer.post(&cdr)).expect(&cdr, Count::Once));
        }
    }
    cases
}

fn never_zero(evidence: &Evidence<'_>) -> Findings {
    let mut findings = criteria::acknowledged(evidence);
    for case in evidence.cases {
        for expected in &case.case.expected {
            for effect in case.effects_of(expected).unwrap_or_default() {
                let Some(stored) = effect.stored() else {
                    findings.not_observed(&case.case.name, "its effect has no `fields`");
                    continue;
                };
                let about = OPTIONAL.into_iter().find(|key| case.case.name.starts_with(key));
                if let Some(key) =
                    about.filter(|key| stored.get(key).is_some_and(|value| value.integer() == Some(0)))
                {
                    let webhook = criteria::name_of(&expected.payload);
                    let discrepancy = Discrepancy::new(DiscrepancyKind::Corrupted, webhook);
                    let discrepancy = discrepancy.at(format!("/{key}"), "", "0");
                    findings.differs(&case.case.name, discrepancy, &format!("{key} is stored as 0"));
                }
                let made_up = stored.get("answer_time").filter(|time| {
                    about == Some("answer_time") && time.integer().is_some_and(|time| time != 0)
                });
                if let Some(time) = made_up {
                    let webhook = criteria::name_of(&expected.payload);
                    let discrepancy = Discrepancy::new(DiscrepancyKind::Corrupted, webhook);
                    let discrepancy = discrepancy.at("/answer_time", "", time.as_json());
                    let text = format!("answer_time is stored as {}, and there was none", time.as_json());
                    findings.differs(&case.case.name, discrepancy, &text);
                }
                // What a program writes for nothing is a text like any other to the next one.
                let word = about.and_then(|key| Some((key, stored.get(key)?.text()?)));
                if let Some((key, word)) = word.filter(|(_, word)| is_none(word)) {
                    findings
                        .fail(&case.case.name, format!("corrupted: {key} is stored as the text {word:?}"));
                }
            }
        }
    }
    findings
}

/// Without these a webhook is none; the first ones of the cases.
const NEEDED: [&str; 2] = ["cmiuuid", "status"];

fn required(composer: &mut Composer) -> Vec<Case> {
    let mut cases = Vec::new();
    for key in NEEDED {
        let cdr = composer.cdr().without(key);
        // What has no id cannot be told from another; one without a status may be kept as what it is.
        let count = if key == "cmiuuid" { Count::Never } else { Count::AtMostOnce };
        cases.push(Case::new(key).send(&composer.post(&cdr)).expect(&cdr, count).anonymous());
    }
    for key in ["leg", "direction", "from", "to", "time", "appid", "duration", "conversation_uuid"] {
        let cdr = composer.cdr().without(key);
        cases.push(Case::new(key).send(&composer.post(&cdr)).expect(&cdr, Count::AtMostOnce));
    }
    cases
}

/// How programs write that there is nothing.
fn is_none(text: &str) -> bool {
    ["null", "none", "undefined", "nil"].iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// Which of the others are required is the receiver's own affair: it may take a webhook without them.
fn refused_by_name(evidence: &Evidence<'_>) -> Findings {
    let (needed, others) = evidence.cases.split_at(NEEDED.len().min(evidence.cases.len()));
    let mut findings = criteria::taken_or_refused(&Evidence { cases: others, terms: evidence.terms });
    findings
        .extend_found(criteria::refused_or_quarantined(&Evidence { cases: needed, terms: evidence.terms }));
    for case in needed.iter().filter(|case| case.case.name == "status") {
        let effects = case.case.expected.iter().flat_map(|own| case.effects_of(own).unwrap_or_default());
        let guessed = effects.filter(|effect| !effect.quarantined).filter_map(|it| it.status.as_deref());
        if let Some(status) = guessed.into_iter().find(|status| !status.trim().is_empty() && !is_none(status))
        {
            findings.fail("status", format!("there was none, and it is stored as {status}"));
        }
    }
    for case in evidence.cases {
        let key = &case.case.name;
        let answers = case.transcripts().flat_map(|transcript| &transcript.answers);
        for answer in answers.filter(|answer| Answer::is_4xx(answer)) {
            if !String::from_utf8_lossy(&answer.body).contains(key.as_str()) {
                findings.warn(key, format!("the {} answer does not name it", answer.status));
            }
        }
    }
    findings
}
