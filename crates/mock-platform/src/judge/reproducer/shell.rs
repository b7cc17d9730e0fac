//! Text as shells read it, and what the scripts share.

use std::fmt::Write;

use crate::judge::check::CaseFile;

/// What stands for the receiver's host, and for path and query of its URL, in requests that become commands.
pub(super) const HOST: &str = "piopiy-host.invalid";
pub(super) const TARGET: &str = "/piopiy-target";
const SECRET: &str = "{{piopiy:secret.";

/// What a script by TLS may need in its environment.
pub(super) const TRUST: &str = "CACERT, a PEM file that proves the receiver's certificate, or INSECURE=1 for any, where it is not publicly known";

/// Whether a receiver is spoken to by TLS.
pub(super) fn is_https(url: &str) -> bool {
    url.starts_with("https://")
}

/// A text without what would break a line.
pub(super) fn one_line(text: &str) -> String {
    text.chars().map(|char| if char.is_control() { ' ' } else { char }).collect()
}

/// A word, in which host, target and secrets of the failed run are variables.
pub(super) fn word(text: &str) -> String {
    let mut word = format!("'{}'", text.replace('\'', r"'\''"));
    for (stands, variable) in [(HOST, "HOST"), (TARGET, "TARGET")] {
        word = word.replace(stands, &format!("'\"${variable}\"'"));
    }
    while let Some((before, rest)) = word.split_once(SECRET) {
        let (name, after) = rest.split_once("}}").unwrap_or((rest, ""));
        word = format!("{before}'\"${}\"'{after}", variable(name));
    }
    word.strip_prefix("''\"").map(|rest| format!("\"{rest}")).unwrap_or(word)
}

/// The variable with the value of a header line that is left out.
fn variable(header: &str) -> String {
    format!("SECRET_{}", header.to_uppercase().replace(|char: char| !char.is_ascii_alphanumeric(), "_"))
}

/// The first lines of a script: the URL, its parts, the secrets, and fresh ids.
pub(super) fn prelude(file: &CaseFile) -> String {
    let url = if file.target.contains("***") {
        "${URL:?give the URL of the receiver: it has a secret}".to_owned()
    } else {
        format!("${{URL:-{}}}", file.target.replace(['$', '`', '"', '\\', '}'], "_"))
    };
    let mut text = format!(
        "URL=${{1:-{url}}}
rest=${{URL#*://}}
SCHEME=${{URL%%://*}}
HOST=${{rest%%/*}}
HOST=${{HOST##*@}}
case $rest in */*) TARGET=/${{rest#*/}} ;; *) TARGET=/ ;; esac
"
    );
    for name in &file.secrets {
        let variable = variable(name);
        // Writing to a String cannot fail.
        if name == "Authorization" {
            let _ = writeln!(text, "{variable}=${{PIOPIY_MOCK_TOKEN:?the token that the receiver wants}}");
            let _ =
                writeln!(text, "case ${variable} in *' '*) ;; *) {variable}=\"Bearer ${variable}\" ;; esac");
        } else {
            let _ = writeln!(text, "{variable}=${{{variable}:?the value of {name}}}");
        }
    }
    text.push_str(
        "
# An id of the same shape: a digit or letter becomes another one, unless EXACT_IDS is set.
fresh_id() {
    if [ -n \"${EXACT_IDS:-}\" ]; then printf %s \"$1\"; return; fi
    local old=$1 new= char at
    for ((at = 0; at < ${#old}; at++)); do
        char=${old:at:1}
        if [[ ${#old} -eq 36 && ($at -eq 14 || $at -eq 19) ]]; then new+=$char
        elif [[ ${#old} -eq 36 && $char == [0-9a-f] ]]; then printf -v char %x $((RANDOM % 16)); new+=$char
        elif [[ $char == [0-9] ]]; then new+=$((RANDOM % 10))
        elif [[ $char == [a-z] ]]; then char=abcdefghijklmnopqrstuvwxyz; new+=${char:RANDOM % 26:1}
        elif [[ $char == [A-Z] ]]; then char=ABCDEFGHIJKLMNOPQRSTUVWXYZ; new+=${char:RANDOM % 26:1}
        else new+=$char
        fi
    done
    printf %s \"$new\"
}
",
    );
    let mut edits = String::new();
    for (number, id) in file.ids.iter().enumerate().filter(|(_, id)| is_plain(id)) {
        let _ = writeln!(text, "id{number}=$(fresh_id '{id}')");
        let _ = write!(edits, " -e \"s/{id}/$id{number}/g\"");
    }
    if edits.is_empty() {
        edits.push_str(" -e ''");
    }
    let _ = writeln!(text, "with_fresh_ids() {{ LC_ALL=C sed{edits}; }}");
    text
}

/// Whether an id means nothing else to a shell or to sed, and nothing else stands in a body by chance.
pub(super) fn is_plain(id: &str) -> bool {
    id.len() >= 16 && id.chars().all(|char| char.is_ascii_alphanumeric() || char == '-')
}
