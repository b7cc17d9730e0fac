//! An application of a customer, in this process: answer URL, action URLs, webhooks.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::routing::post;
use piopiy_events::{Profile, Webhook};
use piopiy_mock_platform::platform::{CallView, Config, Exchange};
use tokio::net::TcpListener;

/// What was posted, and what is answered.
#[derive(Clone, Default)]
pub(super) struct App {
    answers: Arc<Mutex<BTreeMap<String, (u16, String)>>>,
    posted: Arc<Mutex<Vec<(String, String)>>>,
}

impl App {
    /// Starts one; where it listens.
    pub(super) async fn start() -> (Self, String) {
        let app = Self::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().route("/{*path}", post(take)).with_state(app.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        (app, url)
    }

    pub(super) fn answer(&self, path: &str, status: u16, body: &str) {
        self.answers.lock().unwrap().insert(path.to_owned(), (status, body.to_owned()));
    }

    /// The bodies that were posted to a path.
    pub(super) fn posted(&self, path: &str) -> Vec<String> {
        let posted = self.posted.lock().unwrap();
        posted.iter().filter(|(to, _)| to == path).map(|(_, body)| body.clone()).collect()
    }

    /// `status leg` of each webhook, in the order in which they came, all of them valid.
    pub(super) fn told(&self, profile: Profile) -> Vec<String> {
        let tell = |body: String| {
            let webhook = Webhook::parse(body.as_bytes()).unwrap();
            let findings = webhook.validate(profile).findings;
            assert!(findings.is_empty(), "{body}: {findings:?}");
            let text = |key| webhook.text(key).unwrap_or_default().into_owned();
            let cdr = if webhook.get("duration").is_some() { "cdr " } else { "" };
            format!("{cdr}{} {}", text("status"), text("leg"))
        };
        self.posted("/webhooks").into_iter().map(tell).collect()
    }
}

async fn take(State(app): State<App>, uri: Uri, body: String) -> (StatusCode, String) {
    let path = uri.path().to_owned();
    let answer = app.answers.lock().unwrap().get(&path).cloned().unwrap_or((200, "got it".to_owned()));
    app.posted.lock().unwrap().push((path, body));
    (StatusCode::from_u16(answer.0).unwrap(), answer.1)
}

/// A platform of one number whose URLs are the application's, so fast that a minute takes a moment.
pub(super) fn config(app: &str, more: &str) -> Config {
    let text = format!(
        "[platform]\ntime-scale = 300\nseed = 7\n[[platform.number]]\nnumber = 441632960000\n\
         answer-url = \"{app}/answer\"\nevent-url = \"{app}/webhooks\"\n{more}"
    );
    Config::parse("test", &text).unwrap()
}

/// Waits until a call is over and its webhooks are out.
pub(super) async fn over(exchange: &Exchange, call: u64) -> CallView {
    let mut changes = exchange.board().changes();
    loop {
        let view = exchange.board().call(call).unwrap();
        if view.is_over && view.is_settled() {
            return view;
        }
        tokio::time::timeout(Duration::from_secs(20), changes.recv()).await.expect("it comes to an end").ok();
    }
}

/// What was said, of everything but webhooks.
pub(super) fn said(view: &CallView) -> Vec<String> {
    view.messages().map(|message| message.label.clone()).collect()
}
