use super::shell::{is_https, one_line};
use crate::deliver::{Target, TargetError};
use crate::judge::check::CaseFile;

/// What is the same for every check.
const TEMPLATE: &str = include_str!("test.template");

/// Where the receiver's certificate is not publicly known.
const TRUST: &str = "    let trust = match var(\"CACERT\") {
        Ok(path) => Trust::certificates(&std::fs::read(path)?)?,
        Err(_) if var(\"INSECURE\").is_ok() => Trust::anyone(),
        Err(_) => Trust::default(),
    };
";

/// Where webhooks are signed.
const KEY: &str = "    options.signing_key = Some(SigningKey::parse(&var(\"SIGNING_KEY\")?)?);\n";

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
        ("#TRUST#", if is_https(&file.target) { TRUST } else { "" }),
        (
            "#TRUSTING#",
            if is_https(&file.target) { ".map(|target| target.trusting(trust.clone()))" } else { "" },
        ),
        ("#USE_TRUST#", if is_https(&file.target) { "{Target, Trust}" } else { "Target" }),
        ("#ALLOWED#", &allowed([url, observe])),
        ("#KEY#", if file.is_signed { KEY } else { "" }),
        ("#USE_KEY#", if file.is_signed { "SigningKey, " } else { "" }),
        ("#HEADERS#", &headers.collect::<String>()),
    ] {
        source = source.replace(place, text);
    }
    source
}

/// The hosts that the failed run was allowed to speak to, as a list; on this machine none has to be allowed.
fn allowed(urls: [&str; 2]) -> String {
    let is_beyond = |url: &&str| matches!(Target::parse(url, &[]), Err(TargetError::NotAllowed { .. }));
    let hosts = urls.into_iter().filter(is_beyond).filter_map(|url| {
        let authority = url.split_once("://")?.1.split(['/', '?', '#']).next()?;
        Some(format!("{:?}.to_owned()", authority.rsplit_once('@').map_or(authority, |(_, host)| host)))
    });
    format!("[{}]", hosts.collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_on_this_machine_is_allowed_by_name() {
        assert_eq!(allowed(["http://127.0.0.1:5000/x", ""]), "[]");
        let urls = ["https://app.example/x", "https://***@app.example:8443/y"];
        assert_eq!(allowed(urls), r#"["app.example".to_owned(), "app.example:8443".to_owned()]"#);
    }
}
