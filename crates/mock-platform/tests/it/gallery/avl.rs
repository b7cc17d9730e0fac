use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use futures_util::FutureExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::{Flawed, Group};

pub(super) const GROUP: Group = Group {
    flaws: &[("dies-of-garbage", "AVL-001"), ("is-never-ready", "AVL-002"), ("loses-descriptors", "AVL-004")],
    wrap: |flaw, receiver: Router| match flaw {
        "is-never-ready" => receiver.route("/healthz", get(|| async { StatusCode::NOT_FOUND })),
        _ => receiver,
    },
    serve: |flaw| matches!(flaw, "dies-of-garbage" | "loses-descriptors").then(|| mortal(flaw).boxed()),
    ..Group::NONE
};

/// In front of the correct receiver: it accepts until something has gone wrong, or so often.
async fn mortal(flaw: &'static str) -> Flawed {
    let correct = Box::pin(super::start("none")).await;
    let behind = correct.url.trim_start_matches("http://").split('/').next().unwrap().to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/webhook/cdr", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let mut accepted = 0;
        while let Ok((outside, _)) = listener.accept().await {
            accepted += 1;
            if flaw == "loses-descriptors" {
                if accepted > 500 {
                    return;
                }
                tokio::spawn(pass(outside, behind.clone()));
            } else {
                let mut first = [0; 4];
                // What is closed at once is nobody's fault.
                let count = outside.peek(&mut first).await.unwrap_or(0);
                if count > 0 && &first[..count] != b"POST" {
                    return;
                }
                tokio::spawn(pass(outside, behind.clone()));
            }
        }
    });
    Flawed { url, ..correct }
}

async fn pass(mut outside: TcpStream, behind: String) {
    let mut inside = TcpStream::connect(behind).await.unwrap();
    let mut first = vec![0; 64 * 1024];
    let count = outside.read(&mut first).await.unwrap_or(0);
    let _ = inside.write_all(&first[..count]).await;
    let _ = tokio::io::copy_bidirectional(&mut outside, &mut inside).await;
}
