//! Fields whose type, unit or meaning is not what one would think.

use crate::judge::check::{
    Case, Check, Composer, Count, Evidence, Findings, Fixes, Observability, Payload, criteria,
};

pub(super) const PIO_002: Check = Check {
    id: "PIO-002",
    title: "call_rate and balance as numbers and as texts",
    observability: Observability::Effects,
    source: "piopiy docs: inbound missed shows call_rate 0, inbound answered \"0.450000\"; the table says string",
    why: "A strict type refuses one of them; a binary fraction changes what was paid.",
    fixes: Fixes {
        axum: "An untagged enum of `String` and `serde_json::Number`, and `rust_decimal` for sums.",
        express: "`String(value)`, and a decimal column; no `parseFloat`.",
        flask: "`decimal.Decimal(str(value))`.",
    },
    stimulus: |composer| {
        let values = [
            ("call_rate", "0"),
            ("call_rate", "\"0.450000\""),
            ("call_rate", "0.45"),
            ("balance", "\"899.000000\""),
            ("balance", "899.000001"),
            ("call_rate", "\"0.123456\""),
            ("balance", "\"-12.345678\""),
        ];
        values.map(|(key, value)| with(composer, key, value)).into()
    },
    judge: |evidence| criteria::stored_as_sent(evidence, &["call_rate", "balance"]),
    ..Check::BASE
};

pub(super) const PIO_003: Check = Check {
    id: "PIO-003",
    title: "appid and app_id",
    source: "piopiy docs: the samples say appid, the tables of the older revisions app_id",
    why: "Nobody outside can know which of them comes tomorrow.",
    fixes: Fixes {
        axum: "`#[serde(alias = \"app_id\")] appid: Option<…>`.",
        express: "`const appid = req.body.appid ?? req.body.app_id`.",
        flask: "`appid = data.get('appid', data.get('app_id'))`.",
    },
    stimulus: |composer| {
        let appid = composer.cdr();
        let app_id = composer.cdr().replacing(b"\"appid\"", b"\"app_id\"");
        let neither = composer.cdr().without("appid").with("app_id", "2222222");
        let neither = composer.of_own_app(neither);
        [("appid", appid), ("app_id", app_id), ("app_id at the end", neither)]
            .map(|(name, cdr)| Case::new(name).send(&composer.post(&cdr)).expect(&cdr, Count::Once))
            .into()
    },
    judge: criteria::acknowledged,
    ..Check::BASE
};

pub(super) const PIO_005: Check = Check {
    id: "PIO-005",
    title: "extra_params absent, as JSON, as other text, as an object",
    observability: Observability::Effects,
    source: "piopiy docs: live-in-answered shows {key: value}, other pages JSON and single quotes",
    why: "It is a text that need not be JSON: `JSON.parse` of it throws, and the webhook is lost.",
    fixes: Fixes {
        axum: "Keep it as `Option<serde_json::Value>`; try `from_str` on a text later, and keep the text where it fails.",
        express: "Keep it as it is; `try { JSON.parse(text) } catch {}` later, and keep the text where it fails.",
        flask: "Keep it as it is; `json.loads` later, within `try`, and keep the text where it fails.",
    },
    stimulus: |composer| {
        let absent = composer.cdr().without("extra_params");
        let mut cases = vec![Case::new("absent").send(&composer.post(&absent)).expect(&absent, Count::Once)];
        for value in [
            r#""{\"key\":\"value\"}""#,
            r#""{ 'Name': 'Akil', 'ID':8915726 }""#,
            r#""{key: value}""#,
            r#""{k=v}""#,
            r#"{"key":"value"}"#,
            r#""  blanks around it  ""#,
            r#""Tom & Jerry's <b>10%</b> C:\\new + \"quotes\"""#,
            r#""a &lt;b&gt; &amp;amp; %41%20 +1\r\nanother line\n""#,
            r#"{"a":{"b":[1,{"c":true}]},"n":2}"#,
            r#""""#,
        ] {
            let other = |webhook: Payload| webhook.with("extra_params", value);
            cases.extend(composer.both(format!("extra_params {value}"), Count::Once, other));
        }
        cases
    },
    judge: |evidence| criteria::stored_as_sent(evidence, &["extra_params"]),
    ..Check::BASE
};

pub(super) const PIO_006: Check = Check {
    id: "PIO-006",
    title: "a missed call with an answer_time, even after its end",
    observability: Observability::Effects,
    source: "piopiy docs: inbound-webhooks-missed, answer_time 1632318515 with end_time 1632317073",
    why: "Who tells answered calls by their answer_time counts the platform's own missed call as answered.",
    fixes: Fixes::all("Tell answered from missed by `status` alone; keep answer_time as it came."),
    stimulus: |composer| {
        let cdr = |composer: &mut Composer| {
            composer.cdr().with("start_time", "1632317068").with("end_time", "1632317073")
        };
        let after = cdr(composer).with("answer_time", "1632318515");
        let within = cdr(composer).with("answer_time", "1632317070");
        [("after the end", after), ("within the call", within)]
            .map(|(name, cdr)| Case::new(name).send(&composer.post(&cdr)).expect(&cdr, Count::Once))
            .into()
    },
    judge: status_wins,
    ..Check::BASE
};

pub(super) const PIO_007: Check = Check {
    id: "PIO-007",
    title: "time in milliseconds beside start_time in seconds",
    observability: Observability::Effects,
    source: "piopiy docs: inbound-webhooks-missed, time 1632317071000 with start_time 1632317068",
    why: "One rule for both puts the start into January 1970, or the webhook into the year 53,000.",
    fixes: Fixes {
        axum: "`time` with `DateTime::from_timestamp_millis`, the others with `from_timestamp`.",
        express: "`new Date(time)`, but `new Date(start_time * 1000)`.",
        flask: "`fromtimestamp(time / 1000, UTC)`, but `fromtimestamp(start_time, UTC)`.",
    },
    stimulus: |composer| {
        let case = |(name, time)| {
            let cdr = composer.cdr().with("time", time).with("start_time", "1632317068");
            let cdr = cdr.with("end_time", "1632317073");
            Case::new(name).send(&composer.post(&cdr)).expect(&cdr, Count::Once)
        };
        [("as documented", "1632317071000"), ("a time within a second", "1632317071123")].map(case).into()
    },
    judge: |evidence| {
        let mut findings = criteria::stored_as_sent(evidence, &["time", "start_time", "end_time"]);
        for case in evidence.cases {
            criteria::cut_to_seconds(case, "time", &mut findings);
        }
        findings
    },
    ..Check::BASE
};

pub(super) const PIO_009: Check = Check {
    id: "PIO-009",
    title: "a conversation_uuid that is the cmiuuid, and one that is not",
    observability: Observability::Effects,
    source: "piopiy docs: equal on inbound calls, but for the inbound answered sample, where it is a version 1 UUID",
    why: "A receiver that takes one for the other loses calls, or joins those of others.",
    fixes: Fixes::all(
        "Keep both, as texts without a pattern; take cmiuuid for the leg, conversation_uuid for the call.",
    ),
    stimulus: |composer| {
        let id = |cdr: &Payload| format!("\"{}\"", cdr.cmiuuid);
        let equal = composer.cdr();
        let own = id(&equal);
        let equal = equal.with("conversation_uuid", &own);
        let another = id(&composer.cdr());
        let other = composer.cdr().with("conversation_uuid", &another);
        let long = another.replace('-', "");
        let long = format!("\"{}AbCdEfGhIjK\"", long.trim_matches('"'));
        let no_uuid = composer.cdr().with("conversation_uuid", &long);
        let event = |composer: &mut Composer, of: &Payload| {
            let event = composer.live().with("leg", "\"a\"");
            event.with("conversation_uuid", &id(of))
        };
        let event_equal = composer.live();
        let own = id(&event_equal);
        let event_equal = event_equal.with("conversation_uuid", &own);
        let event_other = event(composer, &other);
        [
            ("equal", equal),
            ("another", other),
            ("43 letters and digits", no_uuid),
            ("equal, of a live event", event_equal),
            ("another, of a live event", event_other),
        ]
        .map(|(name, it)| Case::new(name).send(&composer.post(&it)).expect_call([&it]))
        .into()
    },
    judge: criteria::acknowledged_as_sent,
    ..Check::BASE
};

fn with(composer: &mut Composer, key: &str, value: &str) -> Case {
    let cdr = composer.cdr().with(key, value);
    Case::new(format!("{key} {value}")).send(&composer.post(&cdr)).expect(&cdr, Count::Once)
}

fn status_wins(evidence: &Evidence<'_>) -> Findings {
    let mut findings = criteria::acknowledged(evidence);
    for case in evidence.cases {
        for expected in &case.case.expected {
            for effect in
                case.effects_of(expected).unwrap_or_default().iter().filter(|effect| !effect.quarantined)
            {
                if let Some(status) = effect.status.as_deref().filter(|status| *status != "missed") {
                    let name = criteria::name_of(&expected.payload);
                    criteria::another_text(
                        &case.case.name,
                        &name,
                        "status",
                        ("missed", status),
                        &mut findings,
                    );
                }
                if effect.state.as_deref() == Some("ended_answered") {
                    findings.fail(&case.case.name, "the call counts as answered (state ended_answered)");
                }
            }
        }
    }
    findings
}
