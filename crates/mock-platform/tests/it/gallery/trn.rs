use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use futures_util::FutureExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::{Flawed, Group};

pub(super) const GROUP: Group = Group {
    flaws: &[
        ("redirects", "TRN-001"),
        ("takes-any-method", "TRN-003"),
        ("wants-content-length", "TRN-008"),
        ("reads-once", "TRN-018"),
    ],
    answer: |flaw, parts| match flaw {
        "redirects" => {
            Some((StatusCode::MOVED_PERMANENTLY, [(header::LOCATION, "/elsewhere")]).into_response())
        }
        "wants-content-length" if !parts.headers.contains_key(header::CONTENT_LENGTH) => {
            Some(StatusCode::LENGTH_REQUIRED.into_response())
        }
        _ => None,
    },
    serve: |flaw| (flaw == "reads-once").then(|| read_once().boxed()),
    ..Group::NONE
};

/// In front of the correct receiver: what one read does not bring is not seen.
async fn read_once() -> Flawed {
    let correct = Box::pin(super::start("none")).await;
    let behind = correct.url.trim_start_matches("http://").split('/').next().unwrap().to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/webhook/cdr", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut outside, _)) = listener.accept().await {
            let behind = behind.clone();
            tokio::spawn(async move {
                let mut request = vec![0; 64 * 1024];
                let count = outside.read(&mut request).await.unwrap_or(0);
                if !request[..count].ends_with(b"}") {
                    let _ = outside.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").await;
                    return;
                }
                let mut inside = tokio::net::TcpStream::connect(behind).await.unwrap();
                inside.write_all(&request[..count]).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut outside, &mut inside).await;
            });
        }
    });
    Flawed { url, ..correct }
}
