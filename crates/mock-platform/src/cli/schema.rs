use std::io::Write;

use anyhow::anyhow;
use piopiy_mock_platform::{deliver, judge, load, plan, platform};

use super::exit::{Exit, Failure};

/// Print a JSON Schema; without a name, list the names
#[derive(Debug, clap::Args)]
pub(crate) struct SchemaArgs {
    /// Such as `global/cdr.inbound.missed`, `pcmo`, `plan`, `ledger`, `check`, `load`, `check-lines`; `openapi` is the OpenAPI
    /// document of the webhooks, `rest-openapi` that of the REST APIs
    #[arg(value_name = "NAME")]
    name: Option<String>,
}

pub(crate) fn run(args: &SchemaArgs) -> Result<Exit, Failure> {
    let schemas = schemas();
    let Some(wanted) = &args.name else {
        let names: Vec<&str> = schemas.iter().map(|(name, _)| &**name).collect();
        writeln!(std::io::stdout().lock(), "{}", names.join("\n"))?;
        return Ok(Exit::Fine);
    };
    let wanted = wanted.strip_suffix(".json").unwrap_or(wanted);
    let Some((_, schema)) = schemas.iter().find(|(name, _)| name == wanted) else {
        let error = anyhow!("no schema is called {wanted:?}; `piopiy-mock schema` lists them");
        return Err(Failure::new(Exit::Usage, error));
    };
    std::io::stdout().lock().write_all(schema.as_bytes())?;
    Ok(Exit::Fine)
}

/// Names and documents, sorted.
fn schemas() -> Vec<(String, String)> {
    let of_events = piopiy_events::schema::files().into_iter();
    let mut schemas: Vec<_> = of_events
        .map(|(path, document)| (path.strip_suffix(".json").unwrap_or(&path).to_owned(), document))
        .collect();
    for (name, document) in [
        ("check", judge::report::schema()),
        ("check-lines", judge::report::lines_schema()),
        ("ledger", deliver::ledger::schema()),
        ("load", load::schema()),
        ("plan", plan::file::schema()),
        ("rest-openapi", platform::rest_openapi()),
    ] {
        schemas.push((name.to_owned(), format!("{document:#}\n")));
    }
    schemas.sort();
    schemas
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemas_are_those_that_the_repository_has() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../schemas");
        for (name, document) in schemas() {
            let file = std::fs::read_to_string(format!("{folder}/{name}.json")).unwrap();
            let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
            assert_eq!(read(&document), read(&file), "{name}");
        }
    }
}
