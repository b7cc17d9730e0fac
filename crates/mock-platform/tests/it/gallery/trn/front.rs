//! Flaws of the transport: a front in front of the correct receiver that does something wrong with the bytes.

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

use super::super::{Flawed, start};

/// What is done with one connection, and the address of the receiver behind it.
pub(super) type Door = fn(TcpStream, String) -> BoxFuture<'static, std::io::Result<()>>;

pub(super) fn door(flaw: &str) -> Option<Door> {
    Some(match flaw {
        "reads-once" => |outside, behind| {
            changed(outside, behind, Duration::ZERO, |bytes| whole(bytes).ok_or(BAD_REQUEST)).boxed()
        },
        "reads-small-hex" => |outside, behind| {
            let refuse = |bytes: Vec<u8>| {
                let has_capitals = contains(&bytes, b"\r\n1A\r\n") || contains(&bytes, b"\r\nAB\r\n");
                if has_capitals { Err(BAD_REQUEST) } else { Ok(bytes) }
            };
            changed(outside, behind, TOGETHER, refuse).boxed()
        },
        "breaks-on-chunk-extensions" => |outside, behind| {
            let refuse =
                |bytes: Vec<u8>| if contains(&bytes, b";check=1\r\n") { Err(BROKEN) } else { Ok(bytes) };
            changed(outside, behind, TOGETHER, refuse).boxed()
        },
        "goes-by-what-came" => {
            |outside, behind| changed(outside, behind, TOGETHER, |b| Ok(by_what_came(b))).boxed()
        }
        "prefers-chunks" => |outside, behind| {
            let prefer = |bytes: Vec<u8>| {
                let is_both = contains(&bytes, b"chunked") && contains(&bytes, b"Content-Length");
                Ok(if is_both { without_line(bytes, "Content-Length") } else { bytes })
            };
            changed(outside, behind, TOGETHER, prefer).boxed()
        },
        "never-says-continue" => |outside, behind| {
            changed(outside, behind, TOGETHER, |bytes| Ok(without_line(bytes, "Expect"))).boxed()
        },
        "wants-capitals" => |outside, behind| {
            let refuse = |bytes: Vec<u8>| {
                if contains(&bytes, b"Content-Type:") { Ok(bytes) } else { Err(BAD_REQUEST) }
            };
            changed(outside, behind, TOGETHER, refuse).boxed()
        },
        "ends-chunks-itself" => |outside, behind| ended(outside, behind).boxed(),
        "closes-without-a-word" => |outside, behind| closed_after(10, outside, behind).boxed(),
        "swaps-answers" => |outside, behind| swapped(outside, behind).boxed(),
        "leaves-bodies-unread" => |outside, behind| unread(outside, behind).boxed(),
        "half-an-answer-when-idle" => |outside, behind| half_when_idle(outside, behind).boxed(),
        "refuses-half-closed" => |outside, behind| half_closed(outside, behind).boxed(),
        "counts-too-short" => |outside, _| too_short(outside).boxed(),
        _ => return None,
    })
}

pub(super) async fn serve(door: Door) -> Flawed {
    let correct = Box::pin(start("none")).await;
    let behind = correct.url.trim_start_matches("http://").split('/').next().unwrap().to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/webhook/cdr", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((outside, _)) = listener.accept().await {
            outside.set_nodelay(true).unwrap();
            // Clients go as they like.
            tokio::spawn(door(outside, behind.clone()));
        }
    });
    Flawed { url, ..correct }
}

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
const BAD_REQUEST: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
const NOT_ALLOWED: &[u8] = b"HTTP/1.1 405 Method Not Allowed\r\nAllow: POST\r\nContent-Length: 0\r\n\r\n";
const BROKEN: &[u8] = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n";
/// What is sent at once has come within this.
const TOGETHER: Duration = Duration::from_millis(20);

async fn read(outside: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut bytes = vec![0; 64 * 1024];
    let count = outside.read(&mut bytes).await?;
    bytes.truncate(count);
    Ok(bytes)
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

fn whole(bytes: Vec<u8>) -> Option<Vec<u8>> {
    bytes.ends_with(b"}").then_some(bytes)
}

/// What comes first is changed or answered at once, the rest is passed on.
async fn changed(
    mut outside: TcpStream,
    behind: String,
    after: Duration,
    change: impl FnOnce(Vec<u8>) -> Result<Vec<u8>, &'static [u8]>,
) -> std::io::Result<()> {
    outside.readable().await?;
    sleep(after).await;
    let first = read(&mut outside).await?;
    match change(first) {
        Err(answer) => outside.write_all(answer).await,
        Ok(bytes) => {
            let mut inside = TcpStream::connect(behind).await?;
            inside.write_all(&bytes).await?;
            copy_bidirectional(&mut outside, &mut inside).await.map(drop)
        }
    }
}

fn without_line(bytes: Vec<u8>, name: &str) -> Vec<u8> {
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let kept: Vec<&str> = head.split("\r\n").filter(|line| !line.starts_with(name)).collect();
    format!("{}\r\n\r\n{body}", kept.join("\r\n")).into_bytes()
}

fn by_what_came(bytes: Vec<u8>) -> Vec<u8> {
    let text = String::from_utf8(without_line(bytes, "Content-Length")).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// Chunks end where the connection does, however it does.
async fn ended(mut outside: TcpStream, behind: String) -> std::io::Result<()> {
    outside.readable().await?;
    sleep(TOGETHER).await;
    let mut bytes = read(&mut outside).await?;
    let is_unfinished = contains(&bytes, b"chunked") && !bytes.ends_with(b"0\r\n\r\n");
    let mut inside = TcpStream::connect(behind).await?;
    if is_unfinished {
        let _ = timeout(Duration::from_secs(1), outside.read(&mut [0; 1])).await;
        bytes.extend_from_slice(b"0\r\n\r\n");
    }
    inside.write_all(&bytes).await?;
    if is_unfinished {
        let answer = read(&mut inside).await?;
        return outside.write_all(&answer).await;
    }
    copy_bidirectional(&mut outside, &mut inside).await.map(drop)
}

async fn closed_after(requests: usize, mut outside: TcpStream, behind: String) -> std::io::Result<()> {
    let mut inside = TcpStream::connect(behind).await?;
    for _ in 0..requests {
        let request = read(&mut outside).await?;
        if request.is_empty() {
            break;
        }
        inside.write_all(&request).await?;
        let answer = read(&mut inside).await?;
        outside.write_all(&answer).await?;
    }
    Ok(())
}

/// What is quick is answered first.
async fn swapped(mut outside: TcpStream, behind: String) -> std::io::Result<()> {
    outside.readable().await?;
    sleep(TOGETHER).await;
    let mut bytes = read(&mut outside).await?;
    let is_followed = bytes.starts_with(b"POST") && contains(&bytes, b"}GET /");
    let mut inside = TcpStream::connect(behind).await?;
    if is_followed {
        let at = bytes.windows(6).position(|window| window == b"}GET /").unwrap();
        bytes.truncate(at + 1);
        outside.write_all(NOT_ALLOWED).await?;
    }
    inside.write_all(&bytes).await?;
    copy_bidirectional(&mut outside, &mut inside).await.map(drop)
}

/// The body of a refused GET is taken for the next request.
async fn unread(mut outside: TcpStream, behind: String) -> std::io::Result<()> {
    outside.readable().await?;
    sleep(TOGETHER).await;
    let bytes = read(&mut outside).await?;
    if bytes.starts_with(b"GET") {
        outside.write_all(NOT_ALLOWED).await?;
        read(&mut outside).await?;
        return outside.write_all(BAD_REQUEST).await;
    }
    let mut inside = TcpStream::connect(behind).await?;
    inside.write_all(&bytes).await?;
    copy_bidirectional(&mut outside, &mut inside).await.map(drop)
}

async fn half_when_idle(mut outside: TcpStream, behind: String) -> std::io::Result<()> {
    const IDLE: Duration = Duration::from_millis(300);
    let mut inside = TcpStream::connect(behind).await?;
    loop {
        let Ok(request) = timeout(IDLE, read(&mut outside)).await else {
            return outside.write_all(b"HTTP/1.1 408 Reque").await;
        };
        inside.write_all(&request?).await?;
        let answer = read(&mut inside).await?;
        outside.write_all(&answer).await?;
    }
}

/// Takes FIN for the end of everything.
async fn half_closed(mut outside: TcpStream, behind: String) -> std::io::Result<()> {
    let bytes = read(&mut outside).await?;
    let more = timeout(TOGETHER, outside.peek(&mut [0; 1])).await;
    if matches!(more, Ok(Ok(0))) {
        return outside.write_all(BAD_REQUEST).await;
    }
    let mut inside = TcpStream::connect(behind).await?;
    inside.write_all(&bytes).await?;
    copy_bidirectional(&mut outside, &mut inside).await.map(drop)
}

/// Characters are counted, and bytes are sent.
async fn too_short(mut outside: TcpStream) -> std::io::Result<()> {
    while !read(&mut outside).await?.is_empty() {
        outside.write_all(&OK[..OK.len() - 5]).await?;
        outside.write_all("2\r\n\r\n✓".as_bytes()).await?;
    }
    Ok(())
}
