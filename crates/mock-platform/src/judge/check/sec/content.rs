//! What a body can do, and what an answer can give away.

use super::super::{
    Answer, Case, CaseEvidence, Check, Composer, Count, Evidence, Findings, Fixes, Observability, Payload,
    Severity, criteria, oracles,
};

pub(super) const ERROR_PAGES: Check = Check {
    id: "SEC-011",
    title: "what an error page gives away",
    source: "CWE-209; Werkzeug documentation: never run the debugger in production",
    why: "A stack trace names files, versions and secrets; the Werkzeug debugger runs code for whoever sees it.",
    fixes: Fixes {
        axum: "Answer errors with a fixed text; keep `{error:?}` for the log.",
        express: "`NODE_ENV=production`, or an error handler `(err, req, res, next) => res.sendStatus(err.status ?? 500)`.",
        flask: "Never `app.run(debug=True)` where anybody else can connect.",
    },
    stimulus: |composer| {
        let deep =
            format!("{{\"cmiuuid\":\"{{cmiuuid}}\",\"x\":{}{}}}", "[".repeat(5_000), "]".repeat(5_000));
        let bodies: [(&str, &[u8]); 5] = [
            ("no JSON", b"{\"cmiuuid\": 'x',}"),
            ("null", b"null"),
            ("no UTF-8", b"{\"cmiuuid\":\"\xff\xfe\"}"),
            ("objects for texts", b"{\"cmiuuid\":{},\"from\":{},\"to\":[],\"status\":{}}"),
            ("5,000 arrays in one another", deep.as_bytes()),
        ];
        let cases = bodies.map(|(name, body)| {
            let payload = composer.raw(body);
            Case::new(name).send(&composer.post(&payload)).may_overload()
        });
        cases.into()
    },
    judge: |evidence| {
        each_answer(evidence, |answer| {
            oracles::leak_in(answer).map(|leak| format!("the {} answer has {leak:?} in it", answer.status))
        })
    },
    ..Check::BASE
};

/// How a line begins that a field writes where it may not.
const FORGED: &str = "forged-";

pub(super) const INJECTIONS: Check = Check {
    id: "SEC-012",
    title: "CRLF, ANSI escapes, %n, ${jndi:…}, templates and SQL in fields",
    severity: Severity::Should,
    observability: Observability::Partly,
    source: "CWE-74, CWE-117",
    why: "A caller chooses their name; whoever pastes it into a query, a template or a log line lets them write there.",
    fixes: Fixes::all("Bind values (`WHERE cmiuuid = ?`), never paste them; log them as JSON or escaped."),
    stimulus: |composer| {
        let mark = format!("{FORGED}{:016x}", composer.key() ^ composer.sources.nonce.0);
        let forged = format!(r#""x\r\n{mark}: 1""#);
        let values = [
            ("CRLF", forged.as_str()),
            ("an ANSI escape", r#""\u001b[2J\u001b]0;x\u0007""#),
            ("format directives", r#""%n%s%x{0}{}""#),
            ("a JNDI lookup", r#""${jndi:ldap://127.0.0.1:9/x}""#),
            ("templates", r#""{{7*7}}<%= 7*7 %>${7*7}#{7*7}""#),
            ("SQL", r#""x'; SELECT pg_sleep(5); --""#),
            ("a NoSQL operator", r#""{\"$where\":\"sleep(5000)\"}""#),
            ("a shell", r#""$(sleep 5)`sleep 5`; sleep 5 |""#),
        ];
        let cases = values.map(|(name, value)| {
            let cdr = composer.cdr().with("name", value).with("extra_params", value);
            let case = Case::new(name).send(&composer.post(&cdr)).expect(&cdr, Count::Once);
            if name == "CRLF" { case.marking_the_log(&mark) } else { case }
        });
        let elsewhere = ["status", "from", "conversation_uuid"].map(|key| {
            let cdr = composer.cdr().with(key, &forged);
            let case = Case::new(format!("CRLF in {key}")).send(&composer.post(&cdr));
            case.expect(&cdr, Count::AtMostOnce).marking_the_log(&mark)
        });
        let quoted = ["cmiuuid", "status", "from", "conversation_uuid", "leg", "request_id"];
        let quoted = quoted.into_iter().flat_map(|key| {
            let value = |payload: &Payload| match key {
                // By which its effects are found.
                "cmiuuid" => format!("{}'s", payload.cmiuuid),
                _ => "it's \\\"quoted\\\"; --".to_owned(),
            };
            composer.both(format!("a quote in {key}"), Count::AtMostOnce, |payload| {
                let value = value(&payload);
                if key == "cmiuuid" {
                    payload.with_cmiuuid(&value)
                } else {
                    payload.with(key, &format!("\"{value}\""))
                }
            })
        });
        let quoted: Vec<Case> = quoted.collect();
        cases.into_iter().chain(elsewhere).chain(quoted).collect()
    },
    judge: |evidence| {
        let mut findings = criteria::effects(evidence);
        for case in evidence.cases {
            let answers = case.transcripts().flat_map(|transcript| &transcript.answers);
            if answers.flat_map(|answer| &answer.headers).any(|(name, _)| name.starts_with(FORGED)) {
                findings.fail(&case.case.name, "its field wrote a header of its own into the answer");
            }
            let mark = case.case.log_mark.as_deref().unwrap_or_default();
            if case.log.iter().any(|line| line.starts_with(mark)) {
                findings.fail(&case.case.name, "its field wrote a line of its own into the receiver's log");
            }
        }
        let limit = evidence.terms.canary_limit();
        for case in evidence.cases {
            if let Some(took) = case.transcripts().filter_map(|it| it.latency(0)).find(|took| *took > limit) {
                findings.late(&case.case.name, format!("took {took:.1?}, limit {limit:.1?}"));
            }
        }
        findings
    },
    ..Check::BASE
};

const SPOOFED: &str = "spoofed.example";

pub(super) const SPOOFED_HOST: Check = Check {
    id: "SEC-013",
    title: "another Host, and X-Forwarded-* of another",
    severity: Severity::Should,
    source: "CWE-644; RFC 9110 §7.2",
    why: "What is copied from there into a link, a redirect or a cache leads people to whoever sent it.",
    fixes: Fixes::all("Build links from configuration; trust X-Forwarded-* only from your own proxy."),
    stimulus: |composer| {
        let cdr = composer.cdr();
        let host = composer.post(&cdr).set_header("Host", SPOOFED);
        let cdr = composer.cdr();
        let forwarded = composer
            .post(&cdr)
            .header("X-Forwarded-Host", SPOOFED)
            .header("X-Forwarded-Proto", "https")
            .header("X-Forwarded-For", "203.0.113.7")
            .header("Forwarded", &format!("host={SPOOFED};proto=https"));
        vec![Case::new("Host").send(&host), Case::new("X-Forwarded-*").send(&forwarded)]
    },
    judge: |evidence| {
        each_answer(evidence, |answer| {
            holds(answer, SPOOFED).then(|| format!("the {} answer repeats {SPOOFED}", answer.status))
        })
    },
    ..Check::BASE
};

const ORIGIN: &str = "https://elsewhere.example";

pub(super) const CROSS_ORIGIN: Check = Check {
    id: "SEC-014",
    title: "a web page of another origin posts",
    severity: Severity::Should,
    source: "Fetch standard §3.2: CORS protocol",
    why: "Webhooks come from servers. A page that may read the answers with a visitor's credentials is inside the door.",
    fixes: Fixes::all("Use no CORS middleware on the webhook's path; it needs none."),
    stimulus: |composer| {
        let cdr = composer.cdr();
        let simple = composer.post(&cdr).set_header("Content-Type", "text/plain").header("Origin", ORIGIN);
        let cdr = composer.cdr();
        let preflight = composer.post(&cdr).method("OPTIONS").bodyless().header("Origin", ORIGIN);
        let preflight = preflight
            .header("Access-Control-Request-Method", "POST")
            .header("Access-Control-Request-Headers", "content-type");
        vec![Case::new("text/plain").send(&simple), Case::new("preflight").send(&preflight).may_overload()]
    },
    judge: |evidence| {
        each_answer(evidence, |answer| {
            let origin = answer.header("Access-Control-Allow-Origin")?;
            let credentials = answer.header("Access-Control-Allow-Credentials")?;
            let admits =
                (origin == b"*" || origin == ORIGIN.as_bytes()) && credentials.eq_ignore_ascii_case(b"true");
            admits.then(|| format!("lets {ORIGIN} read the {} answer with credentials", answer.status))
        })
    },
    ..Check::BASE
};

pub(super) const PERSONAL_DATA: Check = Check {
    id: "SEC-022",
    title: "phone numbers in the answer",
    severity: Severity::Should,
    source: "CWE-200; GDPR art. 5 (1) c",
    why: "The platform and every proxy log answers; a number that was sent once is then kept by three.",
    fixes: Fixes::all("Answer with a fixed text; never send the body back."),
    stimulus: |composer| {
        let fine = numbered(composer);
        let broken = numbered(composer).without("cmiuuid").without("status");
        let event = composer.live().with("from", NUMBERS[0]).with("to", NUMBERS[1]);
        let repeat = numbered(composer);
        let request = composer.post(&repeat);
        vec![
            Case::new("a webhook").send(&composer.post(&fine)),
            Case::new("a live event").send(&composer.post(&event)),
            Case::new("without what it needs").send(&composer.post(&broken)),
            Case::new("a repeat").send(&request).send(&request),
        ]
    },
    judge: |evidence| {
        each_answer(evidence, |answer| {
            let number = NUMBERS.into_iter().find(|number| holds(answer, number))?;
            Some(format!("the {} answer has the number ending in {} in it", answer.status, &number[8..]))
        })
    },
    ..Check::BASE
};

/// Numbers that nobody has (ITU-T E.164: country code 999 is reserved), and that stand in no answer by chance.
const NUMBERS: [&str; 2] = ["99955501234", "99955509876"];

fn numbered(composer: &mut Composer) -> Payload {
    composer.cdr().with("from", NUMBERS[0]).with("to", NUMBERS[1])
}

/// Whether a text stands in a header or the body.
pub(super) fn holds(answer: &Answer, text: &str) -> bool {
    let is_in = |bytes: &[u8]| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    is_in(&answer.body) || answer.headers.iter().any(|(_, value)| is_in(value))
}

/// Fails for every answer of which something is to be said.
pub(super) fn each_answer(evidence: &Evidence<'_>, fault: impl Fn(&Answer) -> Option<String>) -> Findings {
    let mut findings = Findings::default();
    for case in evidence.cases {
        for said in case.transcripts().flat_map(|transcript| &transcript.answers).filter_map(&fault) {
            findings.fail(&case.case.name, said);
        }
    }
    findings
}

/// A 5xx, for cases where 501 is a right answer and the standing oracle does not look.
pub(super) fn no_5xx_but_not_implemented(case: &CaseEvidence, findings: &mut Findings) {
    for answer in case.transcripts().flat_map(|transcript| &transcript.answers) {
        if answer.is_5xx() && !matches!(answer.status, 501 | 505) {
            findings.fail(&case.case.name, format!("answered {}", answer.status));
        }
    }
}
