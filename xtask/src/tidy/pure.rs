//! The pure rooms: what they must not know.

use super::{Breach, File};

/// A room and what is absent from it.
struct Room {
    path: &'static str,
    absent: &'static [&'static str],
}

const ROOMS: [Room; 3] = [
    Room { path: "crates/events/src/", absent: &["std::fs", "std::env", "std::process"] },
    Room { path: "crates/mock-platform/src/plan", absent: &["std::env", "std::process"] },
    Room { path: "crates/mock-platform/src/judge", absent: &["std::env", "std::process"] },
];

/// Absent from all of them: clocks, sockets, runtimes, randomness without a seed, orders that change by the run.
const ABSENT: [&str; 17] = [
    "std::time::Instant",
    "Instant::now",
    "SystemTime::now",
    "std::thread",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "ToSocketAddrs",
    "tokio::",
    "reqwest::",
    "hyper::",
    "axum::",
    "rand::",
    "getrandom",
    "RandomState",
    "HashMap",
    "HashSet",
];

pub(super) fn breaches(file: &File) -> Vec<Breach> {
    let Some(room) = ROOMS.iter().find(|room| file.path.starts_with(room.path)) else {
        return Vec::new();
    };
    if !file.is_rust() || file.path.ends_with("/tests.rs") {
        return Vec::new();
    }
    let absent = || ABSENT.iter().chain(room.absent);
    let mut in_raw_text = false;
    file.product_lines()
        .map(|(number, line)| (number, without_texts(line, &mut in_raw_text)))
        .flat_map(|(number, code)| {
            absent()
                .filter(move |word| code.contains(**word))
                .map(move |word| file.breach(number, format!("`{word}` has no place in {}", room.path)))
        })
        .collect()
}

/// A line without what stands in its string literals: advice may name what code may not use. A raw one may go on over
/// several lines.
fn without_texts(line: &str, in_raw_text: &mut bool) -> String {
    if *in_raw_text {
        let Some((_, rest)) = line.split_once("\"#") else { return String::new() };
        *in_raw_text = false;
        return without_texts(rest, in_raw_text);
    }
    if let Some((code, text)) = line.split_once("r#\"") {
        *in_raw_text = true;
        return without_texts(code, &mut false) + &without_texts(text, in_raw_text);
    }
    let mut code = String::new();
    let (mut in_text, mut escaped) = (false, false);
    for character in line.chars() {
        if !in_text {
            code.push(character);
        }
        in_text = match (in_text, character) {
            (true, '"') => escaped,
            (true, _) => true,
            (false, other) => other == '"',
        };
        escaped = in_text && character == '\\' && !escaped;
    }
    code
}

#[cfg(test)]
mod tests {
    use super::{File, breaches};

    fn check(path: &str, text: &str, lines: &[usize]) {
        let file = File { path: path.to_owned(), text: text.to_owned() };
        let found: Vec<_> = breaches(&file).iter().map(|breach| breach.line).collect();
        assert_eq!(found, lines, "{path}: {text}");
    }

    #[test]
    fn a_pure_room_has_no_clock_and_no_socket() {
        check("crates/events/src/field.rs", "use std::collections::HashMap;", &[1]);
        check("crates/events/src/field.rs", "\nlet now = Instant::now();", &[2]);
        check("crates/mock-platform/src/plan/calls.rs", "async fn f() { tokio::spawn(g()); }", &[1]);
        check("crates/mock-platform/src/judge.rs", "use std::net::TcpStream;", &[1]);
        check("crates/mock-platform/src/judge.rs", "let a = \"x\"; tokio::spawn(f(\"\\\"\"));", &[1]);
    }

    #[test]
    fn comments_tests_and_other_rooms_are_free() {
        check("crates/events/src/field.rs", "/// Not a HashMap.\nlet a = 1; // no tokio", &[]);
        check("crates/events/src/field.rs", "fn f() {}\n#[cfg(test)]\nmod tests { use std::fs; }", &[]);
        check("crates/mock-platform/src/deliver.rs", "use tokio::net::TcpStream;", &[]);
        check("crates/events/src/json/scan/tests.rs", "use std::fs;", &[]);
        check("crates/mock-platform/src/judge.rs", "axum: \"set `tokio::time::timeout`\",", &[]);
        check("crates/mock-platform/src/judge.rs", "use std::net::IpAddr;", &[]);
        check(
            "crates/mock-platform/src/judge.rs",
            "f(r#\"a\ntokio::b\n\"#); tokio::c();\ntokio::d();",
            &[3, 4],
        );
    }
}
