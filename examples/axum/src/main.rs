//! A PIOPIY application: a menu, an audio stream that says back what it hears, and webhooks that count once.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, post};
use axum::{Router, body::Bytes};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use piopiy_events::OpenObject as _;
use piopiy_events::answer::DtmfRequest;
use piopiy_events::pcmo::{Action, Pcmo, PlayGetInput};
use piopiy_events::stream::StreamMessage;
use piopiy_receiver::{PiopiyWebhook, webhook_router};

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let port: u16 = std::env::var("PORT").ok().and_then(|port| port.parse().ok()).unwrap_or(5000);
    let seen: Arc<Mutex<BTreeSet<String>>> = Arc::default();
    // A CDR may come four times. `piopiy_receiver::Server` remembers across restarts, too.
    let webhooks = webhook_router(move |webhook: PiopiyWebhook| async move {
        let identity = webhook.identity.to_string();
        if seen.lock().unwrap_or_else(PoisonError::into_inner).insert(identity) {
            let text = |key| webhook.webhook.text(key).unwrap_or_default().into_owned();
            let kind = webhook.webhook.kind().map_or("unknown", piopiy_events::Kind::as_str);
            println!("webhook {kind} {} {}", text("status"), text("leg"));
        }
        "got it"
    });
    let app = Router::new()
        .route("/answer", post(answer))
        .route("/digits", post(digits))
        .route("/stream", any(stream))
        .with_state(port)
        .merge(webhooks);
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app).with_graceful_shutdown(stopped()).await
}

/// The caller hears a menu and presses a key.
async fn answer(State(port): State<u16>) -> Response {
    let mut menu = PlayGetInput::new();
    menu.file_name = Some("menu.wav".into());
    menu.max_digit = Some(1.into());
    menu.max_retry = Some(2.into());
    menu.timeout = Some(5.into());
    menu.action_url = Some((&*format!("http://127.0.0.1:{port}/digits")).into());
    flow([menu.into(), Action::speak("Nothing was pressed. Goodbye."), Action::hangup()])
}

async fn digits(State(port): State<u16>, body: Bytes) -> Response {
    let request = DtmfRequest::parse(&body).unwrap_or_default();
    let pressed = request.dtmf.map(|dtmf| dtmf.text().into_owned()).unwrap_or_default();
    match pressed.as_str() {
        "1" => flow([Action::stream(&format!("ws://127.0.0.1:{port}/stream"), "caller"), Action::hangup()]),
        "2" => flow([Action::bridge(441_632_960_000, &[442_079_460_000]), Action::hangup()]),
        _ => flow([Action::speak("Goodbye."), Action::hangup()]),
    }
}

fn flow(actions: impl IntoIterator<Item = Action>) -> Response {
    ([(CONTENT_TYPE, "application/json")], Pcmo::from_iter(actions).to_json()).into_response()
}

async fn stream(upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(echo)
}

async fn echo(mut socket: WebSocket) {
    let mut frames = 0;
    while let Some(Ok(message)) = socket.recv().await {
        // Binary frames are 16-bit samples; what is said goes back as text.
        let Message::Binary(samples) = message else { continue };
        frames += 1;
        let said = StreamMessage::raw_audio(8_000, &STANDARD.encode(&samples)).to_json();
        if socket.send(Message::Text(said.into())).await.is_err() {
            break;
        }
    }
    println!("stream over after {frames} frames");
}

async fn stopped() {
    // Without a signal handler it runs until it is killed.
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}
