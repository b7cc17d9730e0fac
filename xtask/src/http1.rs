//! A keep-alive HTTP/1.1 client on a plain socket: what it costs is what the kernel costs, and it retries nothing.

use std::io;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// One connection.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    read: Vec<u8>,
}

/// The request that posts a JSON body, byte for byte.
pub(crate) fn post(address: &str, path: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// Where nobody listens.
    pub(crate) async fn open(address: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, read: Vec::with_capacity(1024) })
    }

    /// Sends a request and reads the answer's status and body.
    ///
    /// # Errors
    /// Where the connection ends first, or what comes is no HTTP/1.1 answer with a declared length.
    pub(crate) async fn send(&mut self, request: &[u8]) -> io::Result<u16> {
        self.stream.write_all(request).await?;
        self.read.clear();
        loop {
            let had = self.read.len();
            if self.stream.read_buf(&mut self.read).await? == 0 {
                return Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    "the connection ended before the answer did",
                ));
            }
            // The end of the head may straddle two reads.
            let Some(head) = find(&self.read[had.saturating_sub(3)..], b"\r\n\r\n") else {
                continue;
            };
            let body = had.saturating_sub(3) + head + 4;
            let (status, length) = read_head(&self.read[..body])?;
            while self.read.len() < body + length {
                if self.stream.read_buf(&mut self.read).await? == 0 {
                    return Err(io::Error::new(
                        io::ErrorKind::UnexpectedEof,
                        "the connection ended within the body",
                    ));
                }
            }
            return Ok(status);
        }
    }
}

/// Status and body length.
fn read_head(head: &[u8]) -> io::Result<(u16, usize)> {
    let wrong = |what: &str| io::Error::new(io::ErrorKind::InvalidData, format!("the answer has no {what}"));
    let head = std::str::from_utf8(head).map_err(|_| wrong("readable head"))?;
    let status = head.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
    let length = head.split("\r\n").skip(1).find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    });
    Ok((status.ok_or_else(|| wrong("status"))?, length.ok_or_else(|| wrong("content-length"))?))
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::{Connection, post};

    /// What the client makes of answers that come in these pieces.
    async fn check(pieces: &'static [&'static str], expected: &[Option<u16>]) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 1024];
            for piece in pieces {
                if piece.starts_with("HTTP") {
                    assert_ne!(stream.read(&mut request).await.unwrap(), 0);
                }
                stream.write_all(piece.as_bytes()).await.unwrap();
                tokio::task::yield_now().await;
            }
        });
        let mut connection = Connection::open(&address).await.unwrap();
        let request = post(&address, "/", b"{}");
        for status in expected {
            assert_eq!(connection.send(&request).await.ok(), *status, "{pieces:?}");
        }
        server.await.unwrap();
    }

    #[tokio::test]
    async fn answers_are_read_whole_however_they_come() {
        check(&["HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"], &[Some(200)]).await;
        check(
            &[
                "HTTP/1.1 503 No\r\ncontent-length: 2\r\n\r",
                "\n",
                "no",
                "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
            ],
            &[Some(503), Some(200)],
        )
        .await;
        check(&["HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nab"], &[None]).await;
        check(&["HTTP/1.1 200 OK\r\n\r\n"], &[None]).await;
        check(&[""], &[None]).await;
    }
}
