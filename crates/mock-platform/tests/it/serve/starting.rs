use rustix::process::Signal;
use wiremock::ResponseTemplate;

use super::process::Process;
use crate::cli::check_refused;
use crate::receivers::answering;

#[test]
fn it_tells_where_it_is_in_one_line() {
    let platform = Process::start(&[]);
    let rest = platform.told("rest");
    assert!(rest.starts_with("http://127.0.0.1:"), "{rest}");
    assert_eq!(platform.told("rest_v3"), format!("{rest}/v3"));
    assert_eq!(platform.told("console"), platform.told("control"));
    assert_ne!(platform.told("control"), rest);
    assert_eq!(platform.ready["appid"], 2_222_222);
    assert_eq!(platform.ready["number"], 441_632_960_000_u64);
    assert_eq!((platform.told("secret"), platform.told("token")), ("mock-secret", "mock-token"));
}

#[test]
fn the_readme_shows_what_it_says() {
    let readme = include_str!("../../../../../README.md");
    let shown = readme.split_once("$ piopiy-mock serve ").unwrap().1.split_once("```").unwrap().0;
    let (options, lines) = shown.split_once('\n').unwrap();
    let platform = Process::start(&options.split(' ').collect::<Vec<_>>());
    platform.signal(Signal::INT);
    // Its ports are others here, and its seed is another in every run.
    let ports = [("rest", "127.0.0.1:8080"), ("control", "127.0.0.1:8081")];
    let ports =
        ports.map(|(key, shown)| (platform.told(key).trim_start_matches("http://").to_owned(), shown));
    let (_, mut told) = platform.ended();
    for (port, shown) in ports {
        told = told.replace(&port, shown);
    }
    let same = |text: &str| -> Vec<String> {
        let line = |line: &str| line.split(", seed ").next().unwrap().to_owned();
        text.lines().take_while(|line| !line.starts_with("planned ")).map(line).collect()
    };
    assert_eq!(same(lines), same(&told));
}

#[test]
fn a_secret_that_somebody_chose_is_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mine.toml");
    for (secret, token, shown) in
        [("mock-secret", "hush", false), ("hush", "mock-token", false), ("mock-secret", "mock-token", true)]
    {
        let app = format!("[[platform.app]]\nappid = 7\nsecret = \"{secret}\"\ntoken = \"{token}\"");
        std::fs::write(&file, app).unwrap();
        let platform = Process::start(&["--config", file.to_str().unwrap()]);
        platform.signal(Signal::INT);
        let (_, told) = platform.ended();
        assert!(!told.contains("hush"), "{told}");
        assert_eq!(told.contains("mock-secret"), shown, "{told}");
    }
}

#[test]
fn a_signal_ends_it_with_its_code() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let platform = Process::start(&[]);
        platform.signal(signal);
        let (status, told) = platform.ended();
        assert_eq!(status.code(), Some(code), "{told}");
        assert!(told.contains("planned 0 = acknowledged 0"), "{told}");
    }
}

#[tokio::test]
async fn calls_that_are_on_are_ended_and_told_before_it_ends() {
    let receiver = answering(ResponseTemplate::new(200)).await;
    let platform = Process::start(&["--webhook-url", &receiver.uri()]);
    let calls = format!("{}/api/calls", platform.told("control"));
    let flow = r#"{"flow":[{"action":"input","max_digit":1,"timeout":600}]}"#;
    reqwest::Client::new().post(&calls).body(flow).send().await.unwrap();
    let active = reqwest::get(format!("{calls}/0?wait_ms=20000&phase=active")).await.unwrap();
    assert!(active.text().await.unwrap().contains(r#""phase":"active""#));
    platform.signal(Signal::INT);
    let (status, told) = tokio::task::spawn_blocking(|| platform.ended()).await.unwrap();
    assert_eq!(status.code(), Some(130), "{told}");
    assert!(told.contains("planned 3 = acknowledged 3"), "{told}");
    let last = receiver.received_requests().await.unwrap().pop().unwrap();
    assert!(String::from_utf8(last.body).unwrap().contains(r#""duration""#), "the CDR comes last");
}

#[test]
fn a_port_that_is_taken_says_which_option_chooses_another() {
    let platform = Process::start(&[]);
    let taken = platform.told("rest").trim_start_matches("http://");
    check_refused(&["serve", "--listen", taken, "--control", "127.0.0.1:0"], 3, "another with `--listen`");
    check_refused(&["serve", "--listen", "127.0.0.1:0", "--control", taken], 3, "another with `--control`");
}

#[test]
fn an_address_has_its_port() {
    for wrong in ["127.0.0.1", "8080", "localhost", "app.example:80", "127.0.0.1:70000"] {
        check_refused(&["serve", "--listen", wrong], 2, "with its port, as in 127.0.0.1:8080");
    }
    let home = tempfile::tempdir().unwrap();
    let environment = [("XDG_DATA_HOME", home.path().to_str().unwrap())];
    let platform = Process::start_with(&["--tls", "localhost:0"], &environment);
    assert!(platform.told("rest_tls").starts_with("https://127.0.0.1:"), "{}", platform.ready);
}

#[test]
fn what_is_not_of_this_machine_is_refused() {
    check_refused(&["serve", "--control", "0.0.0.0:0"], 2, "is not on this machine");
    for option in ["--answer-url", "--webhook-url"] {
        check_refused(&["serve", option, "http://app.example/"], 2, "`--allow-host app.example`");
        let wrong = format!("error: {option} cannot be used: ");
        check_refused(&["serve", option, "app.example"], 2, &wrong);
    }
}

#[test]
fn a_file_says_what_it_is_like_and_flags_come_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("piopiy-mock.toml");
    let path = path.to_str().unwrap();
    let text = "[serve]\ntime-scale = 20\n[platform]\nprofile = \"india\"\n[[platform.app]]\nappid = 7\nsecret = \"a\"\n\
                [[platform.number]]\nnumber = 912222222222\n";
    std::fs::write(path, text).unwrap();
    let platform = Process::start(&["--config", path, "--seed", "0x5eed"]);
    assert_eq!(platform.ready["appid"], 7);
    assert_eq!(platform.ready["number"], 912_222_222_222_u64);
    assert!(platform.ready["token"].is_null());
    platform.signal(Signal::INT);
    let (_, told) = platform.ended();
    assert!(told.contains("profile india, seed 0x5eed"), "{told}");
    assert!(told.contains("app          7, secret and token as in "), "{told}");

    std::fs::write(path, "[platform]\ntime-scal = 2\n").unwrap();
    check_refused(
        &["serve", "--config", path],
        2,
        "toml:2:1: unknown key `time-scal`: did you mean `time-scale`?",
    );
    check_refused(&["serve", "--time-scale", "-3"], 2, "it is to be a number above 0");
    std::fs::write(path, "[platform.faults]\nloss = 2\n").unwrap();
    check_refused(&["serve", "--config", path], 2, "piopiy-mock.toml: platform: the probability of `loss`");
    std::fs::write(path, "[plattform]\n").unwrap();
    check_refused(&["serve", "--config", path], 2, "did you mean `platform`?");
}

#[test]
fn what_the_file_names_and_is_not_there_is_told_and_it_starts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("piopiy-mock.toml");
    std::fs::write(&path, "[platform.caller]\nsays = \"gone.wav\"\n").unwrap();
    let platform = Process::start(&["--config", path.to_str().unwrap()]);
    platform.signal(Signal::INT);
    let (_, told) = platform.ended();
    assert!(told.starts_with("warning: [platform.caller] says: there is no file gone.wav"), "{told}");
}

#[test]
fn who_opens_it_to_others_with_credentials_that_everybody_knows_is_warned() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("piopiy-mock.toml");
    let path = path.to_str().unwrap();
    let told = |app: &str, listen: &str| {
        std::fs::write(path, format!("[platform]\n{app}")).unwrap();
        let platform = Process::start_at(listen, &["--config", path], &[]);
        platform.signal(Signal::INT);
        platform.ended().1
    };
    let known = ["", "[[platform.app]]\nappid = 7\nsecret = \"own\"\ntoken = \"mock-token\"\n"];
    for app in known {
        let told = told(app, "0.0.0.0:0");
        assert!(told.contains("is reached by other machines, and app "), "{told}");
    }
    assert!(!told("", "127.0.0.1:0").contains("reached by other"), "not open");
    let own = "[[platform.app]]\nappid = 7\nsecret = \"own\"\n";
    assert!(!told(own, "0.0.0.0:0").contains("reached by other"), "nobody knows it");
}
