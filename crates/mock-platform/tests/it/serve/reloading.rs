use std::time::Duration;

use serde_json::Value;

use super::process::Process;

/// Waits until the control API says so of the configuration.
async fn until(platform: &Process, is_so: impl Fn(&Value) -> bool) {
    let url = format!("{}/api/config", platform.told("control"));
    for _ in 0..200 {
        let answer = reqwest::get(&url).await.unwrap().bytes().await.unwrap();
        if is_so(&serde_json::from_slice(&answer).unwrap()) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("it did not come to be so");
}

#[tokio::test]
async fn a_changed_file_holds_at_once_and_calls_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("piopiy-mock.toml");
    let option = path.to_str().unwrap();
    let number = |number: u64| format!("[[platform.number]]\nnumber = {number}\n");
    std::fs::write(&path, number(441_632_960_000)).unwrap();
    let platform = Process::start(&["--config", option, "--answer-url", "http://127.0.0.1:1/answer"]);
    let control = platform.told("control").to_owned();
    let client = reqwest::Client::new();
    let flow =
        r#"{"flow":[{"action":"speak","text":"A text that takes a minute to be said, at the very least."}]}"#;
    let placed = client.post(format!("{control}/api/calls")).body(flow).send().await.unwrap();
    assert_eq!(placed.status(), 201);

    std::fs::write(&path, number(441_632_960_000) + &number(441_632_960_001)).unwrap();
    until(&platform, |config| config["numbers"][1]["answer_url"] == "http://127.0.0.1:1/answer").await;

    std::fs::write(&path, "[platform]\nprofil = \"india\"\n").unwrap();
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    until(&platform, |config| config["numbers"][1].is_object()).await;

    std::fs::write(&path, "[platform]\ntime-scale = 7\n".to_owned() + &number(441_632_960_002)).unwrap();
    #[cfg(unix)]
    platform.signal(rustix::process::Signal::HUP);
    until(&platform, |config| config["numbers"][0]["number"] == 441_632_960_002_u64).await;

    until(&platform, |config| config["time_scale"] == 1.0).await;
    let call = client.get(format!("{control}/api/calls/0")).send().await.unwrap().bytes().await.unwrap();
    let call: Value = serde_json::from_slice(&call).unwrap();
    assert_eq!(call["is_over"], false, "{call}");
    platform.signal(rustix::process::Signal::INT);
    let (status, told) = platform.ended();
    assert_eq!(status.code(), Some(130));
    assert!(told.contains("unknown key `profil`: did you mean `profile`?"), "{told}");
    assert!(told.contains("go on as they began; time-scale from the next start\n"), "{told}");
    assert!(told.contains("is not taken, and what it said before holds"), "{told}");
}
