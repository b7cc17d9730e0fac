use std::io::Write;

use piopiy_events::{Form, Profile};

use super::exit::{Exit, Failure};

/// List every event: its name, profile, legs, and what supports it
#[derive(Debug, clap::Args)]
pub(crate) struct EventsArgs {
    /// Only those of one profile: global, global-2022 or india
    #[arg(long, value_name = "PROFILE")]
    profile: Option<Profile>,
    /// As one JSON array
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &EventsArgs) -> Result<Exit, Failure> {
    let profiles = args.profile.map_or_else(|| Profile::ALL.to_vec(), |profile| vec![profile]);
    let forms: Vec<&Form> = profiles.into_iter().flat_map(Form::all).collect();
    let document = if args.json { json(&forms)? } else { table(&forms) };
    std::io::stdout().lock().write_all(document.as_bytes())?;
    Ok(Exit::Fine)
}

fn table(forms: &[&Form]) -> String {
    let heading = ["PROFILE", "NAME", "CALL", "LEG", "EVIDENCE", "SOURCE"];
    let rows = forms.iter().map(|form| {
        let legs = form.legs.join(",");
        [form.profile.as_str(), form.name, form.call.as_str(), &legs, form.evidence.as_str(), form.source]
            .map(str::to_owned)
    });
    let rows: Vec<[String; 6]> = std::iter::once(heading.map(str::to_owned)).chain(rows).collect();
    let widths: [usize; 6] =
        std::array::from_fn(|column| rows.iter().map(|row| row[column].len()).max().unwrap_or(0));
    let mut text = String::new();
    for row in &rows {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

fn json(forms: &[&Form]) -> serde_json::Result<String> {
    #[derive(serde::Serialize)]
    struct Event<'a> {
        profile: &'a str,
        name: &'a str,
        kind: &'a str,
        call: &'a str,
        direction: &'a str,
        legs: &'a [&'a str],
        status: &'a str,
        evidence: &'a str,
        source: &'a str,
    }
    let events = forms.iter().map(|form| Event {
        profile: form.profile.as_str(),
        name: form.name,
        kind: form.kind.as_str(),
        call: form.call.as_str(),
        direction: form.direction,
        legs: form.legs,
        status: form.status,
        evidence: form.evidence.as_str(),
        source: form.source,
    });
    let mut text = serde_json::to_string_pretty(&events.collect::<Vec<_>>())?;
    text.push('\n');
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_lists_what_the_profile_has() {
        let forms: Vec<&Form> = Form::all(Profile::Global).iter().collect();
        insta::assert_snapshot!(table(&forms));
    }

    #[test]
    fn the_array_has_an_object_for_each_form() {
        let forms: Vec<&Form> = Form::all(Profile::India).iter().collect();
        let events: serde_json::Value = serde_json::from_str(&json(&forms).unwrap()).unwrap();
        assert_eq!(events.as_array().unwrap().len(), forms.len());
        insta::assert_json_snapshot!(events[0]);
    }
}
