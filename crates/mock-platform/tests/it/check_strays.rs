//! Effects without an id, and an observation that does not always answer.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use piopiy_mock_platform::deliver::Target;
use piopiy_mock_platform::deliver::check_run::run_checks;
use piopiy_mock_platform::judge::check::{Verdict, find};
use piopiy_mock_platform::judge::report::{Human, Reporter as _};
use piopiy_receiver::Malformed;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::check::{correct, options, run};

/// What a receiver has done, a record each.
type Effects = Arc<Mutex<Vec<Value>>>;

#[derive(Deserialize)]
struct Since {
    since: Option<usize>,
}

async fn served(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    url
}

fn keep(effects: &Effects, mut effect: Value) {
    let mut effects = effects.lock().unwrap();
    effect["seq"] = json!(effects.len() + 1);
    effects.push(effect);
}

async fn tell(State(effects): State<Effects>, since: Query<Since>) -> String {
    let effects = effects.lock().unwrap();
    effects.iter().skip(since.since.unwrap_or_default()).map(|effect| format!("{effect}\n")).collect()
}

/// Refuses what is no webhook, and has stored it all the same, a little later.
async fn refuse_and_store(State(effects): State<Effects>, body: Bytes) -> StatusCode {
    match serde_json::from_slice::<Value>(&body) {
        Ok(webhook) if webhook["cmiuuid"].is_string() => {
            keep(&effects, json!({ "kind": "cdr", "cmiuuid": webhook["cmiuuid"], "leg": webhook["leg"] }));
            StatusCode::OK
        }
        _ => {
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(60)).await;
                keep(&effects, json!({ "kind": "unknown" }));
            });
            StatusCode::BAD_REQUEST
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_stored_late_although_it_was_refused_is_found() {
    let router = Router::new()
        .route("/", post(refuse_and_store).get(|| async { StatusCode::METHOD_NOT_ALLOWED }))
        .route("/observe", get(tell))
        .with_state(Effects::default());
    let url = served(router).await;
    let options = options(Some(&format!("{url}/observe")));
    let report = run(&format!("{url}/"), &[find("JSN-005").unwrap()], &options).await;
    assert_eq!(report.checks[0].outcome.verdict, Verdict::Fail, "{}", Human.render(&report));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_observation_that_errs_now_and_then_is_held_against_nobody() {
    const EVERY: usize = 7;
    let mut ran = 0;
    for phase in 0..EVERY {
        let (server, observe_url) = correct(Malformed::Quarantine).await;
        let asked = Arc::new(AtomicUsize::new(phase));
        let observe = get(move |since: Query<Since>| async move {
            if asked.fetch_add(1, Ordering::Relaxed).is_multiple_of(EVERY) {
                return Err(StatusCode::SERVICE_UNAVAILABLE);
            }
            let url = format!("{observe_url}?since={}", since.since.unwrap_or_default());
            Ok(reqwest::get(url).await.unwrap().text().await.unwrap())
        });
        let url = served(Router::new().route("/observe", observe)).await;
        let checks = ["JSN-002", "JSN-003", "JSN-005"].map(|id| find(id).unwrap());
        let options = options(Some(&format!("{url}/observe")));
        let target = Target::parse(&server.url(), &[]).unwrap();
        let report = run_checks(&target, &checks, &options, &(), std::future::pending()).await;
        server.shutdown().await;
        // Where it errs at once there is no run.
        let Ok(report) = report else { continue };
        ran += 1;
        for check in &report.checks {
            assert_ne!(check.outcome.verdict, Verdict::Fail, "{}", Human.render(&report));
        }
    }
    assert!(ran >= EVERY - 2, "{ran}");
}
