//! `stream-check`, as whoever tests an application uses it.

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tokio_tungstenite::tungstenite::Message;

use super::stream::{Socket, echo, samples, serve, write_wav};

/// Its exit code, and what it says on stdout and stderr.
async fn check(url: &str, options: &[&str]) -> (i32, String, String) {
    let args: Vec<String> =
        ["stream-check", url].iter().chain(options).map(|&argument| argument.to_owned()).collect();
    let ran = tokio::task::spawn_blocking(move || {
        assert_cmd::Command::cargo_bin("piopiy-mock").unwrap().args(args).output().unwrap()
    });
    let output = ran.await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

async fn mute(mut socket: Socket) {
    while let Some(Ok(_)) = socket.next().await {}
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_within_and_beyond_what_was_asked_for() {
    let brief = ["--for", "500ms"];
    let asked = [&brief[..], &["--max-gaps", "0", "--max-first-audio", "400ms"]].concat();
    let (code, told, _) = check(&serve(echo).await, &asked).await;
    assert!(code == 0 && told.contains("gaps 0") && told.contains("closed 1000"), "{code}: {told}");
    let (code, told, _) = check(&serve(mute).await, &asked).await;
    assert!(
        code == 1 && told.contains("FAILED first audio never came, at most 400 ms allowed"),
        "{code}: {told}"
    );
    // One that only listens is fine where nothing is asked for.
    let (code, told, _) = check(&serve(mute).await, &brief).await;
    assert!(code == 0 && told.contains("no audio came"), "{code}: {told}");
    let breaks = |mut socket: Socket| async move {
        socket.next().await;
        drop(socket);
    };
    let (code, told, _) = check(&serve(breaks).await, &["--for", "5s"]).await;
    assert!(code == 1 && told.contains("FAILED the connection broke after"), "{code}: {told}");
    let odd = |mut socket: Socket| async move {
        socket.send(Message::text("hello")).await.unwrap();
        mute(socket).await;
    };
    let (code, told, _) = check(&serve(odd).await, &[&brief[..], &["--format", "json"]].concat()).await;
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!((code, &told["close_code"]), (0, &serde_json::json!(1000)));
    assert!(told["notes"][0].as_str().unwrap().contains("no JSON"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_and_heard_are_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let voice: Vec<i16> = (0..2_400_i32).map(|n| i16::try_from(n * 7_919 % 20_011 + 1).unwrap()).collect();
    write_wav(&folder.path().join("says.wav"), &voice);
    let (says, heard, said) = (path("says.wav"), path("heard.wav"), path("said.wav"));
    let options = ["--for", "800ms", "--says", &says, "--heard", &heard, "--said", &said];
    let (code, told, _) = check(&serve(echo).await, &options).await;
    assert_eq!(code, 0, "{told}");
    assert_eq!(samples(&folder.path().join("heard.wav"))[..voice.len()], voice);
    let said = samples(&folder.path().join("said.wav"));
    let begin = said.iter().position(|&sample| sample != 0).unwrap();
    assert_eq!(said[begin..begin + voice.len()], voice);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_the_command_line_is_told_before_anybody_is_dialled() {
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("page.wav");
    std::fs::write(&page, "<html>").unwrap();
    let page = page.to_str().unwrap();
    for (url, options, part) in [
        ("127.0.0.1:5000", &[][..], "127.0.0.1:5000"),
        ("http://127.0.0.1:5000/", &[], "ws"),
        ("ws://app.example/", &[], "--allow-host app.example"),
        ("ws://127.0.0.1:1/", &["--says", "/no/such.wav"], "there is no file /no/such.wav"),
        ("ws://127.0.0.1:1/", &["--says", page], "cannot be decoded"),
        (
            "ws://127.0.0.1:1/",
            &["--heard", "/no/such/heard.wav"],
            "--heard: /no/such/heard.wav cannot be written",
        ),
        ("wss://127.0.0.1:1/", &["--ca", "/no/such.pem"], "/no/such.pem cannot be read"),
        ("ws://127.0.0.1:1/", &["--for", "soon"], "soon"),
    ] {
        let (code, _, why) = check(url, options).await;
        assert!(code == 2 && why.contains(part), "{url} {options:?}: {code}, {why}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_that_is_not_on_the_line_is_told() {
    let refusing = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let page = format!("ws://{}/", refusing.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = refusing.accept().await.unwrap();
        let _ = stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").await;
    });
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let never = format!("ws://{}/?token=hush", silent.local_addr().unwrap());
    for (url, part) in [
        ("ws://127.0.0.1:1/", "cannot be connected to"),
        (&*page, "it answered 404"),
        (&*never, "it did not answer within 300ms"),
    ] {
        let (code, told, why) = check(url, &["--connect-timeout", "300ms"]).await;
        assert!(code == 3 && told.is_empty() && why.contains(part), "{url}: {code}, {why}");
        assert!(why.contains("cannot be streamed to") && !why.contains("hush"), "{why}");
    }
}
