use std::fmt::Write;

use super::Saw;
use super::saw::{HEADERS, ends_matter};
use super::shell::{TRUST, is_https, one_line};
use crate::judge::check::case_file::bytes::parts;
use crate::judge::check::{
    Action, Case, CaseFile, Expected, Form, Hook, Opening, Script, Sent, Signal, Step, Turn,
};

/// The part that is the same for every check.
const PROGRAM: &str = include_str!("raw.py");

/// A shell script that sends the raw bytes, with Python's standard library alone.
pub(super) fn script(file: &CaseFile) -> String {
    let heading = format!("{} {}", file.check, one_line(&file.title));
    let needs = needs(file);
    format!(
        "#!/bin/sh
# {heading}: sends the very bytes of the failed run, in the same pieces, with the same pauses and side by side where
# they were, and says whether it goes wrong as before.
#
# Usage: sh raw.sh [URL]
# Needs: sh, python3 (3.8 or newer; nothing but its standard library).{needs}
# Ids are fresh in each run, so that a receiver that keeps its data does not take them for repeats; EXACT_IDS=1 sends
# the very ids. OBSERVE_URL, OBSERVE_FILE or VERIFY_CMD (a command that prints a count) show the effects.
# Ends with 1 for REPRODUCED, 0 for NOT REPRODUCED, 2 where something is missing, 3 where the receiver is.
command -v python3 >/dev/null 2>&1 || {{ echo 'raw.sh needs python3' >&2; exit 2; }}
exec python3 - \"$@\" <<'PIOPIY_END'
{}PIOPIY_END
",
        PROGRAM.replace("#DATA#\n", &data(file, &heading))
    )
}

/// What has to be in the environment.
fn needs(file: &CaseFile) -> String {
    let mut needs = String::new();
    let mut need = |line: &str| {
        // Writing to a String cannot fail.
        let _ = write!(needs, "\n#        {line}");
    };
    if is_https(&file.target) {
        need(TRUST);
    }
    if file.is_signed {
        need("SIGNING_KEY: the key that webhooks are signed with, whsec_…");
    }
    for name in &file.secrets {
        match name.as_str() {
            "Authorization" => need("PIOPIY_MOCK_TOKEN: the token, as `piopiy-mock check --token` takes it"),
            name => need(&format!("SECRET_{}: the value of {name}", name.to_uppercase().replace('-', "_"))),
        }
    }
    for command in commands(file) {
        need(&format!("{}: {}", command.0, command.1));
    }
    needs
}

/// The commands that a script cannot know.
fn commands(file: &CaseFile) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for step in file.cases.iter().flat_map(|case| &case.steps) {
        match step {
            Step::Stop(signal) | Step::StopDuring(signal, ..) => all.push(stop(*signal)),
            Step::Start => all.push(start()),
            Step::Hook(..) | Step::Clock(_) | Step::Elapse(_) => all.extend(hook(step)),
            _ => {}
        }
    }
    all.sort();
    all.dedup();
    all
}

fn stop(signal: Signal) -> (String, String) {
    let (name, what) = match signal {
        Signal::Terminate => ("RECEIVER_TERMINATE", "a command that ends the receiver with SIGTERM"),
        Signal::Kill => ("RECEIVER_KILL", "a command that ends the receiver with SIGKILL"),
    };
    (name.to_owned(), what.to_owned())
}

fn start() -> (String, String) {
    ("RECEIVER_START".to_owned(), "a command that starts the receiver in the background".to_owned())
}

fn hook(step: &Step) -> Option<(String, String)> {
    let hook = match step {
        Step::Hook(hook, Turn::On) => *hook,
        Step::Hook(hook, Turn::Off) => hook.undone_by(),
        Step::Clock(_) | Step::Elapse(_) => Hook::Clock,
        _ => return None,
    };
    let name = hook.option().trim_start_matches('-').to_uppercase().replace('-', "_");
    Some((name, format!("the command of {}", hook.option())))
}

/// What is set for the command of a hook.
fn environment(step: &Step) -> String {
    let (turn, offset) = match step {
        Step::Hook(_, turn) => (*turn, None),
        Step::Clock(offset) => (if *offset == 0 { Turn::Off } else { Turn::On }, Some(*offset)),
        Step::Elapse(until) => (Turn::On, i64::try_from(until.as_secs()).ok()),
        _ => return "{}".to_owned(),
    };
    let offset = offset.map_or_else(String::new, |offset| {
        format!(", {}: {}", text_literal(Hook::CLOCK_OFFSET), text_literal(&offset.to_string()))
    });
    format!("{{{}: {}{offset}}}", text_literal(Hook::TURN), text_literal(turn.as_str()))
}

/// What differs from check to check, as Python.
fn data(file: &CaseFile, heading: &str) -> String {
    let known = |text: &str| if text.contains("***") { "None".to_owned() } else { text_literal(text) };
    let observe = |kind: &str| match &file.observe {
        Some(place) if file.observation == kind => known(place),
        _ => "None".to_owned(),
    };
    let headers = if file.saw.iter().any(|saw| saw.matters.headers) { &HEADERS[..] } else { &[] };
    let headers: Vec<String> = headers.iter().map(|name| text_literal(name)).collect();
    let steps = || file.cases.iter().flat_map(|case| &case.steps);
    let mut scripts = steps().flat_map(|step| step.scripts());
    let any = |test: fn(&Saw) -> bool| if file.saw.iter().any(test) { "True" } else { "False" };
    let canary = script_literal(&file.canary, &[], "");
    let mut ids: Vec<usize> = (0..file.ids.len()).collect();
    let all = file.canary.actions.iter().filter_map(|action| match action {
        Action::Send { bytes, .. } => Some(String::from_utf8_lossy(bytes)),
        _ => None,
    });
    let all = all.collect::<Vec<_>>().concat();
    ids.retain(|id| all.contains(&format!("{{{{piopiy:id.{id}}}}}")));
    let listed: Vec<String> = file.ids.iter().map(|id| text_literal(id)).collect();
    let cannot = if steps().any(|step| matches!(step, Step::Flow(_) | Step::Reconcile)) {
        text_literal(
            "its webhooks are composed as they are sent, or a command is asked: use `piopiy-mock replay`",
        )
    } else if scripts.any(|script| matches!(script.opening, Opening::Http2(_))) {
        text_literal("it goes by HTTP/2, which this script does not speak: use `piopiy-mock replay`")
    } else {
        "None".to_owned()
    };
    let mut data = format!(
        "CANNOT = {cannot}\nSECRETS = [{}]\nTITLE = {}\nTARGET = {}\nOBSERVE_URL = {}\nOBSERVE_FILE = {}\nSETTLE = 0.5\nLIMIT = {}\nIDS = [{}]\nHEADERS = [{}]\nRESETS = {}\nBODIES = {}\nCONTENTS = {}\nCANARY = {canary}\nCANARY_IDS = {ids:?}\nCASES = [\n",
        file.secrets.iter().map(|name| text_literal(name)).collect::<Vec<_>>().join(", "),
        text_literal(heading),
        known(&file.target),
        observe("observe-url"),
        observe("observe-file"),
        file.ack_limit.as_secs_f64(),
        listed.join(", "),
        headers.join(", "),
        any(|saw| saw.matters.resets),
        any(|saw| saw.matters.bodies),
        any(|saw| saw.matters.contents),
    );
    for (case, saw) in file.cases.iter().zip(&file.saw) {
        data.push_str(&case_literal(case, saw));
    }
    data.push_str("]\n");
    data
}

fn case_literal(case: &Case, saw: &Saw) -> String {
    let mut steps: Vec<String> = case.steps.iter().map(|step| step_literal(step, &case.expected)).collect();
    if case.steps.iter().any(|step| matches!(step, Step::Elapse(_))) {
        // The suite sets the clock right by itself.
        steps.push(step_literal(&Step::Clock(0), &case.expected));
    }
    // Texts, numbers and lists: nothing that could not be written.
    let saw = serde_json::to_string(saw).unwrap_or_default();
    format!(
        "    {{\n        \"name\": {},\n        \"is_anonymous\": {},\n        \"steps\": [\n{}        ],\n        \"saw\": json.loads({}),\n    }},\n",
        text_literal(&case.name),
        if case.is_anonymous { "True" } else { "False" },
        steps.concat(),
        text_literal(&saw),
    )
}

fn step_literal(step: &Step, expected: &[Expected]) -> String {
    let scripts = |scripts: &[Script]| {
        let each: Vec<String> = scripts
            .iter()
            .map(|script| {
                format!("                {},\n", script_literal(script, expected, "                "))
            })
            .collect();
        format!("[\n{}            ]", each.concat())
    };
    let command =
        |(name, what): (String, String)| format!("{}, {}", text_literal(&name), text_literal(&what));
    let text = match step {
        Step::Connections(all) => format!("(\"connections\", {})", scripts(all)),
        Step::Pause(pause) => format!("(\"pause\", {})", pause.as_secs_f64()),
        Step::Stop(signal) => format!("(\"command\", {})", command(stop(*signal))),
        Step::StopDuring(signal, after, all) => format!(
            "(\"stop_during\", ({}), {}, {})",
            command(stop(*signal)),
            after.as_secs_f64(),
            scripts(all)
        ),
        Step::Start => "(\"start\",)".to_owned(),
        Step::Hook(..) | Step::Clock(_) | Step::Elapse(_) => {
            let all = hook(step).map(|it| format!("(\"command\", {}, {})", command(it), environment(step)));
            all.unwrap_or_default()
        }
        // What cannot be said is said before anything is sent.
        Step::Flow(_) | Step::Reconcile => "(\"measure\",)".to_owned(),
        Step::Glance => "(\"glance\",)".to_owned(),
        Step::Look => "(\"look\",)".to_owned(),
        Step::Measure => "(\"measure\",)".to_owned(),
    };
    format!("            {text},\n")
}

fn script_literal(script: &Script, expected: &[Expected], indent: &str) -> String {
    let methods: Vec<String> = script.requests.iter().map(|sent| text_literal(&sent.method)).collect();
    let id = |sent: &Sent| {
        let own = expected.iter().find(|expected| Some(expected.payload.id) == sent.of);
        own.map_or_else(|| "None".to_owned(), |own| text_literal(&own.payload.cmiuuid))
    };
    let of: Vec<String> = script.requests.iter().map(id).collect();
    let mut text = format!("{{\"methods\": [{}], \"of\": [{}], ", methods.join(", "), of.join(", "));
    if script.requests.iter().any(|sent| sent.signed.is_some()) {
        let signed: Vec<String> = script.requests.iter().map(|sent| signed_literal(sent, indent)).collect();
        let _ = write!(text, "\"signed\": [{}], ", signed.join(", "));
    }
    // Writing to a String cannot fail.
    if let Some(after) = script.arrives_after {
        let _ = write!(text, "\"arrives_after\": {}, ", after.as_secs_f64());
    }
    match &script.opening {
        Opening::Usual | Opening::Http2(_) => {}
        Opening::Plain { port } => {
            text.push_str("\"opening\": \"plain\", ");
            if let Some(port) = port {
                let _ = write!(text, "\"port\": {port}, ");
            }
        }
        Opening::Verified => text.push_str("\"opening\": \"verified\", "),
        Opening::Nameless => text.push_str("\"opening\": \"nameless\", "),
    }
    if let Some(address) = script.address {
        let _ = write!(text, "\"address\": \"{address}\", ");
    }
    if let Some(bytes) = script.receive_buffer {
        let _ = write!(text, "\"receive_buffer\": {bytes}, ");
    }
    for (name, is_so) in
        [("is_deaf", script.is_deaf), ("to_second", script.to_second), ("ends_matter", ends_matter(script))]
    {
        if is_so {
            let _ = write!(text, "\"{name}\": True, ");
        }
    }
    text.push_str("\"actions\": [\n");
    for action in &script.actions {
        let _ = writeln!(text, "{indent}    {},", action_literal(action, indent));
    }
    let _ = write!(text, "{indent}]}}");
    text
}

/// How a request is signed: its id, the seconds ahead of now, the form, whether the key is nobody's, and what is signed.
fn signed_literal(sent: &Sent, indent: &str) -> String {
    let Some(signed) = &sent.signed else { return "None".to_owned() };
    let (form, body) = match &signed.form {
        Form::One => ("one", &signed.body),
        Form::Of(other) => ("one", other),
        Form::BehindAnother => ("behind_another", &signed.body),
        Form::Malformed => ("malformed", &signed.body),
    };
    let is_stray = if signed.is_stray { "True" } else { "False" };
    format!(
        "({}, {}, {}, {is_stray}, {})",
        text_literal(&signed.id),
        signed.offset_s,
        text_literal(form),
        bytes_literal(body, indent)
    )
}

fn action_literal(action: &Action, indent: &str) -> String {
    let yes = |is_so: bool| if is_so { "True" } else { "False" };
    match action {
        Action::Send { bytes, split: None, ends_request } => {
            format!("(\"send\", {}, {})", bytes_literal(bytes, indent), yes(*ends_request))
        }
        Action::Send { bytes, split: Some(split), ends_request } => format!(
            "(\"send\", {}, {}, {}, {})",
            bytes_literal(bytes, indent),
            yes(*ends_request),
            split.every.max(1),
            split.pause.as_secs_f64()
        ),
        Action::SendUntilBlocked { bytes, most, patience } => format!(
            "(\"send_until_blocked\", {}, {most}, {})",
            bytes_literal(bytes, indent),
            patience.as_secs_f64()
        ),
        Action::Pause(pause) => format!("(\"pause\", {})", pause.as_secs_f64()),
        Action::Barrier => "(\"meet_others\",)".to_owned(),
        Action::Await(None) => "(\"answered\",)".to_owned(),
        Action::Await(Some(limit)) => format!("(\"answered\", {})", limit.as_secs_f64()),
        Action::EndUnlessKept => "(\"unless_kept_end\",)".to_owned(),
        Action::AwaitClose(limit) => format!("(\"await_close\", {})", limit.as_secs_f64()),
        Action::HalfClose => "(\"half_close\",)".to_owned(),
        Action::Reset => "(\"reset\",)".to_owned(),
    }
}

/// Line by line, so that a request can be read.
fn bytes_literal(bytes: &[u8], indent: &str) -> String {
    let mut pieces = Vec::new();
    for part in parts(bytes) {
        let own = part.bytes().unwrap_or_default();
        for line in own.split_inclusive(|byte| *byte == b'\n') {
            let times = part.times.map(|times| format!(" * {times}")).unwrap_or_default();
            pieces.push(format!("b{}{times}", quoted(line)));
        }
    }
    match pieces.as_slice() {
        [] => "b\"\"".to_owned(),
        [one] => one.clone(),
        pieces => {
            let lines: Vec<String> =
                pieces.iter().map(|piece| format!("{indent}        {piece},\n")).collect();
            format!("b\"\".join([\n{}{indent}    ])", lines.concat())
        }
    }
}

fn quoted(bytes: &[u8]) -> String {
    let mut text = "\"".to_owned();
    for byte in bytes {
        match byte {
            b'"' | b'\\' => {
                text.push('\\');
                text.push(char::from(*byte));
            }
            b'\r' => text.push_str("\\r"),
            b'\n' => text.push_str("\\n"),
            b' '..=b'~' => text.push(char::from(*byte)),
            // Writing to a String cannot fail.
            byte => drop(write!(text, "\\x{byte:02x}")),
        }
    }
    text.push('"');
    text
}

/// A text as Python reads it.
fn text_literal(text: &str) -> String {
    let mut literal = "\"".to_owned();
    for char in text.chars() {
        match char {
            '"' | '\\' => {
                literal.push('\\');
                literal.push(char);
            }
            ' '..='~' => literal.push(char),
            // Writing to a String cannot fail.
            char => drop(write!(literal, "\\U{:08x}", u32::from(char))),
        }
    }
    literal.push('"');
    literal
}
