use super::shell::one_line;
use crate::judge::check::CaseFile;

/// A test of a receiver's own suite: red now, green once the failure is put right.
pub(super) fn source(file: &CaseFile) -> String {
    let name: String = format!("{} {}", file.check, file.title)
        .to_lowercase()
        .split(|char: char| !char.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .take(10)
        .collect::<Vec<_>>()
        .join("_");
    let url = if file.target.contains("***") { "http://127.0.0.1:5000/webhook/cdr" } else { &file.target };
    let observe = match &file.observe {
        Some(url) if file.observation == "observe-url" && !url.contains("***") => url.as_str(),
        _ => "",
    };
    let headers = file.secrets.iter().map(|name| {
        let variable = match name.as_str() {
            "Authorization" => "RECEIVER_AUTHORIZATION".to_owned(),
            name => format!("SECRET_{}", name.to_uppercase().replace('-', "_")),
        };
        format!("    options.headers.push(({name:?}.to_owned(), std::env::var({variable:?})?));\n")
    });
    format!(
        r#"//! {check} {title}: fails until the receiver is put right.
//!
//! Put this file and `case.json` side by side below `tests/`. `Cargo.toml`:
//! ```toml
//! [dev-dependencies]
//! piopiy-mock-platform = "{version}"
//! tokio = {{ version = "1", features = ["macros", "rt-multi-thread"] }}
//! ```
//! `RECEIVER_URL` and `OBSERVE_URL` say where the receiver is, if it is not where it was.

use piopiy_mock_platform::deliver::Target;
use piopiy_mock_platform::deliver::check_run::{{CheckOptions, Observation, replay_case}};
use piopiy_mock_platform::judge::check::{{CaseFile, Verdict}};

#[tokio::test(flavor = "multi_thread")]
async fn {name}() -> Result<(), Box<dyn std::error::Error>> {{
    let url = std::env::var("RECEIVER_URL").unwrap_or_else(|_| {url:?}.to_owned());
    let observe = std::env::var("OBSERVE_URL").unwrap_or_else(|_| {observe:?}.to_owned());
    let file = CaseFile::parse("case.json", include_str!("case.json"))?;
    let mut options = CheckOptions::of(&file);
{headers}    if !observe.is_empty() {{
        options.observation = Some(Observation::Url(Target::parse(&observe, &[])?));
    }}
    let report = replay_case(&Target::parse(&url, &[])?, &file, &options, &(), std::future::pending()).await?;
    let outcome = &report.checks[0].outcome;
    assert_eq!(outcome.verdict, Verdict::Pass, "{{}}", outcome.detail);
    Ok(())
}}
"#,
        check = file.check,
        title = one_line(&file.title),
        version = file.suite,
        headers = headers.collect::<String>(),
    )
}
