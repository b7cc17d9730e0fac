//! `serve` where its surroundings do not play along: nobody at stderr, few open files.

use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::cli::{STORE, receiver};
use crate::support::{PATIENCE, cdr, raw_post};

/// A free port: what learns of the ready line nowhere must know where it is.
fn free_address() -> String {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

fn connect(address: &str) -> TcpStream {
    let until = Instant::now() + PATIENCE;
    loop {
        match TcpStream::connect(address) {
            Ok(socket) => return socket,
            Err(error) => assert!(Instant::now() < until, "{error}"),
        }
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

fn post_to(address: &str, body: &str) -> String {
    let mut socket = connect(address);
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.write_all(raw_post(body, "Connection: close\r\n").as_bytes()).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    answer
}

/// One that runs; a test that fails leaves none behind.
struct Serving(Child);

impl Serving {
    fn start(command: &mut Command) -> Self {
        Self(command.spawn().unwrap())
    }

    fn exit_code_after(mut self, signals: &[Signal]) -> Option<i32> {
        for &signal in signals {
            self.signal(signal);
        }
        let until = Instant::now() + PATIENCE;
        while self.0.try_wait().unwrap().is_none() {
            assert!(Instant::now() < until, "it does not end");
            std::thread::park_timeout(Duration::from_millis(5));
        }
        self.0.wait().unwrap().code()
    }

    fn signal(&self, signal: Signal) {
        crate::support::signal(&self.0, signal);
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn it_serves_without_anyone_at_stderr() {
    for from_the_start in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let address = free_address();
        let arguments = ["serve", "--listen", &address, STORE, "--log", "debug", "--ready-json"];
        let mut serving =
            Serving::start(receiver(folder.path(), &arguments).stderr(Stdio::piped()).stdout(Stdio::piped()));
        drop(serving.0.stdout.take());
        let mut stderr = BufReader::new(serving.0.stderr.take().unwrap());
        if !from_the_start {
            stderr.read_line(&mut String::new()).unwrap();
        }
        drop(stderr);
        for call in 0..5 {
            assert!(post_to(&address, &cdr(&call.to_string())).ends_with("got it"));
        }
        assert!(post_to(&address, "nonsense").starts_with("HTTP/1.1 202 "));
        assert_eq!(serving.exit_code_after(&[Signal::TERM]), Some(0));
    }
}

#[test]
fn it_serves_and_ends_while_stderr_is_not_read() {
    for (signals, expected) in [(&[Signal::TERM][..], 0), (&[Signal::TERM, Signal::TERM], 143)] {
        let folder = tempfile::tempdir().unwrap();
        let address = free_address();
        let arguments = [
            "serve",
            "--listen",
            &address,
            "--store",
            "memory",
            "--log",
            "trace",
            "--drain-deadline",
            "1h",
            "--body-deadline",
            "1h",
        ];
        let mut serving = Serving::start(receiver(folder.path(), &arguments).stderr(Stdio::piped()));
        let unread = serving.0.stderr.take().unwrap();
        let mut socket = connect(&address);
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        // Far more lines than a pipe and the queue before it hold.
        let requests: String = (0..100).map(|_| raw_post("nonsense", "")).collect();
        for _ in 0..100 {
            socket.write_all(requests.as_bytes()).unwrap();
            let mut answers = Vec::new();
            while answers.windows(9).filter(|window| window == b"HTTP/1.1 ").count() < 100 {
                let mut some = [0; 65536];
                // A child of another test that ends interrupts what has a timeout.
                let read = match socket.read(&mut some) {
                    Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                    read => read.unwrap(),
                };
                assert_ne!(read, 0, "it closed the connection");
                answers.extend_from_slice(&some[..read]);
            }
        }
        if signals.len() == 1 {
            drop(socket);
            assert_eq!(serving.exit_code_after(signals), Some(expected));
        } else {
            // A request in flight keeps the first signal from ending it.
            let mut half = connect(&address);
            half.write_all(
                b"POST /webhook/cdr HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n",
            )
            .unwrap();
            half.read_exact(&mut [0; 25]).unwrap();
            serving.signal(Signal::TERM);
            // The first was seen once nothing is accepted any more.
            while TcpStream::connect(&address).is_ok() {
                std::thread::park_timeout(Duration::from_millis(5));
            }
            assert_eq!(serving.exit_code_after(&signals[1..]), Some(expected));
        }
        drop(unread);
    }
}

/// Starts a `serve` in a shell that sets a limit on open files first.
fn serve_within(folder: &Path, limit: &str, address: &str) -> Serving {
    let command = receiver(folder, &["serve", "--listen", address, "--store", "memory"]);
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(format!("ulimit {limit} && exec \"$0\" \"$@\"")).arg(command.get_program());
    shell.args(command.get_args()).current_dir(folder).stderr(Stdio::piped());
    Serving::start(&mut shell)
}

#[test]
fn a_soft_limit_on_open_files_is_raised_and_a_hard_one_told() {
    let folder = tempfile::tempdir().unwrap();
    let address = free_address();
    let serving = serve_within(folder.path(), "-Sn 64", &address);
    let crowd: Vec<TcpStream> = (0..200).map(|_| connect(&address)).collect();
    assert!(post_to(&address, &cdr("in a crowd")).ends_with("got it"));
    drop(crowd);
    assert_eq!(serving.exit_code_after(&[Signal::TERM]), Some(0));

    let mut serving = serve_within(folder.path(), "-n 100", &address);
    let mut line = String::new();
    BufReader::new(serving.0.stderr.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.contains("fewer connections than asked for") && line.contains("allowed=36"), "{line}");
    assert_eq!(serving.exit_code_after(&[Signal::TERM]), Some(0));
}
