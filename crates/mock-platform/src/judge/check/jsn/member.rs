//! The members of the object: repeated, strangely named, in another order.

use crate::judge::check::{
    Case, Check, Composer, Count, Evidence, Findings, Fixes, Observability, Payload, Severity, criteria,
};

pub(super) const JSN_020: Check = Check {
    id: "JSN-020",
    title: "the same key twice, with equal and with other values",
    severity: Severity::Should,
    observability: Observability::Effects,
    source: "RFC 8259 §4: names should be unique, or readers disagree",
    why: "One reader takes the first, another the last: the gate and the store then see two different webhooks.",
    fixes: Fixes {
        axum: "A derived struct refuses any repeat, the harmless too: read a map, and refuse only values that differ.",
        express: "`JSON.parse` takes the last: refuse with a reader that reports repeats, or state the rule.",
        flask: "`json.loads(text, object_pairs_hook=check)`, which sees all pairs.",
    },
    stimulus: repeated,
    judge: one_of_the_two,
    ..Check::BASE
};

pub(super) const JSN_021: Check = Check {
    id: "JSN-021",
    title: "keys like __proto__, with NUL, dot or blank, or in another case",
    observability: Observability::Partly,
    source: "RFC 8259 §4: a name is any string; CWE-1321",
    why: "A merge that follows `__proto__` changes every object of the process; a dot or a dollar may be a command to a store; and a reader to which `Status` is `status` lets the wrong one win.",
    fixes: Fixes {
        axum: "Nothing to do: a map of serde_json has no prototype, and its names have a case.",
        express: "Copy the known keys one by one; no `Object.assign`, `lodash.merge` or spread of `req.body` into shared objects.",
        flask: "Copy the known keys one by one; no `setattr` and no `**data`.",
    },
    stimulus: strange_keys,
    judge: nothing_else_changed,
    ..Check::BASE
};

pub(super) const JSN_025: Check = Check {
    id: "JSN-025",
    title: "members in another order",
    observability: Observability::Partly,
    source: "RFC 8259 §4: the order of members means nothing",
    why: "No page promises an order, and another version of the platform's JSON writer has another one.",
    fixes: Fixes::all(
        "Read the whole object before deciding what it is; no regular expressions over the body.",
    ),
    stimulus: other_orders,
    judge: criteria::taken_for_what_it_is,
    ..Check::BASE
};

const EQUAL: &str = "equal values";

fn repeated(composer: &mut Composer) -> Vec<Case> {
    let doubled = |payload: Payload, first: &str| {
        let bytes = [b"{", first.as_bytes(), b",", &payload.bytes[1..]].concat();
        payload.of_bytes(bytes)
    };
    let equal = doubled(composer.cdr(), r#""status":"missed""#);
    let mut cases = vec![Case::new(EQUAL).send(&composer.post(&equal)).expect(&equal, Count::Once)];
    for (name, first) in
        [("another duration", r#""duration":77"#), ("another direction", r#""direction":"outbound""#)]
    {
        let other = doubled(composer.cdr(), first);
        cases.push(Case::new(name).send(&composer.post(&other)).expect(&other, Count::AtMostOnce));
    }
    cases
}

/// To refuse what conflicts is right, and so is any rule by which one of the values is taken, once.
fn one_of_the_two(evidence: &Evidence<'_>) -> Findings {
    let mut findings = criteria::taken_or_refused(evidence);
    for case in evidence.cases.iter().filter(|case| case.case.name == EQUAL) {
        criteria::every_answer(case, &mut findings, "2xx", crate::judge::check::Answer::is_2xx);
    }
    findings
}

fn strange_keys(composer: &mut Composer) -> Vec<Case> {
    let members = [
        ("__proto__", r#""__proto__":{"polluted":true,"status":"answered"}"#),
        ("constructor", r#""constructor":{"prototype":{"polluted":true}}"#),
        ("toString", r#""toString":1,"hasOwnProperty":1,"valueOf":null"#),
        ("a NUL", r#""a\u0000b":1"#),
        ("a dot", r#""a.b":1,".":2"#),
        ("a dollar", r#""$where":"1","$set":{}"#),
        ("a blank", r#"" ":1,"a b":2"#),
        ("no name", r#""":1"#),
        ("Python's own", r#""__class__":{"__init__":1},"self":1"#),
    ];
    let mut cases = Vec::new();
    for (name, member) in members {
        let cdr = composer.cdr();
        let bytes = [b"{", member.as_bytes(), b",", &cdr.bytes[1..]].concat();
        let cdr = cdr.of_bytes(bytes);
        cases.push(Case::new(name).send(&composer.post(&cdr)).expect(&cdr, Count::AtMostOnce));
    }
    let cdr = composer.cdr().replacing(b"\"status\"", b"\"Status\"");
    cases.push(Case::new("Status").send(&composer.post(&cdr)).expect(&cdr, Count::AtMostOnce));
    for (name, member, is_first) in [
        ("Status before status", r#""Status":"answered""#, true),
        ("Status after status", r#""Status":"answered""#, false),
        ("Duration before duration", r#""Duration":77"#, true),
        ("Duration after duration", r#""Duration":77"#, false),
        ("TO after to", r#""TO":1"#, false),
        ("FROM before from", r#""FROM":1"#, true),
        ("FROM after from", r#""FROM":1"#, false),
    ] {
        let cdr = composer.cdr();
        let inside = &cdr.bytes[1..cdr.bytes.len() - 1];
        let both = if is_first { [member.as_bytes(), inside] } else { [inside, member.as_bytes()] };
        let bytes = [b"{".to_vec(), both.join(&b','), b"}".to_vec()].concat();
        let cdr = cdr.of_bytes(bytes);
        cases.push(Case::new(name).send(&composer.post(&cdr)).expect(&cdr, Count::AtMostOnce));
    }
    cases
}

/// Taken or refused; and what was taken is what was sent, not what a strange name made of it.
fn nothing_else_changed(evidence: &Evidence<'_>) -> Findings {
    let mut findings = criteria::taken_or_refused(evidence);
    for case in evidence.cases {
        criteria::uncorrupted(case, &mut findings);
    }
    findings
}

fn other_orders(composer: &mut Composer) -> Vec<Case> {
    let mut cases = Vec::new();
    type Make = fn(&mut Composer) -> Payload;
    let kinds: [(&str, Make); 2] = [("CDR", Composer::cdr), ("live event", Composer::live)];
    for (name, make) in kinds {
        let payload = make(composer);
        let mut members = payload.webhook().map(|webhook| webhook.members()).unwrap_or_default();
        members.reverse();
        let reversed = written(payload, &members);
        let case = Case::new(format!("{name}, reversed")).send(&composer.post(&reversed));
        cases.push(case.expect(&reversed, Count::Once));

        let payload = make(composer);
        let mut members = payload.webhook().map(|webhook| webhook.members()).unwrap_or_default();
        members.sort_by_key(|(key, _)| ["cmiuuid", "status", "type"].iter().position(|known| known == key));
        let last = written(payload, &members);
        let case = Case::new(format!("{name}, what says its kind last")).send(&composer.post(&last));
        cases.push(case.expect(&last, Count::Once));
    }
    cases
}

fn written(payload: Payload, members: &[(String, piopiy_events::Raw)]) -> Payload {
    let members: Vec<String> =
        members.iter().map(|(key, value)| format!("\"{key}\":{}", value.as_json())).collect();
    payload.of_bytes(format!("{{{}}}", members.join(",")))
}
