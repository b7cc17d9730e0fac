use super::shell::one_line;
use crate::judge::check::CaseFile;

/// What is the same for every check.
const TEMPLATE: &str = include_str!("test.template");

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
        format!("    options.headers.push(({name:?}.to_owned(), var({variable:?})?));\n")
    });
    let mut source = TEMPLATE.to_owned();
    for (place, text) in [
        ("#CHECK#", file.check.as_str()),
        ("#TITLE#", &one_line(&file.title)),
        ("#VERSION#", &file.suite),
        ("#NAME#", &name),
        ("#URL#", &format!("{url:?}")),
        ("#OBSERVE#", &format!("{observe:?}")),
        ("#HEADERS#", &headers.collect::<String>()),
    ] {
        source = source.replace(place, text);
    }
    source
}
