//! A server that reads HTTP by hand, and acknowledges everything.

use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::super::{Flawed, start};

pub(super) async fn serve(flaw: &'static str) -> Flawed {
    let observed = Box::pin(start("none")).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/webhook/cdr", listener.local_addr().unwrap());
    let places = Arc::new(Semaphore::new(if flaw == "serves-ten-connections" { 10 } else { 1_000 }));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let places = Arc::clone(&places);
            tokio::spawn(async move {
                let _place = places.acquire().await;
                connection(flaw, stream).await;
            });
        }
    });
    Flawed { url, ..observed }
}

/// Chunks win over a length, and what is behind them is the next request.
async fn connection(flaw: &str, mut stream: TcpStream) {
    let mut buffer = Vec::new();
    while let Some(head) = until(&mut stream, &mut buffer, b"\r\n\r\n").await {
        let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
        if head.contains("chunked") && flaw == "reads-for-ever" {
            let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
            return;
        }
        if head.contains("chunked") {
            if until(&mut stream, &mut buffer, b"0\r\n\r\n").await.is_none() {
                return;
            }
        } else {
            let length = head.split("content-length:").nth(1).and_then(|rest| rest.lines().next());
            let length: usize = length.and_then(|length| length.trim().parse().ok()).unwrap_or(0);
            while buffer.len() < length {
                if stream.read_buf(&mut buffer).await.unwrap_or(0) == 0 {
                    return;
                }
            }
            buffer.drain(..length);
        }
        if stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.is_err() {
            return;
        }
    }
}

/// What comes up to a mark, and the mark; of what is very long, the end alone.
async fn until(stream: &mut TcpStream, buffer: &mut Vec<u8>, mark: &[u8]) -> Option<Vec<u8>> {
    loop {
        if let Some(at) = buffer.windows(mark.len()).position(|window| window == mark) {
            return Some(buffer.drain(..at + mark.len()).collect());
        }
        if buffer.len() > 1 << 16 {
            buffer.drain(..buffer.len() - mark.len());
        }
        if stream.read_buf(buffer).await.unwrap_or(0) == 0 {
            return None;
        }
    }
}
