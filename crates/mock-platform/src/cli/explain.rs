use std::fmt::Write as _;
use std::io::Write;

use piopiy_events::Profile;
use piopiy_mock_platform::judge::check::{Check, Sources, all, find};
use piopiy_mock_platform::plan::{Nonce, Seed};

use super::exit::{Exit, Failure};

/// Explain one check: what it sends, why, where that is written, and how to pass it
#[derive(Debug, clap::Args)]
pub(crate) struct ExplainArgs {
    /// Its id, such as DUP-002
    id: String,
    /// The revision of the wire: global, global-2022 or india
    #[arg(long, default_value = "global")]
    profile: Profile,
}

pub(crate) fn run(args: &ExplainArgs) -> Result<Exit, Failure> {
    let Some(check) = find(&args.id) else {
        let closest = all()
            .into_iter()
            .map(|check| (strsim::jaro_winkler(&args.id.to_uppercase(), check.id), check.id));
        let hint = closest
            .filter(|(likeness, _)| *likeness > 0.8)
            .max_by(|one, other| one.0.total_cmp(&other.0))
            .map(|(_, id)| format!(": did you mean {id}?"))
            .unwrap_or_default();
        let error = anyhow::anyhow!("there is no check {:?}{hint}; `piopiy-mock checks` lists them", args.id);
        return Err(Failure::new(Exit::Usage, error));
    };
    let sources = Sources::new(args.profile, Seed(0), Nonce(0), "127.0.0.1:5000", "/webhook/cdr");
    std::io::stdout().lock().write_all(text(check, &sources).as_bytes())?;
    Ok(Exit::Fine)
}

fn text(check: &Check, sources: &Sources) -> String {
    let mut text = format!("{}  {}\n", check.id, check.title);
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "{}; {}; seen by {}\n",
        check.group().title(),
        check.severity,
        match check.observability.as_str() {
            "H" => "its answers",
            "H*" => "its answers, and better by its effects",
            _ => "its effects",
        }
    );
    let needs: Vec<String> = check.needs.iter().map(|need| need.unlock()).collect();
    if !needs.is_empty() {
        let _ = writeln!(text, "Needs: {}", needs.join(", "));
    }
    for need in check.needs {
        if let Some(convention) = need.convention() {
            let _ = writeln!(text, "  {}: {convention}", need.unlock());
        }
    }
    let _ = writeln!(text, "Why: {}\nSource: {}\n\nHow to pass it", check.why, check.source);
    for (name, fix) in
        [("axum", check.fixes.axum), ("Express", check.fixes.express), ("Flask", check.fixes.flask)]
    {
        let _ = writeln!(text, "  {name:<8} {fix}");
    }
    text.push_str("\nStimulus\n");
    let cases = check.describe(sources);
    for (name, stimulus) in &cases {
        let _ = writeln!(text, "--- {}", if name.is_empty() { check.title } else { name });
        text.push_str(stimulus);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_read_of_a_check() {
        let sources = Sources::new(Profile::Global, Seed(0), Nonce(0), "127.0.0.1:5000", "/webhook/cdr");
        insta::assert_snapshot!(text(find("DUP-001").unwrap(), &sources));
    }
}
