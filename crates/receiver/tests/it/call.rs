//! `call`, and which calls `calls` lists.

use piopiy_receiver::{SqliteStore, Store as _};

use crate::cli::{STORE, folder_with_store, receiver, run};
use crate::support::{entry, stream_connected};

#[test]
fn one_call_is_a_ladder() {
    let folder = folder_with_store();
    let mut store = SqliteStore::open(folder.path().join("calls.sqlite")).unwrap();
    // Of the call only by way of its leg.
    store.append(&[entry(&stream_connected("b-of-two", 5))]).unwrap();
    let pages = [
        vec!["call", "two", STORE],
        vec!["call", "a-of-two", STORE, "--json"],
        vec!["call", "alone\u{1b}[31m", STORE],
        vec!["call", "nobody\u{1b}[31m", STORE],
    ];
    let text: Vec<String> = pages.iter().map(|arguments| run(folder.path(), arguments)).collect();
    insta::assert_snapshot!(text.join("\n"));
}

#[test]
fn whichever_name_of_it_is_given_the_call_is_the_same() {
    let folder = folder_with_store();
    let rungs = |id: &str| {
        let output = receiver(folder.path(), &["call", id, STORE, "--json"]).output().unwrap();
        assert!(output.status.success(), "{id}");
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(rungs("two").lines().count(), 4);
    assert_eq!(rungs("a-of-two"), rungs("two"));
    assert_eq!(rungs("b-of-two"), rungs("two"));
}

#[test]
fn calls_are_chosen_by_time_status_and_state() {
    let folder = folder_with_store();
    let listed = |more: &[&str]| {
        let arguments = [&["calls", STORE, "--json"], more].concat();
        let output = receiver(folder.path(), &arguments).output().unwrap();
        assert!(output.status.success(), "{more:?}");
        let lines = String::from_utf8(output.stdout).unwrap();
        let call = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["call"].clone();
        lines.lines().map(|line| call(line).as_str().unwrap()[..3].to_owned()).collect::<Vec<_>>()
    };
    let all = ["one", "two", "alo"];
    assert_eq!(listed(&[]), all);
    assert_eq!(listed(&["--since", "2023-11-14"]), all);
    assert_eq!(listed(&["--since", "2023-11-15"]), [""; 0]);
    assert_eq!(listed(&["--until", "1700000000"]), [""; 0]);
    assert_eq!(listed(&["--until", "2023-11-14T22:13:21Z"]), all);
    assert_eq!(listed(&["--status", "answered"]), ["two"]);
    assert_eq!(listed(&["--status", "answered", "--status", "missed"]), ["one", "two"]);
    assert_eq!(listed(&["--state", "streaming"]), ["alo"]);
    assert_eq!(listed(&["--state", "ended_missed", "--status", "answered"]), [""; 0]);
    assert_eq!(listed(&["-n", "2"]), ["two", "alo"]);
    assert_eq!(listed(&["--since", "1h"]), [""; 0]);
    for wrong in [["--since", "yesterday"], ["--state", "over"]] {
        let output = receiver(folder.path(), &[&["calls", STORE][..], &wrong].concat()).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{wrong:?}");
    }
}
