//! `piopiy-mock plan`, `validate`, `events`, `schema`, `completions` and `man`, as a shell sees them.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

fn run(args: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_piopiy-mock"))
        .args(args)
        .env_remove("PIOPIY_MOCK_SEED")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap()
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

#[test]
fn the_same_seed_and_nonce_plan_the_same_bytes() {
    let args =
        ["plan", "busy-hour", "--seed", "0x5eed", "--nonce", "0", "--calls", "5", "--profile", "india"];
    let (one, other) = (run(&args, b""), run(&args, b""));
    assert!(one.status.success());
    assert_eq!(one.stdout, other.stdout);
    assert!(String::from_utf8_lossy(&one.stderr).contains("seed 0x5eed, nonce 0x0"), "and say so");
    let fresh = run(&["plan", "--calls", "1"], b"");
    assert_ne!(fresh.stdout, run(&["plan", "--calls", "1"], b"").stdout, "fresh unless given");
}

#[test]
fn a_scenario_that_is_wrong_is_a_usage_error() {
    let wrong = run(&["plan", "bussy-hour"], b"");
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("did you mean `busy-hour`?"));
}

#[test]
fn validate_answers_with_its_exit_code() {
    let payload = br#"{"appid":2222224,"direction":"inbound","from":440000000000,"leg":"b","status":"stream_connected","time":1725975496000,"cmiuuid":"c4ec9bd2-efad-4296-aa5b-eeafa6aeeea0","ws_status":"{\"status\":\"connected\"}"}"#;
    let clean = run(&["validate", "-"], payload);
    assert_eq!(clean.status.code(), Some(0), "{}", stdout(&clean));
    let other = run(&["validate", "-", "--profile", "india", "--format", "json"], payload);
    assert_eq!(other.status.code(), Some(1));
    let report: serde_json::Value = serde_json::from_slice(&other.stdout).unwrap();
    assert_eq!((&report["valid"], &report["webhook"]), (&false.into(), &true.into()));
    assert_eq!(report["findings"][0]["pointer"], "/type");
    let echoed = run(&["validate", "-", "--echo"], payload);
    assert_eq!(echoed.stdout.trim_ascii_end(), payload);
    assert_eq!(run(&["validate", "-"], b"nothing").status.code(), Some(1));
    assert_eq!(run(&["validate", "/no/such/file"], b"").status.code(), Some(2));
}

#[test]
fn what_is_listed_can_be_printed() {
    let events = run(&["events", "--json"], b"");
    let events: Vec<serde_json::Value> = serde_json::from_slice(&events.stdout).unwrap();
    assert!(events.iter().any(|event| event["name"] == "live.in_answered"));
    let names = run(&["schema"], b"");
    assert!(stdout(&names).lines().any(|name| name == "plan"));
    for name in ["plan", "ledger", "pcmo"] {
        let schema: serde_json::Value = serde_json::from_slice(&run(&["schema", name], b"").stdout).unwrap();
        assert!(schema.is_object(), "{name}");
    }
    assert_eq!(run(&["schema", "nothing"], b"").status.code(), Some(2));
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        assert!(stdout(&run(&["completions", shell], b"")).contains("validate"), "{shell}");
    }
    assert!(stdout(&run(&["man"], b"")).starts_with(".ie"), "{}", stdout(&run(&["man"], b"")));
    assert!(stdout(&run(&["man", "plan"], b"")).contains("piopiy\\-mock\\-plan"));
}
