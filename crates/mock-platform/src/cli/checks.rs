use std::io::Write;

use piopiy_mock_platform::judge::check::{Check, all};

use super::exit::{Exit, Failure};

/// List every check: its id, severity, what has to be seen for it, and what it sends
#[derive(Debug, clap::Args)]
pub(crate) struct ChecksArgs {
    /// As one JSON array
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &ChecksArgs) -> Result<Exit, Failure> {
    list(&all(), args.json)
}

/// Lists some of them.
pub(crate) fn list(checks: &[&Check], as_json: bool) -> Result<Exit, Failure> {
    let document = if as_json { json(checks)? } else { table(checks) };
    std::io::stdout().lock().write_all(document.as_bytes())?;
    Ok(Exit::Fine)
}

fn table(checks: &[&Check]) -> String {
    let mut text = format!("{:<8} {:<8} {:<4} {:<20} TITLE\n", "ID", "SEVERITY", "SEEN", "TAGS");
    for check in checks {
        let tags = check.tags.iter().map(|tag| tag.as_str()).collect::<Vec<_>>().join(",");
        text.push_str(&format!(
            "{:<8} {:<8} {:<4} {tags:<20} {}\n",
            check.id, check.severity, check.observability, check.title
        ));
    }
    text
}

fn json(checks: &[&Check]) -> serde_json::Result<String> {
    let told = checks.iter().map(|check| {
        serde_json::json!({
            "id": check.id,
            "title": check.title,
            "group": check.group(),
            "severity": check.severity,
            "observability": check.observability,
            "tags": check.tags,
            "needs": check.needs.iter().map(|need| need.unlock()).collect::<Vec<_>>(),
            "source": check.source,
            "why": check.why,
            "fixes": {
                "axum": check.fixes.axum,
                "express": check.fixes.express,
                "flask": check.fixes.flask,
            },
        })
    });
    let mut text = serde_json::to_string_pretty(&told.collect::<Vec<_>>())?;
    text.push('\n');
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_check_is_listed() {
        let checks = all();
        assert_eq!(table(&checks).lines().count(), checks.len() + 1);
        let told: serde_json::Value = serde_json::from_str(&json(&checks).unwrap()).unwrap();
        assert_eq!(told.as_array().unwrap().len(), checks.len());
        assert_eq!(told[0]["id"], "TRN-001");
        assert_eq!(told[0]["severity"], "must");
    }
}
