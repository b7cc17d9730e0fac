use std::fmt::Write;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Saw;
use super::plain::{Plain, Stage, stages};
use super::shell::{HOST, TARGET, TRUST, is_https, is_plain, one_line, prelude, word};
use crate::judge::check::{Case, CaseFile};

/// A line longer than this is not read by anybody.
const LONGEST_LINE: usize = 4_000;

/// A script of curl commands, or of comments that say why there are none.
pub(super) fn script(file: &CaseFile) -> String {
    let told: Vec<_> = file.cases.iter().map(|case| stages(file, case)).collect();
    let mut text = format!("#!/bin/bash\n# {} {}, with curl.\n", file.check, one_line(&file.title));
    if told.iter().all(Result::is_err) {
        for (case, told) in file.cases.iter().zip(&told) {
            if let Err(reason) = told {
                let _ = writeln!(text, "# curl cannot do it{}: {reason}.", named(case));
            }
        }
        text.push_str("echo 'curl cannot do this; see raw.sh' >&2\nexit 2\n");
        return text;
    }
    text.push_str(
        "#
# Usage: bash curl.sh [URL]
# Needs: bash, curl, sed. Ids are fresh in each run; EXACT_IDS=1 sends the very ids. OBSERVE_URL shows the effects.
# curl writes header lines in an order of its own, and programs that start together are not quite side by side: raw.sh
# sends the very bytes. Ends with 1 for REPRODUCED, 0 for NOT REPRODUCED, 2 where curl alone cannot tell.
set -u
",
    );
    text.push_str(&prelude(file));
    if is_https(&file.target) {
        let _ = writeln!(
            text,
            "# {TRUST}.\ncurl() {{ command curl ${{CACERT:+--cacert \"$CACERT\"}} ${{INSECURE:+-k}} \"$@\"; }}"
        );
    }
    text.push_str(&observing(file));
    for ((case, saw), told) in file.cases.iter().zip(&file.saw).zip(told) {
        match told {
            Ok(stages) => case_lines(&mut text, file, case, saw, &stages),
            Err(reason) => {
                let _ = writeln!(text, "\n# curl cannot do this one{}: {reason}.", named(case));
            }
        }
    }
    text.push_str(
        "
if [ $again -gt 0 ]; then echo \"REPRODUCED: $again\"; exit 1; fi
if [ $unsure -gt 0 ]; then echo 'CANNOT TELL from this alone: see README.md and raw.sh'; exit 2; fi
echo 'NOT REPRODUCED'
",
    );
    text
}

/// All of it in one line, with the very ids.
pub(super) fn line(file: &CaseFile) -> Option<String> {
    let [case] = file.cases.as_slice() else {
        let first = file.cases.first()?;
        // Of several cases the first fails too, unless they are compared.
        return (file.saw.len() == file.cases.len()).then(|| line_of(file, first)).flatten();
    };
    line_of(file, case)
}

fn line_of(file: &CaseFile, case: &Case) -> Option<String> {
    let (url, mut commands) = (file.target.as_str(), Vec::new());
    if url.contains("***") {
        return None;
    }
    let (scheme, rest) = url.split_once("://")?;
    let host = rest.split(['/', '?']).next()?;
    let target = rest.strip_prefix(host)?;
    for stage in stages(file, case).ok()? {
        match stage {
            Stage::Pause(pause) => commands.push(format!("sleep {};", pause.as_secs_f64())),
            Stage::Glance => {}
            Stage::Requests(requests) => {
                let is_alone = requests.len() == 1;
                for request in requests {
                    let body = match &request.body {
                        None => String::new(),
                        Some(body) => format!(" --data-raw {}", quoted(std::str::from_utf8(body).ok()?)),
                    };
                    let own = options(&request)
                        .replace("'\"$HOST\"'", host)
                        .replace("\"$HOST\"'", &format!("'{host}"));
                    let target = request.target.replace(TARGET, if target.is_empty() { "/" } else { target });
                    let end = if is_alone { ";" } else { " &" };
                    commands.push(format!(
                        "curl -sS -i {own}{body} {}{end}",
                        quoted(&format!("{scheme}://{host}{target}"))
                    ));
                }
                if !is_alone {
                    commands.push("wait;".to_owned());
                }
            }
        }
    }
    let line = commands.join(" ");
    let line = line.trim_end_matches(';').to_owned();
    // Nobody could copy what cannot be seen.
    (!line.is_empty() && line.len() <= LONGEST_LINE && !line.contains(char::is_control)).then_some(line)
}

pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

fn named(case: &Case) -> String {
    if case.name.is_empty() { String::new() } else { format!(" ({})", one_line(&case.name)) }
}

/// What looks at the effects, and keeps the count.
fn observing(file: &CaseFile) -> String {
    let url = match &file.observe {
        Some(url) if file.observation == "observe-url" && !url.contains("***") => {
            url.replace(['$', '`', '"', '\\', '}'], "_")
        }
        _ => String::new(),
    };
    format!(
        "OBSERVE_URL=${{OBSERVE_URL:-{url}}}
work=$(mktemp -d) || exit 2
trap 'rm -rf \"$work\"' EXIT
again=0 unsure=0
# Statuses of what was sent, sorted; and how many effects an id has, by their numbers, that were not kept aside.
statuses() {{ cat \"$work\"/status-* 2>/dev/null | sort | tr '\\n' ' '; rm -f \"$work\"/status-*; }}
observed() {{ curl -sS \"$OBSERVE_URL\"; echo; }}
numbers() {{ sed -n 's/.*\"seq\": *\\([0-9][0-9]*\\).*/\\1/p' | sort -u | wc -l; }}
: > \"$work/glimpsed\"
effects() {{ {{ cat \"$work/glimpsed\"; observed; }} | grep -F \"\\\"$1\\\"\" | grep -Ev '\"quarantined\": *true' | numbers; }}
"
    )
}

fn case_lines(text: &mut String, file: &CaseFile, case: &Case, saw: &Saw, stages: &[Stage]) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "\necho {}", quoted(&format!("case {:?}", case.name)));
    let mut number = 0;
    for stage in stages {
        match stage {
            Stage::Pause(pause) => drop(writeln!(text, "sleep {}", pause.as_secs_f64())),
            // An effect that another one takes the place of later was one all the same.
            Stage::Glance => text.push_str("[ -z \"$OBSERVE_URL\" ] || observed >> \"$work/glimpsed\"\n"),
            Stage::Requests(requests) => {
                for request in requests {
                    number += 1;
                    let end = if requests.len() > 1 { " &" } else { "" };
                    let _ = writeln!(text, "{{ {}}}{end}", command(request, number));
                }
                if requests.len() > 1 {
                    text.push_str("wait\n");
                }
            }
        }
    }
    // Client programs tell an answer by its status alone.
    let outcomes = saw.steps.iter().flatten().map(|connection| {
        let last = connection.outcome.rsplit(' ').next().unwrap_or_default();
        if last.len() == 3 && last.bytes().all(|byte| byte.is_ascii_digit()) {
            last.to_owned()
        } else {
            "000".to_owned()
        }
    });
    let mut outcomes: Vec<String> = outcomes.collect();
    outcomes.sort();
    let was: String = outcomes.iter().map(|status| format!("{status} ")).collect();
    let _ = writeln!(text, "now=$(statuses); was={}", quoted(&was));
    text.push_str("echo \"  answers: $now\"; echo \"    failed run: $was\"\n");
    let matters = saw.matters;
    if matters.late {
        // 000: there was none within the limit.
        text.push_str("case $now in *000*) again=$((again + 1)) ;; *) unsure=$((unsure + 1)) ;; esac\n");
        return;
    }
    let tells_answers = matters.answers && !matters.headers && !matters.bodies;
    let tells_effects = matters.effects && !matters.contents && saw.effects.is_some();
    if tells_answers {
        let beside = stages.iter().any(|stage| matches!(stage, Stage::Requests(all) if all.len() > 1));
        // Programs that start together are not side by side for sure.
        let otherwise = if beside { " || unsure=$((unsure + 1))" } else { "" };
        let _ = writeln!(text, "[ \"$now\" = \"$was\" ] && again=$((again + 1)){otherwise}");
    } else if tells_effects {
        text.push_str(
            "if [ -z \"$OBSERVE_URL\" ]; then unsure=$((unsure + 1)); else\n    sleep 1; wrong=0\n",
        );
        effect_lines(text, file, saw);
        let beside = stages.iter().any(|stage| matches!(stage, Stage::Requests(all) if all.len() > 1));
        let otherwise = if beside { " || unsure=$((unsure + 1))" } else { "" };
        let _ = writeln!(text, "    [ $wrong -gt 0 ] && again=$((again + 1)){otherwise}\nfi");
    } else {
        text.push_str("unsure=$((unsure + 1))\n");
    }
}

fn effect_lines(text: &mut String, file: &CaseFile, saw: &Saw) {
    let mut tells = false;
    for (mark, effects) in saw.effects.iter().flatten() {
        let number = mark.strip_prefix("{{piopiy:id.").and_then(|rest| rest.strip_suffix("}}"));
        let number = number.and_then(|number| number.parse::<usize>().ok());
        let Some(number) = number.filter(|number| file.ids.get(*number).is_some_and(|id| is_plain(id)))
        else {
            continue;
        };
        let (least, most) = saw.expected.get(mark).copied().unwrap_or_default();
        let was = effects.len();
        let test = if was > most {
            format!("-gt {most}")
        } else if was < least {
            format!("-lt {least}")
        } else {
            continue;
        };
        tells = true;
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "    count=$(effects \"$id{number}\"); echo \"  $id{number}: $count effects (failed run: {was})\""
        );
        let _ = writeln!(text, "    [ \"$count\" {test} ] && wrong=1");
    }
    if !tells {
        text.push_str("    unsure=$((unsure + 1))\n");
    }
}

fn command(request: &Plain, number: usize) -> String {
    let mut command = String::new();
    if !request.after.is_zero() {
        let _ = write!(command, "sleep {}; ", request.after.as_secs_f64());
    }
    let send = format!(
        "-sS -o /dev/null -m {} -w '%{{http_code}}\\n' {}",
        request.patience.as_secs_f64(),
        options(request)
    );
    let to = format!("\"$SCHEME://$HOST\"{}", word(&request.target));
    let status = format!("> \"$work/status-{number}\"");
    match &request.body {
        None => drop(write!(command, "curl {send} {to} {status}; ")),
        Some(body) => {
            let _ = write!(
                command,
                "{} | with_fresh_ids | curl {send} --data-binary @- {to} {status}; ",
                printed(body)
            );
        }
    }
    command
}

/// A command that prints a body.
pub(super) fn printed(body: &[u8]) -> String {
    match std::str::from_utf8(body) {
        Ok(text) if !text.contains('\0') => format!("printf %s {}", quoted(text)),
        _ => format!("printf %s {} | base64 -d", quoted(&STANDARD.encode(body))),
    }
}

/// Method, version and header lines. What curl would add by itself is taken away.
fn options(request: &Plain) -> String {
    let mut options = format!("--path-as-is -X {}", word(&request.method));
    if request.method == "HEAD" {
        options = "--path-as-is --head".to_owned();
    }
    if request.is_http_1_0 {
        options.push_str(" --http1.0");
    }
    for (name, value) in &request.headers {
        if name == "Host" && value == HOST {
            continue;
        }
        let header = if value.is_empty() { format!("{name};") } else { format!("{name}: {value}") };
        let _ = write!(options, " -H {}", word(&header));
    }
    for name in ["User-Agent", "Accept", "Content-Type", "Expect"] {
        let is_there = request.headers.iter().any(|(own, _)| own.eq_ignore_ascii_case(name));
        if !is_there && (name != "Content-Type" || request.body.is_some()) {
            let _ = write!(options, " -H '{name}:'");
        }
    }
    options
}
