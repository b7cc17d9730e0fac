//! Loads whose connections cannot be had: of a receiver that takes no more of them, and of a machine that has none.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use piopiy_mock_platform::load::Rate;

use crate::load::{load, some};

/// Answers what comes on a connection, one request after the other, and takes its time.
fn converse(mut stream: TcpStream) {
    let mut read = [0; 8192];
    // One request is in flight at a time, and comes in one piece.
    while let Ok(1..) = stream.read(&mut read) {
        std::thread::sleep(Duration::from_millis(3));
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    }
}

#[test]
fn a_connection_that_cannot_be_opened_fails_nothing_that_others_can_send() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/webhook/cdr", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let mut conversations = Vec::new();
        // Somebody looks whether it is there; then it takes one connection, and refuses all others.
        for stream in listener.incoming().map_while(Result::ok).take(2) {
            conversations.push(std::thread::spawn(move || converse(stream)));
        }
        drop(listener);
        conversations.into_iter().for_each(|one| one.join().unwrap());
    });
    let mut options = some(Rate::Webhooks(400.0), 20);
    (options.connections, options.threads) = (4, 1);
    let report = load(&url, &options).unwrap();
    let summary = &report.summary;
    assert!(summary.most_waiting > 0 && summary.connections_failed > 0, "{report}");
    assert_eq!(summary.attempts, summary.planned, "{report}");
    assert_eq!(summary.errors_by_kind.get("no_connection"), None, "{report}");
    assert_eq!(summary.out_of_sockets, 0, "that is no fault of this machine: {report}");
}

#[cfg(unix)]
#[test]
fn a_machine_without_sockets_is_not_held_against_the_receiver() {
    use piopiy_mock_platform::load::LoadReport;

    use crate::cli::{stderr, stdout};

    let (url, _) = crate::load::accepting();
    let output = std::process::Command::new("/bin/sh")
        .args(["-c", "ulimit -n 48 && exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_piopiy-mock")])
        .args(["load", &url, "--rate", "200", "--calls", "20", "--connections", "100", "--threads", "1"])
        .args(["--report", "json=-", "--assert", "errors==0"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
    let report = LoadReport::parse(&stdout(&output)).unwrap();
    assert!(report.summary.out_of_sockets > 0, "{report}");
    assert!(report.saturation.as_ref().unwrap().contains("ulimit -n"), "{report}");
    // Those that there were did.
    assert_eq!((report.summary.errors, report.summary.attempts), (0, report.summary.planned), "{report}");
}

/// Whoever lets nobody in and refuses nobody is waited for as long as for an answer.
#[cfg(target_os = "linux")]
#[test]
fn a_receiver_that_does_not_answer_to_being_called_is_not_waited_for() {
    use socket2::{Domain, Socket, Type};

    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&"127.0.0.1:0".parse::<std::net::SocketAddr>().unwrap().into()).unwrap();
    socket.listen(0).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    // As many as wait to be let in, and one that waits for that.
    let waiting: Vec<_> =
        (0..4).map(|_| TcpStream::connect_timeout(&address, Duration::from_millis(100))).collect();
    assert!(waiting.iter().any(Result::is_err), "it lets in whoever comes");
    let mut options = some(Rate::Webhooks(400.0), 20);
    options.timeout = Duration::from_millis(200);
    let error = load(&format!("http://{address}/webhook/cdr"), &options).unwrap_err();
    assert!(error.to_string().starts_with("nothing can be reached at"), "{error}");
}
