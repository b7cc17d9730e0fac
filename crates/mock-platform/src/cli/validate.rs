use std::io::{Read as _, Write as _};
use std::path::PathBuf;

use anyhow::Context as _;
use piopiy_events::{ParseError, Profile, Validation, Webhook};
use piopiy_mock_platform::{deliver, plan};
use serde_json::{Value, json};

use super::exit::{Exit, Failure, OrExit};

/// Say whether a payload is a PIOPIY webhook, which one, and where it deviates from the documented form
///
/// Exit code 0 where it does not deviate, 1 where it does or is no webhook.
#[derive(Debug, clap::Args)]
pub(crate) struct ValidateArgs {
    /// A file with one payload; - is standard input
    #[arg(value_name = "FILE|-")]
    file: PathBuf,
    /// The profile to compare it with; without, the one that fits best
    #[arg(long, value_name = "PROFILE")]
    profile: Option<Profile>,
    /// Print the payload back from the typed value; the report then goes to standard error
    #[arg(long)]
    echo: bool,
    /// How to report
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Format {
    Text,
    Json,
}

pub(crate) fn run(args: &ValidateArgs) -> Result<Exit, Failure> {
    let name = args.file.display().to_string();
    let mut body = Vec::new();
    if name == "-" {
        std::io::stdin()
            .lock()
            .read_to_end(&mut body)
            .context("cannot read standard input")
            .or_exit(Exit::Environment)?;
    } else {
        body =
            std::fs::read(&args.file).with_context(|| format!("cannot read {name}")).or_exit(Exit::Usage)?;
    }
    let judged = Judged::new(&body, args.profile);
    let report = match args.format {
        Format::Text => judged.text(&name, &body),
        Format::Json => format!("{:#}\n", judged.json(&name, &body)),
    };
    if args.echo {
        std::io::stderr().lock().write_all(report.as_bytes())?;
        if let Judged::Read { webhook, .. } = &judged {
            writeln!(std::io::stdout().lock(), "{}", webhook.to_json())?;
        }
    } else {
        std::io::stdout().lock().write_all(report.as_bytes())?;
    }
    Ok(if judged.is_clean() { Exit::Fine } else { Exit::Failed })
}

/// What there is to say about a payload.
enum Judged {
    /// It is no JSON object.
    Unreadable(ParseError),
    /// It is a file of this project that holds payloads.
    Holds { schema: String },
    /// It is a JSON object, compared with the profile that fits best.
    Read { webhook: Webhook, profile: Profile, validation: Validation },
}

impl Judged {
    fn new(body: &[u8], profile: Option<Profile>) -> Self {
        if let Some(schema) = schema_of(body) {
            return Self::Holds { schema };
        }
        let webhook = match Webhook::parse(body) {
            Ok(webhook) => webhook,
            Err(error) => return Self::Unreadable(error),
        };
        let profiles = profile.map_or_else(|| Profile::ALL.to_vec(), |profile| vec![profile]);
        let judged = profiles.into_iter().map(|profile| (profile, webhook.validate(profile)));
        // The profile of the default comes first, and wins where several fit as well.
        let best =
            judged.min_by_key(|(_, validation)| (validation.form.is_none(), validation.findings.len()));
        let (profile, validation) =
            best.unwrap_or_else(|| (Profile::default(), webhook.validate(Profile::default())));
        Self::Read { webhook, profile, validation }
    }

    fn is_clean(&self) -> bool {
        matches!(self, Self::Read { validation, .. } if validation.form.is_some() && validation.findings.is_empty())
    }

    fn text(&self, name: &str, body: &[u8]) -> String {
        match self {
            Self::Unreadable(error) => {
                let (line, column) = place(body, error.offset());
                let pointer = if error.pointer().is_empty() { "the payload" } else { error.pointer() };
                let (kind, offset) = (error.kind(), error.offset());
                format!("{name}:{line}:{column}: not a webhook: {kind}, at {pointer}, byte {offset}\n")
            }
            Self::Holds { schema } => format!(
                "{name}: not a webhook, but a {schema} file, which holds many: take one line's `body` \
                 (or deliver them all with `piopiy-mock replay {name}`)\n"
            ),
            Self::Read { profile, validation, .. } => text_of(name, *profile, validation),
        }
    }

    fn json(&self, name: &str, body: &[u8]) -> Value {
        let valid = self.is_clean();
        match self {
            Self::Unreadable(error) => {
                let (line, column) = place(body, error.offset());
                json!({"file": name, "valid": valid, "webhook": false, "error": {
                    "message": error.kind().to_string(), "pointer": error.pointer(), "byte": error.offset(),
                    "line": line, "column": column,
                }})
            }
            Self::Holds { schema } => json!({"file": name, "valid": valid, "webhook": false, "error": {
                "message": format!("a {schema} file, which holds many webhooks"), "pointer": "", "byte": 0,
                "line": 1, "column": 1,
            }}),
            Self::Read { webhook, profile, validation } => {
                let form = validation.form;
                let findings = validation.findings.iter().map(|finding| {
                    json!({"pointer": finding.pointer, "message": finding.message, "source": finding.source})
                });
                json!({
                    "file": name,
                    "valid": valid,
                    "webhook": webhook.kind().is_some(),
                    "kind": webhook.kind().map(|kind| kind.as_str()),
                    "profile": profile.as_str(),
                    "name": form.map(|form| form.name),
                    "evidence": form.map(|form| form.evidence.as_str()),
                    "source": form.map(|form| form.source),
                    "identity": webhook.identity().map(|identity| identity.key()),
                    "findings": findings.collect::<Vec<_>>(),
                })
            }
        }
    }
}

fn text_of(name: &str, profile: Profile, validation: &Validation) -> String {
    let mut text = match validation.form {
        Some(form) => format!(
            "{name}: {} of {profile} ({}), {}: {}\n",
            form.name,
            form.kind,
            form.evidence,
            form.source.strip_prefix("guess: ").unwrap_or(form.source)
        ),
        None => format!("{name}: no webhook that {profile} documents\n"),
    };
    let count = validation.findings.len();
    let verdict = match count {
        0 => "as documented\n".to_owned(),
        1 => "1 deviation\n".to_owned(),
        _ => format!("{count} deviations\n"),
    };
    text.push_str(&verdict);
    for finding in &validation.findings {
        text.push_str(&format!("  {finding}\n"));
    }
    text
}

/// The schema that the first line of a plan or a ledger names.
fn schema_of(body: &[u8]) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct FirstLine {
        schema: String,
    }
    let line = body.split(|&byte| byte == b'\n').next()?;
    let first: FirstLine = serde_json::from_slice(line).ok()?;
    [plan::file::SCHEMA, deliver::ledger::SCHEMA].contains(&&*first.schema).then_some(first.schema)
}

/// Line and column (in bytes), both from 1.
fn place(body: &[u8], offset: usize) -> (usize, usize) {
    let before = &body[..offset.min(body.len())];
    let line = before.iter().filter(|&&byte| byte == b'\n').count() + 1;
    let column = before.iter().rev().take_while(|&&byte| byte != b'\n').count() + 1;
    (line, column)
}

#[cfg(test)]
mod tests {
    use super::*;
    use piopiy_mock_platform::plan::{SingleOptions, golden, set, single};

    fn check(name: &str, profile: Profile, changes: &[&str]) -> String {
        let mut body = single(name, profile, &SingleOptions::default()).unwrap().body;
        for change in changes {
            body = set(&body, change).unwrap();
        }
        Judged::new(&body, None).text("x.json", &body)
    }

    #[test]
    fn reports_are_for_people() {
        let broken = b"{\n  \"leg\": \"a\",\n  \"leg\": \"b\"\n}";
        let reports = [
            check("cdr.inbound.missed", Profile::Global2022, &[]),
            check("live.in_answered", Profile::Global, &["from=\"447700900123\"", "mood=\"good\""]),
            check("live.answered", Profile::India, &["status=parked"]),
            Judged::new(b"{\"a\":1}", None).text("x.json", b"{\"a\":1}"),
            Judged::new(broken, None).text("x.json", broken),
            Judged::new(b"", None).text("x.json", b""),
        ];
        insta::assert_snapshot!(reports.join("\n"));
    }

    #[test]
    fn every_payload_of_a_plan_is_taken_for_what_it_is() {
        for profile in Profile::ALL {
            for name in ["cdr.inbound.missed", "cdr.outbound.answered"] {
                let webhook = single(name, profile, &SingleOptions::default()).unwrap();
                let judged = Judged::new(&webhook.body, None);
                assert!(judged.is_clean());
                let report = judged.json("x.json", &webhook.body);
                assert_eq!((&report["profile"], &report["name"]), (&json!(profile.as_str()), &json!(name)));
            }
        }
    }

    #[test]
    fn a_plan_is_told_from_a_payload() {
        let (_, plan) = golden().unwrap().swap_remove(0);
        let judged = Judged::new(plan.as_bytes(), None);
        assert!(!judged.is_clean());
        let told = judged.text("p.jsonl", plan.as_bytes());
        assert!(told.starts_with("p.jsonl: not a webhook, but a piopiy-mock.plan/v1 file"), "{told}");
        let summary = br#"{"schema":"piopiy-mock.summary/v1"}"#;
        let told = Judged::new(summary, None).text("s.json", summary);
        assert!(!told.contains("replay"), "only what can be delivered: {told}");
    }
}
