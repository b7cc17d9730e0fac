use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::judge::check::{End, Request};

const LIMIT: Duration = Duration::from_secs(5);

/// Runs a script against a server that is one function, and returns what each made of it.
async fn against<F, T>(script: Script, serve: impl FnOnce(TcpStream) -> F) -> (Transcript, T)
where
    F: Future<Output = T>,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let probe = probe(&listener).await;
    let serving = async { serve(listener.accept().await.unwrap().0).await };
    let scripts = [script];
    let (mut transcripts, served) = tokio::join!(probe.run(&scripts, Instant::now()), serving);
    (transcripts.remove(0), served)
}

async fn probe(listener: &TcpListener) -> Probe {
    let url = format!("http://{}/", listener.local_addr().unwrap());
    Probe::new(&Target::parse(&url, &[]).unwrap(), None, LIMIT).await.unwrap()
}

fn request() -> Request {
    Request::new("POST", "/").body("hello")
}

async fn read_all(mut stream: TcpStream) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.map(|_| bytes)
}

#[tokio::test]
async fn a_half_closed_connection_still_gets_its_answer() {
    let script = Script::default().request(&request()).act(Action::HalfClose).answered();
    let (transcript, received) = against(script, |mut stream| async move {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.unwrap();
        stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
        bytes
    })
    .await;
    assert_eq!(received, request().bytes());
    assert_eq!(transcript.answers[0].status, 204);
    assert!(!transcript.timed_out);
}

#[tokio::test]
async fn a_reset_is_one() {
    let script = Script::default().piece("POST / HTTP/1.1\r\n").act(Action::Pause(Duration::from_millis(20)));
    let (_, received) = against(script.act(Action::Reset), read_all).await;
    assert_eq!(received.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn pieces_arrive_whole_and_an_end_without_an_answer_is_no_timeout() {
    let script = Script::default().request_in_pieces(&request(), 1, Duration::ZERO).answered();
    let (transcript, received) = against(script, |mut stream| async move {
        let mut bytes = vec![0; request().bytes().len()];
        stream.read_exact(&mut bytes).await.unwrap();
        bytes
    })
    .await;
    assert_eq!(received, request().bytes());
    assert!(matches!(transcript.end, End::Closed { .. }));
    assert_eq!((transcript.timed_out, transcript.outcome().as_str()), (false, "closed without an answer"));
}

#[tokio::test]
async fn silence_is_a_timeout() {
    let script = Script::default().request(&request()).act(Action::Await(Some(Duration::from_millis(50))));
    let (transcript, _) = against(script, read_all).await;
    assert!(transcript.timed_out);
    assert_eq!(transcript.outcome(), "no answer");
}

#[tokio::test]
async fn writing_blocks_where_nobody_reads() {
    let flood = Action::SendUntilBlocked {
        bytes: vec![b'x'; 1 << 16],
        most: 1 << 30,
        patience: Duration::from_millis(200),
    };
    let (release, released) = tokio::sync::oneshot::channel::<()>();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let probe = probe(&listener).await;
    let holding = tokio::spawn(async move {
        let stream = listener.accept().await.unwrap();
        let _ = released.await;
        drop(stream);
    });
    let transcript = probe.run(&[Script::default().act(flood).deaf()], Instant::now()).await.remove(0);
    assert!(transcript.was_blocked);
    assert!(transcript.sent_bytes > 0 && transcript.sent_bytes < 1 << 30);
    release.send(()).unwrap();
    holding.await.unwrap();
}

#[tokio::test]
async fn copies_wait_for_one_another() {
    let last = request().bytes().len() - 1;
    let script = Script::default().request_around(&request(), last, Action::Barrier).answered();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let probe = probe(&listener).await;
    let serving = tokio::spawn(async move {
        let (mut one, _) = listener.accept().await.unwrap();
        let (mut other, _) = listener.accept().await.unwrap();
        // Were there no barrier, this would be the same; with it, both are there but for a byte before either is whole.
        let mut bytes = vec![0; last];
        one.read_exact(&mut bytes).await.unwrap();
        other.read_exact(&mut bytes).await.unwrap();
        for stream in [&mut one, &mut other] {
            stream.read_exact(&mut bytes[..1]).await.unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.unwrap();
        }
    });
    let transcripts = probe.run(&[script.clone(), script], Instant::now()).await;
    assert!(transcripts.iter().all(|transcript| transcript.answers[0].status == 200));
    serving.await.unwrap();
}

#[tokio::test]
async fn nothing_is_sent_once_the_receiver_has_said_that_it_closes() {
    let kept = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    let closing = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: Close\r\n\r\n";
    for (answer, requests) in [(kept, 2), (closing, 1)] {
        let script = Script::default().request(&request()).answered_and_kept().request(&request()).answered();
        let (transcript, received) = against(script, |mut stream| async move {
            let mut bytes = vec![0; request().bytes().len()];
            let mut received = 0;
            while stream.read_exact(&mut bytes).await.is_ok() {
                received += 1;
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
            received
        })
        .await;
        assert_eq!((received, transcript.answers.len(), transcript.timed_out), (requests, requests, false));
    }
}
