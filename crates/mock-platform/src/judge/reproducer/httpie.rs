use std::fmt::Write;

use super::curl::printed;
use super::plain::{Plain, Stage, stages};
use super::shell::{HOST, TRUST, is_https, one_line, prelude, word};
use crate::judge::check::CaseFile;

/// A script of HTTPie commands, or of comments that say why there are none.
pub(super) fn script(file: &CaseFile) -> String {
    let mut text = format!("#!/bin/bash\n# {} {}, with HTTPie.\n", file.check, one_line(&file.title));
    let told: Vec<_> = file.cases.iter().map(|case| stages(file, case)).collect();
    if told.iter().any(Result::is_ok) {
        text.push_str(
            "#
# Usage: bash httpie.sh [URL]
# Needs: bash, sed, HTTPie (`http`). Ids are fresh in each run; EXACT_IDS=1 sends the very ids.
# It shows the answers; README.md tells which are wrong. HTTPie writes header lines in an order of its own.
set -u
",
        );
        text.push_str(&prelude(file));
        if is_https(&file.target) {
            let _ = writeln!(
                text,
                "# {TRUST}.\nhttp() {{ command http ${{CACERT:+--verify \"$CACERT\"}} ${{INSECURE:+--verify no}} \"$@\"; }}"
            );
        }
    }
    let mut is_done = false;
    for (case, told) in file.cases.iter().zip(told) {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "\n# {}", one_line(&case.name));
        match told {
            Err(reason) => drop(writeln!(text, "# HTTPie cannot do it: {reason}.")),
            Ok(stages) => {
                is_done = true;
                stages.iter().for_each(|stage| stage_lines(&mut text, stage));
            }
        }
    }
    if !is_done {
        text.push_str("echo 'HTTPie cannot do this; see raw.sh' >&2\nexit 2\n");
    }
    text
}

fn stage_lines(text: &mut String, stage: &Stage) {
    match stage {
        Stage::Pause(pause) => drop(writeln!(text, "sleep {}", pause.as_secs_f64())),
        Stage::Glance => {}
        Stage::Requests(requests) => {
            let end = if requests.len() > 1 { " &" } else { "" };
            for request in requests {
                let _ = writeln!(text, "{{ {}; }}{end}", command(request));
            }
            if requests.len() > 1 {
                text.push_str("wait\n");
            }
        }
    }
}

fn command(request: &Plain) -> String {
    let mut command = String::new();
    if !request.after.is_zero() {
        let _ = write!(command, "sleep {}; ", request.after.as_secs_f64());
    }
    match &request.body {
        Some(body) => drop(write!(command, "{} | with_fresh_ids | http", printed(body))),
        None => command.push_str("http --ignore-stdin"),
    }
    let _ = write!(
        command,
        " --path-as-is --print=hb {} \"$SCHEME://$HOST\"{}",
        word(&request.method),
        word(&request.target)
    );
    for (name, value) in &request.headers {
        if name == "Host" && value == HOST {
            continue;
        }
        let header = if value.is_empty() { format!("{name};") } else { format!("{name}:{value}") };
        let _ = write!(command, " {}", word(&header));
    }
    command
}
