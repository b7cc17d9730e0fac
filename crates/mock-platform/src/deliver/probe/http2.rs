//! One request over HTTP/2. What is wrong with frames is nobody's check, so a library writes them.

use std::error::Error;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout};

use crate::deliver::stream::Stream;
use crate::judge::check::{Answer, Request, Script, Transcript};

/// Sends a request as the only one of a connection, and reads its answer.
pub(super) async fn run(
    script: &Script,
    request: &Request,
    stream: io::Result<Stream>,
    start: Instant,
    limit: Duration,
) -> Transcript {
    let mut transcript = Transcript { requests: script.requests.clone(), ..Transcript::default() };
    let stream = match stream {
        Ok(stream) => stream,
        Err(error) => {
            transcript.connect_error = Some(error.to_string());
            return transcript;
        }
    };
    let scheme = if matches!(stream, Stream::Tls(_)) { "https" } else { "http" };
    if scheme == "https" && stream.protocol() != Some(b"h2") {
        transcript.connect_error = Some("h2 was not agreed on by ALPN".to_owned());
        return transcript;
    }
    let exchanged = async {
        match stream {
            Stream::Plain(stream) => exchange(stream, request, scheme, start, &mut transcript).await,
            Stream::Tls(stream) => exchange(stream, request, scheme, start, &mut transcript).await,
        }
    };
    match timeout(limit, exchanged).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => transcript.garbled = Some(error.to_string()),
        Err(_) => transcript.timed_out = true,
    }
    transcript
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    request: &Request,
    scheme: &str,
    start: Instant,
    transcript: &mut Transcript,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let (mut send, connection) = h2::client::handshake(stream).await?;
    // It ends when both of its handles are gone.
    let driver = tokio::spawn(connection);
    let answered = async {
        std::future::poll_fn(|context| send.poll_ready(context)).await?;
        let (response, mut content) = send.send_request(head(request, scheme)?, false)?;
        content.send_data(Bytes::copy_from_slice(request.content()), true)?;
        transcript.sent_bytes = request.content().len() as u64;
        transcript.sent_at.push(start.elapsed());
        let (head, mut body) = response.await?.into_parts();
        let mut answer = Answer { minor: 1, status: head.status.as_u16(), ..Answer::default() };
        let header =
            |(name, value): (&HeaderName, &HeaderValue)| (name.to_string(), value.as_bytes().to_vec());
        answer.headers = head.headers.iter().map(header).collect();
        while let Some(data) = body.data().await {
            let data = data?;
            body.flow_control().release_capacity(data.len())?;
            answer.body_bytes += data.len() as u64;
            let left = super::answers::KEPT.saturating_sub(answer.body.len());
            answer.body.extend_from_slice(&data[..data.len().min(left)]);
        }
        answer.at = start.elapsed();
        transcript.answers.push(answer);
        Ok(())
    };
    let answered = answered.await;
    driver.abort();
    answered
}

/// The head as HTTP/2 has it: no `Host`, and no lengths but those of frames.
fn head(request: &Request, scheme: &str) -> Result<http::Request<()>, http::Error> {
    let (hosts, fields): (Vec<_>, Vec<_>) =
        request.fields().into_iter().partition(|(name, _)| name.eq_ignore_ascii_case(b"host"));
    let host =
        hosts.first().map_or_else(String::new, |(_, value)| String::from_utf8_lossy(value).into_owned());
    let head = http::Request::builder().method(request.method.as_str()).version(http::Version::HTTP_2);
    let head = head.uri(format!("{scheme}://{host}{}", request.target));
    fields.into_iter().fold(head, |head, (name, value)| head.header(name, value)).body(())
}
